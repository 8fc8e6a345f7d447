import { duplicate, invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { isObject } from "../../apimachinery/own.ts";
import { fieldSchemaOf, itemsOf, type Schema } from "./schema.ts";
import { childPath } from "./metadata.ts";

/** Repeated items of sets and maps. Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/listtype. */
export function validateListTypes(value: unknown, schema: Schema | undefined, field = ""): FieldError[] {
  if (!schema) return [];
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return [...validateList(value, schema, field), ...(items ? value.flatMap((item, i) => validateListTypes(item, items, `${field}[${i}]`)) : [])];
  }
  if (!isObject(value)) return [];
  return Object.keys(value).flatMap((name) => validateListTypes(value[name], fieldSchemaOf(schema, name), childPath(field, schema, name)));
}

function validateList(list: readonly unknown[], schema: Schema, field: string): FieldError[] {
  const type = schema["x-kubernetes-list-type"];
  if (type === "set") return repeated(list).map((i) => duplicate(`${field}[${i}]`, list[i]));
  if (type !== "map") return [];
  const wrong = list.findIndex((item) => item !== null && !isObject(item));
  if (wrong >= 0) return [invalidValue(`${field}[${wrong}]`, list[wrong], "must be an object for an array of list-type map")];
  const keys = list.map((item) => keyOf(item, schema["x-kubernetes-list-map-keys"] ?? []));
  return repeated(keys).map((i) => duplicate(`${field}[${i}]`, keys[i]));
}

const keyOf = (item: unknown, names: readonly string[]): object =>
  (isObject(item) ? Object.fromEntries(names.filter((name) => Object.hasOwn(item, name)).map((name) => [name, item[name]])) : {});

/** Where each value that occurs more than once occurs for the second time. */
function repeated(values: readonly unknown[]): number[] {
  const times = new Map<string, number>();
  const found: number[] = [];
  for (const [i, value] of values.entries()) {
    const text = sortedJson(value), before = times.get(text) ?? 0;
    times.set(text, before + 1);
    if (before === 1) found.push(i);
  }
  return found;
}

/** JSON in which equal values are equal texts. */
export const sortedJson = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) => (isObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner));
