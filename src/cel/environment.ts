import type { DeclType } from "./cel.ts";
import type { Library, Overload } from "./function.ts";
import { kubernetesLibraries } from "./library/libraries.ts";
import { boolType, bytesType, doubleType, durationType, dynType, intType, listType, mapType, nullType, opaqueType, optionalType, stringType, timestampType, typeOfType, typeType, uintType, type CelType } from "./type.ts";

/** Types that expressions may name, and construct with `Name{field: value}`. */
export interface StructTypes {
  /** Undefined when there is no such type. */
  find(name: string): StructDecl | undefined;
}

export interface StructDecl {
  readonly type: CelType;
  /** The type of a field, or undefined when there is none of that name. */
  field(name: string): CelType | undefined;
}

/** What an expression is compiled against. */
export interface Environment {
  variable(name: string): CelType | undefined;
  functions(name: string): readonly Overload[] | undefined;
  struct(name: string): StructDecl | undefined;
}

export interface EnvironmentOptions {
  /** By name: a type, or a declared type whose objects' fields the checker then knows. */
  variables: Readonly<Record<string, CelType | DeclType>>;
  /** Beyond the objects among the variables. */
  structs?: StructTypes;
  libraries?: readonly Library[];
}

const namedTypes = new Map<string, CelType>([
  ["bool", boolType], ["bytes", bytesType], ["double", doubleType], ["int", intType], ["uint", uintType], ["string", stringType], ["null_type", nullType], ["type", typeType], ["dyn", dynType],
  ["list", listType(dynType)], ["map", mapType(dynType, dynType)], ["optional_type", optionalType(dynType)],
  ["google.protobuf.Timestamp", timestampType], ["google.protobuf.Duration", durationType],
  ["net.IP", opaqueType("net.IP")], ["net.CIDR", opaqueType("net.CIDR")],
].map(([name, type]) => [name as string, typeOfType(type as CelType)]));

export function createEnvironment({ variables, structs, libraries = [] }: EnvironmentOptions): Environment {
  const types = new Map<string, CelType>();
  const objects = new Map<string, StructDecl>();
  for (const [name, declared] of Object.entries(variables)) {
    types.set(name, "kind" in declared ? declared : declared.type);
    if (!("kind" in declared)) collectObjects(declared, objects);
  }
  const all = [...libraries, kubernetesLibraries()];
  const struct = (name: string): StructDecl | undefined => objects.get(name) ?? structs?.find(name);
  return {
    variable: (name) => types.get(name) ?? namedTypes.get(name) ?? (struct(name) && typeOfType(struct(name)!.type)),
    functions: (name) => all.find((library) => Object.hasOwn(library, name))?.[name],
    struct,
  };
}

function collectObjects(declared: DeclType, into: Map<string, StructDecl>): void {
  if (declared.item) collectObjects(declared.item, into);
  const { fields, type } = declared;
  if (!fields || into.has(type.name)) return;
  into.set(type.name, { type, field: (name) => (fields.get(name) ?? fields.get(`__${name}__`))?.decl.type });
  for (const { decl } of fields.values()) collectObjects(decl, into);
}

