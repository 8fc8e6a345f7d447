import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { pruned } from "../schema/pruning.ts";
import { CoercionError, coerced, validateEmbedded } from "../schema/metadata.ts";
import { isEmbedded, itemsOf, typeMetaAndMetadata, type Schema } from "../schema/schema.ts";
import { runRules } from "./run-rules.ts";
import { validateValue } from "../validation/value.ts";

/** Defaults must be what they stand in for. Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting ValidateDefaults. */
export const validateDefaults = (schema: Schema, field: string): FieldError[] => defaults(schema, field, true, false);

/** Defaults inside additionalProperties are not followed: they never apply. */
function defaults(schema: Schema, field: string, root: boolean, insideMetadata: boolean): FieldError[] {
  const resource = root || isEmbedded(schema), errors: FieldError[] = [], items = itemsOf(schema);
  if (schema.default !== undefined) errors.push(...validateDefault(schema, `${field}.default`, insideMetadata && !resource));
  if (items) errors.push(...defaults(items, `${field}.items`, false, insideMetadata && !resource));
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    errors.push(...defaults(property, `${field}.properties[${name}]`, false, resource ? typeMetaAndMetadata.has(name) : insideMetadata));
  }
  return errors;
}

function validateDefault(schema: Schema, field: string, insideMetadata: boolean): FieldError[] {
  const value = schema.default;
  if (insideMetadata) return validateValue(value, schema, { field });
  const errors = Bun.deepEquals(pruned(value, schema), value) ? [] : [invalidValue(field, value, "must not have unknown fields")];
  try {
    coerced(value, schema, {}, field);
  } catch (error) {
    if (!(error instanceof CoercionError)) throw error;
    return [...errors, error.field];
  }
  const embedded = validateEmbedded(value, schema, field);
  const wrong = embedded.length > 0 ? embedded : validateValue(value, schema, { field });
  return [...errors, ...(wrong.length > 0 ? wrong : runRules(value, schema, { old: value, field }))];
}
