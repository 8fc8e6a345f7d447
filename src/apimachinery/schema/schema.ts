import table from "./kubernetes-1.36.txt" with { type: "text" };

/** A type as the fact table states it; `type` is a scalar's name or another type's. */
export interface TypeReference {
  type?: string;
  list?: TypeReference;
  map?: TypeReference;
  key?: string;
  ptr?: boolean;
}
export interface FieldFacts extends TypeReference {
  json?: string;
  /** Embedded in Go: its fields appear in the outer object's JSON. */
  inline?: boolean;
  omitempty?: boolean;
  optional?: boolean;
  required?: boolean;
  /** Protobuf field number, its wire type, and its name where that isn't the JSON name. */
  pb?: number;
  wire?: string;
  pbName?: string;
  patchStrategy?: string;
  patchMergeKey?: string;
  listType?: "atomic" | "set" | "map";
  listMapKeys?: string[];
  mapType?: "atomic" | "granular";
  structType?: "atomic" | "granular";
  default?: string;
  featureGate?: string;
}
export interface TypeFacts {
  fields?: FieldFacts[];
  alias?: TypeReference & { enum?: string[] | true };
  structType?: "atomic" | "granular";
}

export type Scalar = "string" | "bool" | "int32" | "int64" | "float64";
/** What a JSON value may be. Aliases are resolved; `go` is Go's name for the type, for error messages. */
export type Type =
  | { readonly kind: "scalar"; readonly scalar: Scalar; readonly go: string; readonly enum?: readonly string[] }
  | { readonly kind: "list"; readonly item: Type; readonly go: string }
  | { readonly kind: "map"; readonly value: Type; readonly go: string }
  | { readonly kind: "any" | "quantity" | "intOrString" | "time" | "microTime" | "duration" | "bytes"; readonly go: string }
  /** Either the struct, or something that isn't an object (JSONSchemaPropsOrBool and its sisters). */
  | { readonly kind: "union"; readonly struct: StructType; readonly other: Type; readonly go: string }
  | StructType;

export interface Field {
  readonly name: string;
  readonly type: Type;
  readonly ptr: boolean;
  readonly omitempty: boolean;
  /** The directives of strategic merge: `merge`, `replace`, `retainKeys`. */
  readonly patchStrategy: readonly string[];
  readonly patchMergeKey: string | undefined;
  /** All else that the table says. */
  readonly facts: FieldFacts;
}

