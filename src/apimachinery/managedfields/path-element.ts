import { isObject } from "../own.ts";
import type { ListMergeType } from "./merge-type.ts";

/** One step of a path as FieldsV1 writes it: `f:name` a field, `k:{"name":"x"}` an item by its keys, `v:"x"` an item of a set, `i:0` an index. */
export type PathElement = string;

export const fieldElement = (name: string): PathElement => `f:${name}`;

/**
 * How an item of a list is told apart. Throws an Error, worded as Kubernetes, for one that can't be.
 * `zeros`: the keys that an item has though it was not given them, as those of stored objects have.
 */
export function itemElement(type: ListMergeType, item: unknown, zeros?: ReadonlyMap<string, unknown>): PathElement {
  if (type.relationship === "set") {
    if (isObject(item)) throw new Error("associative list without keys has an element that's a map type");
    if (Array.isArray(item)) throw new Error("not supported: associative list with lists as elements");
    if (item === null || item === undefined) throw new Error("associative list without keys has an element that's an explicit null");
    return `v:${JSON.stringify(item)}`;
  }
  if (item === null || item === undefined) throw new Error("associative list with keys may not have a null element");
  if (!isObject(item)) throw new Error("associative list with keys may not have non-map elements");
  const found: [string, unknown][] = [];
  for (const key of type.keys) {
    const value = item[key.name] ?? key.default ?? zeros?.get(key.name);
    if (value !== undefined && value !== null) found.push([key.name, value]);
  }
  if (found.length > 0) return keyElement(found);
  const names = type.keys.map(({ name }) => JSON.stringify(name)).join(" ");
  throw new Error(`associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`);
}

const keyElement = (keys: [string, unknown][]): PathElement =>
  `k:{${keys.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;

/** In its canonical form, whoever wrote it; undefined for one of a kind that isn't known, which is passed over. Throws an Error for what is no path element. */
export function parseElement(text: string): PathElement | undefined {
  if (text.length < 2) throw new Error("key must be 2 characters long:");
  if (text[1] !== ":") throw new Error(`missing colon: ${text}`);
  const rest = text.slice(2);
  switch (text[0]) {
    case "f": return text;
    case "i":
      if (!/^-?\d+$/.test(rest)) throw new Error(`strconv.Atoi: parsing ${JSON.stringify(rest)}: invalid syntax`);
      return text;
    case "v": return `v:${JSON.stringify(JSON.parse(rest))}`;
    case "k": return keyElement(Object.entries(JSON.parse(rest) as object));
    default: return undefined;
  }
}

/** As messages show it: `.name`, `[name="x"]`, `[="x"]`, `[0]`. */
export function showElement(element: PathElement): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case "f": return `.${rest}`;
    case "k": return `[${Object.entries(JSON.parse(rest) as object).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}]`;
    case "v": return `[=${rest}]`;
    default: return `[${rest}]`;
  }
}
