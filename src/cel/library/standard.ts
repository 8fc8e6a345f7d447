import { func, method, type Library, type Overload } from "../function.ts";
import { boolType, bytesType, doubleType, durationType, dynType, intType, listType, mapType, paramType, stringType, timestampType, typeOfType, uintType, type CelType } from "../type.ts";
import { noSuchOverload } from "../values/arithmetic.ts";
import { toBool, toBytes, toDouble, toDuration, toInt, toText, toTimestamp, toUint } from "../values/convert.ts";
import { clockParts, type ClockParts } from "../values/time.ts";
import { runtimeType } from "../values/type-of.ts";
import { CelError, type Duration, sizeOf, type Timestamp, TypeValue, type Value } from "../values/value.ts";
import { compileRegex } from "./re2.ts";

const a = paramType("A"), b = paramType("B");

const conversions = (result: CelType, call: (value: Value) => Value, ids: Readonly<Record<string, CelType>>): Overload[] =>
  Object.entries(ids).map(([id, from]) => func(id, [from], result, call));

const size = (value: Value): Value => {
  const count = sizeOf(value);
  return count === undefined ? noSuchOverload : BigInt(count);
};

const sized: [string, CelType][] = [["bytes", bytesType], ["list", listType(a)], ["map", mapType(a, b)], ["string", stringType]];

/** `getHours()` and its sisters: in UTC, or on the clocks of a zone. */
const clock = (ids: readonly [string, string], part: (parts: ClockParts) => number): Overload[] => {
  const read = (time: Timestamp, zone: string): Value => {
    const parts = clockParts(time, zone);
    return parts instanceof CelError ? parts : BigInt(part(parts));
  };
  return [method(ids[0], [timestampType], intType, (time: Timestamp) => read(time, "UTC")), method(ids[1], [timestampType, stringType], intType, read)];
};

const span = (id: string, nanos: bigint): Overload =>
  method(id, [durationType], intType, (duration: Duration) => duration.nanos / nanos);

function matches(text: Value, pattern: Value): Value {
  if (typeof text !== "string" || typeof pattern !== "string") return noSuchOverload;
  const regex = compileRegex(pattern);
  return regex instanceof CelError ? regex : regex.find(text);
}

export const standard: Library = {
  size: [
    ...sized.map(([name, type]) => func(`size_${name}`, [type], intType, size)),
    ...sized.map(([name, type]) => method(`${name}_size`, [type], intType, size)),
  ],
  type: [func("type", [a], typeOfType(a), (value: Value) => new TypeValue(runtimeType(value)))],
  dyn: [func("to_dyn", [a], dynType, (value: Value) => value)],
  bool: conversions(boolType, toBool, { bool_to_bool: boolType, string_to_bool: stringType }),
  bytes: conversions(bytesType, toBytes, { bytes_to_bytes: bytesType, string_to_bytes: stringType }),
  double: conversions(doubleType, toDouble, { double_to_double: doubleType, int64_to_double: intType, string_to_double: stringType, uint64_to_double: uintType }),
  duration: conversions(durationType, toDuration, { duration_to_duration: durationType, int64_to_duration: intType, string_to_duration: stringType }),
  int: conversions(intType, toInt, { int64_to_int64: intType, double_to_int64: doubleType, duration_to_int64: durationType, string_to_int64: stringType, timestamp_to_int64: timestampType, uint64_to_int64: uintType }),
  string: conversions(stringType, toText, {
    string_to_string: stringType, bool_to_string: boolType, bytes_to_string: bytesType, double_to_string: doubleType, duration_to_string: durationType, int64_to_string: intType,
    timestamp_to_string: timestampType, uint64_to_string: uintType,
  }),
  timestamp: conversions(timestampType, toTimestamp, { timestamp_to_timestamp: timestampType, int64_to_timestamp: intType, string_to_timestamp: stringType }),
  uint: conversions(uintType, toUint, { uint64_to_uint64: uintType, double_to_uint64: doubleType, int64_to_uint64: intType, string_to_uint64: stringType }),
  contains: [method("contains_string", [stringType, stringType], boolType, (text: string, part: string) => text.includes(part))],
  endsWith: [method("ends_with_string", [stringType, stringType], boolType, (text: string, part: string) => text.endsWith(part))],
  startsWith: [method("starts_with_string", [stringType, stringType], boolType, (text: string, part: string) => text.startsWith(part))],
  matches: [func("matches", [stringType, stringType], boolType, matches), method("matches_string", [stringType, stringType], boolType, matches)],
  getFullYear: clock(["timestamp_to_year", "timestamp_to_year_with_tz"], ({ year }) => year),
  getMonth: clock(["timestamp_to_month", "timestamp_to_month_with_tz"], ({ month }) => month),
  getDayOfYear: clock(["timestamp_to_day_of_year", "timestamp_to_day_of_year_with_tz"], ({ dayOfYear }) => dayOfYear),
  getDayOfMonth: clock(["timestamp_to_day_of_month", "timestamp_to_day_of_month_with_tz"], ({ date }) => date - 1),
  getDate: clock(["timestamp_to_day_of_month_1_based", "timestamp_to_day_of_month_1_based_with_tz"], ({ date }) => date),
  getDayOfWeek: clock(["timestamp_to_day_of_week", "timestamp_to_day_of_week_with_tz"], ({ dayOfWeek }) => dayOfWeek),
  getHours: [...clock(["timestamp_to_hours", "timestamp_to_hours_with_tz"], ({ hours }) => hours), span("duration_to_hours", 3_600_000_000_000n)],
  getMinutes: [...clock(["timestamp_to_minutes", "timestamp_to_minutes_with_tz"], ({ minutes }) => minutes), span("duration_to_minutes", 60_000_000_000n)],
  getSeconds: [...clock(["timestamp_to_seconds", "timestamp_to_seconds_tz"], ({ seconds }) => seconds), span("duration_to_seconds", 1_000_000_000n)],
  getMilliseconds: [...clock(["timestamp_to_milliseconds", "timestamp_to_milliseconds_with_tz"], ({ milliseconds }) => milliseconds), span("duration_to_milliseconds", 1_000_000n)],
};
