import { noSuchOverload, uint } from "./arithmetic.ts";
import { epochSeconds, formatDuration, formatTimestamp, makeTimestamp, parseDuration, parseTimestamp } from "./time.ts";
import { CelError, Duration, Timestamp, TypeValue, Uint, type Value } from "./value.ts";

const maxInt = 2n ** 63n - 1n;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function toInt(value: Value): Value {
  if (typeof value === "bigint") return value;
  if (value instanceof Uint) return value.value > maxInt ? new CelError("integer overflow") : value.value;
  if (typeof value === "number") return Number.isFinite(value) && value > -(2 ** 63) && value < 2 ** 63 ? BigInt(Math.trunc(value)) : new CelError("integer overflow");
  if (typeof value === "string") return parseInteger(value, /^[+-]?\d+$/, -(2n ** 63n), maxInt, "int");
  if (value instanceof Timestamp) return epochSeconds(value);
  return value instanceof Duration ? value.nanos : noSuchOverload;
}

export function toUint(value: Value): Value {
  if (value instanceof Uint) return value;
  if (typeof value === "bigint") return uint(value);
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 && value < 2 ** 64 ? new Uint(BigInt(Math.trunc(value))) : new CelError("unsigned integer overflow");
  if (typeof value !== "string") return noSuchOverload;
  const parsed = parseInteger(value, /^\d+$/, 0n, 2n ** 64n - 1n, "uint");
  return typeof parsed === "bigint" ? new Uint(parsed) : parsed;
}

function parseInteger(text: string, grammar: RegExp, min: bigint, max: bigint, to: string): bigint | CelError {
  const value = grammar.test(text) && text.length <= 40 ? BigInt(text.replace(/^\+/, "")) : undefined;
  return value === undefined || value < min || value > max ? notConvertible(to) : value;
}

const notConvertible = (to: string): CelError => new CelError(`type conversion error from 'string' to '${to}'`);

export function toDouble(value: Value): Value {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint) return Number(value.value);
  if (typeof value !== "string") return noSuchOverload;
  const special = /^([+-]?)(?:(inf|infinity)|nan)$/i.exec(value);
  if (special) return special[2] ? (special[1] === "-" ? -Infinity : Infinity) : NaN;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) return notConvertible("double");
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : notConvertible("double");
}

const booleans: Readonly<Record<string, boolean>> = { true: true, True: true, TRUE: true, t: true, T: true, "1": true, false: false, False: false, FALSE: false, f: false, F: false, "0": false };

export function toBool(value: Value): Value {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return noSuchOverload;
  return Object.hasOwn(booleans, value) ? booleans[value]! : notConvertible("bool");
}

export function toText(value: Value): Value {
  switch (typeof value) {
    case "string": return value;
    case "bigint": case "boolean": return String(value);
    case "number": return formatDouble(value);
  }
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof TypeValue) return value.type.name;
  if (!(value instanceof Uint8Array)) return noSuchOverload;
  try {
    return utf8.decode(value);
  } catch {
    return new CelError("invalid UTF-8 in bytes, cannot convert to string");
  }
}

/** As Go's `strconv.FormatFloat(f, 'g', -1, 64)`. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (Object.is(value, -0)) return "-0";
  const exponent = value === 0 ? 0 : Number(value.toExponential().split("e")[1]);
  if (exponent >= -4 && exponent < 6) return String(value);
  const [mantissa, power] = value.toExponential().split("e") as [string, string];
  return `${mantissa}e${power[0] === "-" ? "-" : "+"}${power.replace(/^[+-]/, "").padStart(2, "0")}`;
}

export function toBytes(value: Value): Value {
  return typeof value === "string" ? Buffer.from(value, "utf8") : value instanceof Uint8Array ? value : noSuchOverload;
}

export function toTimestamp(value: Value): Value {
  if (value instanceof Timestamp) return value;
  if (typeof value === "bigint") return makeTimestamp(value * 1_000_000_000n);
  if (typeof value !== "string") return noSuchOverload;
  return parseTimestamp(value) ?? notConvertible("google.protobuf.Timestamp");
}

export function toDuration(value: Value): Value {
  if (value instanceof Duration) return value;
  if (typeof value === "bigint") return new Duration(value);
  if (typeof value !== "string") return noSuchOverload;
  return parseDuration(value) ?? notConvertible("google.protobuf.Duration");
}
