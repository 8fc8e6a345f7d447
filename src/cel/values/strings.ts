export const isHighSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xd800;

/** Go's %q, near enough for messages: double quotes, escapes for what isn't printable. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Without surrogates, UTF-16 units are code points. */
export function hasSurrogates(text: string): boolean {
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xf800) === 0xd800) return true;
  return false;
}

/** A string as something that is indexed by code point, without copying most strings. */
export interface Runes {
  readonly length: number;
  slice(start: number, end?: number): string;
}

export function runesOf(text: string): Runes {
  if (!hasSurrogates(text)) return text;
  const points = [...text];
  return { length: points.length, slice: (start, end) => points.slice(start, end).join("") };
}

/** Where `text` first holds `part`, counted in code points, not before `from`; -1 when nowhere. */
export function indexOfRunes(text: string, part: string, from: number): number {
  if (!hasSurrogates(text)) return text.indexOf(part, from);
  const points = [...text];
  const found = points.slice(from).join("").indexOf(part);
  return found < 0 ? -1 : from + Array.from(points.slice(from).join("").slice(0, found)).length;
}

export function lastIndexOfRunes(text: string, part: string, from: number): number {
  if (!hasSurrogates(text)) return text.lastIndexOf(part, from);
  const points = [...text];
  const found = text.lastIndexOf(part, points.slice(0, from).join("").length);
  return found < 0 ? -1 : Array.from(text.slice(0, found)).length;
}