/** A struct whose fields are read from the table when first asked for. There is one per name. */
export class StructType {
  readonly kind = "struct";
  #fields: ReadonlyMap<string, Field> | undefined;
  constructor(readonly name: string) {}
  /** Go's name: `v1.ReplicaSet`. */
  get go(): string {
    return goName(this.name);
  }
  /** By JSON name, embedded structs flattened, in the order Go declares them. */
  get fields(): ReadonlyMap<string, Field> {
    return (this.#fields ??= readFields(this.name));
  }
}

/** Offsets of each type's line; the text itself stays one string, and a line is parsed when its type is first used. */
const index = new Map<string, number>();
for (let start = 0; start < table.length; ) {
  const tab = table.indexOf("\t", start);
  if (tab < 0) break;
  index.set(table.slice(start, tab), tab + 1);
  start = table.indexOf("\n", tab) + 1 || table.length;
}

export const hasType = (name: string): boolean => index.has(name);
export const typeNames = (): Iterable<string> => index.keys();

/** The table's own words on a type, parsed anew at each call. For protobuf and OpenAPI, which keep what they derive. */
export function factsOf(name: string): TypeFacts | undefined {
  const start = index.get(name);
  if (start === undefined) return undefined;
  const end = table.indexOf("\n", start);
  return JSON.parse(table.slice(start, end < 0 ? undefined : end)) as TypeFacts;
}

const plain = (scalar: Scalar): Type => ({ kind: "scalar", scalar, go: scalar });
const types = new Map<string, Type>([
  ["string", plain("string")], ["bool", plain("bool")], ["int32", plain("int32")], ["int64", plain("int64")], ["float64", plain("float64")],
  ["int", { kind: "scalar", scalar: "int64", go: "int" }],
  ["bytes", { kind: "bytes", go: "[]uint8" }],
  ["interface{}", { kind: "any", go: "interface {}" }],
  ["k8s.io/apimachinery/pkg/types.UID", { kind: "scalar", scalar: "string", go: "types.UID" }],
  ["k8s.io/apimachinery/pkg/types.NodeName", { kind: "scalar", scalar: "string", go: "types.NodeName" }],
]);

/** Types that marshal themselves, by the last part of their name. */
const selfMarshalling: Readonly<Record<string, "any" | "quantity" | "intOrString" | "time" | "microTime" | "duration">> = {
  Quantity: "quantity", IntOrString: "intOrString", Time: "time", MicroTime: "microTime", Duration: "duration",
  RawExtension: "any", FieldsV1: "any", JSON: "any",
};

/** Throws when the table has no such type. */
export function typeOf(name: string): Type {
  const known = types.get(name);
  if (known) return known;
  if (!index.has(name)) throw new Error(`no type ${name} in the schema table`);
  const type = makeType(name);
  types.set(name, type);
  return type;
}

/** `typeOf` for a name that must be a struct, such as a card's `schema`. */
export function structOf(name: string): StructType {
  const type = typeOf(name);
  if (type.kind !== "struct") throw new Error(`${name} isn't a struct`);
  return type;
}

function makeType(name: string): Type {
  const go = goName(name);
  const short = name.slice(name.lastIndexOf(".") + 1);
  const special = selfMarshalling[short];
  if (special) return { kind: special, go };
  if (short.startsWith("JSONSchemaPropsOr")) {
    const struct = typeOf(name.replace(/Or\w+$/, "")) as StructType;
    const other = short.endsWith("OrBool") ? typeOf("bool") : resolve({ list: { type: short.endsWith("OrStringArray") ? "string" : struct.name } });
    return { kind: "union", struct, other, go };
  }
  const { alias } = factsOf(name)!;
  if (!alias) return new StructType(name);
  const target = resolve(alias);
  if (target.kind === "struct" || target.kind === "union") return target;
  return { ...target, go, ...(Array.isArray(alias.enum) ? { enum: alias.enum } : {}) };
}

const lists = new Map<Type, Type>();
const maps = new Map<Type, Type>();

/** The type a reference of the table means. Types that the table doesn't know accept anything. */
export function resolve(reference: TypeReference): Type {
  if (reference.list) {
    const item = resolve(reference.list);
    return memo(lists, item, () => ({ kind: "list", item, go: `[]${item.go}` }));
  }
  if (reference.map) {
    const value = resolve(reference.map);
    return memo(maps, value, () => ({ kind: "map", value, go: `map[string]${value.go}` }));
  }
  const name = reference.type!;
  return types.has(name) || index.has(name) ? typeOf(name) : typeOf("interface{}");
}

function memo(cache: Map<Type, Type>, key: Type, make: () => Type): Type {
  let made = cache.get(key);
  if (!made) cache.set(key, (made = make()));
  return made;
}

function readFields(name: string): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const facts of factsOf(name)?.fields ?? []) {
    if (facts.inline) {
      for (const [inner, field] of readFields(facts.type!)) if (!fields.has(inner)) fields.set(inner, field);
    } else if (facts.json) {
      fields.set(facts.json, {
        name: facts.json, type: resolve(facts), ptr: facts.ptr === true, omitempty: facts.omitempty === true,
        patchStrategy: facts.patchStrategy?.split(",") ?? [], patchMergeKey: facts.patchMergeKey, facts,
      });
    }
  }
  return fields;
}

/** `io.k8s.api.apps.v1.ReplicaSet` → `v1.ReplicaSet`. */
function goName(name: string): string {
  return name.slice(name.lastIndexOf(".", name.lastIndexOf(".") - 1) + 1);
}
