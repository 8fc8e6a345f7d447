import { factsOf, hasType, type FieldFacts, type TypeReference } from "../schema.ts";

/** A value on the wire: what it is in Go decides, since the table's `wire` says what a tag claims and not what is written. */
export type Shape =
  | { readonly kind: "string" | "bytes" | "bool" | "integer" | "double" }
  /** Types that marshal themselves: a message on the wire, one value in JSON. */
  | { readonly kind: "quantity" | "intOrString" | "time" | "microTime" | "duration" | "raw" }
  | { readonly kind: "message"; readonly message: Message }
  /** `message Verbs { repeated string items = 1; }`: a list that is a message of its own. */
  | { readonly kind: "wrappedList" }
  /** JSONSchemaPropsOrBool and its sisters: either a schema, or the `other`. */
  | { readonly kind: "union"; readonly schema: Message; readonly other: "bool" | "schemas" | "strings" };

export interface MessageField {
  readonly number: number;
  /** The key in JSON; meaningless for inline fields. */
  readonly json: string;
  /** A message on the wire whose fields belong to the outer object in JSON. */
  readonly inline: boolean;
  readonly repetition: "one" | "list" | "map";
  /** Go has a pointer: nothing is written for a value that isn't there. */
  readonly pointer: boolean;
  readonly shape: Shape;
}

/** A struct of the table as a protobuf message; its fields are read when first needed, since types refer to themselves. */
export class Message {
  #fields: readonly MessageField[] | undefined;
  constructor(readonly name: string) {}
  /** By rising number, the order of the wire. */
  get fields(): readonly MessageField[] {
    return (this.#fields ??= readFields(this.name));
  }
}

const messages = new Map<string, Message>();

export function messageOf(name: string): Message {
  let message = messages.get(name);
  if (!message) messages.set(name, message = new Message(targetOf(name)));
  return message;
}

/** Follows aliases: `v1beta1.PartialObjectMetadata` is v1's. */
function targetOf(name: string): string {
  const alias = factsOf(name)?.alias?.type;
  return alias && hasType(alias) ? targetOf(alias) : name;
}

/** False for the types that Kubernetes has no protobuf of, such as Table. */
export const hasProtobuf = (name: string): boolean => {
  const fields = factsOf(targetOf(name))?.fields ?? [];
  return fields.some(({ pb }) => pb !== undefined);
};

const scalars: Readonly<Record<string, Shape>> = {
  string: { kind: "string" }, bytes: { kind: "bytes" }, bool: { kind: "bool" }, float64: { kind: "double" },
  int: { kind: "integer" }, int32: { kind: "integer" }, int64: { kind: "integer" },
  "k8s.io/apimachinery/pkg/types.UID": { kind: "string" }, "k8s.io/apimachinery/pkg/types.NodeName": { kind: "string" },
};
const selfMarshalling: Readonly<Record<string, Shape>> = {
  Quantity: { kind: "quantity" }, IntOrString: { kind: "intOrString" }, Time: { kind: "time" }, MicroTime: { kind: "microTime" }, Duration: { kind: "duration" },
  RawExtension: { kind: "raw" }, FieldsV1: { kind: "raw" }, JSON: { kind: "raw" },
  Verbs: { kind: "wrappedList" }, ExtraValue: { kind: "wrappedList" },
};
const unions = { JSONSchemaPropsOrBool: "bool", JSONSchemaPropsOrArray: "schemas", JSONSchemaPropsOrStringArray: "strings" } as const;

function readFields(name: string): MessageField[] {
  const fields: MessageField[] = [];
  for (const facts of factsOf(name)?.fields ?? []) if (facts.pb !== undefined) fields.push(fieldOf(facts, facts.pb));
  return fields.sort((a, b) => a.number - b.number);
}

function fieldOf(facts: FieldFacts, number: number): MessageField {
  const { repetition, of } = unfold(facts);
  return { number, json: facts.json ?? "", inline: facts.inline === true, repetition, pointer: facts.ptr === true, shape: shapeOf(of.type ?? "string") };
}

/** What is repeated, also behind a name such as ResourceList. */
function unfold(reference: TypeReference): { repetition: MessageField["repetition"]; of: TypeReference } {
  if (reference.list) return { repetition: "list", of: reference.list };
  if (reference.map) return { repetition: "map", of: reference.map };
  const name = reference.type ?? "string";
  if (name in scalars || lastPart(name) in selfMarshalling || !hasType(name)) return { repetition: "one", of: reference };
  const { alias } = factsOf(name)!;
  return alias?.list || alias?.map ? unfold(alias) : { repetition: "one", of: reference };
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

function shapeOf(name: string): Shape {
  const short = lastPart(name);
  const known = scalars[name] ?? selfMarshalling[short];
  if (known) return known;
  if (short in unions) return { kind: "union", schema: messageOf(name.replace(/Or\w+$/, "")), other: unions[short as keyof typeof unions] };
  const alias = hasType(name) ? factsOf(name)!.alias?.type : undefined;
  return alias ? shapeOf(alias) : { kind: "message", message: messageOf(name) };
}
