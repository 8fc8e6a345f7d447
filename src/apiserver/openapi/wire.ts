import { isObject, type JsonObject } from "../../apimachinery/own.ts";

/**
 * Protobuf by hand, for the two messages that OpenAPI documents come as. Absent values make no bytes. Until the end bytes are strings of one
 * character each: engines join those without copying, and documents nest deeply.
 */
export type Bytes = string;
export const bytesOf = (parts: readonly Bytes[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(parts.join(""), "latin1"));

function varint(value: number): Bytes {
  let bytes = "";
  for (; value > 127; value = Math.floor(value / 128)) bytes += String.fromCharCode((value % 128) | 128);
  return bytes + String.fromCharCode(value);
}
const ascii = /^[\0-\x7f]*$/;
const utf8 = (value: string): Bytes => (ascii.test(value) ? value : Buffer.from(value).toString("latin1"));
const empty = "";
const delimited = (field: number, body: Bytes): Bytes => varint(field * 8 + 2) + varint(body.length) + body;
export const message = (field: number, parts: readonly Bytes[]): Bytes => delimited(field, parts.join(""));
export const text = (field: number, value: unknown): Bytes => (typeof value === "string" ? delimited(field, utf8(value)) : empty);
export const texts = (field: number, values: unknown): Bytes => ((values as string[] | undefined) ?? []).map((value) => text(field, value)).join("");
export const flag = (field: number, value: unknown): Bytes => (value === true ? boolean(field, true) : empty);
/** Written though it be false, as one of several must be. */
export const boolean = (field: number, value: boolean): Bytes => varint(field * 8) + varint(value ? 1 : 0);
/** An int64 that isn't negative: lengths and counts. */
const integer = (field: number, value: unknown): Bytes => (typeof value === "number" && value > 0 ? varint(field * 8) + varint(value) : empty);
export function double(field: number, value: unknown): Bytes {
  if (typeof value !== "number") return empty;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return varint(field * 8 + 1) + bytes.toString("latin1");
}
/** A message of an object, where there is one. */
export const nested = (field: number, value: unknown, encode: (value: JsonObject) => Bytes[]): Bytes => (isObject(value) ? message(field, encode(value)) : empty);
/** A message for each of a list. */
export const list = (field: number, values: unknown, encode: (value: JsonObject) => Bytes[]): Bytes => ((values as JsonObject[] | undefined) ?? []).map((value) => message(field, encode(value))).join("");
/** A named message for each of an object's members: NamedSchema, NamedPathItem and their sisters. */
export const each = (field: number, object: unknown, encode: (value: JsonObject) => Bytes[]): Bytes =>
  Object.entries((object as Record<string, JsonObject> | undefined) ?? {}).map(([name, value]) => message(field, named(name, encode(value)))).join("");
export const named = (name: string, value: readonly Bytes[]): Bytes[] => [text(1, name), message(2, value)];
/** Any: YAML, which JSON is. */
export const any = (value: unknown): Bytes[] => [text(2, JSON.stringify(value))];

export function extensions(field: number, object: JsonObject): Bytes {
  return Object.entries(object).filter(([name]) => name.startsWith("x-")).map(([name, value]) => message(field, named(name, any(value)))).join("");
}

/** What a schema bounds values by; both versions have these side by side, from `multipleOf` at field `first` to `minProperties`. */
export function bounds(first: number, schema: JsonObject): Bytes {
  return [
    double(first, schema.multipleOf), double(first + 1, schema.maximum), flag(first + 2, schema.exclusiveMaximum), double(first + 3, schema.minimum), flag(first + 4, schema.exclusiveMinimum),
    integer(first + 5, schema.maxLength), integer(first + 6, schema.minLength), text(first + 7, schema.pattern), integer(first + 8, schema.maxItems), integer(first + 9, schema.minItems),
    flag(first + 10, schema.uniqueItems), integer(first + 11, schema.maxProperties), integer(first + 12, schema.minProperties),
  ].join("");
}
