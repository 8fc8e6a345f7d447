import { isObject } from "../own.ts";

// Where a strategic merge puts a list's elements. With a merge key, elements are the same when their keys are; else when they are equal.

/** Where `list` has the element that `item` stands for; -1 when it hasn't. */
export function indexIn(list: readonly unknown[], item: unknown, mergeKey: string | undefined): number {
  if (mergeKey === undefined || !isObject(item)) return list.indexOf(item);
  return list.findIndex((other) => isObject(other) && other[mergeKey] === item[mergeKey]);
}

/** Those in `present`, and the others. */
export function partition(items: readonly unknown[], present: readonly unknown[], mergeKey: string | undefined): [unknown[], unknown[]] {
  const inside: unknown[] = [], outside: unknown[] = [];
  for (const item of items) (indexIn(present, item, mergeKey) >= 0 ? inside : outside).push(item);
  return [inside, outside];
}

/** Stable; what `order` doesn't have stays in front. */
export function sortLike(items: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): unknown[] {
  const places = new Map(items.map((item) => [item, indexIn(order, item, mergeKey)]));
  return [...items].sort((a, b) => places.get(a)! - places.get(b)!);
}

/** Merges two lists, keeping the order of each: an element of `left` goes before the first of `right` that `order` has behind it. */
export function interleave(left: readonly unknown[], right: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): unknown[] {
  const result: unknown[] = [];
  let i = 0, j = 0;
  while (i < left.length && j < right.length) {
    const leftAt = indexIn(order, left[i], mergeKey), rightAt = indexIn(order, right[j], mergeKey);
    result.push(leftAt >= 0 && rightAt >= 0 && leftAt < rightAt ? left[i++] : right[j++]);
  }
  return [...result, ...left.slice(i), ...right.slice(j)];
}
