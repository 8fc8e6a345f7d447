/** A set of indexes of an Indexed Job: intervals in order that neither touch nor overlap. As a million of them are few intervals, it stays small. */
export type IndexSet = readonly Interval[];

interface Interval {
  readonly first: number;
  readonly last: number;
}

/** Reads `1,3-5,7` up to `completions`; what cannot be read is left out. */
export function parseIndexes(text: string, completions: number): IndexSet {
  const intervals: Interval[] = [];
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) continue;
    const first = Number(match[1]), last = Math.min(Number(match[2] ?? first), completions - 1);
    if (first <= last) intervals.push({ first, last });
  }
  return joined(intervals);
}

/** Writes `1,3-5,7`; two that follow each other are written apart, as Kubernetes does. */
export function formatIndexes(set: IndexSet): string {
  return set.map(({ first, last }) => (first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`)).join(",");
}

export const indexSet = (indexes: Iterable<number>): IndexSet => joined([...indexes].map((index) => ({ first: index, last: index })));

export const union = (...sets: readonly IndexSet[]): IndexSet => joined(sets.flat());

export const sizeOf = (set: IndexSet): number => set.reduce((size, { first, last }) => size + last - first + 1, 0);

export function has(set: IndexSet, index: number): boolean {
  let low = 0, high = set.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (set[middle]!.last < index) low = middle + 1;
    else high = middle;
  }
  return low < set.length && set[low]!.first <= index;
}

/** How many indexes both have. */
export function overlap(a: IndexSet, b: IndexSet): number {
  let size = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const left = a[i]!, right = b[j]!;
    size += Math.max(0, Math.min(left.last, right.last) - Math.max(left.first, right.first) + 1);
    if (left.last <= right.last) i++;
    if (right.last <= left.last) j++;
  }
  return size;
}

/** The first `count` indexes below `completions` that are not in the set. */
export function firstMissing(set: IndexSet, count: number, completions: number): number[] {
  const missing: number[] = [];
  let next = 0;
  for (const { first, last } of [...set, { first: completions, last: completions }]) {
    for (; next < Math.min(first, completions) && missing.length < count; next++) missing.push(next);
    next = Math.max(next, last + 1);
  }
  return missing;
}

function joined(intervals: readonly Interval[]): IndexSet {
  const result: { first: number; last: number }[] = [];
  for (const { first, last } of intervals.toSorted((a, b) => a.first - b.first)) {
    const previous = result.at(-1);
    if (previous && first <= previous.last + 1) previous.last = Math.max(previous.last, last);
    else result.push({ first, last });
  }
  return result;
}
