import type { CelType } from "../type.ts";
import { isHighSurrogate } from "./strings.ts";

/** A double is a number, an int a bigint. Everything that JSON has no form for is a class. */
export type Value = null | boolean | bigint | number | string | Uint8Array | Uint | Timestamp | Duration | List | MapValue | Optional | TypeValue | Opaque | CelError;

export class Uint {
  constructor(readonly value: bigint) {}
}

/** Nanoseconds since 1970, UTC. `zone` is how its text ends: the offset it was written with. */
export class Timestamp {
  constructor(readonly nanos: bigint, readonly zone = "Z") {}
}

export class Duration {
  constructor(readonly nanos: bigint) {}
}

/** An error is a value until something needs the result: `&&`, `||` and the quantifiers absorb it. */
export class CelError {
  constructor(readonly message: string) {}
}

export class Optional {
  static readonly none = new Optional(undefined);
  private constructor(readonly value: Value | undefined) {}
  static of(value: Value): Optional {
    return new Optional(value);
  }
}

/** What `type(x)` gives. */
export class TypeValue {
  constructor(readonly type: CelType) {}
}

/** A value of a library's own type: a quantity, an IP address, an authorizer. */
export abstract class Opaque {
  abstract readonly type: CelType;
  /** Of the same type. */
  abstract equals(other: Opaque): boolean;
  /** What size-dependent costs count; most have none and count 1. */
  costSize(): number {
    return 1;
  }
}

/** A list may be a view of something else, so items are asked for one by one. */
export interface List {
  readonly isList: true;
  readonly size: number;
  get(index: number): Value;
  /** How a CRD's `x-kubernetes-list-type` changes `==` and `+`. */
  readonly semantics?: ListSemantics;
}

export interface ListSemantics {
  readonly listType: "set" | "map";
  /** Distinguishes the items of a `map`. */
  identity(item: Value): string;
}

/** A map, or an object whose fields are seen as entries. */
export interface MapValue {
  readonly isMap: true;
  readonly size: number;
  /** The struct type, for objects that have a declared one. */
  readonly type?: CelType;
  get(key: Value): Value | undefined;
  keys(): Iterable<Value>;
}

export class ListOf implements List {
  readonly isList = true;
  constructor(readonly items: readonly Value[], readonly semantics?: ListSemantics) {}
  get size(): number {
    return this.items.length;
  }
  get(index: number): Value {
    return this.items[index]!;
  }
}

/** `+` on lists and the steps of `map()` build one list out of many: they share one array while only the longest of them grows. */
export class GrowingList implements List {
  readonly isList = true;
  private constructor(private readonly shared: Value[], readonly size: number) {}
  static concat(left: List, right: List): List {
    if (right.size === 0 && !right.semantics) return left;
    const shared = left instanceof GrowingList && left.shared.length === left.size ? left.shared : [...itemsOf(left)];
    for (const item of itemsOf(right)) shared.push(item);
    return new GrowingList(shared, shared.length);
  }
  get(index: number): Value {
    return this.shared[index]!;
  }
}

/** Entries by what makes keys equal: 1, 1u and 1.0 are one key. */
export class MapOf implements MapValue {
  readonly isMap = true;
  readonly #entries = new Map<string | bigint | boolean | number, [Value, Value]>();
  constructor(readonly type?: CelType) {}
  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    const entry = this.#entries.get(keyIdentity(key) ?? NaN);
    return entry?.[1];
  }
  /** False for a key that is there already. */
  add(key: Value, value: Value): boolean {
    const identity = keyIdentity(key);
    if (identity === undefined || this.#entries.has(identity)) return false;
    this.#entries.set(identity, [key, value]);
    return true;
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
}

/** Undefined for what can't be a key, or can't be equal to one. */
export function keyIdentity(key: Value): string | bigint | boolean | undefined {
  switch (typeof key) {
    case "string": case "bigint": case "boolean": return key;
    case "number": return Number.isInteger(key) ? BigInt(key) : undefined;
    default: return key instanceof Uint ? key.value : undefined;
  }
}

export const isList = (value: Value): value is List => typeof value === "object" && value !== null && (value as List).isList === true;
export const isMap = (value: Value): value is MapValue => typeof value === "object" && value !== null && (value as MapValue).isMap === true;

export function* itemsOf(list: List): Generator<Value> {
  if (list instanceof ListOf) yield* list.items;
  else for (let index = 0; index < list.size; index++) yield list.get(index);
}

/** Code points, as CEL counts a string's length. */
export function codePointCount(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index++) if (isHighSurrogate(text.charCodeAt(index)) && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) { count--; index++; }
  return count;
}

/** What `size()` gives, or undefined for what has no size. */
export function sizeOf(value: Value): number | undefined {
  if (typeof value === "string") return codePointCount(value);
  if (value instanceof Uint8Array) return value.length;
  if (isList(value) || isMap(value)) return value.size;
  return undefined;
}
