/** Values that are one thing in JSON and a message on the wire: how they translate. */

/** Seconds since 1970 and nanoseconds, of `2026-01-02T03:04:05.123456Z`. */
export function instantOf(text: string): { seconds: number; nanos: number } {
  const fraction = /\.(\d{1,9})/.exec(text)?.[1] ?? "";
  return { seconds: Math.floor(Date.parse(text) / 1000), nanos: Number(fraction.padEnd(9, "0")) };
}

const outside = new RangeError("time out of range");

export function timeText(seconds: number): string {
  return `${wholeSeconds(seconds)}Z`;
}

export function microTimeText(seconds: number, nanos: number): string {
  return `${wholeSeconds(seconds)}.${String(Math.trunc(nanos / 1000)).padStart(6, "0")}Z`;
}

/** The years that RFC 3339 can name. */
function wholeSeconds(seconds: number): string {
  if (seconds < -62_167_219_200 || seconds > 253_402_300_799) throw outside;
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}

const units: Readonly<Record<string, number>> = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Nanoseconds of Go's `1h2m3.5s`. */
export function nanosecondsOf(duration: string): number {
  let total = 0;
  for (const [, amount, unit] of duration.matchAll(/(\d*\.?\d+)(ns|us|µs|ms|s|m|h)/g)) total += Number(amount) * units[unit!]!;
  return Math.round(duration.startsWith("-") ? -total : total);
}

/** As Go prints a Duration: `1h2m3.5s`, `1.5ms`, `0s`. */
export function durationText(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  const sign = nanoseconds < 0 ? "-" : "", size = Math.abs(nanoseconds);
  if (size < 1e9) return `${sign}${size < 1e3 ? `${size}ns` : size < 1e6 ? `${size / 1e3}µs` : `${size / 1e6}ms`}`;
  const hours = Math.floor(size / 3600e9), minutes = Math.floor((size % 3600e9) / 60e9), seconds = Number(((size % 60e9) / 1e9).toFixed(9));
  return `${sign}${hours ? `${hours}h` : ""}${hours || minutes ? `${minutes}m` : ""}${seconds}s`;
}
