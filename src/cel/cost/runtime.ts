import { NamedFormat } from "../library/named-format.ts";
import { CelError, isList, isMap, itemsOf, Opaque, Optional, sizeOf, type Value } from "../values/value.ts";

/**
 * What evaluating a call costs (cel-go's interpreter/runtimecost.go with Kubernetes' pkg/cel/library/cost.go). One unit is about 50 ns of cel-go.
 * A cost says it before the call is made, so that nothing runs that the budget doesn't allow, but for `join`, whose result decides.
 */
export type CallCost = (args: readonly Value[], result?: Value) => number;

export const listCreation = 10;
export const mapCreation = 30;
export const structCreation = 40;
const traversal = 0.1;
const patternFactor = 0.25;

/** The size that costs go by: 1 for what has none. */
function size(value: Value | undefined): number {
  if (value === undefined) return 1;
  if (value instanceof Optional) return value.value === undefined ? 1 : size(value.value);
  return value instanceof Opaque ? value.costSize() : sizeOf(value) ?? 1;
}

const constant = (cost: number): CallCost => () => cost;
const one = constant(1);
const traverse = (factor = 1): CallCost => ([first]) => Math.ceil(size(first) * factor * traversal);
const shorter: CallCost = ([a, b]) => Math.ceil(Math.min(size(a), size(b)) * traversal);
const pattern = (text: number, length: number): number => Math.ceil((1 + text) * traversal) * Math.ceil(length * patternFactor);
const match: CallCost = ([text, regex]) => pattern(size(text), size(regex));
const selector: CallCost = ([, text]) => {
  const requirements = Math.ceil(size(text) * 0.5);
  return listCreation + Math.ceil(size(text) * traversal) + Math.ceil(requirements * (listCreation + structCreation));
};
const whole: CallCost = ([value]) => traversalOf(value!);
const allocating = (factor: number, items: number): number => Math.floor(items * factor) + 1 + listCreation;

/** Comparing a list with itself: a bit more for strings. */
const selfCompare = (list: Value | undefined): number => {
  if (!list || !isList(list)) return 1;
  const first = list.size > 0 ? list.get(0) : undefined;
  return allocating(typeof first === "string" || first instanceof Uint8Array ? 2 + traversal : 2, list.size * list.size);
};

/** Of every part of a value. */
function traversalOf(value: Value): number {
  if (typeof value === "string") return Math.floor(Buffer.byteLength(value) * traversal);
  if (value instanceof Uint8Array) return Math.floor(value.length * traversal);
  let cost = 0;
  if (isList(value)) for (const item of itemsOf(value)) cost += traversalOf(item);
  else if (isMap(value)) for (const key of value.keys()) cost += traversalOf(key) + traversalOf(value.get(key)!);
  else return 1;
  return cost;
}

const each = (names: string, cost: CallCost): [string, CallCost][] => names.split(" ").map((name) => [name, cost]);

/** Whatever the overload. */
const byFunction = new Map<string, CallCost>([
  ["check", constant(350_000)],
  ...each("serviceAccount path group resource subresource namespace name allowed reason error errored", one),
  ...each("fieldSelector labelSelector", selector),
  ...each("isSorted sum max min indexOf lastIndexOf", whole),
  ...each("url lowerAscii upperAscii substring trim jsonpatch.escapeKey cidr isIP isCIDR quantity isQuantity semver isSemver", traverse()),
  ...each("replace split ip.isCanonical", traverse(2)),
  ["join", (_args, result) => Math.ceil((result instanceof CelError ? 0 : size(result)) * 2 * traversal)],
  ...each("find findAll", match),
  ["validate", ([format, text]) => (format instanceof NamedFormat ? pattern(size(text), format.maxRegexSize) : 1)],
]);

const byOverload = new Map<string, CallCost>([
  ["string_to_ip", traverse()],
  ...each("starts_with_string ends_with_string string_to_bytes bytes_to_string strings_quote string_format", traverse()),
  ["in_list", ([, list]) => size(list)],
  ...each("less_string greater_string less_equals_string greater_equals_string less_bytes greater_bytes less_equals_bytes greater_equals_bytes equals not_equals", shorter),
  ...each("add_string add_bytes", ([a, b]) => Math.ceil((size(a) + size(b)) * traversal)),
  ["matches_string", match],
  ["contains_string", ([text, part]) => Math.ceil(size(text) * traversal) * Math.ceil(size(part) * traversal)],
  ...each("list_sets_contains_list list_sets_intersects_list", ([a, b]) => 1 + size(a) * size(b)),
  ["list_sets_equivalent_list", ([a, b]) => 1 + size(a) * size(b) * 2],
  ["list_slice", ([, start, end]) => allocating(1, Math.max(0, Number(end) - Number(start)))],
  ["list_flatten", ([list]) => allocating(1, size(list))],
  ["list_flatten_int", ([list, depth]) => allocating(Math.max(0, Number(depth)), size(list))],
  ["lists_range", ([count]) => allocating(1, Math.max(0, Number(count)))],
  ["list_reverse", ([list]) => allocating(1, size(list))],
  ["list_distinct", ([list]) => selfCompare(list)],
  ["cidr_contains_ip_ip", ([cidr]) => Math.ceil(2 * size(cidr) * traversal)],
  ["cidr_contains_ip_string", ([cidr, text]) => Math.ceil(2 * size(cidr) * traversal) + Math.ceil(size(text) * traversal)],
  ["cidr_contains_cidr", ([cidr]) => Math.ceil(2 * size(cidr) * traversal) + Math.ceil(size(cidr) * traversal) + 1],
  ["cidr_contains_cidr_string", ([cidr, text]) => Math.ceil(2 * size(cidr) * traversal) + Math.ceil(size(cidr) * traversal) + 1 + Math.ceil(size(text) * traversal)],
]);

const sort: CallCost = ([list]) => selfCompare(list);
const sortBy: CallCost = ([, keys]) => selfCompare(keys);
/** Equality of Kubernetes' own types costs 1 whatever their size. */
const equality: CallCost = (args) => (args[0] instanceof Opaque ? 1 : shorter(args));

/** `overload` is undefined when the types at hand decide which it is: such a call costs 1, unless its function alone has a cost. */
export function callCost(name: string, overload: string | undefined): CallCost {
  if (name === "_==_" && overload) return equality;
  if (name === "sort") return sort;
  if (name === "@sortByAssociatedKeys") return sortBy;
  return (overload ? byOverload.get(overload) : undefined) ?? byFunction.get(name) ?? one;
}

export const needsResult = (name: string): boolean => name === "join";
