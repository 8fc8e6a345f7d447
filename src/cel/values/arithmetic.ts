import { makeDuration, makeTimestamp } from "./time.ts";
import { CelError, Duration, GrowingList, isList, ListOf, itemsOf, Timestamp, Uint, type List, type Value } from "./value.ts";

const minInt = -(2n ** 63n);
const maxInt = 2n ** 63n - 1n;
const maxUint = 2n ** 64n - 1n;

export const noSuchOverload = new CelError("no such overload");

export const int = (value: bigint): bigint | CelError => (value < minInt || value > maxInt ? new CelError("integer overflow") : value);
export const uint = (value: bigint): Uint | CelError => (value < 0n || value > maxUint ? new CelError("unsigned integer overflow") : new Uint(value));

export function add(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return int(a + b);
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (typeof a === "string" && typeof b === "string") return a + b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value + b.value);
  if (a instanceof Duration && b instanceof Duration) return makeDuration(a.nanos + b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return makeTimestamp(a.nanos + b.nanos, a.zone);
  if (a instanceof Duration && b instanceof Timestamp) return makeTimestamp(a.nanos + b.nanos, b.zone);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.concat([a, b]);
  if (isList(a) && isList(b)) return concat(a, b);
  return noSuchOverload;
}

/** Of a list of type set or map, `a + b` keeps the places of `a` and takes over what `b` has of the same identity. */
function concat(a: List, b: List): Value {
  const semantics = a.semantics ?? b.semantics;
  if (!semantics) return GrowingList.concat(a, b);
  const items = [...itemsOf(a)];
  const places = new Map(items.map((item, index) => [semantics.identity(item), index]));
  for (const item of itemsOf(b)) {
    const place = places.get(semantics.identity(item));
    if (place === undefined) {
      places.set(semantics.identity(item), items.length);
      items.push(item);
    } else if (semantics.listType === "map") {
      items[place] = item;
    }
  }
  return new ListOf(items, semantics);
}

export function subtract(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return int(a - b);
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value - b.value);
  if (a instanceof Duration && b instanceof Duration) return makeDuration(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return makeTimestamp(a.nanos - b.nanos, a.zone);
  if (a instanceof Timestamp && b instanceof Timestamp) return makeDuration(a.nanos - b.nanos);
  return noSuchOverload;
}

export function multiply(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return int(a * b);
  if (typeof a === "number" && typeof b === "number") return a * b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value * b.value);
  return noSuchOverload;
}

export function divide(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return b === 0n ? new CelError("division by zero") : int(a / b);
  if (typeof a === "number" && typeof b === "number") return a / b;
  if (a instanceof Uint && b instanceof Uint) return b.value === 0n ? new CelError("division by zero") : new Uint(a.value / b.value);
  return noSuchOverload;
}

export function modulo(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return b === 0n ? new CelError("modulus by zero") : a === minInt && b === -1n ? new CelError("integer overflow") : a % b;
  if (a instanceof Uint && b instanceof Uint) return b.value === 0n ? new CelError("modulus by zero") : new Uint(a.value % b.value);
  return noSuchOverload;
}

export function negate(a: Value): Value {
  if (typeof a === "bigint") return int(-a);
  return typeof a === "number" ? -a : noSuchOverload;
}
