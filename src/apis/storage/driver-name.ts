import { invalidValue, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import { dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";

/** Source: pkg/apis/core/validation ValidateCSIDriverName. */
export function csiDriverName(field: string, name: string | undefined): FieldError[] {
  if (!name) return [required(field)];
  return [...(Buffer.byteLength(name) > 63 ? [tooLong(field, 63)] : []), ...dns1123SubdomainErrors(name.toLowerCase()).map((message) => invalidValue(field, name, message))];
}
