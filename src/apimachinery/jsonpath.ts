import { isObject } from "./own.ts";

/** A step of a path: from values to values. */
type Step = (values: readonly unknown[]) => unknown[];
export type JsonPath = (value: unknown) => unknown[];

const name = /\.([^.[\]*?@()'"\s\\]+(?:\\\.[^.[\]*?@()'"\s\\]+)*)/y, recursive = /\.\.([^.[\]*\s]+)/y, everything = /\.\*|\[\*\]/y;
const quoted = /\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]/y, slice = /\[\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?(?::\s*(-?\d+)\s*)?\]/y;
const filter = /\[\?\(\s*@((?:\.[^.[\]=!<>()\s]+|\['[^']*'\])+)\s*(?:(==|!=|<=|>=|<|>)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?[\d.]+|true|false)\s*)?\)\]/y;

/**
 * The JSONPath of printer columns, selectable fields and kubectl (k8s.io/client-go/util/jsonpath), missing keys allowed: names, `['names']`, indexes,
 * slices, `*`, `..name` and comparisons such as `[?(@.type=="Ready")]`. Undefined for what isn't understood.
 */
export function parseJsonPath(path: string): JsonPath | undefined {
  const steps: Step[] = [];
  let position = 0;
  const take = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = position;
    const match = expression.exec(path);
    if (match) position = expression.lastIndex;
    return match;
  };
  if (path === "" || path === ".") return (value) => [value];
  while (position < path.length) {
    const step = nextStep(take);
    if (!step) return undefined;
    steps.push(step);
  }
  return (value) => steps.reduce<unknown[]>((values, step) => step(values), [value]);
}

function nextStep(take: (expression: RegExp) => RegExpExecArray | null): Step | undefined {
  let match = take(recursive);
  if (match) return descend(match[1]!);
  match = take(everything);
  if (match) return (values) => values.flatMap(childrenOf);
  match = take(filter);
  if (match) return filtered(match);
  match = take(quoted);
  if (match) return field((match[1] ?? match[2]!).replace(/\\(.)/g, "$1"));
  match = take(slice);
  if (match) return sliced(match[0], match[1]!, match[2], match[3]);
  match = take(name);
  return match ? field(match[1]!.replaceAll("\\.", ".")) : undefined;
}

const field = (key: string): Step => (values) => values.flatMap((value) => (isObject(value) && Object.hasOwn(value, key) ? [value[key]] : []));

const childrenOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []);

function descend(key: string): Step {
  const below = (value: unknown): unknown[] => [...(isObject(value) && Object.hasOwn(value, key) ? [value[key]] : []), ...childrenOf(value).flatMap(below)];
  return (values) => values.flatMap(below);
}

function sliced(text: string, from: string, to: string | undefined, by: string | undefined): Step {
  const isSlice = text.includes(":");
  if (!isSlice && from === "") return () => [];
  return (values) => values.flatMap((value) => {
    if (!Array.isArray(value)) return [];
    const at = (index: number): number => (index < 0 ? index + value.length : index);
    if (!isSlice) return at(Number(from)) in value ? [value[at(Number(from))] as unknown] : [];
    const step = Math.max(1, Number(by ?? 1));
    return value.slice(at(Number(from || 0)), to ? at(Number(to)) : value.length).filter((_, i) => i % step === 0);
  });
}

function filtered([, path, operator, literal]: RegExpExecArray): Step {
  const find = parseJsonPath(path!);
  const wanted: unknown = literal === undefined ? undefined : literal.startsWith("'") || literal.startsWith('"') ? literal.slice(1, -1).replace(/\\(.)/g, "$1") : JSON.parse(literal);
  return (values) => values.flatMap((value) => (Array.isArray(value) ? value.filter((item) => {
    const found = find?.(item) ?? [];
    return found.length > 0 && (operator === undefined || compare(found[0], operator, wanted));
  }) : []));
}

function compare(found: unknown, operator: string, wanted: unknown): boolean {
  if (operator === "==") return found === wanted;
  if (operator === "!=") return found !== wanted;
  if (typeof found !== typeof wanted || (typeof found !== "number" && typeof found !== "string")) return false;
  const left = found, right = wanted as typeof found;
  return operator === "<" ? left < right : operator === ">" ? left > right : operator === "<=" ? left <= right : left >= right;
}
