import { setOwn, type JsonObject } from "../own.ts";
import { canonicalQuantity } from "../quantity.ts";
import { badRequest } from "../status.ts";
import { canonicalMicroTime, canonicalTime } from "../time.ts";
import { structOf, type StructType, type Type } from "./schema.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";
export interface DecodeOptions {
  fieldValidation?: FieldValidation;
  /** What `parseJson` or `parseYaml` found twice; joins the unknown fields. */
  duplicates?: readonly string[];
}
export interface Decoded<T> {
  object: T;
  /** For `Warn`: what to warn about, each such as `unknown field "spec.foo"`. Empty for `Ignore`, and `Strict` throws. */
  unknownFields: string[];
}

/** As many as sigs.k8s.io/json reports. */
const mostReported = 100;

/**
 * Reads parsed JSON as a type of the schema table, as a round trip through Go's struct would: unknown fields and nulls go, and empty
 * values that Go omits; quantities and times become canonical. The input is not kept, except within free-form fields.
 * Throws a 400 StatusError for a value of the wrong type, and for unknown fields when `Strict`.
 */
export function decode<T = Record<string, unknown>>(schemaName: string, json: unknown, options: DecodeOptions = {}): Decoded<T> {
  const struct = structOf(schemaName);
  const fieldValidation = options.fieldValidation ?? "Ignore";
  const reader: Reader = { path: [], ...complaintsOf(fieldValidation, options.duplicates ?? []), root: struct, struct };
  try {
    const object = decodeStruct(reader, struct, json);
    if (isTopLevel(struct)) addEmptyStructs(object, struct);
    const unknownFields = reader.unknown ?? [];
    if (fieldValidation === "Strict" && unknownFields.length > 0) throw new DecodeError(`strict decoding error: ${unknownFields.join(", ")}`);
    return { object: object as T, unknownFields: unknownFields.flatMap(warningsOf) };
  } catch (error) {
    if (error instanceof DecodeError) throw badRequest(describe(schemaName, json, error.message));
    if (error instanceof RangeError) throw badRequest(describe(schemaName, json, "exceeded max depth"));
    throw error;
  }
}

/** As warnings, go-yaml's complaints stand one by one. */
function warningsOf(message: string): string[] {
  const prefix = "yaml: unmarshal errors:\n";
  return message.startsWith(prefix) ? message.slice(prefix.length).split("\n").map((line) => line.trim()) : [message];
}

const isOfField = (duplicate: string): boolean => duplicate.startsWith("duplicate field ");

/** What a parser says of the whole text comes first, what it says of a field when that is read. */
function complaintsOf(fieldValidation: FieldValidation, duplicates: readonly string[]): Pick<Reader, "unknown" | "duplicates"> {
  if (fieldValidation === "Ignore") return { unknown: undefined, duplicates: undefined };
  const ofFields = duplicates.filter(isOfField);
  return { unknown: duplicates.filter((text) => !isOfField(text)), duplicates: ofFields.length ? new Set(ofFields) : undefined };
}

class DecodeError extends Error {}

interface Reader {
  /** Field names, map keys and list indexes down to the current value. */
  path: (string | number)[];
  unknown: string[] | undefined;
  /** Not yet reported; those within what isn't read never are. */
  duplicates: Set<string> | undefined;
  root: StructType;
  /** The innermost struct, for error messages. */
  struct: StructType;
}

function describe(schemaName: string, json: unknown, message: string): string {
  const { kind, apiVersion } = (typeof json === "object" && json !== null ? json : {}) as { kind?: unknown; apiVersion?: unknown };
  const parts = schemaName.split(".");
  const own = parts.at(-1)!;
  const version = typeof apiVersion === "string" && apiVersion ? apiVersion.slice(apiVersion.indexOf("/") + 1) : parts.at(-2)!;
  return `${typeof kind === "string" && kind ? kind : own} in version ${JSON.stringify(version)} cannot be handled as a ${own}: ${message}`;
}

const isTopLevel = (struct: StructType): boolean => struct.fields.has("apiVersion") && struct.fields.has("metadata");

