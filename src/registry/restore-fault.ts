const sources: Readonly<Record<string, string>> = { array: "slice", object: "map", bool: "bool", string: "string" };

/** What Go's JSON decoder says of a value of the wrong type, in the words of the converter that reads the result of a strategic merge. */
export function restoreFault(detail: string): string {
  const [, json, target] = /^json: cannot unmarshal (.+?) into Go .* of type (.+)$/.exec(detail) ?? [];
  if (!json || !target) return detail;
  const source = sources[json] ?? (/^number -?\d+$/.test(json) ? "int64" : "float64");
  if (target.startsWith("[]")) return `cannot restore slice from ${source}`;
  if (target.startsWith("map[")) return `cannot restore map from ${source}`;
  return target.includes(".") ? `cannot restore struct from: ${source}` : `unrecognized type: ${target}`;
}
