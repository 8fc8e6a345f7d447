import type { DeclField, DeclType } from "../cel.ts";
import { boolType, bytesType, doubleType, durationType, dynType, intType, listType, mapType, stringType, structType, timestampType, type CelType } from "../type.ts";
import { escapeName } from "./escape.ts";

/** What is read of an OpenAPI v3 schema, structural or not. */
export interface SchemaLike {
  type?: string;
  format?: string;
  items?: SchemaLike | SchemaLike[] | null;
  properties?: Readonly<Record<string, SchemaLike>>;
  additionalProperties?: SchemaLike | boolean | null;
  required?: readonly string[];
  enum?: readonly unknown[];
  default?: unknown;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: readonly string[];
}

/** Most bytes in a request's body: what bounds all that has no bound of its own. */
const maxRequestSize = 3 * 1024 * 1024;

const scalar = (type: CelType, minSerializedSize: number, maxElements = 0): DeclType => ({ type, maxElements, minSerializedSize });

/** Kubernetes counts no length of keys, and its numbers decide what is accepted. */
const key = scalar(stringType, 2);

export const declared = {
  bool: scalar(boolType, 4), int: scalar(intType, 1), double: scalar(doubleType, 1), string: scalar(stringType, 2, maxRequestSize - 2), dyn: scalar(dynType, 1, maxRequestSize - 2),
  timestamp: scalar(timestampType, 21, 32),
  list: (item: DeclType, maxElements = Math.floor((maxRequestSize - 2) / (item.minSerializedSize + 1))): DeclType => ({ type: listType(item.type), item, maxElements, minSerializedSize: 2 }),
  map: (item: DeclType, maxElements = Math.floor((maxRequestSize - 2) / (item.minSerializedSize + 6))): DeclType =>
    ({ type: mapType(stringType, item.type), key, item, maxElements, minSerializedSize: 2 }),
  /** Fields by the names of JSON, which are CEL's too. */
  object: (name: string, fields: Readonly<Record<string, DeclType>>): DeclType => objectOf(name, new Map(Object.entries(fields).map(([json, decl]) => [json, { json, decl }])), 2),
};

const objectOf = (name: string, fields: ReadonlyMap<string, DeclField>, minSerializedSize: number): DeclType => ({ type: structType(name), fields, maxElements: 0, minSerializedSize });

/**
 * The declared type of data that a schema describes, or undefined where CEL can't see it: what has no type, and unknown fields.
 * `name` is what messages call the objects: fields' types are named below it (`Object.spec`).
 * `resourceRoot`: apiVersion, kind, metadata.name and metadata.generateName are there whether the schema says so or not.
 * Source: k8s.io/apiserver/pkg/cel/common/schemas.go.
 */
export function declTypeOf(schema: SchemaLike, name: string, resourceRoot = false): DeclType | undefined {
  if (schema["x-kubernetes-int-or-string"]) {
    return { type: dynType, intOrString: true, minSerializedSize: 1, maxElements: schema.maxLength === undefined ? maxRequestSize - 2 : bytesOf(schema.maxLength) };
  }
  switch (schema.type) {
    case "array": return arrayType(schema, name);
    case "object": return objectType(resourceRoot ? withObjectMeta(schema) : schema, name);
    case "string": return stringTypeOf(schema);
    case "boolean": return declared.bool;
    case "number": return declared.double;
    case "integer": return declared.int;
    default: return undefined;
  }
}

/** Schemas count characters, costs count bytes, of which a character has up to four. */
const bytesOf = (maxLength: number): number => Math.max(0, maxLength) * 4;
const inner = (schema: SchemaLike, name: string): DeclType | undefined => declTypeOf(schema, name, schema["x-kubernetes-embedded-resource"] === true);

function arrayType(schema: SchemaLike, name: string): DeclType | undefined {
  const { items, maxItems, "x-kubernetes-list-type": kind, "x-kubernetes-list-map-keys": listMapKeys } = schema;
  const item = items && !Array.isArray(items) ? inner(items, `${name}.@idx`) : undefined;
  if (!item) return undefined;
  const list = declared.list(item, ...(maxItems === undefined ? [] : [Math.max(0, maxItems)]));
  return kind === "set" || kind === "map" ? { ...list, listType: kind, ...(listMapKeys && { listMapKeys }) } : list;
}

function objectType(schema: SchemaLike, name: string): DeclType | undefined {
  const { additionalProperties, properties = {}, required = [], maxProperties } = schema;
  if (additionalProperties && typeof additionalProperties === "object") {
    const item = inner(additionalProperties, `${name}.@elem`);
    return item && declared.map(item, ...(maxProperties === undefined ? [] : [Math.max(0, maxProperties)]));
  }
  const fields = new Map<string, DeclField>();
  let size = 2;
  for (const [field, property] of Object.entries(properties)) {
    const type = inner(property, `${name}.${escapeName(field) ?? field}`);
    if (!type) continue;
    const escaped = escapeName(field);
    if (escaped !== undefined) fields.set(escaped, { json: field, decl: type });
    if (required.includes(field) && property.default === undefined) size += Buffer.byteLength(field) + type.minSerializedSize + 4;
  }
  return objectOf(name, fields, size);
}

function withObjectMeta(schema: SchemaLike): SchemaLike {
  const text: SchemaLike = { type: "string" };
  const metadata = schema.properties?.metadata;
  if (schema.properties?.kind?.type === "string" && schema.properties.apiVersion?.type === "string" && metadata?.properties?.name?.type === "string" && metadata.properties.generateName?.type === "string") return schema;
  return { ...schema, properties: { ...schema.properties, kind: text, apiVersion: text, metadata: { type: "object", properties: { name: text, generateName: text } } } };
}

function stringTypeOf({ format, maxLength, enum: values = [] }: SchemaLike): DeclType {
  switch (format) {
    case "byte": return scalar(bytesType, 2, maxLength === undefined ? maxRequestSize - 2 : Math.max(0, maxLength));
    case "duration": return scalar(durationType, 3, 32);
    case "date": return scalar(timestampType, 12, 12);
    case "date-time": return declared.timestamp;
  }
  if (maxLength !== undefined) return scalar(stringType, 2, bytesOf(maxLength));
  const longest = Math.max(0, ...values.map((value) => (typeof value === "string" ? Buffer.byteLength(value) : 0)));
  return values.length > 0 ? scalar(stringType, 2, longest) : declared.string;
}

/** How often, at most, data of this type could be in one request: what multiplies a rule's cost below unbounded lists and maps. */
export const maxCardinality = ({ minSerializedSize }: DeclType): number => Math.floor(maxRequestSize / (minSerializedSize + 1));