/** Every object has the structs that its readers may count on. */
function addEmptyStructs(object: JsonObject, struct: StructType): void {
  for (const name of ["metadata", "spec", "status"]) {
    const field = struct.fields.get(name);
    if (field && !field.ptr && field.type.kind === "struct") object[name] ??= {};
  }
}

/** Lists that say something by being empty: no managers ends their recording, and no policies of scaling are not the usual ones. */
const sayByBeingEmpty: ReadonlySet<string> = new Set(["managedFields", "policies"]);

function decodeStruct(reader: Reader, struct: StructType, json: unknown): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw mismatch(reader, struct, json);
  const outer = reader.struct;
  reader.struct = struct;
  const { fields } = struct;
  const object: JsonObject = {};
  for (const name of Object.keys(json)) {
    const field = fields.get(name);
    if (!field) {
      noteUnknown(reader, name);
      continue;
    }
    const given = (json as JsonObject)[name];
    if (given === null || given === undefined) continue;
    reader.path.push(name);
    const value = decodeValue(reader, field.type, given);
    if (reader.duplicates) noteDuplicate(reader);
    reader.path.pop();
    if (field.omitempty && !field.ptr && isEmpty(value, field.type.kind) && !(sayByBeingEmpty.has(name) && field.type.kind === "list")) continue;
    object[name] = value;
  }
  reader.struct = outer;
  return object;
}

function noteUnknown(reader: Reader, name: string): void {
  if (reader.unknown && reader.unknown.length < mostReported) reader.unknown.push(`unknown field ${JSON.stringify(renderPath([...reader.path, name]))}`);
}

function noteDuplicate(reader: Reader): void {
  const text = `duplicate field ${JSON.stringify(renderPath(reader.path))}`;
  if (reader.duplicates!.delete(text) && reader.unknown!.length < mostReported) reader.unknown!.push(text);
}

/** What encoding/json's omitempty leaves out. */
function isEmpty(value: unknown, kind: Type["kind"]): boolean {
  switch (kind) {
    case "scalar": case "bytes": return value === "" || value === 0 || value === false;
    case "list": return (value as unknown[]).length === 0;
    case "map":
      for (const _ in value as object) return false;
      return true;
    default: return false;
  }
}

function decodeValue(reader: Reader, type: Type, json: unknown): unknown {
  switch (type.kind) {
    case "scalar": return decodeScalar(reader, type, json);
    case "struct": return decodeStruct(reader, type, json);
    case "list": return decodeList(reader, type, json);
    case "map": return decodeMap(reader, type, json);
    case "any": return json;
    case "union": return typeof json === "object" && !Array.isArray(json) ? decodeStruct(reader, type.struct, json) : decodeValue(reader, type.other, json);
    case "intOrString":
      if (typeof json === "string" || isInteger(json, "int32")) return json;
      throw mismatch(reader, { ...type, go: typeof json === "number" ? "int32" : "string" }, json);
    case "bytes":
      if (typeof json !== "string") throw mismatch(reader, type, json);
      return canonicalBase64(json);
    case "duration":
      if (typeof json !== "string") throw mismatch(reader, { ...type, go: "string" }, json);
      return json;
    case "quantity":
      if (typeof json !== "string" && typeof json !== "number") throw new DecodeError(badQuantity);
      return translated(() => canonicalQuantity(json));
    case "time": case "microTime":
      if (typeof json !== "string") throw mismatch(reader, { ...type, go: "string" }, json);
      return translated(() => (type.kind === "time" ? canonicalTime(json) : canonicalMicroTime(json)));
  }
}

const badQuantity = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function decodeScalar(reader: Reader, type: Type & { kind: "scalar" }, json: unknown): unknown {
  switch (type.scalar) {
    case "string": if (typeof json === "string") return json; break;
    case "bool": if (typeof json === "boolean") return json; break;
    case "float64": if (typeof json === "number") return json; break;
    case "int32": case "int64": if (isInteger(json, type.scalar)) return json; break;
  }
  throw mismatch(reader, type, json);
}

