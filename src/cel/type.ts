/** CEL's types, as the checker reasons about them. Structural equality; the constants below may be compared by identity. */
export type TypeKind =
  | "bool" | "bytes" | "double" | "int" | "uint" | "string" | "null" | "dyn" | "error"
  | "timestamp" | "duration" | "list" | "map" | "struct" | "opaque" | "type" | "param";

export interface CelType {
  readonly kind: TypeKind;
  /** As `type(x)` and messages name it. */
  readonly name: string;
  readonly params: readonly CelType[];
}

const simple = (kind: TypeKind, name: string = kind): CelType => ({ kind, name, params: [] });

export const boolType = simple("bool");
export const bytesType = simple("bytes");
export const doubleType = simple("double");
export const intType = simple("int");
export const uintType = simple("uint");
export const stringType = simple("string");
export const nullType = simple("null", "null_type");
export const dynType = simple("dyn");
export const errorType = simple("error", "!error!");
export const timestampType = simple("timestamp", "google.protobuf.Timestamp");
export const durationType = simple("duration", "google.protobuf.Duration");
export const typeType = simple("type");

export const listType = (item: CelType): CelType => ({ kind: "list", name: "list", params: [item] });
export const mapType = (key: CelType, value: CelType): CelType => ({ kind: "map", name: "map", params: [key, value] });
export const optionalType = (value: CelType): CelType => ({ kind: "opaque", name: "optional_type", params: [value] });
export const structType = (name: string): CelType => simple("struct", name);
export const opaqueType = (name: string): CelType => simple("opaque", name);
export const paramType = (name: string): CelType => simple("param", name);
export const typeOfType = (type: CelType): CelType => ({ kind: "type", name: "type", params: [type] });

export const isOptional = (type: CelType): boolean => type.kind === "opaque" && type.name === "optional_type";
export const isDyn = (type: CelType): boolean => type.kind === "dyn";
export const isDynOrError = (type: CelType): boolean => type.kind === "dyn" || type.kind === "error";

export function sameType(a: CelType, b: CelType): boolean {
  return a === b || (a.kind === b.kind && a.name === b.name && a.params.length === b.params.length && a.params.every((param, index) => sameType(param, b.params[index]!)));
}

const shortNames: Partial<Record<TypeKind, string>> = { duration: "duration", timestamp: "timestamp", null: "null" };

/** As the checker's messages print a type: `list(string)`, `timestamp`. */
export function formatType(type: CelType): string {
  const short = shortNames[type.kind];
  if (short) return short;
  return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(formatType).join(", ")})`;
}

/** As `must evaluate to … but got …` prints a type: like `formatType` but with the full names of well-known types. */
export function typeString(type: CelType): string {
  return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(typeString).join(", ")})`;
}
