import { isObject, type JsonObject } from "../../apimachinery/own.ts";
import type { PlainObject } from "../objects.ts";
import type { Description } from "./description.ts";

const toldAlready = new Set([".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations"]);
const acronyms = new Set(["API", "URL", "UID", "GUID"]);

/** An object of which nothing is known but that it is one. */
export function describeObject(text: Description, object: PlainObject): void {
  const { metadata } = object;
  text.line(0, `Name:\t${metadata.name}`).line(0, `Namespace:\t${metadata.namespace ?? ""}`).labels("Labels", metadata.labels).annotations(metadata.annotations);
  describeFields(text, 0, object, "");
}

function describeFields(text: Description, level: number, content: JsonObject, path: string): void {
  for (const field of Object.keys(content).sort()) {
    const value = content[field], here = `${path}.${field}`;
    if (toldAlready.has(here)) continue;
    if (isObject(value)) {
      describeFields(text.line(level, `${labelFor(field)}:`), level + 1, value, here);
    } else if (Array.isArray(value)) {
      text.line(level, `${labelFor(field)}:`);
      for (const item of value) {
        if (isObject(item)) describeFields(text, level + 1, item, here);
        else text.line(level + 1, String(item));
      }
    } else {
      text.line(level, `${labelFor(field)}:\t${value === null ? "<nil>" : String(value)}`);
    }
  }
}

/** `creationTimestamp` is `Creation Timestamp`, `apiVersion` is `API Version`. */
export function labelFor(field: string): string {
  if (/[^\p{L}-]/u.test(field)) return field;
  return (field.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|-|\p{L}/gu) ?? [field]).map((part) => (acronyms.has(part.toUpperCase()) ? part.toUpperCase() : part === part.toLowerCase() ? part.charAt(0).toUpperCase() + part.slice(1) : part)).join(" ");
}
