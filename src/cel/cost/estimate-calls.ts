import { isDyn, type CelType } from "../type.ts";
import type { Value } from "../values/value.ts";
import { addRanges, atMost, exactly, scaled, timesRange, unlimited, unknown, type Range } from "./range.ts";
import { listCreation, structCreation } from "./runtime.ts";

/** What is known of an argument before there is one. */
export interface Argument {
  type: CelType;
  path: readonly string[] | undefined;
  size: Range | undefined;
  literal: Value | undefined;
}

export interface Estimate {
  cost: Range;
  /** Of the result, where it can be told. */
  size?: Range;
}

const traversal = 0.1;
const patternFactor = 0.25;
/** Of the names that `format.named` knows, the longest pattern counted. */
const maxFormatPattern = 128;

type SizeAt = (path: readonly string[] | undefined) => Range | undefined;
type Estimator = (target: Argument | undefined, args: readonly Argument[], sizeAt: SizeAt, overload: string) => Estimate | undefined;

const size = (argument: Argument | undefined): Range => argument?.size ?? unknown;
const fixed = (cost: number): Estimator => () => ({ cost: exactly(cost) });
const one = fixed(1);
/** One pass over the first argument, the receiver if there is one. */
const traverse = (factor = 1): Estimator => (target, [first]) => ({ cost: scaled(size(target ?? first), factor * traversal) });
const traverseKeeping: Estimator = (target, [first]) => ({ cost: scaled(size(target ?? first), traversal), size: size(target ?? first) });
const pattern = (text: Range, regex: Range): Range => timesRange(scaled(addRanges(text, exactly(1)), traversal), scaled(regex, patternFactor));

/** The items of a list as an argument of their own. */
function itemsOf(list: Argument, sizeAt: SizeAt): { type: CelType; size: Range } | undefined {
  const [type] = list.type.params;
  return type && { type, size: (list.path && sizeAt([...list.path, "@items"])) ?? unknown };
}

const walk: Estimator = (target, _args, sizeAt) => {
  if (!target) return undefined;
  const items = itemsOf(target, sizeAt);
  if (!items) return { cost: scaled(size(target), traversal) };
  const text = items.type.kind === "string" || items.type.kind === "bytes";
  return { cost: timesRange(size(target), text ? addRanges(exactly(1), scaled(items.size, traversal)) : exactly(1)) };
};

const replace: Estimator = (target, args) => {
  const text = size(target), old = size(args[0]), replacement = size(args[1]);
  const count = { min: 0, max: 0 }, kept = { min: 0, max: 0 };
  if (old.min === 0) {
    count.max = Math.min(unlimited, text.max + 1);
    kept.max = text.max;
  } else if (replacement.max <= old.min) kept.max = text.max;
  else count.max = Math.ceil(text.max / old.min);
  if (old.max === 0) {
    count.min = text.min + 1;
    kept.min = text.min;
  } else if (old.max <= replacement.min) kept.min = text.min;
  else count.min = Math.ceil(text.min / old.max);
  return { cost: scaled(text, 2 * traversal), size: addRanges(timesRange(count, replacement), kept) };
};

const split: Estimator = (target, [, limit]) => {
  const max = typeof limit?.literal === "bigint" ? Number(BigInt.asUintN(64, limit.literal)) : size(target).max;
  return { cost: scaled(size(target), 2 * traversal), size: atMost(max) };
};

const join: Estimator = (target, [separator], sizeAt) => {
  if (!target) return undefined;
  const list = size(target);
  const items = itemsOf(target, sizeAt);
  let result = items ? timesRange(list, items.size) : exactly(0);
  if (separator) result = addRanges(result, timesRange(size(separator), { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) }));
  return { cost: scaled(result, traversal), size: result };
};

const find: Estimator = (target, [regex]) => ({ cost: pattern(size(target), size(regex)), size: atMost(size(target).max) });

const selector: Estimator = (_target, [text]) => {
  const requirements = scaled(size(text), 0.5);
  return { cost: addRanges(addRanges(exactly(listCreation), scaled(size(text), traversal)), scaled(requirements, listCreation + structCreation)) };
};

/** Addresses are of 4 or 16 bytes. */
const address: Range = { min: 4, max: 16 };
const parsed = (overload: string, text: Argument | undefined): Range => (overload.endsWith("_string") ? scaled(size(text), traversal) : exactly(0));
const containsIp: Estimator = (_target, [other], _sizeAt, overload) => ({ cost: addRanges(scaled(addRanges(address, address), traversal), parsed(overload, other)) });
const containsCidr: Estimator = (_target, [other], _sizeAt, overload) =>
  ({ cost: addRanges(addRanges(addRanges(scaled(addRanges(address, address), traversal), scaled(address, traversal)), exactly(1)), parsed(overload, other)) });

const allocating = (factor: number, list: Range): Estimate => ({ cost: addRanges(scaled(list, factor), exactly(1 + listCreation)), size: list });
const selfCompare = (list: Argument | undefined, item: CelType | undefined): Estimate => {
  const text = item?.kind === "string" || item?.kind === "bytes";
  return allocating(text ? 2 + traversal : 2, timesRange(size(list), size(list)));
};
const integer = (argument: Argument | undefined, otherwise: number): number =>
  (typeof argument?.literal === "bigint" ? Math.max(0, Number(argument.literal)) : otherwise);
const setCost = (factor: number): Estimator => (_target, [a, b]) => ({ cost: addRanges(scaled(timesRange(size(a), size(b)), factor), exactly(1)) });

