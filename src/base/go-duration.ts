const units: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, "µs": 1e-3, "μs": 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads a duration as Go's time.ParseDuration does: `300ms`, `-1.5h`, `2h45m`. In milliseconds. Throws an Error with Go's words. */
export function parseGoDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const [, sign = "", rest = ""] = /^([-+]?)(.*)$/s.exec(text)!;
  if (rest === "0") return 0;
  if (rest === "") throw new Error(`time: invalid duration ${quoted}`);
  let total = 0;
  for (let at = 0; at < rest.length;) {
    const number = /^\d*\.?\d*/.exec(rest.slice(at, at + 64))![0];
    if (!/\d/.test(number)) throw new Error(`time: invalid duration ${quoted}`);
    at += number.length;
    const unit = /^[^.\d]*/.exec(rest.slice(at))![0];
    if (unit === "") throw new Error(`time: missing unit in duration ${quoted}`);
    if (!Object.hasOwn(units, unit)) throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    at += unit.length;
    total += Number(number) * units[unit]!;
  }
  // As many nanoseconds as an int64 holds.
  if (total > 9_223_372_036_854) throw new Error(`time: invalid duration ${quoted}`);
  return sign === "-" ? -total : total;
}

/** Writes a duration as Go's Duration.String does, to the millisecond: `1.5s`, `2m0s`, `300ms`. */
export function formatGoDuration(ms: number): string {
  const whole = Math.round(ms);
  if (whole < 0) return `-${formatGoDuration(-whole)}`;
  if (whole > 0 && whole < 1000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000), hours = Math.floor(minutes / 60);
  return `${hours > 0 ? `${hours}h` : ""}${minutes > 0 ? `${minutes % 60}m` : ""}${(whole % 60_000) / 1000}s`;
}
