import type { JsonObject } from "../../apimachinery/own.ts";
import type { DocumentParts } from "./document.ts";
import { any, bounds, bytesOf, each, extensions, flag, list, message, named, nested, text, texts, type Bytes } from "./wire.ts";

/**
 * OpenAPI v2 as the protobuf messages of github.com/google/gnostic-models (openapiv2/OpenAPIv2.proto), the one encoding of it that
 * kubectl reads. Only what our documents hold is known here.
 */
export function* renderProtobuf({ info, paths, schemas }: DocumentParts): Generator<void, Uint8Array<ArrayBuffer>> {
  const items: Bytes[] = [], definitions: Bytes[] = [];
  for (const [path, item] of paths()) yield void items.push(message(2, named(path, encodePathItem(item))));
  for (const [name, schema] of schemas()) yield void definitions.push(message(1, named(name, encodeSchema(schema))));
  return bytesOf([text(1, "2.0"), message(2, [text(1, info.title), text(2, info.version)]), message(8, items), message(9, definitions)]);
}

const methodFields: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function encodePathItem(item: JsonObject): Bytes[] {
  const operations = Object.entries(methodFields).filter(([method]) => item[method]).map(([method, field]) => message(field, encodeOperation(item[method] as JsonObject)));
  return [...operations, parameters(9, item.parameters)];
}

function encodeOperation(operation: JsonObject): Bytes[] {
  return [
    text(5, operation.operationId), texts(6, operation.produces), texts(7, operation.consumes), parameters(8, operation.parameters),
    message(9, [each(1, operation.responses, (response) => [message(1, encodeResponse(response))])]), extensions(13, operation),
  ];
}

const encodeResponse = (response: JsonObject): Bytes[] => [text(1, response.description), nested(2, response.schema, (schema) => [message(1, encodeSchema(schema))])];

/** ParametersItem → Parameter → by place. */
const parameters = (field: number, given: unknown): Bytes => list(field, given, (parameter) => [message(1, encodeParameter(parameter))]);

function encodeParameter({ name, in: place, description, required, type, schema }: JsonObject): Bytes[] {
  if (place === "body") return [message(1, [text(1, description), text(2, name), text(3, place), flag(4, required), message(5, encodeSchema(schema as JsonObject))])];
  const shared = [flag(1, required), text(2, place), text(3, description), text(4, name)];
  return [message(2, [place === "query" ? message(3, [...shared, text(6, type)]) : message(4, [...shared, text(5, type)])])];
}

function encodeSchema(schema: JsonObject): Bytes[] {
  return [
    text(1, schema.$ref), text(2, schema.format), text(3, schema.title), text(4, schema.description), ...("default" in schema ? [message(5, any(schema.default))] : []), bounds(6, schema), texts(19, schema.required),
    list(20, schema.enum, any),
    nested(21, schema.additionalProperties, (values) => [message(1, encodeSchema(values))]),
    typeof schema.type === "string" ? message(22, [text(1, schema.type)]) : text(22, undefined),
    nested(23, schema.items, (items) => [message(1, encodeSchema(items))]), list(24, schema.allOf, encodeSchema),
    nested(25, schema.properties, (properties) => [each(1, properties, encodeSchema)]),
    extensions(31, schema),
  ];
}
