import { isObject } from "../../apimachinery/own.ts";
import { fieldSchemaOf, itemsOf, type Schema } from "./schema.ts";
import { sortedJson } from "./list-type.ts";

/**
 * A value beside what it was, where that can be told: fields by name, items of maps by their keys, items of other lists not at all.
 * Source: k8s.io/apiserver pkg/cel/common CorrelatedObject.
 */
export class Correlation {
  #equal: boolean | undefined;
  #oldItems: Map<string, unknown> | undefined;

  constructor(readonly value: unknown, readonly old: unknown, readonly schema: Schema) {}

  /** Whether nothing has changed here. */
  get equal(): boolean {
    return this.#equal ??= Bun.deepEquals(this.value, this.old);
  }

  key(name: string): Correlation | undefined {
    const { value, old } = this, schema = fieldSchemaOf(this.schema, name);
    if (!schema || !isObject(value) || !isObject(old) || !Object.hasOwn(value, name) || !Object.hasOwn(old, name)) return undefined;
    return new Correlation(value[name], old[name], schema);
  }

  index(i: number): Correlation | undefined {
    const { value, old } = this, schema = itemsOf(this.schema), keys = this.schema["x-kubernetes-list-map-keys"];
    if (!schema || !keys || this.schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(value) || !Array.isArray(old)) return undefined;
    this.#oldItems ??= new Map(old.filter(isObject).map((item) => [keyOf(item, keys), item]));
    const item: unknown = value[i];
    const before = isObject(item) ? this.#oldItems.get(keyOf(item, keys)) : undefined;
    return before === undefined ? undefined : new Correlation(item, before, schema);
  }
}

const keyOf = (item: Record<string, unknown>, keys: readonly string[]): string => sortedJson(keys.map((key) => item[key] ?? null));
