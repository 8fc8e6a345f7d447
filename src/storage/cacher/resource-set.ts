import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { CacheEvent, Entry, EntryHandler } from "./entry.ts";

type IndexValues = (object: Frozen<KubeObject>) => readonly string[];

interface Index {
  values: IndexValues;
  keys: Map<string, Set<string>>;
}

/** `/registry/<group>/<resource>/` of a key or of a prefix below it. */
export function resourceOf(key: string): string {
  const end = key.indexOf("/", key.indexOf("/", key.indexOf("/", 1) + 1) + 1);
  return end < 0 ? key : key.slice(0, end + 1);
}

/** The current objects of one resource, `/registry/<group>/<resource>/`: by key, in key order, and by index. */
export class ResourceSet {
  #entries = new Map<string, Entry>();
  /** In key order. Keys are ASCII, so this is storage's order too. */
  #order: Entry[] = [];
  #indexes = new Map<string, Index>();
  #subscriptions = new Set<{ prefix: string; handler: EntryHandler }>();

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  put(entry: Entry): void {
    const old = this.#entries.get(entry.key);
    const position = positionOf(this.#order, entry.key);
    this.#entries.set(entry.key, entry);
    if (old) this.#order[position] = entry;
    else this.#order.splice(position, 0, entry);
    for (const index of this.#indexes.values()) move(index, entry.key, old?.object, entry.object);
  }

  remove(key: string): void {
    const old = this.#entries.get(key);
    if (!old) return;
    this.#entries.delete(key);
    this.#order.splice(positionOf(this.#order, key), 1);
    for (const index of this.#indexes.values()) move(index, key, old.object, undefined);
  }

  list(prefix: string, after = ""): Entry[] {
    if (this.#order.length === 0) return [];
    return this.#order.slice(Math.max(positionOf(this.#order, prefix), after ? positionOf(this.#order, `${after}\0`) : 0), positionOf(this.#order, `${prefix}\uffff`));
  }

  count(prefix: string): number {
    return positionOf(this.#order, `${prefix}\uffff`) - positionOf(this.#order, prefix);
  }

  addIndex(name: string, values: IndexValues): void {
    if (this.#indexes.has(name)) return;
    const index: Index = { values, keys: new Map() };
    this.#indexes.set(name, index);
    for (const { key, object } of this.#order) move(index, key, undefined, object);
  }

  byIndex(name: string, value: string): Entry[] {
    const index = this.#indexes.get(name);
    if (!index) throw new Error(`no index ${name} is registered`);
    const keys = index.keys.get(value);
    return keys ? [...keys].sort().map((key) => this.#entries.get(key)!) : [];
  }

  onChange(prefix: string, handler: EntryHandler): () => void {
    const subscription = { prefix, handler };
    this.#subscriptions.add(subscription);
    return () => this.#subscriptions.delete(subscription);
  }

  notify({ type, key, object, previous, revision }: CacheEvent, guarded: (call: () => void) => void): void {
    const current = type === "DELETED" ? undefined : object;
    for (const { prefix, handler } of this.#subscriptions) {
      if (key.startsWith(prefix)) guarded(() => handler(previous, current, revision));
    }
  }
}

/** Where `key` is among entries in key order, or would be. */
export function positionOf(entries: readonly Entry[], key: string): number {
  let low = 0, high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function move({ values, keys }: Index, key: string, old: Frozen<KubeObject> | undefined, current: Frozen<KubeObject> | undefined): void {
  const before = old ? values(old) : [], now = current ? values(current) : [];
  for (const value of before) {
    if (now.includes(value)) continue;
    const set = keys.get(value);
    set?.delete(key);
    if (set?.size === 0) keys.delete(value);
  }
  for (const value of now) {
    if (before.includes(value)) continue;
    const set = keys.get(value);
    if (set) set.add(key);
    else keys.set(value, new Set([key]));
  }
}
