import { additionalOf, propertyOf, type Schema } from "../schema/schema.ts";

const token = /\.([^.[\]]+)|\[('(?:[^'\\]|\\.)*')\]/y;
const escapes: Readonly<Record<string, string>> = { a: "\u0007", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "'": "'", "\\": "\\" };

/**
 * `.spec.parts['a.b']` as field errors show it (`spec.parts[a.b]`), if it leads to a field of the schema.
 * Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/cel ValidFieldPath.
 */
export function fieldPathOf(path: string, schema: Schema): string | undefined {
  let at: Schema | undefined = schema, shown = "", position = 0;
  while (position < path.length) {
    token.lastIndex = position;
    const match = token.exec(path);
    if (!match || !at) return undefined;
    position = token.lastIndex;
    const name = match[1] ?? match[2]!.slice(1, -1).replace(/\\(.)/g, (whole, character: string) => escapes[character] ?? whole);
    const named: boolean = Object.keys(at.properties ?? {}).length > 0;
    shown += named ? (shown ? `.${name}` : name) : `[${name}]`;
    at = named ? propertyOf(at, name) : additionalOf(at);
    if (!at) return undefined;
  }
  return shown;
}

export const isFieldPath = (path: string, schema: Schema): boolean => fieldPathOf(path, schema) !== undefined;
