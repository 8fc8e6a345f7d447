import { isObject, setOwn, type JsonObject } from "../../apimachinery/own.ts";
import { fieldSchemaOf, itemsOf, type Schema } from "./schema.ts";
import { replaced } from "./pruning.ts";

const isNullWithoutLeave = (value: unknown, schema: Schema | undefined): boolean => value === null && schema !== undefined && !schema.nullable;

/**
 * `value` with the defaults of its schema, and without nulls that it may not have. What needs no change is not copied.
 * Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting.
 */
export function defaulted<T>(value: T, schema: Schema | undefined): T {
  return withDefaults(withoutNulls(value, schema), schema);
}

/** Nulls that aren't allowed go; those with a default wait for it. */
function withoutNulls<T>(value: T, schema: Schema | undefined): T {
  if (Array.isArray(value)) return eachItem(value, (item) => withoutNulls(item, schema && itemsOf(schema)));
  if (!isObject(value)) return value;
  let result: JsonObject = value;
  for (const name of Object.keys(value)) {
    const field = schema && fieldSchemaOf(schema, name);
    if (isNullWithoutLeave(value[name], field) && field!.default === undefined) {
      if (result === value) result = { ...value };
      delete result[name];
    } else result = replaced(result, value, name, withoutNulls(value[name], field));
  }
  return result as T;
}

function withDefaults<T>(value: T, schema: Schema | undefined): T {
  if (!schema) return value;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return eachItem(value, (item) => withDefaults(isNullWithoutLeave(item, items) ? structuredClone(items!.default ?? null) : item, items));
  }
  if (!isObject(value)) return value;
  let result: JsonObject = value;
  for (const name in schema.properties) {
    const property = schema.properties[name]!;
    if (property.default === undefined || (Object.hasOwn(value, name) && !isNullWithoutLeave(value[name], property))) continue;
    if (result === value) result = { ...value };
    setOwn(result, name, structuredClone(property.default));
  }
  for (const name of Object.keys(result)) {
    const field = fieldSchemaOf(schema, name);
    if (!field) continue;
    const given = isNullWithoutLeave(result[name], field) ? structuredClone(field.default ?? null) : result[name];
    const complete = withDefaults(given, field);
    if (complete === result[name]) continue;
    if (result === value) result = { ...value };
    setOwn(result, name, complete);
  }
  return result as T;
}

function eachItem<T>(list: T & readonly unknown[], go: (item: unknown) => unknown): T {
  let result: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const item = go(list[i]);
    if (item !== list[i]) (result ??= [...list])[i] = item;
  }
  return (result ?? list) as T;
}
