import type { Schema } from "../schema/schema.ts";
import type { Result } from "./result.ts";

/** Bounds, multiples and the ranges of integer formats. */
export function validateNumber(result: Result, value: number, schema: Schema, path: string): void {
  const { maximum, minimum, multipleOf } = schema;
  const other = (text: string): void => result.add({ code: "other", name: path, value, text: `${path} in body ${text}` });
  const range = rangeFailure(value, schema, path);
  if (range) result.add({ code: "composite", text: range });
  if (multipleOf !== undefined) {
    if (multipleOf <= 0) result.add({ code: "other", name: path, value: multipleOf, text: `factor MultipleOf declared for ${path} must be positive: ${multipleOf}` });
    else if (!isWhole(multipleOf < 1 ? (1 / multipleOf) * value : value / multipleOf)) other(`should be a multiple of ${multipleOf}`);
  }
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) other(schema.exclusiveMinimum ? `should be greater than ${minimum}` : `should be greater than or equal to ${minimum}`);
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) other(schema.exclusiveMaximum ? `should be less than ${maximum}` : `should be less than or equal to ${maximum}`);
}

/** An integer, give or take what floating point loses (swag.IsFloat64AJSONInteger). */
function isWhole(value: number): boolean {
  const nearest = Math.round(value), difference = Math.abs(value - nearest);
  return difference === 0 || difference / (Math.abs(value) + Math.abs(nearest)) < 1e-9;
}

function rangeFailure(value: number, { type, format }: Schema, path: string): string | undefined {
  if (type === "integer") {
    if (!Number.isInteger(value)) return format ? `Checked value must be of type integer with format ${format} in ${path}` : `Checked value must be of type integer (default format) in ${path}`;
    if (format === "int32" && value !== (value | 0)) return `Checked value must be of type integer with format int32 in ${path}`;
  }
  if (type === "number" && format === "float" && Math.abs(value) > 3.4028234663852886e38) return `Checked value must be of type number with format float in ${path}`;
  return undefined;
}
