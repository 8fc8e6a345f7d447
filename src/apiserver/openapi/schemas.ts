import type { JsonObject } from "../../apimachinery/own.ts";
import { factsOf, hasType, resolve, type FieldFacts, type TypeReference } from "../../apimachinery/schema/schema.ts";
import type { TypeDescriptions } from "./descriptions.ts";

export type Dialect = "v2" | "v3";
export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

/** What the writer of one type's schema is told. */
export interface SchemaContext {
  dialect: Dialect;
  describe(typeName: string): TypeDescriptions | undefined;
  /** The API kinds that a type is served as. */
  kindsOf(typeName: string): readonly GroupVersionKind[];
  /** Called with each type referred to. */
  refer(typeName: string): void;
}

export const refTo = (dialect: Dialect, typeName: string): string => `#/${dialect === "v2" ? "definitions" : "components/schemas"}/${typeName}`;

const intOrString = { oneOf: [{ type: "integer" }, { type: "string" }] };
const stringOrNumber = { oneOf: [{ type: "string" }, { type: "number" }] };

/** Types that marshal themselves, by the last part of their name. */
const selfMarshalling: Readonly<Record<string, (dialect: Dialect) => JsonObject>> = {
  Quantity: (dialect) => (dialect === "v2" ? { type: "string" } : stringOrNumber),
  IntOrString: (dialect) => ({ format: "int-or-string", ...(dialect === "v2" ? { type: "string" } : intOrString) }),
  Time: () => ({ type: "string", format: "date-time" }),
  MicroTime: () => ({ type: "string", format: "date-time" }),
  Duration: () => ({ type: "string" }),
  RawExtension: () => ({ type: "object" }),
  FieldsV1: () => ({ type: "object" }),
  JSON: () => ({}),
  JSONSchemaPropsOrArray: () => ({}),
  JSONSchemaPropsOrBool: () => ({}),
  JSONSchemaPropsOrStringArray: () => ({}),
};

/** The OpenAPI schema of a type of the schema table. */
export function schemaOf(typeName: string, context: SchemaContext): JsonObject {
  const texts = context.describe(typeName);
  const description = texts?.[""] ? { description: texts[""] } : {};
  const special = selfMarshalling[typeName.slice(typeName.lastIndexOf(".") + 1)];
  if (special) return { ...description, ...special(context.dialect) };
  const properties: JsonObject = {};
  const required: string[] = [];
  for (const facts of flatten(typeName)) {
    properties[facts.json!] = propertySchema(facts, texts?.[facts.json!], context);
    if (facts.required || (!facts.omitempty && !facts.optional)) required.push(facts.json!);
  }
  const kinds = context.kindsOf(typeName);
  return {
    ...description,
    type: "object",
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required: required.sort() } : {}),
    ...(factsOf(typeName)?.structType ? { "x-kubernetes-map-type": factsOf(typeName)!.structType } : {}),
    ...(kinds.length > 0 ? { "x-kubernetes-group-version-kind": kinds } : {}),
  };
}

/** A type's fields with those of embedded structs, sorted by name. */
function flatten(typeName: string): FieldFacts[] {
  const fields = new Map<string, FieldFacts>();
  for (const facts of factsOf(typeName)?.fields ?? []) {
    if (!facts.inline && facts.json) fields.set(facts.json, facts);
    else if (facts.inline) for (const inner of flatten(facts.type!)) if (!fields.has(inner.json!)) fields.set(inner.json!, inner);
  }
  return [...fields.values()].sort((a, b) => (a.json! < b.json! ? -1 : 1));
}

function propertySchema(facts: FieldFacts, description: string | undefined, context: SchemaContext): JsonObject {
  const extras: JsonObject = {
    ...(description ? { description } : {}),
    ...defaultOf(facts),
    ...(facts.listType ? { "x-kubernetes-list-type": facts.listType } : {}),
    ...(facts.listMapKeys ? { "x-kubernetes-list-map-keys": facts.listMapKeys } : {}),
    ...(facts.mapType ?? facts.structType ? { "x-kubernetes-map-type": facts.mapType ?? facts.structType } : {}),
    ...(facts.patchMergeKey ? { "x-kubernetes-patch-merge-key": facts.patchMergeKey } : {}),
    ...(facts.patchStrategy ? { "x-kubernetes-patch-strategy": facts.patchStrategy } : {}),
  };
  const schema = referenceSchema(facts, context);
  // In OpenAPI 3.0 nothing may stand beside a $ref.
  if (context.dialect === "v3" && "$ref" in schema && Object.keys(extras).length > 0) return { ...extras, allOf: [schema] };
  return { ...extras, ...schema };
}

/** Defaults that the table gives by name of a Go constant aren't known here. */
function defaultOf({ default: text }: FieldFacts): JsonObject {
  return text === undefined || text.startsWith("ref(") ? {} : { default: JSON.parse(text) as unknown };
}

const scalars: Readonly<Record<string, JsonObject>> = {
  string: { type: "string" }, bool: { type: "boolean" }, int32: { type: "integer", format: "int32" }, int64: { type: "integer", format: "int64" }, float64: { type: "number", format: "double" },
};

function referenceSchema(reference: TypeReference, context: SchemaContext): JsonObject {
  if (reference.list) return { type: "array", items: referenceSchema(reference.list, context) };
  if (reference.map) return { type: "object", additionalProperties: referenceSchema(reference.map, context) };
  const type = resolve(reference);
  switch (type.kind) {
    case "scalar": return { ...scalars[type.scalar], ...(type.enum ? { enum: [...type.enum].sort() } : {}) };
    case "bytes": return { type: "string", format: "byte" };
    case "list": case "map": return referenceSchema(factsOf(reference.type!)!.alias!, context);
    default: {
      const name = type.kind === "struct" ? type.name : reference.type!;
      if (!hasType(name)) return {};
      context.refer(name);
      return { $ref: refTo(context.dialect, name) };
    }
  }
}