const shorter: Estimator = (_target, [a, b]) => {
  const max = Math.min(size(a).max, size(b).max);
  return { cost: scaled({ min: max > 0 ? 1 : 0, max }, traversal) };
};

const concat = (overload: string): Estimator => (_target, [a, b]) => {
  const result = addRanges(size(a), size(b));
  return { cost: overload === "add_list" ? exactly(1) : scaled(result, traversal), size: result };
};

const each = (names: string, estimator: Estimator): [string, Estimator][] => names.split(" ").map((name) => [name, estimator]);

/** Kubernetes' own estimates, by function: pkg/cel/library/cost.go. */
const byFunction = new Map<string, Estimator>([
  ["check", fixed(350_000)],
  ...each("serviceAccount path group resource subresource namespace name allowed reason error errored", one),
  ...each("fieldSelector labelSelector", selector),
  ...each("isSorted sum max min indexOf lastIndexOf", walk),
  ...each("url jsonpatch.escapeKey lowerAscii upperAscii substring trim", traverseKeeping),
  ["replace", replace], ["split", split], ["join", join],
  ...each("find findAll", find),
  ...each("cidr isIP isCIDR quantity isQuantity semver isSemver", traverse()),
  ["ip", (_target, [text], _sizeAt, overload) => ({ cost: overload === "cidr_ip" ? exactly(1) : scaled(size(text), traversal) })],
  ["ip.isCanonical", traverse(2)],
  ["containsIP", containsIp], ["containsCIDR", containsCidr],
  ["validate", (_target, [text]) => ({ cost: scaled(scaled(size(text), traversal), maxFormatPattern * patternFactor) })],
]);

/** cel-go's, by overload: checker/cost.go, ext/sets.go and ext/lists.go. */
const byOverload = new Map<string, Estimator>([
  ["string_format", (target) => ({ cost: scaled(size(target), traversal) })],
  ["string_to_bytes", (_target, [text]) => ({ cost: scaled(size(text), traversal), size: { min: size(text).min, max: Math.min(unlimited, size(text).max * 4) } })],
  ["bytes_to_string", (_target, [bytes]) => ({ cost: scaled(size(bytes), traversal), size: { min: Math.floor(size(bytes).min / 4), max: size(bytes).max } })],
  ["strings_quote", (_target, [text]) => ({ cost: scaled(size(text), traversal), size: { min: size(text).min + 2, max: Math.min(unlimited, size(text).max * 2 + 2) } })],
  ...each("starts_with_string ends_with_string", (_target, [part]) => ({ cost: scaled(size(part), traversal) })),
  ["in_list", (_target, [, list]) => ({ cost: size(list) })],
  ["matches_string", (target, [regex]) => (target ? { cost: pattern(size(target), size(regex)) } : undefined)],
  ["contains_string", (target, [part]) => ({ cost: timesRange(scaled(size(target), traversal), scaled(size(part), traversal)) })],
  ...["add_string", "add_bytes", "add_list"].map((overload): [string, Estimator] => [overload, concat(overload)]),
  ...each("less_string greater_string less_equals_string greater_equals_string less_bytes greater_bytes less_equals_bytes greater_equals_bytes equals not_equals", shorter),
  ...each("list_sets_contains_list list_sets_intersects_list", setCost(1)),
  ["list_sets_equivalent_list", setCost(2)],
  ["list_slice", (target, [start, end]) => allocating(1, exactly(Math.max(0, integer(end, size(target).max) - integer(start, 0))))],
  ["lists_range", (_target, [count]) => allocating(1, exactly(integer(count, unlimited)))],
  ["list_reverse", (target) => allocating(1, size(target))],
  ["list_flatten", (target) => allocating(1, size(target))],
  ["list_flatten_int", (target, [depth]) => allocating(integer(depth, unlimited), size(target))],
  ["list_distinct", (target) => selfCompare(target, undefined)],
]);

/** Of these types equality costs 1. */
const unitEquality = new Set([
  "net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver", "kubernetes.authorization.Authorizer", "kubernetes.authorization.PathCheck", "kubernetes.authorization.GroupCheck",
  "kubernetes.authorization.ResourceCheck", "kubernetes.authorization.Decision",
]);

function equality([a, b]: readonly Argument[]): Estimate | undefined {
  if (!a || !b || a.type.name !== b.type.name || isDyn(a.type)) return undefined;
  if (unitEquality.has(a.type.name)) return { cost: exactly(1) };
  if (a.type.name === "kubernetes.NamedFormat") return { cost: scaled({ min: 1, max: 64 }, traversal) };
  return a.type.name === "kubernetes.URL" ? { cost: scaled({ min: 1, max: b.size?.max ?? 1 }, traversal) } : undefined;
}

/** What a call may cost, besides its arguments. `sizeAt` knows the declared bounds of what lies at a path. */
export function estimateCall(name: string, overload: string, target: Argument | undefined, args: readonly Argument[], sizeAt: SizeAt): Estimate {
  if (name === "sort") return selfCompare(target, target?.type.params[0]);
  if (name === "@sortByAssociatedKeys") return selfCompare(args[0], args[0]?.type.params[0]);
  const estimate = name === "_==_" ? equality(args) : byFunction.get(name)?.(target, args, sizeAt, overload);
  return estimate ?? byOverload.get(overload)?.(target, args, sizeAt, overload) ?? { cost: exactly(1) };
}
