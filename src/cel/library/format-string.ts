import { quoted } from "../values/strings.ts";
import { toText } from "../values/convert.ts";
import { runtimeType } from "../values/type-of.ts";
import { CelError, Duration, isList, isMap, itemsOf, Timestamp, TypeValue, Uint, type List, type MapValue, type Value } from "../values/value.ts";

/** What is wrong with a clause or its argument; `offender` is the argument's index where it is one. */
class FormatError extends Error {
  constructor(message: string, readonly argument: boolean) {
    super(message);
  }
}

/** One thing to print: a clause letter, how many digits after the point, and which argument. */
interface Clause {
  letter: string;
  precision: number;
  argument: number;
}

const maxPrecision = 100;

/** `'%s is %d'.format([name, age])`. */
export function formatString(format: string, args: List): Value {
  try {
    return parseFormat(format, args.size, (clause) => {
      try {
        return formatClause(clause, args.get(clause.argument));
      } catch (error) {
        throw new FormatError(`error during formatting: ${(error as Error).message}`, true);
      }
    });
  } catch (error) {
    if (error instanceof FormatError) return new CelError(error.message);
    throw error;
  }
}

/** What a literal format has against arguments of these types; `argument` says which argument is to blame, if one is. */
export function checkFormat(format: string, count: number, refuse: (letter: string, argument: number) => string | undefined): { message: string; argument?: number } | undefined {
  let used = 0;
  let blamed: number | undefined;
  try {
    parseFormat(format, count, ({ letter, argument }) => {
      used = argument + 1;
      const refusal = refuse(letter, argument);
      if (refusal === undefined) return "";
      blamed = argument;
      throw new FormatError(`error during formatting: ${refusal}`, true);
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { message: error.message, ...(blamed !== undefined && { argument: blamed }) };
  }
  return count > used ? { message: `too many arguments supplied to string.format (expected ${used}, got ${count})` } : undefined;
}

function parseFormat(format: string, count: number, print: (clause: Clause) => string): string {
  let argument = 0;
  let text = "";
  for (let index = 0; index < format.length; index++) {
    if (format[index] !== "%") text += format[index];
    else if (format[index + 1] === "%") text += format[++index];
    else {
      if (argument >= count) throw new FormatError(`index ${argument} out of range`, false);
      const clause = /^(?:\.(\d*))?([^]?)/.exec(format.slice(index + 1))!;
      const [written, digits, letter] = clause;
      if (format[index + 1] === undefined) throw new FormatError("unexpected end of string", false);
      text += print(checkedClause(digits, letter!, argument++));
      index += written.length;
    }
  }
  return text;
}

function checkedClause(digits: string | undefined, letter: string, argument: number): Clause {
  const refuse = (message: string): never => { throw new FormatError(`could not parse formatting clause: ${message}`, false); };
  if (digits !== undefined && letter === "") refuse("error while parsing precision: could not find end of precision specifier");
  if (digits === "") refuse('error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax');
  if (!/^[sdfebxXo]$/.test(letter)) refuse(`unrecognized formatting clause "${letter}"`);
  const precision = digits === undefined ? 6 : Number(digits);
  return { letter, precision: Math.min(precision, maxPrecision), argument };
}

/** What each clause takes, for its refusal. */
export const clauseNeeds: Readonly<Record<string, string>> = {
  s: "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ",
  d: "decimal clause can only be used on integers, was given ", f: "fixed-point clause can only be used on doubles, was given ",
  e: "scientific clause can only be used on doubles, was given ", b: "only integers and bools can be formatted as binary, was given ",
  x: "only integers, byte buffers, and strings can be formatted as hex, was given ", X: "only integers, byte buffers, and strings can be formatted as hex, was given ",
  o: "octal clause can only be used on integers, was given ",
};

function formatClause({ letter, precision }: Clause, value: Value): string {
  const refuse = (): never => { throw new Error(clauseNeeds[letter]! + runtimeType(value).name); };
  const integer = value instanceof Uint ? value.value : typeof value === "bigint" ? value : undefined;
  switch (letter) {
    case "s": return formatAny(value, false);
    case "d": return integer === undefined ? refuse() : String(integer);
    case "f": case "e": {
      const double = value === "NaN" ? NaN : value === "Infinity" ? Infinity : value === "-Infinity" ? -Infinity : value;
      if (typeof double !== "number") return refuse();
      return letter === "f" ? fixed(double, precision) : scientific(double, precision);
    }
    case "b":
      if (typeof value === "boolean") return value ? "1" : "0";
      return integer === undefined ? refuse() : integer.toString(2);
    case "o": return integer === undefined ? refuse() : integer.toString(8);
    default: {
      const hex = integer !== undefined ? integer.toString(16) : typeof value === "string" ? Buffer.from(value).toString("hex") : value instanceof Uint8Array ? Buffer.from(value).toString("hex") : refuse();
      return letter === "X" ? hex.toUpperCase() : hex;
    }
  }
}

const special = (value: number): string | undefined => (Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? undefined : value > 0 ? "∞" : "-∞");

/** As en-US writes numbers. */
const fixed = (value: number, precision: number): string =>
  special(value) ?? value.toLocaleString("en-US", { minimumFractionDigits: precision, maximumFractionDigits: precision });

function scientific(value: number, precision: number): string {
  const infinite = special(value);
  if (infinite) return infinite;
  const [mantissa, exponent] = value.toExponential(precision).split("e") as [string, string];
  const raised = exponent.replace(/^[+-]/, "").padStart(2, "0").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]!);
  return `${mantissa}\u202f×\u202f10${exponent.startsWith("-") ? "⁻" : ""}${raised}`;
}

/** Inside lists and maps strings are quoted and doubles have six digits, so that the result could be read back. */
function formatAny(value: Value, nested: boolean): string {
  if (value === null) return "null";
  if (isList(value)) return `[${[...itemsOf(value)].map((item) => formatAny(item, true)).join(", ")}]`;
  if (isMap(value) && !value.type) return formatMap(value);
  if (nested && typeof value === "string") return quoted(value);
  if (nested && value instanceof Uint8Array) return `b${quoted(Buffer.from(value).toString())}`;
  if (nested && typeof value === "number") return Number.isFinite(value) ? value.toFixed(6) : `"${value > 0 ? "+Inf" : value < 0 ? "-Inf" : "NaN"}"`;
  if (nested && value instanceof TypeValue) return `type(${value.type.name})`;
  if (nested && value instanceof Timestamp) return `timestamp("${toText(value) as string}")`;
  if (nested && value instanceof Duration) return `duration("${toText(value) as string}")`;
  const text = toText(value);
  if (typeof text !== "string") throw new Error(clauseNeeds.s! + runtimeType(value).name);
  return text;
}

function formatMap(map: MapValue): string {
  const entries = [...map.keys()].map((key): [string, string] => [formatAny(key, true), formatAny(map.get(key)!, true)]);
  return `{${entries.sort(([x], [y]) => (x < y ? -1 : x > y ? 1 : 0)).map(([key, value]) => `${key}:${value}`).join(", ")}}`;
}
