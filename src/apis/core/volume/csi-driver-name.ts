import { required, tooLong, type FieldError } from "../../../apimachinery/field-errors.ts";
import { dns1123SubdomainErrors } from "../../../apimachinery/validation/names.ts";
import { ruled } from "../field-rules.ts";

const lowerCaseSubdomain = ruled((name) => dns1123SubdomainErrors(name.toLowerCase()));

export function csiDriverName(field: string, name: string | undefined): FieldError[] {
  if (!name) return [required(field)];
  const length = name.length > 63 ? [tooLong(field, 63)] : [];
  return [...length, ...lowerCaseSubdomain(field, name)];
}
