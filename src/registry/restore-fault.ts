const sources: Readonly<Record<string, string>> = { array: "slice", object: "map", bool: "bool", string: "string" };

/**
 * What Go's JSON decoder says of a value of the wrong type, in the words of the converter that reads the result of a strategic merge. The
 * decoder doesn't always tell the number; it came with the patch.
 */
export function restoreFault(detail: string, patch: unknown): string {
  const [, json, target] = /^json: cannot unmarshal (.+?) into Go .* of type (.+)$/.exec(detail) ?? [];
  if (!json || !target) return detail;
  const source = sources[json] ?? ((json === "number" ? hasFraction(patch) : !/^number -?\d+$/.test(json)) ? "float64" : "int64");
  if (target.startsWith("[]")) return `cannot restore slice from ${source}`;
  if (target.startsWith("map[")) return `cannot restore map from ${source}`;
  if (target.includes(".")) return `cannot restore struct from: ${source}`;
  // Go could convert these, and leaves the last word to a table that lacks them.
  const convertible = (source === "int64" && target === "string") || (source === "float64" && /^u?int\d*$/.test(target));
  return convertible ? `cannot convert ${source} to ${target}` : `unrecognized type: ${target}`;
}

function hasFraction(value: unknown): boolean {
  if (typeof value === "number") return !Number.isInteger(value);
  return typeof value === "object" && value !== null && Object.values(value).some(hasFraction);
}
