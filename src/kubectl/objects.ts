import { parseApiVersion } from "./discovery.ts";

/** An object of any kind, as the server's JSON has it. */
export interface PlainObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  items?: PlainObject[];
  [field: string]: unknown;
}

export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  resourceVersion?: string;
  generation?: number;
  ownerReferences?: { kind: string; name: string; uid: string; controller?: boolean; apiVersion: string }[];
  managedFields?: unknown;
  [field: string]: unknown;
}

/** `pod`, `deployment.apps`: how messages name an object's type. */
export function typeName({ apiVersion = "v1", kind = "" }: Pick<PlainObject, "apiVersion" | "kind">): string {
  const { group } = parseApiVersion(apiVersion);
  return kind.toLowerCase() + (group ? `.${group}` : "");
}

/** `deployment.apps/web`. */
export const objectName = (object: PlainObject): string => `${typeName(object)}/${object.metadata.name ?? object.metadata.generateName ?? ""}`;

export const itemsOf = (object: PlainObject): PlainObject[] => object.items ?? [object];

/** As `get` prints several objects: a List of v1. */
export const listOf = (items: readonly PlainObject[]): PlainObject => ({ apiVersion: "v1", items: [...items], kind: "List", metadata: { resourceVersion: "" } });

/** A field deep inside; undefined where the way ends early. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

/** A copy with the keys of every mapping in order, as Go writes maps. */
export function sorted<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => sorted(item)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner as unknown)])) as T;
}

const unsafe: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029" };

/** JSON as Go's encoder writes a map: keys in order, characters that HTML minds escaped. */
export const goJson = (value: unknown, indent?: number): string => JSON.stringify(sorted(value), null, indent).replace(/[<>&\u2028\u2029]/g, (character) => unsafe[character]!);