/** Integers that a number doesn't hold exactly are refused: rounded in silence they would be another's. */
const isInteger = (json: unknown, scalar: "int32" | "int64"): boolean =>
  typeof json === "number" && (scalar === "int64" ? Number.isSafeInteger(json) : json === (json | 0));

function decodeList(reader: Reader, type: Type & { kind: "list" }, json: unknown): unknown[] {
  if (!Array.isArray(json)) throw mismatch(reader, type, json);
  const list: unknown[] = [];
  for (let i = 0; i < json.length; i++) {
    reader.path.push(i);
    list.push(json[i] === null ? zeroOf(type.item) : decodeValue(reader, type.item, json[i]));
    reader.path.pop();
  }
  return list;
}

function decodeMap(reader: Reader, type: Type & { kind: "map" }, json: unknown): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw mismatch(reader, type, json);
  const map: JsonObject = {};
  for (const key of Object.keys(json)) {
    const given = (json as JsonObject)[key];
    reader.path.push(key);
    const value = given === null ? zeroOf(type.value) : decodeValue(reader, type.value, given);
    if (reader.duplicates) noteDuplicate(reader);
    reader.path.pop();
    setOwn(map, key, value);
  }
  return map;
}

/** What a null becomes inside a list or a map, where it can't be left out. */
function zeroOf(type: Type): unknown {
  switch (type.kind) {
    case "scalar": return type.scalar === "string" ? "" : type.scalar === "bool" ? false : 0;
    case "list": return [];
    case "map": case "struct": return {};
    case "quantity": return "0";
    case "intOrString": return 0;
    case "bytes": case "duration": return "";
    default: return null;
  }
}

function translated(convert: () => string): string {
  try {
    return convert();
  } catch (error) {
    throw new DecodeError((error as Error).message);
  }
}

/** Go ignores line breaks in base64 and nothing else. */
function canonicalBase64(text: string): string {
  const stripped = text.includes("\n") || text.includes("\r") ? text.replace(/[\r\n]/g, "") : text;
  const fault = stripped.search(/[^A-Za-z0-9+/]/);
  const padding = fault < 0 ? "" : stripped.slice(fault);
  if (stripped.length % 4 !== 0 || (padding !== "" && padding !== "=" && padding !== "==")) {
    throw new DecodeError(`illegal base64 data at input byte ${fault < 0 ? stripped.length - (stripped.length % 4) : fault}`);
  }
  return stripped;
}

/** encoding/json's UnmarshalTypeError. */
function mismatch(reader: Reader, type: { go: string }, json: unknown): DecodeError {
  const fields = fieldsOf(reader).join(".");
  const where = fields ? `struct field ${shortName(reader.struct)}.${fields} of type ${type.go}` : `value of type ${type.go}`;
  return new DecodeError(`json: cannot unmarshal ${describeJson(type, json)} into Go ${where}`);
}

/** The path's struct fields alone, since Go names neither map keys nor indexes there. */
function fieldsOf({ path, root }: Reader): string[] {
  const fields: string[] = [];
  let type: Type | undefined = root;
  for (const part of path) {
    if (type?.kind === "union") type = typeof part === "number" ? type.other : type.struct;
    if (type?.kind === "struct") {
      fields.push(String(part));
      type = type.fields.get(String(part))?.type;
    } else type = type?.kind === "list" ? type.item : type?.kind === "map" ? type.value : undefined;
  }
  return fields;
}

const shortName = (struct: StructType): string => struct.go.slice(struct.go.indexOf(".") + 1);

function describeJson(type: { go: string }, json: unknown): string {
  if (Array.isArray(json)) return "array";
  if (typeof json === "number") return /^u?int/.test(type.go) ? `number ${json}` : "number";
  return typeof json === "boolean" ? "bool" : json === null ? "null" : typeof json;
}

/** `spec.containers[0].image`. */
function renderPath(path: readonly (string | number)[]): string {
  let text = "";
  for (const part of path) text += typeof part === "number" ? `[${part}]` : text ? `.${part}` : part;
  return text;
}
