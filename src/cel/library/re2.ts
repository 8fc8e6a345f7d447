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

/**
 * Patterns are kept compiled, the latest few hundred of them. The engine is loaded when the first pattern comes: `require` is how a bundle
 * keeps a module that is run late without making every caller wait for a promise.
 */
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
  engine ??= (require("re2js") as { RE2JS: typeof RE2JS }).RE2JS;
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
