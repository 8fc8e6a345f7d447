import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { configMapKeyErrors } from "../../apimachinery/validation/values.ts";

/** What the values of one ConfigMap or Secret may weigh together. */
export const maxDataSize = 1024 * 1024;

export const validateConfigKey = (field: string, key: string): FieldError[] => configMapKeyErrors(key).map((message) => invalidValue(field, key, message));

/** Bytes that base64 text stands for. */
export function base64Length(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.floor((text.length * 3) / 4) - padding;
}
