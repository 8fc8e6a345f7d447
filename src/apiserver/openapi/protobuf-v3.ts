import { isObject, type JsonObject } from "../../apimachinery/own.ts";
import type { DocumentParts } from "./document.ts";
import { any, boolean, bounds, bytesOf, double, each, extensions, flag, list, message, named, nested, text, texts, type Bytes } from "./wire.ts";

/** OpenAPI v3 as the messages of github.com/google/gnostic-models (openapiv3/OpenAPIv3.proto). Only what our documents hold is known here. */
export function* renderProtobufV3({ info, paths, schemas }: DocumentParts): Generator<void, Uint8Array<ArrayBuffer>> {
  const items: Bytes[] = [], components: Bytes[] = [];
  for (const [path, item] of paths()) yield void items.push(message(1, named(path, encodePathItem(item))));
  for (const [name, schema] of schemas()) yield void components.push(message(1, named(name, schemaOrReference(schema))));
  return bytesOf([text(1, "3.0.0"), message(2, [text(1, info.title), text(6, info.version)]), message(4, items), message(5, [message(1, components)])]);
}

const methodFields: Readonly<Record<string, number>> = { get: 4, put: 5, post: 6, delete: 7, patch: 10 };

function encodePathItem(item: JsonObject): Bytes[] {
  return [...Object.entries(methodFields).map(([method, field]) => nested(field, item[method], encodeOperation)), parameters(13, item.parameters)];
}

function encodeOperation(operation: JsonObject): Bytes[] {
  return [
    text(5, operation.operationId), parameters(6, operation.parameters), nested(7, operation.requestBody, (body) => [message(1, [mediaTypes(2, body.content), flag(3, body.required)])]),
    nested(8, operation.responses, (responses) => [each(2, responses, (response) => [message(1, [text(1, response.description), mediaTypes(3, response.content)])])]), extensions(13, operation),
  ];
}

const mediaTypes = (field: number, content: unknown): Bytes => nested(field, content, (types) => [each(1, types, ({ schema }) => [nested(1, schema, schemaOrReference)])]);

const parameters = (field: number, given: unknown): Bytes => list(field, given, ({ name, in: place, description, required, schema }) =>
  [message(1, [text(1, name), text(2, place), text(3, description), flag(4, required), nested(10, schema, schemaOrReference)])]);

const schemaOrReference = (schema: JsonObject): Bytes[] => (typeof schema.$ref === "string" ? [message(2, [text(1, schema.$ref)])] : [message(1, encodeSchema(schema))]);

function encodeSchema(schema: JsonObject): Bytes[] {
  return [
    flag(1, schema.nullable), text(9, schema.title), bounds(10, schema), texts(23, schema.required), list(24, schema.enum, any), text(25, schema.type),
    list(26, schema.allOf, schemaOrReference), list(27, schema.oneOf, schemaOrReference), list(28, schema.anyOf, schemaOrReference), nested(29, schema.not, encodeSchema),
    nested(30, schema.items, (items) => [message(1, schemaOrReference(items))]), nested(31, schema.properties, (properties) => [each(1, properties, schemaOrReference)]),
    isObject(schema.additionalProperties) ? message(32, [message(1, schemaOrReference(schema.additionalProperties))]) : schema.additionalProperties === true ? message(32, [flag(2, true)]) : text(32, undefined),
    defaultOf(schema.default), text(34, schema.description), text(35, schema.format), extensions(36, schema),
  ];
}

/** Defaults that are objects or lists have no place in the message. */
function defaultOf(value: unknown): Bytes {
  if (typeof value === "number") return message(33, [double(1, value)]);
  if (typeof value === "boolean") return message(33, [boolean(2, value)]);
  return typeof value === "string" ? message(33, [text(3, value)]) : text(33, undefined);
}
