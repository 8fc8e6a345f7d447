import { func, method, type Library } from "../function.ts";
import { boolType, listType, optionalType, paramType } from "../type.ts";
import { CelError, Duration, isList, isMap, itemsOf, ListOf, Optional, sizeOf, Timestamp, Uint, type List, type Value } from "../values/value.ts";

const v = paramType("V");
const optional = optionalType(v);

/** Zero, empty or null. */
export function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0) return true;
  if (typeof value === "string" || value instanceof Uint8Array || isList(value) || isMap(value)) return sizeOf(value) === 0;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Duration) return value.nanos === 0n;
  return value instanceof Timestamp ? value.nanos === -62135596800_000_000_000n : value instanceof Optional && (value.value === undefined || isZero(value.value));
}

function unwrap(list: List): Value {
  const values: Value[] = [];
  for (const item of itemsOf(list)) {
    if (!(item instanceof Optional)) return new CelError(`value ${String(item)} is not optional`);
    if (item.value !== undefined) values.push(item.value);
  }
  return new ListOf(values);
}

export const optionals: Library = {
  "optional.of": [func("optional_of", [v], optional, (value: Value) => Optional.of(value))],
  "optional.ofNonZeroValue": [func("optional_ofNonZeroValue", [v], optional, (value: Value) => (isZero(value) ? Optional.none : Optional.of(value)))],
  "optional.none": [func("optional_none", [], optional, () => Optional.none)],
  "optional.unwrap": [func("optional_unwrap", [listType(optional)], listType(v), unwrap)],
  unwrapOpt: [method("optional_unwrapOpt", [listType(optional)], listType(v), unwrap)],
  value: [method("optional_value", [optional], v, (value: Optional) => value.value ?? (value.value === null ? null : new CelError("optional.none() dereference")))],
  hasValue: [method("optional_hasValue", [optional], boolType, (value: Optional) => value.value !== undefined)],
  // The interpreter does these: the second is evaluated only when the first has no value.
  or: [method("optional_or_optional", [optional, optional], optional)],
  orValue: [method("optional_orValue_value", [optional, v], v)],
};
