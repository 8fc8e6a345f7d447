import { createRequire } from "node:module";
import type { RE2JS } from "re2js";
import { CelError } from "../values/value.ts";

/** A regular expression that takes time linear in the text, whatever the pattern (RE2's syntax). */
export interface Regex {
  /** Whether it matches anywhere. */
  find(text: string): boolean;
  first(text: string): string | undefined;
  /** At most `limit` matches, all when negative. */
  all(text: string, limit: number): string[];
}

const maxCached = 256;
const cache = new Map<string, Regex | CelError>();
let engine: typeof RE2JS | undefined;

/** Go limits what a counted repetition may grow to; a pattern of this length can't pass it by nesting. */
const maxPatternLength = 100_000;

/** Loads the engine when the first pattern comes. Patterns are kept compiled, the latest few hundred of them. */
export function compileRegex(pattern: string): Regex | CelError {
  const known = cache.get(pattern);
  if (known) return known;
  const compiled = compile(pattern);
  if (cache.size >= maxCached) cache.delete(cache.keys().next().value!);
  cache.set(pattern, compiled);
  return compiled;
}

function compile(pattern: string): Regex | CelError {
  if (pattern.length > maxPatternLength) return new CelError("error parsing regexp: expression nests too deeply");
  engine ??= (createRequire(import.meta.url)("re2js") as { RE2JS: typeof RE2JS }).RE2JS;
  try {
    const regex = engine.compile(pattern);
    return {
      find: (text) => regex.matcher(text).find(),
      first(text) {
        const matcher = regex.matcher(text);
        return matcher.find() ? matcher.group() ?? "" : undefined;
      },
      all(text, limit) {
        const found: string[] = [];
        const matcher = regex.matcher(text);
        while (found.length !== limit && matcher.find()) found.push(matcher.group() ?? "");
        return found;
      },
    };
  } catch (error) {
    return new CelError((error as Error).message);
  }
}
