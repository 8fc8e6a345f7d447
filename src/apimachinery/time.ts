/** Timestamps as metav1.Time and MicroTime write them: UTC, seconds or microseconds. */

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})([.,]\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** `2026-01-02T03:04:05Z`. Throws an Error worded much as Go's time.Parse. */
export function canonicalTime(text: string): string {
  const known = canonical.get(text);
  if (known !== undefined) return known;
  const time = `${seconds(text)}Z`;
  if (canonical.size >= mostCanonical) canonical.clear();
  canonical.set(text, time);
  return time;
}

/** Objects come again with the times they went out with. */
const canonical = new Map<string, string>();
const mostCanonical = 512;

/** `2026-01-02T03:04:05.123456Z`. */
export function canonicalMicroTime(text: string): string {
  const fraction = rfc3339.exec(text)?.[7]?.slice(1) ?? "";
  return `${seconds(text)}.${fraction.padEnd(6, "0").slice(0, 6)}Z`;
}

/** Milliseconds since 1970 to the form of metav1.Time; cuts off what is below a second. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

/** The instant in UTC without fraction or zone. */
function seconds(text: string): string {
  const match = rfc3339.exec(text);
  const ms = match ? Date.parse(`${text.slice(0, 19)}${match[8]}`) : NaN;
  if (!match || Number.isNaN(ms) || !dayExists(match)) throw new Error(`parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(text)} as an RFC 3339 time`);
  return match[8] === "Z" ? text.slice(0, 19) : new Date(ms).toISOString().slice(0, 19);
}

/** Date.parse takes February 30th for March 2nd. */
function dayExists([, year, month, day]: RegExpExecArray): boolean {
  return Number(day) >= 1 && Number(day) <= new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
}
