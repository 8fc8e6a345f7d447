/** Deep equality where absent, null and empty lists or maps are the same, as they are to Go's API types (equality.Semantic). */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b || (isEmpty(a) && isEmpty(b))) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a)) return a.length === (b as unknown[]).length && a.every((item, i) => semanticEqual(item, (b as unknown[])[i]));
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((name) => semanticEqual(left[name], right[name]));
}

/** An empty object is not the same as none: `emptyDir: {}` says something. Only lists count here, and maps of strings are compared by key. */
const isEmpty = (value: unknown): boolean => value === undefined || value === null || (Array.isArray(value) && value.length === 0);
