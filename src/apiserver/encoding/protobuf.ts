import { factsOf, hasType, type FieldFacts, type TypeReference } from "../../apimachinery/schema/schema.ts";
import { badRequest } from "../../apimachinery/status.ts";

/** Kubernetes' envelope: this, then a runtime.Unknown message. */
const magic = Buffer.from("k8s\0");

export const protobufType = "application/vnd.kubernetes.protobuf";

type Json = Record<string, unknown>;

/**
 * Reads a protobuf body (proto2, lists not packed), as Go clients and kubectl's typed commands send them, to what its JSON would parse to. The schema table has the
 * field numbers. `schema` names the type expected; the envelope's kind is reported as the object's, for the caller to check.
 * Throws a 400 StatusError for bytes that are not that.
 */
export function parseProtobuf(body: Uint8Array, schema: string): Json {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!bytes.subarray(0, 4).equals(magic)) throw badRequest("the object provided is not in protobuf: the prefix is missing");
  try {
    const unknown = readMessage(bytes.subarray(4), envelope);
    const { apiVersion = "", kind = "" } = (unknown["typeMeta"] ?? {}) as { apiVersion?: string; kind?: string };
    const object = readStruct(Buffer.from((unknown["raw"] as string | undefined) ?? "", "base64"), schema);
    return { ...object, ...(kind ? { kind } : {}), ...(apiVersion ? { apiVersion } : {}) };
  } catch (error) {
    if (error instanceof RangeError) throw badRequest(`the object provided is not valid protobuf: ${error.message}`);
    throw error;
  }
}

/** How one field is read. `inline` fields are a message on the wire and part of the outer object in JSON. */
interface ProtobufField {
  json: string;
  inline: boolean;
  list: boolean;
  /** Set for maps: what reads the value. */
  mapValue?: Reader;
  read: Reader;
}
type Message = ReadonlyMap<number, ProtobufField>;
/** `bytes` for length-delimited fields, a bigint for the others. */
type Reader = (value: Buffer | bigint) => unknown;

const text: Reader = (value) => asBytes(value).toString("utf8");
const base64: Reader = (value) => asBytes(value).toString("base64");
const integer: Reader = (value) => Number(BigInt.asIntN(64, asNumber(value)));
const bool: Reader = (value) => asNumber(value) !== 0n;
const double: Reader = (value) => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(asNumber(value));
  return buffer.readDoubleLE();
};

function asBytes(value: Buffer | bigint): Buffer {
  if (typeof value === "bigint") throw new RangeError("wrong wire type");
  return value;
}
function asNumber(value: Buffer | bigint): bigint {
  if (typeof value !== "bigint") throw new RangeError("wrong wire type");
  return value;
}

const field = (json: string, read: Reader, list = false): ProtobufField => ({ json, read, list, inline: false });
const message = (fields: Record<number, ProtobufField>): Message => new Map(Object.entries(fields).map(([number, each]) => [Number(number), each]));
const nested = (of: Message): Reader => (value) => readMessage(asBytes(value), of);

const envelope = message({ 1: field("typeMeta", nested(message({ 1: field("apiVersion", text), 2: field("kind", text) }))), 2: field("raw", base64) });
const raw = message({ 1: field("raw", text) });
const instant = message({ 1: field("seconds", integer), 2: field("nanos", integer) });
const intOrString = message({ 1: field("type", integer), 2: field("int", integer), 3: field("text", text) });

/** Types that marshal themselves, by the last part of their name: a message of their own on the wire, one value in JSON. */
const special: Readonly<Record<string, Reader>> = {
  Quantity: (value) => readMessage(asBytes(value), raw)["raw"] ?? "0",
  Time: (value) => instantOf(value, 0),
  MicroTime: (value) => instantOf(value, 6),
  Duration: (value) => `${Number(readMessage(asBytes(value), instant)["seconds"] ?? 0) / 1e9}s`,
  IntOrString: (value) => {
    const read = readMessage(asBytes(value), intOrString);
    return read["type"] === 1 ? read["text"] ?? "" : read["int"] ?? 0;
  },
  RawExtension: (value) => jsonOf(value), FieldsV1: (value) => jsonOf(value), JSON: (value) => jsonOf(value),
};

/** The zero time is an empty message, and null in JSON. */
function instantOf(value: Buffer | bigint, digits: number): string | null {
  const { seconds, nanos = 0 } = readMessage(asBytes(value), instant) as { seconds?: number; nanos?: number };
  if (seconds === undefined) return null;
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return digits === 0 ? `${whole}Z` : `${whole}.${String(Math.trunc(nanos / 1000)).padStart(digits, "0")}Z`;
}

