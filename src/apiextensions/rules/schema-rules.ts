import { forbiddenField, invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { SchemaValidator } from "../../apis/apiextensions/schema-rules.ts";
import type { Schema } from "../schema/schema.ts";
import { checkRules } from "./check-rules.ts";
import { validateDefaults } from "./defaults.ts";
import { validateKeywords } from "./keywords.ts";
import { unsupportedKeyword, validateStructural } from "./structural.ts";

/** The only keywords at the root of a schema whose status is validated by itself, in Go's names. */
const atRoot: Readonly<Record<string, keyof Schema>> = {
  Description: "description", Type: "type", Format: "format", Title: "title", Maximum: "maximum", ExclusiveMaximum: "exclusiveMaximum", Minimum: "minimum", ExclusiveMinimum: "exclusiveMinimum",
  MaxLength: "maxLength", MinLength: "minLength", Pattern: "pattern", MaxItems: "maxItems", MinItems: "minItems", UniqueItems: "uniqueItems", MultipleOf: "multipleOf", Required: "required", Items: "items",
  Properties: "properties", ExternalDocs: "externalDocs", Example: "example", XPreserveUnknownFields: "x-kubernetes-preserve-unknown-fields", XValidations: "x-kubernetes-validations",
};

/** All that is wrong with the schema of a definition. Source: k8s.io/apiextensions-apiserver validateCustomResourceDefinitionValidation. */
export const validateSchema: SchemaValidator = ({ schema, field, statusEnabled }) => {
  const errors = [...(statusEnabled ? rootRules(schema, field) : []), ...(schema.nullable ? [forbiddenField(`${field}.nullable`, "nullable cannot be true at the root")] : [])];
  const unsupported = unsupportedKeyword(schema);
  let structural = unsupported === undefined;
  if (structural) {
    const notStructural = validateStructural(schema, field), wrong = notStructural.length > 0 ? notStructural : validateDefaults(schema, field);
    errors.push(...wrong);
    structural = wrong.length === 0;
  }
  const keywords = validateKeywords(schema, field);
  errors.push(...keywords);
  // Of a schema that is wrong otherwise, what CEL says would help nobody.
  if (structural && keywords.length === 0) errors.push(...checkRules(schema, field));
  return unsupported && errors.length === 0 ? [invalidValue(field, "", unsupported)] : errors;
};

function rootRules(schema: Schema, field: string): FieldError[] {
  if (schema.type !== undefined && schema.type !== "" && schema.type !== "object") return [invalidValue(`${field}.type`, schema.type, `only "object" is allowed as the type at the root of the schema if the status subresource is enabled`)];
  const allowed = Object.values(atRoot), other = (Object.keys(schema) as (keyof Schema)[]).some((keyword) => !allowed.includes(keyword));
  return other ? [invalidValue(field, schema, `only [${Object.keys(atRoot).join(" ")}] fields are allowed at the root of the schema if the status subresource is enabled`)] : [];
}
