import { RE2JS } from "re2js";

const compiled = new Map<string, RE2JS | Error>();
/** Schemas repeat their patterns; beyond this many they are compiled anew. */
const mostKept = 500;

/** A regular expression in RE2's syntax, which takes linear time whatever it is; or why it isn't one. */
export function compilePattern(pattern: string): RE2JS | Error {
  let found = compiled.get(pattern);
  if (found) return found;
  try {
    found = RE2JS.compile(pattern);
  } catch (error) {
    found = error as Error;
  }
  if (compiled.size >= mostKept) compiled.clear();
  compiled.set(pattern, found);
  return found;
}

export const matchesPattern = (pattern: RE2JS, text: string): boolean => pattern.matcher(text).find();
