import { CelError, isList, isMap, keyIdentity, Opaque, Optional, type List, type MapValue, type Value } from "../values/value.ts";
import { numeric } from "../values/equality.ts";
import { noSuchOverload } from "../values/arithmetic.ts";
import { text } from "./show.ts";

const missingKey = (key: Value): CelError => new CelError(`no such key: ${text(key)}`);

/** Undefined when it isn't there. */
function find(container: Value, key: Value): Value | undefined {
  if (isMap(container)) return container.get(key);
  if (!isList(container)) return new CelError(`no such key: ${text(key)}`);
  const place = indexOf(key);
  if (place instanceof CelError) return place;
  return place >= 0 && place < container.size ? container.get(place) : undefined;
}

function indexOf(key: Value): number | CelError {
  const number = numeric(key);
  if (number === undefined) return new CelError(`unsupported index type '${typeof key === "string" ? "string" : "dyn"}' in list`);
  const integer = keyIdentity(key);
  return integer === undefined ? new CelError(`unsupported index value ${text(key)} in list`) : Number(integer);
}

/** `container[key]`, and through an optional container an optional. */
export function index(container: Value, key: Value): Value {
  if (container instanceof Optional) return container.value === undefined ? container : optionalIndex(container.value, key);
  const found = find(container, key);
  if (found !== undefined) return found;
  return isList(container as List) ? new CelError(`index out of bounds: ${text(key)}`) : missingKey(key);
}

/** `container[?key]` and `container.?key`. */
export function optionalIndex(container: Value, key: Value): Value {
  if (container instanceof Optional) return container.value === undefined ? container : optionalIndex(container.value, key);
  if (!isMap(container as MapValue) && !isList(container as List)) return container instanceof Opaque ? noSuchOverload : Optional.none;
  const found = find(container, key);
  if (found instanceof CelError) return found;
  return found === undefined ? Optional.none : Optional.of(found);
}

/** `container.field`. */
export function select(container: Value, field: string): Value {
  if (container instanceof Optional) return container.value === undefined ? container : optionalIndex(container.value, field);
  if (!isMap(container)) return missingKey(field);
  const found = container.get(field);
  return found === undefined ? missingKey(field) : found;
}

/** `has(container.field)`. */
export function hasField(container: Value, field: string): Value {
  if (container instanceof CelError) return container;
  const inner = container instanceof Optional ? container.value : container;
  const found = inner !== undefined && isMap(inner) ? inner.get(field) : undefined;
  return found instanceof CelError ? found : found !== undefined;
}
