import { isObject, type JsonObject } from "../../apimachinery/own.ts";
import type { DocumentParts } from "./document.ts";

/**
 * OpenAPI v2 as the protobuf messages of github.com/google/gnostic-models (openapiv2/OpenAPIv2.proto), the one encoding of it that
 * kubectl reads. Only what our documents hold is known here.
 */
export function renderProtobuf({ info, paths, schemas }: DocumentParts): Uint8Array<ArrayBuffer> {
  const items: Bytes[] = [], definitions: Bytes[] = [];
  for (const [path, item] of paths()) items.push(message(2, named(path, encodePathItem(item))));
  for (const [name, schema] of schemas()) definitions.push(message(1, named(name, encodeSchema(schema))));
  return new Uint8Array(Buffer.concat([text(1, "2.0"), message(2, [text(1, info.title), text(2, info.version)]), message(8, items), message(9, definitions)]));
}

type Bytes = Uint8Array;

function varint(value: number): Bytes {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return Uint8Array.from(bytes);
}
const delimited = (field: number, body: Bytes): Bytes => Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
const message = (field: number, parts: readonly Bytes[]): Bytes => delimited(field, Buffer.concat(parts));
const empty = new Uint8Array(0);
const text = (field: number, value: unknown): Bytes => (typeof value === "string" ? delimited(field, Buffer.from(value)) : empty);
const texts = (field: number, values: unknown): Bytes => Buffer.concat(((values as string[] | undefined) ?? []).map((value) => text(field, value)));
const flag = (field: number, value: unknown): Bytes => (value === true ? Buffer.concat([varint(field * 8), varint(1)]) : empty);
const each = (field: number, object: unknown, encode: (value: JsonObject) => Bytes[]): Bytes =>
  Buffer.concat(Object.entries((object as Record<string, JsonObject> | undefined) ?? {}).map(([name, value]) => message(field, named(name, encode(value)))));

/** NamedPathItem, NamedSchema and their sisters. */
const named = (name: string, value: readonly Bytes[]): Bytes[] => [text(1, name), message(2, value)];
/** Any: YAML, which JSON is. */
const any = (value: unknown): Bytes[] => [text(2, JSON.stringify(value))];

function extensions(field: number, object: JsonObject): Bytes {
  return Buffer.concat(Object.entries(object).filter(([name]) => name.startsWith("x-")).map(([name, value]) => message(field, named(name, any(value)))));
}

const methodFields: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function encodePathItem(item: JsonObject): Bytes[] {
  const operations = Object.entries(methodFields).filter(([method]) => item[method]).map(([method, field]) => message(field, encodeOperation(item[method] as JsonObject)));
  return [...operations, ...parameters(9, item.parameters)];
}

function encodeOperation(operation: JsonObject): Bytes[] {
  return [
    text(5, operation.operationId), texts(6, operation.produces), texts(7, operation.consumes), ...parameters(8, operation.parameters),
    message(9, [each(1, operation.responses, (response) => [message(1, encodeResponse(response))])]), extensions(13, operation),
  ];
}

const encodeResponse = (response: JsonObject): Bytes[] => [text(1, response.description), ...(isObject(response.schema) ? [message(2, [message(1, encodeSchema(response.schema))])] : [])];

/** ParametersItem → Parameter → by place. */
function parameters(field: number, list: unknown): Bytes[] {
  return ((list as JsonObject[] | undefined) ?? []).map((parameter) => message(field, [message(1, encodeParameter(parameter))]));
}

function encodeParameter({ name, in: place, description, required, type, schema }: JsonObject): Bytes[] {
  if (place === "body") return [message(1, [text(1, description), text(2, name), text(3, place), flag(4, required), message(5, encodeSchema(schema as JsonObject))])];
  const shared = [flag(1, required), text(2, place), text(3, description), text(4, name)];
  return [message(2, [place === "query" ? message(3, [...shared, text(6, type)]) : message(4, [...shared, text(5, type)])])];
}

function encodeSchema(schema: JsonObject): Bytes[] {
  return [
    text(1, schema.$ref), text(2, schema.format), text(4, schema.description), "default" in schema ? message(5, any(schema.default)) : empty, texts(19, schema.required),
    ...((schema.enum as unknown[] | undefined) ?? []).map((value) => message(20, any(value))),
    isObject(schema.additionalProperties) ? message(21, [message(1, encodeSchema(schema.additionalProperties))]) : empty,
    typeof schema.type === "string" ? message(22, [text(1, schema.type)]) : empty,
    isObject(schema.items) ? message(23, [message(1, encodeSchema(schema.items))]) : empty,
    isObject(schema.properties) ? message(25, [each(1, schema.properties, encodeSchema)]) : empty,
    extensions(31, schema),
  ];
}
