import { isObject, type JsonObject } from "../../own.ts";
import { messageOf, type Message, type MessageField, type Shape } from "./messages.ts";
import { ReverseWriter } from "./reverse-writer.ts";
import { instantOf, nanosecondsOf } from "./values.ts";

/** Writes a value, with its length where it has one, without its tag. */
type Write = (writer: ReverseWriter, value: unknown) => void;
/** Writes a message's fields, without its length. */
type WriteMessage = (writer: ReverseWriter, object: JsonObject) => void;

/**
 * Appends (in front) the message of a type of the table, given as decoded JSON. The bytes are those of Kubernetes' generated code: fields by
 * rising number, scalars and structs that are no pointers written even when they are zero, map entries sorted by key.
 */
export function writeMessage(writer: ReverseWriter, schema: string, object: object): void {
  messageWriter(messageOf(schema))(writer, object as JsonObject);
}

const shared = new ReverseWriter();

/** Runs `write` on a writer that is empty before and after, and returns what it wrote. */
export function written(write: (writer: ReverseWriter) => void): Buffer {
  try {
    write(shared);
    return shared.take();
  } finally {
    shared.clear();
  }
}

export const encodeMessage = (schema: string, object: object): Buffer => written((writer) => writeMessage(writer, schema, object));

const writers = new WeakMap<Message, WriteMessage>();

function messageWriter(message: Message): WriteMessage {
  let write = writers.get(message);
  if (!write) writers.set(message, write = makeWriter(message));
  return write;
}

function makeWriter(message: Message): WriteMessage {
  let fields: Write[] | undefined;
  return (writer, object) => {
    fields ??= message.fields.map(fieldWriter).reverse();
    for (const field of fields) field(writer, object);
  };
}

const varintWire = 0, fixedWire = 1, bytesWire = 2;

/** Writes one field of an object, or nothing. */
function fieldWriter(field: MessageField): Write {
  const { json, number, repetition, shape } = field;
  const wire = shape.kind === "bool" || shape.kind === "integer" ? varintWire : shape.kind === "double" ? fixedWire : bytesWire;
  const tag = number * 8 + wire;
  const write = valueWriter(shape);
  if (field.inline) {
    return (writer, object) => {
      write(writer, object);
      writer.varint(tag);
    };
  }
  if (repetition === "map") return mapWriter(json, number * 8 + bytesWire, wire, write);
  if (repetition === "list") {
    return (writer, object) => {
      const list = (object as JsonObject)[json] as readonly unknown[] | null | undefined;
      if (!list) return;
      for (let i = list.length - 1; i >= 0; i--) {
        write(writer, list[i]);
        writer.varint(tag);
      }
    };
  }
  const optional = field.pointer || shape.kind === "bytes" || shape.kind === "wrappedList";
  return (writer, object) => {
    const value = (object as JsonObject)[json];
    if (optional && (value === undefined || value === null)) return;
    write(writer, value);
    writer.varint(tag);
  };
}

function mapWriter(json: string, tag: number, valueWire: number, write: Write): Write {
  return (writer, object) => {
    const map = (object as JsonObject)[json] as JsonObject | null | undefined;
    if (!map) return;
    const keys = Object.keys(map);
    if (keys.length > 1) keys.sort(byBytes);
    for (let i = keys.length - 1; i >= 0; i--) {
      const before = writer.length;
      write(writer, map[keys[i]!]);
      writer.byte(16 + valueWire);
      writer.text(keys[i]!);
      writer.byte(10);
      writer.lengthSince(before);
      writer.varint(tag);
    }
  };
}

/** UTF-8's order. UTF-16's, which comparison goes by, differs from it above the surrogates. */
const byBytes = (a: string, b: string): number => (surrogate.test(a) || surrogate.test(b) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : a < b ? -1 : 1);
const surrogate = /[\ud800-\udfff]/;

function valueWriter(shape: Shape): Write {
  switch (shape.kind) {
    case "string": return (writer, value) => writer.text((value as string | undefined) ?? "");
    case "bool": return (writer, value) => writer.byte(value ? 1 : 0);
    case "integer": return (writer, value) => writer.varint((value as number | undefined) ?? 0);
    case "double": return (writer, value) => writer.double((value as number | undefined) ?? 0);
    case "bytes": return (writer, value) => writer.bytes(Buffer.from((value as string | undefined) ?? "", "base64"));
    case "message": {
      const write = messageWriter(shape.message);
      return delimited((writer, value) => write(writer, isObject(value) ? value : {}));
    }
    case "quantity": return delimited((writer, value) => textField(writer, 1, String(value ?? "0")));
    case "time": return delimited((writer, value) => writeInstant(writer, value, false));
    case "microTime": return delimited((writer, value) => writeInstant(writer, value, true));
    case "duration": return delimited((writer, value) => integerField(writer, 1, nanosecondsOf(String(value ?? ""))));
    case "intOrString": return delimited(writeIntOrString);
    case "raw": return delimited((writer, value) => {
      if (value !== undefined && value !== null) textField(writer, 1, JSON.stringify(value));
    });
    case "wrappedList": return delimited((writer, value) => textFields(writer, 1, value as readonly string[] | undefined));
    case "union": return delimited(unionWriter(messageWriter(shape.schema), shape.other));
  }
}

const delimited = (write: Write): Write => (writer, value) => {
  const before = writer.length;
  write(writer, value);
  writer.lengthSince(before);
};

function textField(writer: ReverseWriter, number: number, value: string): void {
  writer.text(value);
  writer.byte(number * 8 + bytesWire);
}

function textFields(writer: ReverseWriter, number: number, values: readonly string[] = []): void {
  for (let i = values.length - 1; i >= 0; i--) textField(writer, number, values[i]!);
}

function integerField(writer: ReverseWriter, number: number, value: number): void {
  writer.varint(value);
  writer.byte(number * 8 + varintWire);
}

/** The zero time, null in JSON, is an empty message. */
function writeInstant(writer: ReverseWriter, value: unknown, fraction: boolean): void {
  if (typeof value !== "string") return;
  const { seconds, nanos } = instantOf(value);
  integerField(writer, 2, fraction ? nanos : 0);
  integerField(writer, 1, seconds);
}

function writeIntOrString(writer: ReverseWriter, value: unknown): void {
  const isText = typeof value === "string";
  textField(writer, 3, isText ? value : "");
  integerField(writer, 2, isText ? 0 : ((value as number | undefined) ?? 0));
  integerField(writer, 1, isText ? 1 : 0);
}

function unionWriter(writeSchema: WriteMessage, other: "bool" | "schemas" | "strings"): Write {
  const schemaField = (writer: ReverseWriter, number: number, value: unknown): void => {
    delimited((_, object) => writeSchema(writer, object as JsonObject))(writer, value);
    writer.byte(number * 8 + bytesWire);
  };
  return (writer, value) => {
    if (other === "bool") {
      if (isObject(value)) schemaField(writer, 2, value);
      integerField(writer, 1, value === false || value === undefined || value === null ? 0 : 1);
    } else if (isObject(value)) schemaField(writer, 1, value);
    else if (other === "strings") textFields(writer, 2, value as readonly string[] | undefined);
    else for (const schema of ((value ?? []) as readonly unknown[]).toReversed()) schemaField(writer, 2, schema);
  };
}
