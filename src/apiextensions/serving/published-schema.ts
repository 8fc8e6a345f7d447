import type { Frozen } from "../../apimachinery/meta.ts";
import type { JsonObject } from "../../apimachinery/own.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { schemaOf, type PackedVersion } from "../definition/packing.ts";
import { additionalOf, isEmbedded, itemsOf, preserves, type Schema } from "../schema/schema.ts";

type Dialect = "v2" | "v3";
type Loose = { -readonly [K in keyof Schema]: unknown } & JsonObject;

const versions = new WeakMap<AnyResource, Frozen<PackedVersion>>();

/** Notes what OpenAPI is to say of a card. */
export const publish = (card: AnyResource, version: Frozen<PackedVersion>): void => void versions.set(card, version);

/** Changes with the schema, without unpacking it; undefined for kinds that are built in. */
export function publishedFingerprint(card: AnyResource): string | undefined {
  const version = versions.get(card);
  if (!version) return undefined;
  const stored = version.schema?.openAPIV3Schema;
  return Bun.hash(typeof stored === "string" ? stored : JSON.stringify(stored ?? null)).toString(36);
}

/** A custom resource's type in OpenAPI. Source: k8s.io/apiextensions-apiserver pkg/controller/openapi/builder. */
export function publishedSchema(card: AnyResource, dialect: Dialect): JsonObject | undefined {
  const version = versions.get(card);
  if (!version) return undefined;
  const schema = schemaOf(version), selectable = version.selectableFields?.length ? { "x-kubernetes-selectable-fields": version.selectableFields.map(({ jsonPath }) => ({ fieldPath: jsonPath.replace(/^\./, "") })) } : {};
  // kubectl takes fields that aren't mentioned for forbidden ones.
  if (!schema || (dialect === "v2" && preserves(schema))) return { type: "object", ...selectable };
  const published = publishedNode(dialect === "v2" ? withoutJunctors(schema) : schema, dialect);
  return { ...published, properties: { ...published.properties as JsonObject, ...typeMeta, metadata: metadataRef(dialect) }, ...selectable };
}

/** And its list's. */
export const publishedList = ({ kind, listKind = `${kind}List`, resource, schema }: AnyResource, dialect: Dialect): JsonObject => ({
  type: "object", description: `${listKind} is a list of ${kind}`, required: ["items"],
  properties: {
    ...typeMeta,
    items: { type: "array", description: `List of ${resource}. More info: ${conventions}`, items: { $ref: refTo(dialect, schema) } },
    metadata: described(dialect, "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", `Standard list metadata. More info: ${conventions}#types-kinds`),
  },
});

const conventions = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
const typeMeta: JsonObject = {
  apiVersion: { type: "string", description: `APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: ${conventions}#resources` },
  kind: { type: "string", description: `Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ${conventions}#types-kinds` },
};
const embeddedTypeMeta: JsonObject = {
  apiVersion: { type: "string", description: `apiVersion defines the versioned schema of this representation of an object. More info: ${conventions}#resources` },
  kind: { type: "string", description: `kind is a string value representing the type of this object. In CamelCase. More info: ${conventions}#types-kinds` },
};

const refTo = (dialect: Dialect, type: string): string => `#/${dialect === "v2" ? "definitions" : "components/schemas"}/${type}`;
const described = (dialect: Dialect, type: string, description: string): JsonObject =>
  ({ description, ...(dialect === "v2" ? { $ref: refTo(dialect, type) } : { allOf: [{ $ref: refTo(dialect, type) }] }) });
const metadataRef = (dialect: Dialect): JsonObject => described(dialect, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", `Standard object's metadata. More info: ${conventions}#metadata`);

/** Embedded resources get what every object has. */
function publishedNode(schema: Schema, dialect: Dialect): Loose {
  const node: Loose = { ...schema }, items = itemsOf(schema), additional = additionalOf(schema);
  if (schema.properties) node.properties = Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, publishedNode(property, dialect)]));
  if (items) node.items = publishedNode(items, dialect);
  if (additional) node.additionalProperties = publishedNode(additional, dialect);
  if (!isEmbedded(schema) || (dialect === "v2" && preserves(schema))) return node;
  node.properties = { ...node.properties as JsonObject, ...embeddedTypeMeta, metadata: metadataRef(dialect) };
  node.required = [...new Set([...(schema.required ?? []), "kind", "apiVersion"])];
  return node;
}

/** What version 2 and its readers cope with. Source: k8s.io/apiextensions-apiserver pkg/controller/openapi/v2. */
function withoutJunctors(schema: Schema): Schema {
  const { allOf: _1, oneOf: _2, anyOf: _3, not: _4, nullable, ...kept } = schema;
  const node: Loose = kept;
  if (nullable || preserves(schema)) {
    delete node.items;
    delete node.properties;
  }
  if (nullable || (preserves(schema) && node.type === "object")) delete node.type;
  if (node.items === undefined && node.type === "array") delete node.type;
  const nullables = Object.keys(schema.properties ?? {}).filter((name) => schema.properties![name]!.nullable);
  if (nullables.length > 0 && schema.required) node.required = schema.required.filter((name) => !nullables.includes(name));
  if (additionalOf(schema)?.nullable || (Array.isArray(node.required) && node.required.length === 0)) delete node.required;
  const items = itemsOf(node as Schema), additional = additionalOf(schema);
  if (node.properties) node.properties = Object.fromEntries(Object.entries(schema.properties!).map(([name, property]) => [name, withoutJunctors(property)]));
  if (items) node.items = withoutJunctors(items);
  if (additional) node.additionalProperties = withoutJunctors(additional);
  return node as Schema;
}
