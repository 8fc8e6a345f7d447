import { parseGoDuration } from "../base/go-duration.ts";
import { KubectlError } from "./errors.ts";

/**
 * A flag as kubectl has them: `--name=value`, `--name value`, `-nvalue`, and for booleans `--name` or `--name=false`.
 * Of a text, `bare` is what the flag alone means, which then takes no further argument. Durations are in milliseconds.
 */
export type Flag =
  | { type: "bool"; default: boolean; short?: string; help: string }
  | { type: "text"; default: string; bare?: string; short?: string; help: string }
  | { type: "number"; default: number; short?: string; help: string }
  | { type: "duration"; default: number; short?: string; help: string }
  | { type: "list"; split: boolean; short?: string; help: string };

/** By name in camel case: `allNamespaces` is `--all-namespaces`. */
export type Flags = Readonly<Record<string, Flag>>;
export type FlagValues<F extends Flags> = { -readonly [Name in keyof F]: F[Name]["type"] extends "bool" ? boolean : F[Name]["type"] extends "text" ? string : F[Name]["type"] extends "list" ? string[] : number };

type More<K extends Flag["type"]> = Partial<Omit<Extract<Flag, { type: K }>, "type" | "help">>;

export const bool = (help: string, more: More<"bool"> = {}) => ({ type: "bool", default: false, help, ...more }) as const satisfies Flag;
export const text = (help: string, more: More<"text"> = {}) => ({ type: "text", default: "", help, ...more }) as const satisfies Flag;
export const number = (help: string, fallback: number, more: More<"number"> = {}) => ({ type: "number", help, ...more, default: fallback }) as const satisfies Flag;
export const duration = (help: string, fallback: number, more: More<"duration"> = {}) => ({ type: "duration", help, ...more, default: fallback }) as const satisfies Flag;
/** May be repeated, and holds several separated by commas. */
export const list = (help: string, more: More<"list"> = {}) => ({ type: "list", split: true, help, ...more }) as const satisfies Flag;
/** May be repeated; commas are part of the value. */
export const repeated = (help: string, more: More<"list"> = {}) => ({ type: "list", help, ...more, split: false }) as const satisfies Flag;

export interface ParsedLine {
  args: string[];
  /** How many of `args` stood in front of `--`; undefined without one. */
  dash: number | undefined;
  values: Record<string, boolean | string | number | string[]>;
  /** Names of the flags that were given. */
  given: Set<string>;
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Reads a command line. `stopAtArgument` leaves everything from the first argument on for a subcommand. Throws for what no flag is. */
export function parseFlags(flags: Flags, argv: readonly string[], { stopAtArgument = false }: { stopAtArgument?: boolean } = {}): ParsedLine {
  const line: ParsedLine = { args: [], dash: undefined, values: {}, given: new Set() };
  for (const [name, flag] of Object.entries(flags)) line.values[name] = flag.type === "list" ? [] : flag.default;
  const byLong = new Map(Object.keys(flags).map((name) => [kebab(name), name]));
  const byShort = new Map(Object.entries(flags).flatMap(([name, { short }]) => (short ? [[short, name] as const] : [])));
  const rest = [...argv];
  const valueFor = (shown: string): string => {
    const value = rest.shift();
    if (value === undefined) throw new KubectlError(`flag needs an argument: ${shown}`);
    return value;
  };
  while (rest.length) {
    const arg = rest.shift()!;
    if (arg === "--") {
      line.dash = line.args.length;
      line.args.push(...rest.splice(0));
    } else if (arg.startsWith("--")) {
      const equals = arg.indexOf("=");
      const written = arg.slice(2, equals < 0 ? undefined : equals);
      const name = byLong.get(written);
      if (name === undefined) throw new KubectlError(`unknown flag: --${written}`);
      take(line, name, flags[name]!, equals < 0 ? bareValue(flags[name]!) ?? valueFor(`--${written}`) : arg.slice(equals + 1), `--${written}`);
    } else if (arg.startsWith("-") && arg.length > 1) {
      takeShort(line, flags, byShort, arg, valueFor);
    } else if (stopAtArgument) {
      line.args.push(arg, ...rest.splice(0));
    } else {
      line.args.push(arg);
    }
  }
  return line;
}

/** `-it`, `-nkube-system`, `-n=kube-system`. */
function takeShort(line: ParsedLine, flags: Flags, byShort: ReadonlyMap<string, string>, arg: string, valueFor: (shown: string) => string): void {
  for (let at = 1; at < arg.length; at++) {
    const letter = arg[at]!;
    const name = byShort.get(letter);
    if (name === undefined) throw new KubectlError(`unknown shorthand flag: '${letter}' in ${arg}`);
    const flag = flags[name]!, after = arg.slice(at + 1);
    const bare = bareValue(flag);
    if (after.startsWith("=")) return take(line, name, flag, after.slice(1), `-${letter}`);
    if (bare === undefined) return take(line, name, flag, after || valueFor(`'${letter}' in ${arg}`), `-${letter}`);
    take(line, name, flag, bare, `-${letter}`);
  }
}

const bareValue = (flag: Flag): string | undefined => (flag.type === "bool" ? "true" : flag.type === "text" ? flag.bare : undefined);

function take(line: ParsedLine, name: string, flag: Flag, written: string, shown: string): void {
  const refuse = (why: string): never => {
    throw new KubectlError(`invalid argument ${JSON.stringify(written)} for ${JSON.stringify(flag.short ? `-${flag.short}, --${kebab(name)}` : shown)} flag: ${why}`);
  };
  line.given.add(name);
  switch (flag.type) {
    case "bool":
      if (!/^(?:true|false|1|0|t|f|T|F|True|False|TRUE|FALSE)$/.test(written)) refuse(`strconv.ParseBool: parsing ${JSON.stringify(written)}: invalid syntax`);
      line.values[name] = /^[1tT]/.test(written);
      return;
    case "number":
      if (!/^[-+]?\d+$/.test(written)) refuse(`strconv.ParseInt: parsing ${JSON.stringify(written)}: invalid syntax`);
      line.values[name] = Number(written);
      return;
    case "duration":
      try {
        // Bare numbers are seconds, as in kubectl's own duration flags.
        line.values[name] = /^\d+$/.test(written) ? Number(written) * 1000 : parseGoDuration(written);
      } catch (error) {
        refuse((error as Error).message);
      }
      return;
    case "list":
      (line.values[name] as string[]).push(...(flag.split ? written.split(",") : [written]));
      return;
    case "text":
      line.values[name] = written;
  }
}

/** Lines of `--help`, in the order of the table. */
export function describeFlags(flags: Flags): string {
  return Object.entries(flags).map(([name, flag]) => {
    const shown = flag.type === "list" ? "[]" : flag.type === "text" ? (flag.default ? `'${flag.default}'` : "''") : flag.type === "duration" ? `${flag.default / 1000}s` : String(flag.default);
    return `    ${flag.short ? `-${flag.short}, ` : ""}--${kebab(name)}=${shown}:\n\t${flag.help}\n`;
  }).join("\n");
}
