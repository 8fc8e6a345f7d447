import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { isPercent, type IntOrString } from "../../apimachinery/intstr.ts";
import { percentErrors } from "../../apimachinery/validation/values.ts";
import { nonNegative } from "./field-rules.ts";

/** A number of pods, or a percentage of them. */
export function intOrPercent(field: string, value: IntOrString): FieldError[] {
  return typeof value === "number" ? nonNegative(field, value) : percentErrors(value).map((message) => invalidValue(field, value, message));
}

/** The number itself, whether of pods or of per cent. */
export const shareOf = (value: IntOrString): number => (typeof value === "number" ? value : parseInt(value, 10) || 0);

export function atMostAll(field: string, value: IntOrString): FieldError[] {
  return isPercent(value) && shareOf(value) > 100 ? [invalidValue(field, value, "must not be greater than 100%")] : [];
}
