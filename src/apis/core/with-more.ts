/** At most three items, then how many more there are: `a,b,c + 2 more...`. `unset` stands for an empty list. */
export function withMore(items: readonly string[], unset = "<none>"): string {
  if (items.length === 0) return unset;
  const shown = items.slice(0, 3).join(",");
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown;
}
