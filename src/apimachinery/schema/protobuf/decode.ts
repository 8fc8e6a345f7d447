import { setOwn, type JsonObject } from "../../own.ts";
import { messageOf, type Message, type MessageField, type Shape } from "./messages.ts";
import { durationText, microTimeText, timeText } from "./values.ts";
import { WireReader } from "./wire-reader.ts";

/** Reads a value at the reader's place that must not reach beyond `limit`. */
type Read = (reader: WireReader, limit: number) => unknown;
/** Reads one field's value into an object. */
type ReadField = (reader: WireReader, limit: number, object: JsonObject) => void;
interface KnownField {
  wire: number;
  read: ReadField;
}

/**
 * Reads a message of a type of the table to what its JSON would parse to; `schema/decode.ts` takes it from there. Unknown fields are passed over.
 * Throws a RangeError for bytes that aren't such a message. Nesting is as deep as the call stack: too deep a body ends in a RangeError of the engine.
 */
export function decodeMessage(bytes: Uint8Array, schema: string): JsonObject {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return messageReader(messageOf(schema))(new WireReader(buffer), buffer.length) as JsonObject;
}

const readers = new WeakMap<Message, Read>();

function messageReader(message: Message): Read {
  let read = readers.get(message);
  if (!read) readers.set(message, read = makeReader(message));
  return read;
}

function makeReader(message: Message): Read {
  let fields: Map<number, KnownField> | undefined;
  return (reader, limit) => {
    fields ??= new Map(message.fields.map((field) => [field.number, knownField(field)]));
    const object: JsonObject = {};
    readFields(reader, limit, fields, object);
    return object;
  };
}

function readFields(reader: WireReader, limit: number, fields: ReadonlyMap<number, KnownField>, object: JsonObject): void {
  while (reader.at < limit) {
    const tag = reader.varint();
    const wire = tag % 8;
    const known = fields.get((tag - wire) / 8);
    if (!known) reader.skip(wire, limit);
    else if (known.wire !== wire) throw new RangeError(`wrong wire type ${wire} for field ${(tag - wire) / 8}`);
    else known.read(reader, limit, object);
  }
  if (reader.at > limit) throw new RangeError("unexpected EOF");
}

/** Reads a small message that is given field by field, with its length. */
function reading(fields: Readonly<Record<number, [json: string, shape: Shape["kind"] & ("string" | "integer")]>>): (reader: WireReader, limit: number) => JsonObject {
  const known = new Map(Object.entries(fields).map(([number, [json, kind]]) => [Number(number), knownField({ number: Number(number), json, inline: false, repetition: "one", pointer: false, shape: { kind } })]));
  return (reader, limit) => {
    const end = reader.end(limit);
    const object: JsonObject = {};
    readFields(reader, end, known, object);
    return object;
  };
}

function knownField(field: MessageField): KnownField {
  const { json, shape, repetition, inline } = field;
  const read = valueReader(shape);
  const wire = wireOf(shape);
  if (inline) return { wire, read: (reader, limit, object) => void Object.assign(object, read(reader, limit)) };
  if (repetition === "map") return { wire: 2, read: mapReader(json, shape, read) };
  if (repetition === "list") return { wire, read: (reader, limit, object) => void ((object[json] ??= []) as unknown[]).push(read(reader, limit)) };
  return { wire, read: (reader, limit, object) => void (object[json] = read(reader, limit)) };
}

const wireOf = ({ kind }: Shape): number => (kind === "bool" || kind === "integer" ? 0 : kind === "double" ? 1 : 2);

function mapReader(json: string, shape: Shape, read: Read): ReadField {
  const valueWire = wireOf(shape);
  return (reader, limit, object) => {
    const end = reader.end(limit);
    let key = "", value: unknown;
    while (reader.at < end) {
      const tag = reader.varint();
      if (tag === 10) key = reader.text(end);
      else if (tag === 16 + valueWire) value = read(reader, end);
      else reader.skip(tag % 8, end);
    }
    setOwn((object[json] ??= {}) as JsonObject, key, value ?? emptyOf(shape));
  };
}

/** What a map's entry holds when its value isn't written. */
function emptyOf({ kind }: Shape): unknown {
  switch (kind) {
    case "string": case "bytes": case "duration": return "";
    case "integer": case "double": case "intOrString": return 0;
    case "bool": return false;
    case "quantity": return "0";
    case "wrappedList": return [];
    case "message": return {};
    default: return null;
  }
}

const instant = reading({ 1: ["seconds", "integer"], 2: ["nanos", "integer"] });
const oneText = reading({ 1: ["text", "string"] });
const oneInteger = reading({ 1: ["value", "integer"] });
const intOrString = reading({ 1: ["type", "integer"], 2: ["int", "integer"], 3: ["text", "string"] });

function valueReader(shape: Shape): Read {
  switch (shape.kind) {
    case "string": return (reader, limit) => reader.text(limit);
    case "bytes": return (reader, limit) => reader.slice(limit).toString("base64");
    case "bool": return (reader) => reader.boolean();
    case "integer": return (reader) => reader.integer();
    case "double": return (reader) => reader.double();
    case "message": {
      const read = messageReader(shape.message);
      return (reader, limit) => read(reader, reader.end(limit));
    }
    case "quantity": return (reader, limit) => oneText(reader, limit)["text"] ?? "0";
    case "duration": return (reader, limit) => durationText((oneInteger(reader, limit)["value"] as number | undefined) ?? 0);
    case "time": case "microTime": return instantReader(shape.kind);
    case "intOrString": return (reader, limit) => {
      const { type, int, text } = intOrString(reader, limit);
      return type === 1 ? (text ?? "") : (int ?? 0);
    };
    case "raw": return (reader, limit) => jsonOf(oneText(reader, limit)["text"] as string | undefined);
    case "wrappedList": return listReader();
    case "union": return unionReader(shape);
  }
}

/** The zero time is an empty message, and null in JSON. */
function instantReader(kind: "time" | "microTime"): Read {
  return (reader, limit) => {
    const empty = reader.bytes[reader.at] === 0;
    const { seconds = 0, nanos = 0 } = instant(reader, limit) as { seconds?: number; nanos?: number };
    if (empty) return null;
    return kind === "time" ? timeText(seconds) : microTimeText(seconds, nanos);
  };
}

function jsonOf(text: string | undefined): unknown {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError("embedded JSON is malformed");
  }
}

const items: MessageField = { number: 1, json: "items", inline: false, repetition: "list", pointer: false, shape: { kind: "string" } };

function listReader(): Read {
  const fields = new Map([[1, knownField(items)]]);
  return (reader, limit) => {
    const object: JsonObject = { items: [] };
    readFields(reader, reader.end(limit), fields, object);
    return object["items"];
  };
}

function unionReader({ schema, other }: Shape & { kind: "union" }): Read {
  const asSchema: MessageField = { number: other === "bool" ? 2 : 1, json: "schema", inline: false, repetition: "one", pointer: true, shape: { kind: "message", message: schema } };
  const asOther: MessageField = other === "bool"
    ? { ...asSchema, number: 1, json: "other", shape: { kind: "bool" } }
    : { ...asSchema, number: 2, json: "other", repetition: "list", shape: other === "strings" ? { kind: "string" } : asSchema.shape };
  let fields: Map<number, KnownField> | undefined;
  return (reader, limit) => {
    fields ??= new Map([asSchema, asOther].map((field) => [field.number, knownField(field)]));
    const object: JsonObject = {};
    readFields(reader, reader.end(limit), fields, object);
    return object["schema"] ?? object["other"] ?? (other === "bool" ? false : null);
  };
}
