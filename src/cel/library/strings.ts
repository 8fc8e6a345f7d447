import { func, method, type Library } from "../function.ts";
import { dynType, intType, listType, stringType } from "../type.ts";
import { indexOfRunes, lastIndexOfRunes, runesOf } from "../values/strings.ts";
import { CelError, codePointCount, itemsOf, ListOf, type List, type Value } from "../values/value.ts";
import { formatString } from "./format-string.ts";

const outOfRange = (index: bigint): CelError => new CelError(`index out of range: ${index}`);

function charAt(text: string, index: bigint): Value {
  const runes = runesOf(text);
  if (index < 0n || index > runes.length) return outOfRange(index);
  return runes.slice(Number(index), Number(index) + 1);
}

function indexOf(text: string, part: string, from = 0n): Value {
  if (part === "") return from;
  if (from < 0n) return outOfRange(from);
  return from >= codePointCount(text) ? -1n : BigInt(indexOfRunes(text, part, Number(from)));
}

function lastIndexOf(text: string, part: string, from?: bigint): Value {
  const length = codePointCount(text);
  if (part === "") return from ?? BigInt(length);
  if (from !== undefined && from < 0n) return outOfRange(from);
  if (from !== undefined && from >= length) return -1n;
  return BigInt(lastIndexOfRunes(text, part, from === undefined ? length : Number(from)));
}

function substring(text: string, start: bigint, end?: bigint): Value {
  const runes = runesOf(text);
  if (end !== undefined && start > end) return new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  if (start < 0n || start > runes.length) return outOfRange(start);
  if (end !== undefined && end > runes.length) return outOfRange(end);
  return runes.slice(Number(start), end === undefined ? undefined : Number(end));
}

/** Results that a few characters could blow up to more than any request has are refused. */
const maxResult = 64 * 1024 * 1024;

function replace(text: string, old: string, replacement: string, limit = -1n): Value {
  if (limit === 0n || old === replacement) return text;
  const pieces = split(text, old, limit < 0n ? -1n : limit + 1n);
  if (old === "") {
    // Between all characters, and before and after them.
    const count = pieces.length;
    if (limit < 0n || limit > count) pieces.push("");
    if (text !== "") pieces.unshift("");
    if (limit >= 0n) while (pieces.length > Number(limit) + 1) pieces.splice(-2, 2, pieces.at(-2)! + pieces.at(-1)!);
  }
  if (text.length + pieces.length * replacement.length > maxResult) return new CelError("result of replace is too large");
  return pieces.join(replacement);
}

/** As Go's strings.SplitN. */
function split(text: string, separator: string, limit: bigint): string[] {
  if (limit === 0n) return [];
  const pieces = separator === "" ? [...text] : text.split(separator);
  if (limit < 0n || pieces.length <= limit) return pieces;
  const kept = pieces.slice(0, Number(limit) - 1);
  kept.push(pieces.slice(Number(limit) - 1).join(separator));
  return kept;
}

function join(list: List, separator: string): Value {
  const parts: string[] = [];
  let length = 0;
  for (const item of itemsOf(list)) {
    if (typeof item !== "string") return new CelError(`join: invalid input: ${String(item)}`);
    length += item.length + separator.length;
    if (length > maxResult) return new CelError("result of join is too large");
    parts.push(item);
  }
  return parts.join(separator);
}

const escapes: Readonly<Record<string, string>> = { "\x07": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"' };
const quote = (text: string): string => `"${text.toWellFormed().replace(/[\p{Cc}\\"]/gu, (character) => escapes[character] ?? character)}"`;
const list = (items: readonly string[]): List => new ListOf(items);
const listOfStrings = listType(stringType);
/** What Go's unicode.IsSpace holds for white space, which isn't quite what JavaScript trims. */
const space = "[\\t\\n\\v\\f\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const spaces = new RegExp(`^${space}|${space}$`, "g");

/** cel-go's string extension, version 2. */
export const strings: Library = {
  charAt: [method("string_char_at_int", [stringType, intType], stringType, charAt)],
  indexOf: [method("string_index_of_string", [stringType, stringType], intType, indexOf), method("string_index_of_string_int", [stringType, stringType, intType], intType, indexOf)],
  lastIndexOf: [
    method("string_last_index_of_string", [stringType, stringType], intType, lastIndexOf), method("string_last_index_of_string_int", [stringType, stringType, intType], intType, lastIndexOf),
  ],
  lowerAscii: [method("string_lower_ascii", [stringType], stringType, (text: string) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase()))],
  upperAscii: [method("string_upper_ascii", [stringType], stringType, (text: string) => text.replace(/[a-z]+/g, (part) => part.toUpperCase()))],
  replace: [
    method("string_replace_string_string", [stringType, stringType, stringType], stringType, replace),
    method("string_replace_string_string_int", [stringType, stringType, stringType, intType], stringType, replace),
  ],
  split: [
    method("string_split_string", [stringType, stringType], listOfStrings, (text: string, separator: string) => list(split(text, separator, -1n))),
    method("string_split_string_int", [stringType, stringType, intType], listOfStrings, (text: string, separator: string, limit: bigint) => list(split(text, separator, limit))),
  ],
  substring: [method("string_substring_int", [stringType, intType], stringType, substring), method("string_substring_int_int", [stringType, intType, intType], stringType, substring)],
  trim: [method("string_trim", [stringType], stringType, (text: string) => text.replace(spaces, ""))],
  format: [method("string_format", [stringType, listType(dynType)], stringType, formatString)],
  "strings.quote": [func("strings_quote", [stringType], stringType, quote)],
  join: [
    method("list_join", [listOfStrings], stringType, (items: List) => join(items, "")),
    method("list_join_string", [listOfStrings, stringType], stringType, join),
  ],
};
