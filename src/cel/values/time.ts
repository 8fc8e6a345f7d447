import { CelError, Duration, Timestamp } from "./value.ts";

const second = 1_000_000_000n;
const maxInt64 = 2n ** 63n - 1n;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z. */
const minTimestamp = -62135596800n * second;
const maxTimestamp = 253402300799n * second + 999_999_999n;

export const makeTimestamp = (nanos: bigint, zone?: string): Timestamp | CelError =>
  nanos < minTimestamp || nanos > maxTimestamp ? new CelError("timestamp overflow") : new Timestamp(nanos, zone);
export const makeDuration = (nanos: bigint): Duration | CelError =>
  nanos < -maxInt64 - 1n || nanos > maxInt64 ? new CelError("duration overflow") : new Duration(nanos);

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/;

/** RFC 3339; undefined when it isn't one. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = rfc3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, sec, fraction = "", zone = "Z"] = match;
  if (+hour! > 23 || +minute! > 59 || +sec! > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(+year!, +month! - 1, +day!);
  date.setUTCHours(+hour!, +minute!, +sec!);
  if (date.getUTCMonth() !== +month! - 1 || date.getUTCDate() !== +day!) return undefined;
  const offset = offsetMinutes(zone);
  const made = makeTimestamp(BigInt(date.getTime() / 1000 - offset * 60) * second + BigInt(fraction.padEnd(9, "0")), offset === 0 ? "Z" : zone);
  return made instanceof CelError ? undefined : made;
}

const offsetMinutes = (zone: string): number => (zone.length === 1 ? 0 : (zone[0] === "-" ? -1 : 1) * (+zone.slice(1, 3) * 60 + +zone.slice(4)));

export function formatTimestamp({ nanos, zone }: Timestamp): string {
  const [seconds, rest] = split(nanos + BigInt(offsetMinutes(zone)) * 60n * second);
  const text = new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+Z$/, "");
  return `${text}${rest === 0n ? "" : `.${rest.toString().padStart(9, "0").replace(/0+$/, "")}`}${zone}`;
}

/** Seconds rounded down, and the nanoseconds above them. */
function split(nanos: bigint): [bigint, bigint] {
  const rest = ((nanos % second) + second) % second;
  return [(nanos - rest) / second, rest];
}

export const epochSeconds = ({ nanos }: Timestamp): bigint => split(nanos)[0];

const units: Readonly<Record<string, bigint>> = { ns: 1n, us: 1_000n, "µs": 1_000n, "μs": 1_000n, ms: 1_000_000n, s: second, m: 60n * second, h: 3600n * second };

/** Go's notation: `1h30m`, `-1.5s`, `0`. Undefined when it isn't one, or is too long for 64 bits of nanoseconds. */
export function parseDuration(text: string): Duration | undefined {
  const negative = text.startsWith("-");
  const rest = text.replace(/^[+-]/, "");
  if (rest === "0") return new Duration(0n);
  if (rest === "") return undefined;
  let nanos = 0n;
  const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
  while (part.lastIndex < rest.length) {
    const match = part.exec(rest);
    if (!match || (match[1] === "" && !match[2])) return undefined;
    const unit = units[match[3]!]!;
    const fraction = (match[2] ?? "").slice(0, 18);
    if (match[1]!.length > 20) return undefined;
    nanos += BigInt(match[1] || "0") * unit + (fraction ? (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length) : 0n);
    if (nanos > maxInt64 + 1n) return undefined;
  }
  const made = makeDuration(negative ? -nanos : nanos);
  return made instanceof CelError ? undefined : made;
}

/** Seconds with what fraction is needed, and an `s`. */
export function formatDuration({ nanos }: Duration): string {
  const absolute = nanos < 0n ? -nanos : nanos;
  const fraction = (absolute % second).toString().padStart(9, "0").replace(/0+$/, "");
  return `${nanos < 0n ? "-" : ""}${absolute / second}${fraction ? `.${fraction}` : ""}s`;
}

/** The parts of a timestamp on the clocks of a time zone: an IANA name, `UTC`, or `+hh:mm`. */
export interface ClockParts {
  year: number;
  /** From 0. */
  month: number;
  /** From 1. */
  date: number;
  /** From 0, from the first of January. */
  dayOfYear: number;
  /** From 0, from Sunday. */
  dayOfWeek: number;
  hours: number;
  minutes: number;
  seconds: number;
  milliseconds: number;
}

export function clockParts({ nanos }: Timestamp, zone: string): ClockParts | CelError {
  const [seconds, rest] = split(nanos);
  const offset = offsetSeconds(Number(seconds) * 1000, zone);
  if (offset === undefined) return new CelError(`unknown time zone ${zone}`);
  const local = new Date((Number(seconds) + offset) * 1000);
  const startOfYear = new Date(0);
  startOfYear.setUTCFullYear(local.getUTCFullYear(), 0, 1);
  return {
    year: local.getUTCFullYear(), month: local.getUTCMonth(), date: local.getUTCDate(),
    dayOfYear: Math.floor((local.getTime() - startOfYear.getTime()) / 86_400_000), dayOfWeek: local.getUTCDay(),
    hours: local.getUTCHours(), minutes: local.getUTCMinutes(), seconds: local.getUTCSeconds(), milliseconds: Number(rest / 1_000_000n),
  };
}

function offsetSeconds(epochMs: number, zone: string): number | undefined {
  if (zone === "" || zone === "UTC" || zone === "Z") return 0;
  const fixed = /^([+-]?)(\d{1,2}):(\d\d)$/.exec(zone);
  if (fixed) return (fixed[1] === "-" ? -1 : 1) * (+fixed[2]! * 3600 + +fixed[3]! * 60);
  try {
    const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", era: "short" }).formatToParts(epochMs);
    const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value);
    const local = new Date(0);
    local.setUTCFullYear(parts.some((one) => one.type === "era" && one.value === "BC") ? 1 - part("year") : part("year"), part("month") - 1, part("day"));
    local.setUTCHours(part("hour"), part("minute"), part("second"));
    return Math.round((local.getTime() - Math.floor(epochMs / 1000) * 1000) / 1000);
  } catch {
    return undefined;
  }
}
