import { func, method, type Library, type Overload } from "../function.ts";
import { boolType, bytesType, doubleType, durationType, dynType, intType, listType, mapType, optionalType, paramType, stringType, timestampType, uintType, type CelType } from "../type.ts";
import { add, noSuchOverload } from "../values/arithmetic.ts";
import { compare, equals } from "../values/equality.ts";
import { runtimeType } from "../values/type-of.ts";
import { CelError, Duration, isList, isMap, itemsOf, ListOf, MapOf, Optional, Uint, type List, type MapValue, type Value } from "../values/value.ts";
import { contains } from "./operators.ts";

const a = paramType("A"), t = paramType("T"), k = paramType("K"), v = paramType("V");
export const comparable: readonly (readonly [string, CelType])[] =
  [["int", intType], ["uint", uintType], ["double", doubleType], ["bool", boolType], ["duration", durationType], ["timestamp", timestampType], ["string", stringType], ["bytes", bytesType]];
const zeros: readonly (readonly [string, CelType, Value])[] = [["int", intType, 0n], ["uint", uintType, new Uint(0n)], ["double", doubleType, 0], ["duration", durationType, new Duration(0n)]];

const perType = (make: (name: string, type: CelType) => Overload): Overload[] => comparable.map(([name, type]) => make(name, type));

function isSorted(list: List): Value {
  for (let index = 1; index < list.size; index++) if (compare(list.get(index - 1), list.get(index)) === 1) return false;
  return true;
}

const extreme = (name: string, replaceWhen: 1 | -1) => (list: List): Value => {
  let best: Value | undefined;
  for (const item of itemsOf(list)) if (best === undefined || compare(best, item) === replaceWhen) best = item;
  return best ?? new CelError(`${name} called on empty list`);
};

const sum = (zero: Value) => (list: List): Value => {
  let total = zero;
  for (const item of itemsOf(list)) {
    total = add(total, item);
    if (total instanceof CelError) return total;
  }
  return total;
};

function indexOf(list: List, item: Value): Value {
  for (let index = 0; index < list.size; index++) if (equals(list.get(index), item)) return BigInt(index);
  return -1n;
}

function lastIndexOf(list: List, item: Value): Value {
  for (let index = list.size - 1; index >= 0; index--) if (equals(list.get(index), item)) return BigInt(index);
  return -1n;
}

