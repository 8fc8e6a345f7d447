import { boolType, bytesType, doubleType, durationType, dynType, errorType, intType, listType, mapType, nullType, optionalType, stringType, timestampType, typeType, uintType, type CelType } from "../type.ts";
import { CelError, Duration, isList, isMap, Opaque, Optional, Timestamp, TypeValue, Uint, type Value } from "./value.ts";

const anyList = listType(dynType);
const anyMap = mapType(dynType, dynType);
const anyOptional = optionalType(dynType);

/** The type that `type(x)` gives: without parameters' types. */
export function runtimeType(value: Value): CelType {
  switch (typeof value) {
    case "boolean": return boolType;
    case "bigint": return intType;
    case "number": return doubleType;
    case "string": return stringType;
  }
  if (value === null) return nullType;
  if (isList(value)) return anyList;
  if (isMap(value)) return value.type ?? anyMap;
  if (value instanceof Uint) return uintType;
  if (value instanceof Uint8Array) return bytesType;
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof Duration) return durationType;
  if (value instanceof Optional) return anyOptional;
  if (value instanceof TypeValue) return typeType;
  if (value instanceof Opaque) return value.type;
  return errorType;
}

/** Whether a value may be an argument of this declared type. Items of lists and maps are not looked at, but for the first of a list. */
export function accepts(type: CelType, value: Value): boolean {
  if (value instanceof CelError) return false;
  switch (type.kind) {
    case "dyn": case "param": return true;
    case "list": return isList(value) && (value.size === 0 || accepts(type.params[0]!, value.get(0)));
    case "map": return isMap(value) && !value.type;
    case "type": return value instanceof TypeValue;
    case "opaque": case "struct": {
      const actual = runtimeType(value);
      if (actual.name !== type.name) return false;
      return !(value instanceof Optional) || value.value === undefined || accepts(type.params[0]!, value.value);
    }
    default: return runtimeType(value).kind === type.kind;
  }
}
