import { parseGoDuration } from "../../base/go-duration.ts";

/** The schedules of CronJobs, as the parser that Kubernetes uses (robfig/cron v3, ParseStandard) reads and words them. */

/** When a job starts: at the minutes that all fields allow, or again and again after a while. */
export type Schedule = FieldSchedule | { every: number; zone?: string };

export interface FieldSchedule {
  minute: Field;
  hour: Field;
  dayOfMonth: Field;
  /** From 1. */
  month: Field;
  /** From 0, which is Sunday. */
  dayOfWeek: Field;
  /** Of a `TZ=` before the fields: a name of the time zone database, or `Local`. */
  zone?: string;
}

export interface Field {
  values: ReadonlySet<number>;
  /** Holds `*` or `?`: of two such days the other one alone decides. */
  any: boolean;
}

interface Bounds {
  min: number;
  max: number;
  names?: readonly string[];
}
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/** Minute, hour, day of month, month, day of week. */
const bounds: readonly Bounds[] = [{ min: 0, max: 59 }, { min: 0, max: 23 }, { min: 1, max: 31 }, { min: 1, max: 12, names: months }, { min: 0, max: 6, names: days }];
const descriptors: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
};

/** Reads a schedule. Throws an Error with the words of Kubernetes. */
export function parseSchedule(text: string): Schedule {
  if (text === "") throw new Error("empty spec string");
  if (!text.startsWith("TZ=") && !text.startsWith("CRON_TZ=")) return parseUnzoned(text);
  const space = text.indexOf(" ");
  if (space < 0) throw new Error("invalid schedule format: runtime error: slice bounds out of range [:-1]");
  const zone = text.slice(text.indexOf("=") + 1, space);
  if (!isTimeZone(zone)) throw new Error(`provided bad location ${zone}: unknown time zone ${zone}`);
  return { ...parseUnzoned(text.slice(space).trim()), zone: zone || "UTC" };
}

/** What is wrong with a schedule; undefined when nothing is. */
export function scheduleError(text: string): string | undefined {
  try {
    parseSchedule(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function parseUnzoned(text: string): Schedule {
  if (text.startsWith("@every ")) return { every: parseInterval(text) };
  const described = descriptors[text];
  if (text.startsWith("@") && described === undefined) throw new Error(`unrecognized descriptor: ${text}`);
  const fields = (described ?? text).split(/\s+/).filter((field) => field !== "");
  if (fields.length !== bounds.length) throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`);
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields.map((field, index) => parseField(field, bounds[index]!));
  return { minute: minute!, hour: hour!, dayOfMonth: dayOfMonth!, month: month!, dayOfWeek: dayOfWeek! };
}

/** Whole seconds, one at least; in milliseconds. */
function parseInterval(text: string): number {
  try {
    return Math.max(1, Math.floor(parseGoDuration(text.slice("@every ".length)) / 1000)) * 1000;
  } catch (error) {
    throw new Error(`failed to parse duration ${text}: ${(error as Error).message}`, { cause: error });
  }
}

function parseField(text: string, within: Bounds): Field {
  const ranges = text.split(",").filter((part) => part !== "").map((part) => parseRange(part, within));
  return { values: new Set(ranges.flatMap(({ values }) => values)), any: ranges.some(({ any }) => any) };
}

/** A range: `*`, `5`, `1-5`, each also with a step; `5/2` goes on to the end. */
function parseRange(text: string, { min, max, names }: Bounds): { values: number[]; any: boolean } {
  const [range = "", stepText, ...moreSteps] = text.split("/"), ends = range.split("-");
  const any = ends[0] === "*" || ends[0] === "?";
  let start = min, end = max;
  if (!any) {
    start = end = numberOrName(ends[0]!, min, names);
    if (ends.length > 2) throw new Error(`too many hyphens: ${text}`);
    if (ends.length === 2) end = numberOrName(ends[1]!, min, names);
  }
  if (moreSteps.length > 0) throw new Error(`too many slashes: ${text}`);
  const step = stepText === undefined ? 1 : number(stepText);
  if (stepText !== undefined && ends.length === 1) end = max;
  if (start < min) throw new Error(`beginning of range (${start}) below minimum (${min}): ${text}`);
  if (end > max) throw new Error(`end of range (${end}) above maximum (${max}): ${text}`);
  if (start > end) throw new Error(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new Error(`step of range should be a positive number: ${text}`);
  const values: number[] = [];
  for (let value = start; value <= end; value += step) values.push(value);
  return { values, any: any && step === 1 };
}

function numberOrName(text: string, min: number, names: readonly string[] | undefined): number {
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  return index >= 0 ? index + min : number(text);
}

function number(text: string): number {
  const failed = `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: `;
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`${failed}invalid syntax`);
  const parsed = BigInt(text.replace("+", ""));
  if (parsed > 2n ** 63n - 1n || parsed < -(2n ** 63n)) throw new Error(`${failed}value out of range`);
  if (parsed < 0n) throw new Error(`negative number (${parsed}) not allowed: ${text}`);
  return Number(parsed);
}

/** Whether the time zone database has it, by its exact name. */
export function isTimeZone(name: string): boolean {
  if (name === "" || name === "UTC" || name === "Local") return true;
  try {
    const resolved = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
    // Intl takes names in any case, and offsets such as +01:00; the database doesn't.
    return /^[+-]/.test(name) ? false : resolved.toLowerCase() !== name.toLowerCase() || resolved === name;
  } catch {
    return false;
  }
}
