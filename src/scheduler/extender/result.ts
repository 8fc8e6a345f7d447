import { isObject } from "../../apimachinery/own.ts";

/**
 * Reads extenders' answers as Go's encoding/json does: names of fields in any case, null and what is missing as the zero value.
 * Throws an Error for values of the wrong type.
 */

export function asObject(value: unknown): (field: string) => unknown {
  if (value === null || value === undefined) return () => undefined;
  if (!isObject(value)) throw mismatch(value, "struct");
  const fields = new Map(Object.entries(value).map(([name, one]) => [name.toLowerCase(), one]));
  return (field) => fields.get(field.toLowerCase());
}

export function asList(value: unknown): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw mismatch(value, "slice");
  return value;
}

export function asText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") throw mismatch(value, "string");
  return value;
}

export function asNumber(value: unknown): number {
  if (value === null || value === undefined) return 0;
  if (!Number.isInteger(value)) throw mismatch(value, "int64");
  return value as number;
}

/** Keys keep their case. */
export function textsOf(value: unknown): [string, string][] {
  if (value === null || value === undefined) return [];
  if (!isObject(value)) throw mismatch(value, "map");
  return Object.entries(value).map(([key, one]) => [key, asText(one)]);
}

function mismatch(value: unknown, type: string): Error {
  const given = Array.isArray(value) ? "array" : typeof value === "number" ? `number ${value}` : typeof value === "boolean" ? "bool" : typeof value;
  return new Error(`json: cannot unmarshal ${given} into Go value of type ${type}`);
}