function jsonOf(value: Buffer | bigint): unknown {
  const json = readMessage(asBytes(value), raw)["raw"];
  try {
    return json ? JSON.parse(json as string) : null;
  } catch {
    throw new RangeError("embedded JSON is malformed");
  }
}

const scalars: Readonly<Record<string, Reader>> = {
  string: text, bytes: base64, bool, int: integer, int32: integer, int64: integer, float64: double,
  "k8s.io/apimachinery/pkg/types.UID": text, "k8s.io/apimachinery/pkg/types.NodeName": text,
};

function readerOf(name: string): Reader {
  const known = scalars[name] ?? special[name.slice(name.lastIndexOf(".") + 1)];
  if (known) return known;
  const alias = hasType(name) ? factsOf(name)!.alias : undefined;
  // A named list is a message of its own on the wire: `message Verbs { repeated string items = 1; }`.
  if (alias?.list) return (value) => readMessage(asBytes(value), message({ 1: field("items", readerOf(alias.list!.type!), true) }))["items"] ?? [];
  return alias?.type ? readerOf(alias.type) : (value) => readStruct(asBytes(value), name);
}

const structs = new Map<string, Message>();

function readStruct(bytes: Buffer, name: string): Json {
  let struct = structs.get(name);
  if (!struct) structs.set(name, struct = makeStruct(name));
  return readMessage(bytes, struct);
}

function makeStruct(name: string): Message {
  const fields = new Map<number, ProtobufField>();
  for (const facts of factsOf(name)?.fields ?? []) if (facts.pb !== undefined) fields.set(facts.pb, makeField(facts));
  return fields;
}

function makeField(facts: FieldFacts): ProtobufField {
  const map = mapOf(facts);
  const reference = map ?? facts.list ?? facts;
  const lazily = (): Reader => {
    let reader: Reader | undefined;
    return (value) => (reader ??= readerOf(reference.type ?? "string"))(value);
  };
  return { json: facts.json ?? "", inline: facts.inline === true, list: facts.list !== undefined, read: lazily(), ...(map ? { mapValue: lazily() } : {}) };
}

/** A map's value type, also behind a name such as ResourceList. */
function mapOf(reference: TypeReference): TypeReference | undefined {
  if (reference.map) return reference.map;
  return reference.type && !(reference.type in scalars) && hasType(reference.type) ? factsOf(reference.type)!.alias?.map : undefined;
}

/** Nesting is as deep as the call stack: each level takes two bytes at least, and too deep a body ends in a RangeError of the engine. */
function readMessage(bytes: Buffer, fields: Message): Json {
  const object: Json = {};
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at);
    const read = readValue(bytes, tag.next, Number(tag.value & 7n));
    at = read.next;
    const known = fields.get(Number(tag.value >> 3n));
    if (known) put(object, known, read.value);
  }
  return object;
}

function put(object: Json, { json, inline, list, mapValue, read }: ProtobufField, value: Buffer | bigint): void {
  if (inline) {
    Object.assign(object, read(value));
  } else if (mapValue) {
    const entry = readMessage(asBytes(value), message({ 1: field("key", text), 2: field("value", mapValue) }));
    const map = (object[json] ??= {}) as Json;
    Object.defineProperty(map, String(entry["key"] ?? ""), { value: entry["value"] ?? mapValue(Buffer.alloc(0)), enumerable: true, writable: true, configurable: true });
  } else if (list) {
    ((object[json] ??= []) as unknown[]).push(read(value));
  } else {
    object[json] = read(value);
  }
}

function readValue(bytes: Buffer, at: number, wire: number): { value: Buffer | bigint; next: number } {
  switch (wire) {
    case 0: return readVarint(bytes, at);
    case 1: return { value: take(bytes, at, 8).readBigUInt64LE(), next: at + 8 };
    case 2: {
      const { value, next } = readVarint(bytes, at);
      const length = Number(value);
      return { value: take(bytes, next, length), next: next + length };
    }
    case 5: return { value: BigInt(take(bytes, at, 4).readUInt32LE()), next: at + 4 };
    default: throw new RangeError(`unknown wire type ${wire}`);
  }
}

function take(bytes: Buffer, at: number, length: number): Buffer {
  if (at + length > bytes.length) throw new RangeError("unexpected end");
  return bytes.subarray(at, at + length);
}

function readVarint(bytes: Buffer, at: number): { value: bigint; next: number } {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new RangeError("unexpected end");
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return { value, next: at + i + 1 };
  }
  throw new RangeError("varint too long");
}
