/** Both ends belong to it. */
export interface PortRange {
  from: number;
  to: number;
}

/** The same ports in ascending ranges that neither overlap nor touch: nft refuses a set whose intervals overlap. */
export function mergeRanges(ranges: readonly PortRange[]): PortRange[] {
  const merged: PortRange[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

/** `80`, `80-90` or `{ 80, 443-450 }`. */
export function renderRanges(ranges: readonly PortRange[]): string {
  const parts = ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`));
  return parts.length === 1 ? parts[0]! : `{ ${parts.join(", ")} }`;
}
