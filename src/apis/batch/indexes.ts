/** Sets of indexes as Indexed Jobs write them: `1,3-5,7`. */

/** How many there are, or what is wrong. */
export function countIndexes(text: string, completions: number): number | string {
  if (text === "") return 0;
  let last: number | undefined, total = 0;
  for (const part of text.split(",")) {
    const interval = parseInterval(part, completions);
    if (typeof interval === "string") return interval;
    const [first, end] = interval;
    if (last !== undefined && last >= first) return `non-increasing order, previous: ${last}, current: ${first}`;
    total += end - first + 1;
    last = end;
  }
  return total;
}

type Interval = readonly [first: number, last: number];

function parseInterval(text: string, completions: number): Interval | string {
  const parts = text.split("-");
  if (parts.length > 2) return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  const first = parseIndex(parts[0]!, completions);
  if (typeof first === "string") return first;
  if (parts.length === 1) return [first, first];
  const last = parseIndex(parts[1]!, completions);
  if (typeof last === "string") return last;
  return first >= last ? `non-increasing order, previous: ${first}, current: ${last}` : [first, last];
}

function parseIndex(text: string, completions: number): number | string {
  if (!/^[+-]?\d+$/.test(text)) return `cannot convert string to integer for index: ${JSON.stringify(text)}`;
  return Number(text) >= completions ? `too large index: ${JSON.stringify(text)}` : Number(text);
}

/** The first index that both sets have. What cannot be read is passed over. */
export function firstCommonIndex(a: string, b: string, completions: number): number | undefined {
  const intervals = (text: string): Interval[] => text.split(",").map((part) => parseInterval(part, completions)).filter((one) => typeof one !== "string");
  const left = intervals(a), right = intervals(b);
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const [x, xEnd] = left[i]!, [y, yEnd] = right[j]!;
    if (x <= yEnd && y <= xEnd) return Math.max(x, y);
    if (x <= y) i++;
    else j++;
  }
  return undefined;
}
