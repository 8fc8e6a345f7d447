import { duplicate, required, type FieldError } from "../../apimachinery/field-errors.ts";

/** Conditions of both kinds of flowcontrol: named, each type once. */
export function validateConditionTypes(conditions: readonly { readonly type?: string }[] = []): FieldError[] {
  const types = conditions.map(({ type = "" }) => type);
  return types.flatMap((type, index) => [
    ...(types.indexOf(type) < index ? [duplicate(`status.conditions[${index}].type`, type)] : []),
    ...(type ? [] : [required(`status.conditions[${index}].type`)]),
  ]);
}
