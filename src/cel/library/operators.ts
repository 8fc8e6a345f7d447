import { func, type Library, type Overload } from "../function.ts";
import { boolType, bytesType, doubleType, durationType, dynType, intType, listType, mapType, optionalType, paramType, stringType, timestampType, uintType, type CelType } from "../type.ts";
import { add, divide, modulo, multiply, negate, noSuchOverload, subtract } from "../values/arithmetic.ts";
import { compare, equals } from "../values/equality.ts";
import { CelError, isList, isMap, itemsOf, type Value } from "../values/value.ts";

const a = paramType("A"), b = paramType("B");

const relation = (prefix: string, holds: (order: number) => boolean): Overload[] => {
  const call = (x: Value, y: Value): Value => {
    const order = compare(x, y);
    return order instanceof CelError ? order : order === undefined ? noSuchOverload : holds(order);
  };
  const same: [string, CelType][] = [["bool", boolType], ["int64", intType], ["uint64", uintType], ["double", doubleType], ["string", stringType], ["bytes", bytesType], ["timestamp", timestampType], ["duration", durationType]];
  const numbers = same.slice(1, 4);
  const mixed = numbers.flatMap(([name, type]) => numbers.filter(([other]) => other !== name).map(([other, otherType]) => func(`${prefix}_${name}_${other}`, [type, otherType], boolType, call)));
  return [...same.map(([name, type]) => func(`${prefix}_${name}`, [type, type], boolType, call)), ...mixed];
};

const arithmetic = (prefix: string, call: (x: Value, y: Value) => Value, types: readonly (readonly [string, CelType])[]): Overload[] =>
  types.map(([name, type]) => func(`${prefix}_${name}`, [type, type], type, call));

const ints = [["int64", intType], ["uint64", uintType]] as const;
const numbers = [["double", doubleType], ...ints] as const;

export const operators: Library = {
  // The interpreter does these itself: not all of their arguments are always evaluated, or errors are welcome.
  "_?_:_": [func("conditional", [boolType, a, a], a)],
  "_&&_": [func("logical_and", [boolType, boolType], boolType)],
  "_||_": [func("logical_or", [boolType, boolType], boolType)],
  "@not_strictly_false": [func("not_strictly_false", [boolType], boolType)],
  "_?._": [func("select_optional_field", [dynType, stringType], optionalType(b))],
  "_[_]": [
    func("index_list", [listType(a), intType], a), func("index_map", [mapType(a, b), a], b),
    func("optional_list_index_int", [optionalType(listType(b)), intType], optionalType(b)), func("optional_map_index_value", [optionalType(mapType(a, b)), a], optionalType(b)),
  ],
  "_[?_]": [
    func("list_optindex_optional_int", [listType(b), intType], optionalType(b)), func("optional_list_optindex_optional_int", [optionalType(listType(b)), intType], optionalType(b)),
    func("map_optindex_optional_value", [mapType(a, b), a], optionalType(b)), func("optional_map_optindex_optional_value", [optionalType(mapType(a, b)), a], optionalType(b)),
  ],
  "!_": [func("logical_not", [boolType], boolType, (x: Value) => (typeof x === "boolean" ? !x : noSuchOverload))],
  "-_": [func("negate_double", [doubleType], doubleType, negate), func("negate_int64", [intType], intType, negate)],
  "_==_": [func("equals", [a, a], boolType, (x: Value, y: Value) => equals(x, y))],
  "_!=_": [func("not_equals", [a, a], boolType, (x: Value, y: Value) => !equals(x, y))],
  "_<_": relation("less", (order) => order < 0),
  "_<=_": relation("less_equals", (order) => order <= 0),
  "_>_": relation("greater", (order) => order > 0),
  "_>=_": relation("greater_equals", (order) => order >= 0),
  "_+_": [
    ...arithmetic("add", add, [["bytes", bytesType], ["double", doubleType]]),
    func("add_duration_duration", [durationType, durationType], durationType, add), func("add_duration_timestamp", [durationType, timestampType], timestampType, add),
    func("add_timestamp_duration", [timestampType, durationType], timestampType, add), func("add_int64", [intType, intType], intType, add),
    func("add_list", [listType(a), listType(a)], listType(a), add), func("add_string", [stringType, stringType], stringType, add), func("add_uint64", [uintType, uintType], uintType, add),
  ],
  "_-_": [
    ...arithmetic("subtract", subtract, numbers), func("subtract_duration_duration", [durationType, durationType], durationType, subtract),
    func("subtract_timestamp_duration", [timestampType, durationType], timestampType, subtract), func("subtract_timestamp_timestamp", [timestampType, timestampType], durationType, subtract),
  ],
  "_*_": arithmetic("multiply", multiply, numbers),
  "_/_": arithmetic("divide", divide, numbers),
  "_%_": arithmetic("modulo", modulo, ints),
  "@in": [func("in_list", [a, listType(a)], boolType, contains), func("in_map", [a, mapType(a, b)], boolType, contains)],
};

export function contains(item: Value, container: Value): Value {
  if (isMap(container)) return container.get(item) !== undefined;
  if (!isList(container)) return noSuchOverload;
  for (const one of itemsOf(container)) if (equals(item, one)) return true;
  return false;
}
