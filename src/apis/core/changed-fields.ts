import { semanticEqual } from "../../apimachinery/equality.ts";

/** The fields in which two versions of a spec differ, a line each: what messages about forbidden changes end in. */
export function changedFields(object: object, old: object): string {
  const now = object as Record<string, unknown>, was = old as Record<string, unknown>;
  return [...new Set([...Object.keys(now), ...Object.keys(was)])]
    .filter((key) => !semanticEqual(now[key], was[key]))
    .map((key) => `  ${key}: ${JSON.stringify(was[key])} -> ${JSON.stringify(now[key])}`)
    .join("\n");
}