function slice(list: List, start: bigint, end: bigint): Value {
  if (start < 0n || end < 0n) return new CelError(`cannot slice(${start}, ${end}), negative indexes not supported`);
  if (start > end) return new CelError(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`);
  if (list.size < end) return new CelError(`cannot slice(${start}, ${end}), list is length ${list.size}`);
  return new ListOf([...itemsOf(list)].slice(Number(start), Number(end)));
}

function flatten(list: List, depth = 1n): Value {
  if (depth < 0n) return new CelError("level must be non-negative");
  const items: Value[] = [];
  const take = (from: List, left: bigint): void => {
    for (const item of itemsOf(from)) {
      if (left > 0n && isList(item)) take(item, left - 1n);
      else items.push(item);
    }
  };
  take(list, depth);
  return new ListOf(items);
}

function sortByKeys(list: List, keys: List): Value {
  if (list.size !== keys.size) return new CelError(`@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`);
  if (list.size === 0) return list;
  const type = runtimeType(keys.get(0)).name;
  const pairs = [...itemsOf(list)].map((item, index): [Value, Value] => [keys.get(index), item]);
  if (compare(pairs[0]![0], pairs[0]![0]) === undefined) return new CelError("list elements must be comparable");
  if (pairs.some(([key]) => runtimeType(key).name !== type)) return new CelError("list elements must have the same type");
  pairs.sort(([x], [y]) => { const order = compare(x, y); return typeof order === "number" ? order : 0; });
  return new ListOf(pairs.map(([, item]) => item));
}

function distinct(list: List): Value {
  const kept: Value[] = [];
  for (const item of itemsOf(list)) if (!kept.some((other) => equals(item, other))) kept.push(item);
  return new ListOf(kept);
}

const maxRange = 10_000_000n;

function range(count: bigint): Value {
  if (count > maxRange) return new CelError(`lists.range() size exceeds limit: ${maxRange}`);
  return new ListOf(Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index)));
}

const listOfT = listType(t);

/** Kubernetes' own list functions, and cel-go's list extension, version 3. */
export const lists: Library = {
  isSorted: perType((name, type) => method(`list_${name}_is_sorted_bool`, [listType(type)], boolType, isSorted)),
  sum: zeros.map(([name, type, zero]) => method(`list_${name}_sum_${name}`, [listType(type)], type, sum(zero))),
  max: perType((name, type) => method(`list_${name}_max_${name}`, [listType(type)], type, extreme("max", -1))),
  min: perType((name, type) => method(`list_${name}_min_${name}`, [listType(type)], type, extreme("min", 1))),
  indexOf: [method("list_a_index_of_int", [listType(a), a], intType, indexOf)],
  lastIndexOf: [method("list_a_last_index_of_int", [listType(a), a], intType, lastIndexOf)],
  slice: [method("list_slice", [listOfT, intType, intType], listOfT, slice)],
  flatten: [method("list_flatten", [listType(listOfT)], listOfT, flatten), method("list_flatten_int", [listType(dynType), intType], listType(dynType), flatten)],
  sort: perType((name, type) => method(`list_${name}_sort`, [listType(type)], listType(type), (list: List) => sortByKeys(list, list))),
  "@sortByAssociatedKeys": perType((name, type) => method(`list_${name}_sortByAssociatedKeys`, [listOfT, listType(type)], listOfT, sortByKeys)),
  "lists.range": [func("lists_range", [intType], listType(intType), range)],
  reverse: [method("list_reverse", [listOfT], listOfT, (list: List) => new ListOf([...itemsOf(list)].reverse()))],
  distinct: [method("list_distinct", [listOfT], listOfT, distinct)],
  first: [method("list_first", [listType(v)], optionalType(v), (list: List) => (list.size === 0 ? Optional.none : Optional.of(list.get(0))))],
  last: [method("list_last", [listType(v)], optionalType(v), (list: List) => (list.size === 0 ? Optional.none : Optional.of(list.get(list.size - 1))))],
};

const holdsAll = (list: List, sub: List): boolean => [...itemsOf(sub)].every((item) => contains(item, list) === true);

export const sets: Library = {
  "sets.contains": [func("list_sets_contains_list", [listOfT, listOfT], boolType, holdsAll)],
  "sets.equivalent": [func("list_sets_equivalent_list", [listOfT, listOfT], boolType, (x: List, y: List) => holdsAll(x, y) && holdsAll(y, x))],
  "sets.intersects": [func("list_sets_intersects_list", [listOfT, listOfT], boolType, (x: List, y: List) => [...itemsOf(x)].some((item) => contains(item, y) === true))],
};

const mapKV = mapType(k, v);

function insert(map: MapValue, key: Value, value: Value): Value {
  // The accumulator of one fold is seen by nobody else before the fold is over.
  const target = map instanceof MapOf && map.size > 0 ? map : copyOf(map);
  return target.add(key, value) ? target : new CelError(`insert failed: key ${String(key)} already exists`);
}

function copyOf(map: MapValue): MapOf {
  const copy = new MapOf();
  for (const key of map.keys()) copy.add(key, map.get(key)!);
  return copy;
}

function insertAll(map: MapValue, entries: Value): Value {
  if (!isMap(entries)) return noSuchOverload;
  let result: Value = map;
  for (const key of entries.keys()) {
    result = insert(result as MapValue, key, entries.get(key)!);
    if (result instanceof CelError) return result;
  }
  return result;
}

/** What `transformMap` and its sisters add entries with. */
export const comprehensions: Library = {
  "cel.@mapInsert": [func("@mapInsert_map_key_value", [mapKV, k, v], mapKV, insert), func("@mapInsert_map_map", [mapKV, mapKV], mapKV, insertAll)],
};
