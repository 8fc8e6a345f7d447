import { isObject } from "../own.ts";

/** A value of JSON as Go prints it with %v: messages of Kubernetes have it. */
export function showGo(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(showGo).join(" ")}]`;
  if (isObject(value)) return `map[${Object.keys(value).sort().map((key) => `${key}:${showGo(value[key])}`).join(" ")}]`;
  return value === null || value === undefined ? "<nil>" : String(value);
}

/** The type that Go gives a value of JSON. */
export function goTypeOf(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  if (isObject(value)) return "map[string]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  return typeof value === "boolean" ? "bool" : typeof value;
}
