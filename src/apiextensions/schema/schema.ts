import type { Frozen } from "../../apimachinery/meta.ts";
import type { JSONSchemaProps } from "../../apis/generated/apiextensions/v1.ts";

/**
 * A structural schema, as its definition has it. Kubernetes turns these into types of its own; here the keywords themselves are walked.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
export type Schema = Frozen<JSONSchemaProps>;

export const propertyOf = ({ properties }: Schema, name: string): Schema | undefined => (properties && Object.hasOwn(properties, name) ? properties[name] : undefined);

export const itemsOf = ({ items }: Schema): Schema | undefined => (Array.isArray(items) ? undefined : items as Schema | undefined);

/** The schema of additional properties; undefined when they are merely allowed, or not spoken of. */
export const additionalOf = ({ additionalProperties }: Schema): Schema | undefined => (typeof additionalProperties === "object" ? additionalProperties : undefined);

/** Of a field or a key, whichever the schema has. */
export const fieldSchemaOf = (schema: Schema, name: string): Schema | undefined => propertyOf(schema, name) ?? additionalOf(schema);

export const preserves = (schema: Schema): boolean => schema["x-kubernetes-preserve-unknown-fields"] === true;
export const isEmbedded = (schema: Schema): boolean => schema["x-kubernetes-embedded-resource"] === true;

/** The root of a resource is treated as an embedded one: its metadata is the API's, not the schema's. */
export const asResource = (schema: Schema): Schema => (isEmbedded(schema) ? schema : { ...schema, "x-kubernetes-embedded-resource": true });

export const typeMetaAndMetadata: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** The schema without what is for human readers, which is most of it. */
export function withoutProse(schema: Schema): Schema {
  const { description: _1, title: _2, externalDocs: _3, example: _4, ...kept } = schema;
  const slim: { -readonly [K in keyof Schema]: unknown } = kept;
  if (schema.properties) slim.properties = Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, withoutProse(property)]));
  const items = itemsOf(schema), additional = additionalOf(schema);
  if (items) slim.items = withoutProse(items);
  if (additional) slim.additionalProperties = withoutProse(additional);
  if (schema.not) slim.not = withoutProse(schema.not);
  for (const junctor of ["allOf", "anyOf", "oneOf"] as const) if (schema[junctor]) slim[junctor] = schema[junctor].map(withoutProse);
  return slim as Schema;
}
