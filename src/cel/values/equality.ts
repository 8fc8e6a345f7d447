import { sameType } from "../type.ts";
import { CelError, Duration, isList, isMap, itemsOf, Opaque, Optional, Timestamp, TypeValue, Uint, type List, type MapValue, type Value } from "./value.ts";

/** `==`: values of different types are unequal, numbers compare across their types. */
export function equals(a: Value, b: Value): boolean {
  if (a === b) return true;
  const left = numeric(a);
  if (left !== undefined) {
    const right = numeric(b);
    return right !== undefined && compareNumbers(left, right) === 0;
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof CelError || b instanceof CelError) return false;
  if (isList(a)) return isList(b) && equalLists(a, b);
  if (isMap(a)) return isMap(b) && equalMaps(a, b);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Optional) return b instanceof Optional && (a.value === undefined || b.value === undefined ? a.value === b.value : equals(a.value, b.value));
  if (a instanceof TypeValue) return b instanceof TypeValue && (a.type.kind === b.type.kind && a.type.name === b.type.name || sameType(a.type, b.type));
  return a instanceof Opaque && b instanceof Opaque && a.type.name === b.type.name && a.equals(b);
}

function equalLists(a: List, b: List): boolean {
  if (a.size !== b.size) return false;
  const semantics = a.semantics ?? b.semantics;
  if (semantics) return equalUnordered(a, b, semantics.identity);
  for (let index = 0; index < a.size; index++) if (!equals(a.get(index), b.get(index))) return false;
  return true;
}

function equalUnordered(a: List, b: List, identity: (item: Value) => string): boolean {
  const others = new Map<string, Value[]>();
  for (const item of itemsOf(b)) {
    const key = identity(item);
    const same = others.get(key);
    if (same) same.push(item);
    else others.set(key, [item]);
  }
  for (const item of itemsOf(a)) if (!others.get(identity(item))?.some((other) => equals(item, other))) return false;
  return true;
}

function equalMaps(a: MapValue, b: MapValue): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const other = b.get(key);
    if (other === undefined || !equals(a.get(key)!, other)) return false;
  }
  return true;
}

/** The number in an int, uint or double. */
export function numeric(value: Value): bigint | number | undefined {
  return typeof value === "bigint" || typeof value === "number" ? value : value instanceof Uint ? value.value : undefined;
}

/** Undefined when one of them is NaN. JavaScript compares bigint and number by their mathematical value. */
export function compareNumbers(a: bigint | number, b: bigint | number): -1 | 0 | 1 | undefined {
  return a < b ? -1 : a > b ? 1 : a == b ? 0 : undefined;
}

/** `<` and its sisters: undefined when there is no order between values of these types. */
export function compare(a: Value, b: Value): -1 | 0 | 1 | CelError | undefined {
  const left = numeric(a), right = numeric(b);
  if (left !== undefined && right !== undefined) return compareNumbers(left, right) ?? new CelError("NaN values cannot be ordered");
  if (typeof a === "string" && typeof b === "string") return compareStrings(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return a === b ? 0 : a ? 1 : -1;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  return undefined;
}

/** By code point, as bytes of UTF-8 compare. */
function compareStrings(a: string, b: string): -1 | 0 | 1 {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const x = a.charCodeAt(index), y = b.charCodeAt(index);
    if (x !== y) return (fixSurrogate(x) < fixSurrogate(y)) ? -1 : 1;
  }
  return a.length < b.length ? -1 : a.length > b.length ? 1 : 0;
}

/** Makes UTF-16 units sort as their code points do. */
const fixSurrogate = (unit: number): number => (unit >= 0xd800 ? (unit >= 0xe000 ? unit - 0x800 : unit + 0x2000) : unit);
