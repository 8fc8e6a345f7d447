import type { HttpRequest } from "../../base/http.ts";

/** The values of a field that names users or groups, which may have commas of their own; UTF-8, as Kubernetes takes them. */
export function fieldValues({ headers, repeated }: HttpRequest, name: string): readonly string[] {
  const value = headers[name];
  return (repeated?.[name] ?? (value === undefined ? [] : [value])).map((text) => (/[\x80-\xff]/.test(text) ? Buffer.from(text, "latin1").toString() : text));
}

/** Keys stand percent-encoded in the names of fields; those that are not are taken as they are. */
export function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
