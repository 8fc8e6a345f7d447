/** The schedules of CronJobs, as the parser that Kubernetes uses (robfig/cron v3, ParseStandard) reads and words them. */

interface Bounds {
  min: number;
  max: number;
  names?: readonly string[];
}
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/** Minute, hour, day of month, month, day of week. */
const bounds: readonly Bounds[] = [{ min: 0, max: 59 }, { min: 0, max: 23 }, { min: 1, max: 31 }, { min: 1, max: 12, names: months }, { min: 0, max: 6, names: days }];
const descriptors = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]);

/** What is wrong with a schedule; undefined when nothing is. */
export function scheduleError(schedule: string): string | undefined {
  let spec = schedule;
  if (spec.startsWith("TZ=") || spec.startsWith("CRON_TZ=")) {
    const space = spec.indexOf(" "), start = spec.indexOf("=") + 1;
    if (space < 0) return `invalid schedule format: runtime error: slice bounds out of range [:-1]`;
    const zone = spec.slice(start, space);
    if (!isTimeZone(zone)) return `provided bad location ${zone}: unknown time zone ${zone}`;
    spec = spec.slice(space).trim();
  }
  if (spec.startsWith("@")) return descriptorError(spec);
  const fields = spec.split(/\s+/).filter((field) => field !== "");
  if (fields.length !== bounds.length) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`;
  for (const [index, field] of fields.entries()) {
    for (const range of field.split(",").filter((part) => part !== "")) {
      const error = rangeError(range, bounds[index]!);
      if (error) return error;
    }
  }
  return undefined;
}

/** A range: `*`, `5`, `1-5`, each also with a step. */
function rangeError(text: string, { min, max, names }: Bounds): string | undefined {
  const [range = "", stepText, ...moreSteps] = text.split("/"), ends = range.split("-");
  let start = min, end = max;
  if (ends[0] !== "*" && ends[0] !== "?") {
    const first = numberOrName(ends[0]!, min, names);
    if (typeof first === "string") return first;
    start = end = first;
    if (ends.length > 2) return `too many hyphens: ${text}`;
    if (ends.length === 2) {
      const last = numberOrName(ends[1]!, min, names);
      if (typeof last === "string") return last;
      end = last;
    }
  }
  let step = 1;
  if (moreSteps.length > 0) return `too many slashes: ${text}`;
  if (stepText !== undefined) {
    const parsed = number(stepText);
    if (typeof parsed === "string") return parsed;
    step = parsed;
    if (ends.length === 1) end = max;
  }
  if (start < min) return `beginning of range (${start}) below minimum (${min}): ${text}`;
  if (end > max) return `end of range (${end}) above maximum (${max}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return step === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

function numberOrName(text: string, min: number, names: readonly string[] | undefined): number | string {
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  return index >= 0 ? index + min : number(text);
}

/** The number, or what is wrong with it. */
function number(text: string): number | string {
  const failed = `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: `;
  if (!/^[+-]?\d+$/.test(text)) return `${failed}invalid syntax`;
  const parsed = BigInt(text.replace("+", ""));
  if (parsed > 2n ** 63n - 1n || parsed < -(2n ** 63n)) return `${failed}value out of range`;
  return parsed < 0n ? `negative number (${parsed}) not allowed: ${text}` : Number(parsed);
}

function descriptorError(text: string): string | undefined {
  if (descriptors.has(text)) return undefined;
  if (!text.startsWith("@every ")) return `unrecognized descriptor: ${text}`;
  const duration = text.slice("@every ".length), failed = `failed to parse duration ${text}: time: `, quoted = JSON.stringify(duration);
  const parts = duration.replace(/^[+-]/, "");
  if (parts === "0") return undefined;
  if (/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(parts)) return undefined;
  // The first part without a known unit is what Go names.
  const rest = parts.replace(/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+/, "");
  const amount = /^(?:\d+(?:\.\d*)?|\.\d+)/.exec(rest);
  if (!amount) return `${failed}invalid duration ${quoted}`;
  const unit = /^[^.\d]*/.exec(rest.slice(amount[0].length))![0];
  return unit === "" ? `${failed}missing unit in duration ${quoted}` : `${failed}unknown unit ${JSON.stringify(unit)} in duration ${quoted}`;
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
