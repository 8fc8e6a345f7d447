import { invalidValue, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import { labelName } from "../core/field-rules.ts";

/** What is passed on to drivers. Source: pkg/apis/storage/validation. */

const mostParameters = 512;
export const mostBytes = 256 * 1024;

export const sizeOf = (map: Readonly<Record<string, string>>): number =>
  Object.entries(map).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);

export function validateParameters(parameters: Readonly<Record<string, string>> = {}, mayBeEmpty: boolean): FieldError[] {
  const field = "parameters", keys = Object.keys(parameters);
  if (keys.length > mostParameters) return [tooLong(field, mostParameters)];
  return [
    ...(keys.includes("") ? [invalidValue(field, "", "field can not be empty.")] : []),
    ...(sizeOf(parameters) > mostBytes ? [tooLong(field, mostBytes)] : []),
    ...(!mayBeEmpty && keys.length === 0 ? [required(field, "must contain at least one key/value pair")] : []),
  ];
}

/** A provisioner or a driver. */
export const driver = (field: string, name: string | undefined): FieldError[] => (name ? labelName(field, name.toLowerCase()) : [required(field)]);
