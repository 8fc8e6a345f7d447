import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { CustomResourceDefinitionVersion, JSONSchemaProps } from "../generated/apiextensions/v1.ts";

type Version = Frozen<CustomResourceDefinitionVersion>;
const perVersion = ["schema", "subresources", "additionalPrinterColumns", "selectableFields"] as const;
type PerVersion = (typeof perVersion)[number];

/**
 * The versions as Kubernetes looks at them when it validates: what all versions have in common stands once, beside them, and field
 * errors say so (`spec.validation`, `spec.subresources`…). Source: k8s.io/apiextensions-apiserver v1 conversion.
 */
export interface FoldedVersions {
  shared: Pick<Version, PerVersion>;
  versions: readonly Version[];
}

export function foldVersions(versions: readonly Version[]): FoldedVersions {
  const first = versions[0];
  if (!first) return { shared: {}, versions };
  const same = perVersion.filter((field) => versions.every((version) => semanticEqual(version[field], first[field])));
  return {
    shared: Object.fromEntries(same.map((field) => [field, first[field]])),
    versions: versions.map((version) => Object.fromEntries(Object.entries(version).filter(([field]) => !same.includes(field as PerVersion))) as unknown as Version),
  };
}

/** Versions as messages show them: Go's internal form, with each of its fields. */
export const shownVersions = (versions: readonly Version[]): unknown => (versions.length === 0 ? null : versions.map((version) => ({
  Name: version.name ?? "", Served: version.served ?? false, Storage: version.storage ?? false, Deprecated: version.deprecated ?? false, DeprecationWarning: version.deprecationWarning ?? null,
  Schema: version.schema ? { OpenAPIV3Schema: version.schema.openAPIV3Schema ? shownSchema(version.schema.openAPIV3Schema) : null } : null,
  Subresources: version.subresources ? {
    Status: version.subresources.status ? {} : null,
    Scale: version.subresources.scale ? {
      SpecReplicasPath: version.subresources.scale.specReplicasPath ?? "", StatusReplicasPath: version.subresources.scale.statusReplicasPath ?? "", LabelSelectorPath: version.subresources.scale.labelSelectorPath ?? null,
    } : null,
  } : null,
  AdditionalPrinterColumns: version.additionalPrinterColumns?.map(({ name = "", type = "", format = "", description = "", priority = 0, jsonPath = "" }) => ({ Name: name, Type: type, Format: format, Description: description, Priority: priority, JSONPath: jsonPath })) ?? null,
  SelectableFields: version.selectableFields?.map(({ jsonPath = "" }) => ({ JSONPath: jsonPath })) ?? null,
})));

type Schema = Frozen<JSONSchemaProps>;
const schemaOrNull = (schema: Schema | undefined): unknown => (schema ? shownSchema(schema) : null);
const schemaList = (schemas: readonly Schema[] | undefined): unknown => schemas?.map(shownSchema) ?? null;
const schemaMap = (schemas: Readonly<Record<string, Schema>> | undefined): unknown => (schemas ? Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, schema]) => [name, shownSchema(schema)])) : null);
const schemaOrBool = (value: Schema | boolean | undefined): unknown =>
  (value === undefined ? null : typeof value === "boolean" ? { Allows: value, Schema: null } : { Allows: true, Schema: shownSchema(value) });

function shownItems(items: Schema["items"]): unknown {
  if (items === undefined) return null;
  return Array.isArray(items) ? { Schema: null, JSONSchemas: schemaList(items as readonly Schema[]) } : { Schema: shownSchema(items as Schema), JSONSchemas: null };
}

const shownDependencies = (dependencies: Schema["dependencies"]): unknown => (dependencies ? Object.fromEntries(Object.entries(dependencies).map(([name, value]) =>
  [name, Array.isArray(value) ? { Schema: null, Property: value } : { Schema: shownSchema(value as Schema), Property: null }])) : null);

function shownSchema(schema: Schema): unknown {
  const { maximum = null, minimum = null, maxLength = null, minLength = null, maxItems = null, minItems = null, multipleOf = null, maxProperties = null, minProperties = null } = schema;
  return {
    ID: schema.id ?? "", Schema: schema.$schema ?? "", Ref: schema.$ref ?? null, Description: schema.description ?? "", Type: schema.type ?? "", Nullable: schema.nullable ?? false,
    Format: schema.format ?? "", Title: schema.title ?? "", Default: schema.default ?? null, Maximum: maximum, ExclusiveMaximum: schema.exclusiveMaximum ?? false, Minimum: minimum,
    ExclusiveMinimum: schema.exclusiveMinimum ?? false, MaxLength: maxLength, MinLength: minLength, Pattern: schema.pattern ?? "", MaxItems: maxItems, MinItems: minItems,
    UniqueItems: schema.uniqueItems ?? false, MultipleOf: multipleOf, Enum: schema.enum ?? null, MaxProperties: maxProperties, MinProperties: minProperties, Required: schema.required ?? null,
    Items: shownItems(schema.items), AllOf: schemaList(schema.allOf), OneOf: schemaList(schema.oneOf), AnyOf: schemaList(schema.anyOf), Not: schemaOrNull(schema.not),
    Properties: schemaMap(schema.properties), AdditionalProperties: schemaOrBool(schema.additionalProperties), PatternProperties: schemaMap(schema.patternProperties),
    Dependencies: shownDependencies(schema.dependencies), AdditionalItems: schemaOrBool(schema.additionalItems), Definitions: schemaMap(schema.definitions),
    ExternalDocs: schema.externalDocs ? { Description: schema.externalDocs.description ?? "", URL: schema.externalDocs.url ?? "" } : null, Example: schema.example ?? null,
    XPreserveUnknownFields: schema["x-kubernetes-preserve-unknown-fields"] ?? null, XEmbeddedResource: schema["x-kubernetes-embedded-resource"] ?? false,
    XIntOrString: schema["x-kubernetes-int-or-string"] ?? false, XListMapKeys: schema["x-kubernetes-list-map-keys"] ?? null, XListType: schema["x-kubernetes-list-type"] ?? null,
    XMapType: schema["x-kubernetes-map-type"] ?? null,
    XValidations: schema["x-kubernetes-validations"]?.map(({ rule = "", message = "", messageExpression = "", reason = null, fieldPath = "", optionalOldSelf = null }) =>
      ({ Rule: rule, Message: message, MessageExpression: messageExpression, Reason: reason, FieldPath: fieldPath, OptionalOldSelf: optionalOldSelf })) ?? null,
  };
}
