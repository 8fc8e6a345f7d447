import { isObject, setOwn, type JsonObject } from "../../apimachinery/own.ts";
import { additionalOf, isEmbedded, itemsOf, preserves, propertyOf, typeMetaAndMetadata, type Schema } from "./schema.ts";

/** Collects `spec.template.foo[2].bar` of what is pruned. */
export class UnknownFields {
  readonly found: string[] = [];
  readonly path: (string | number)[] = [];

  add(name: string): void {
    this.found.push(renderPath([...this.path, name]));
  }
}

export function renderPath(path: readonly (string | number)[]): string {
  let text = "";
  for (const part of path) text += typeof part === "number" ? `[${part}]` : text ? `.${part}` : part;
  return text;
}

/**
 * `value` without the fields that its schema does not specify; metadata, apiVersion and kind of resources stay. What needs no change
 * is not copied: the very value comes back when nothing had to go. Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/pruning.
 */
export function pruned<T>(value: T, schema: Schema | undefined, unknown?: UnknownFields): T {
  if (Array.isArray(value)) return eachItem(value, unknown, (item) => pruned(item, schema && itemsOf(schema), unknown));
  if (!isObject(value)) return value;
  if (schema && preserves(schema)) return keepUnknown(value, schema, unknown);
  let result: JsonObject = value;
  for (const name of Object.keys(value)) {
    const own = schema && propertyOf(schema, name);
    if (schema && isEmbedded(schema) && typeMetaAndMetadata.has(name)) continue;
    if (own || schema?.additionalProperties !== undefined) result = replaced(result, value, name, within(unknown, name, () => pruned(value[name], own ?? additionalOf(schema!), unknown)));
    else {
      if (!typeMetaAndMetadata.has(name) || unknown?.path.length) unknown?.add(name);
      if (result === value) result = { ...value };
      delete result[name];
    }
  }
  return result as T;
}

/** Where unknown fields are kept, those that are specified are pruned all the same. */
function keepUnknown<T>(value: T, schema: Schema, unknown?: UnknownFields): T {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return items ? eachItem(value, unknown, (item) => keepUnknown(item, items, unknown)) : value;
  }
  if (!isObject(value)) return value;
  let result: JsonObject = value;
  for (const name of Object.keys(value)) {
    if (isEmbedded(schema) && typeMetaAndMetadata.has(name)) continue;
    const own = propertyOf(schema, name);
    if (own || schema.additionalProperties !== undefined) result = replaced(result, value, name, within(unknown, name, () => pruned(value[name], own ?? additionalOf(schema), unknown)));
  }
  return result as T;
}

function within<R>(unknown: UnknownFields | undefined, part: string | number, go: () => R): R {
  unknown?.path.push(part);
  const result = go();
  unknown?.path.pop();
  return result;
}

function eachItem<T>(list: T & readonly unknown[], unknown: UnknownFields | undefined, go: (item: unknown) => unknown): T {
  let result: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const item = within(unknown, i, () => go(list[i]));
    if (item !== list[i]) (result ??= [...list])[i] = item;
  }
  return (result ?? list) as T;
}

/** `result` with another value of `name`, copied first if it is still the original. */
export function replaced(result: JsonObject, original: JsonObject, name: string, value: unknown): JsonObject {
  if (value === original[name]) return result;
  const copy = result === original ? { ...original } : result;
  setOwn(copy, name, value);
  return copy;
}
