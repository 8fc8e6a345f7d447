/** Something wrong in a source text, at an offset of UTF-16 units. */
export interface Issue {
  readonly offset: number;
  readonly message: string;
}

/** Ends parsing or checking at once. */
export class SourceError extends Error {
  readonly issues: readonly Issue[];
  constructor(offset: number, message: string, before: readonly Issue[] = []) {
    super(message);
    this.issues = [...before, { offset, message }];
  }
}

const maxSnippetLength = 16_384;
const maxReported = 100;

/** As cel-go displays errors: sorted by place, each with its line and a caret below. */
export function displayIssues(source: string, issues: readonly Issue[]): string {
  const placed = issues.slice(0, maxReported).map((issue) => ({ ...issue, ...locate(source, issue.offset) }));
  placed.sort((a, b) => a.line - b.line || a.column - b.column);
  const shown = placed.map(({ line, column, message, text }) => `ERROR: <input>:${line}:${column + 1}: ${message}${snippet(text, column)}`);
  if (issues.length > maxReported) shown.push(`${issues.length - maxReported} more errors were truncated`);
  return shown.join("\n");
}

function locate(source: string, offset: number): { line: number; column: number; text: string } {
  const start = source.lastIndexOf("\n", offset - 1) + 1;
  const end = source.indexOf("\n", start);
  return { line: source.slice(0, start).split("\n").length, column: Array.from(source.slice(start, offset)).length, text: source.slice(start, end < 0 ? undefined : end) };
}

function snippet(line: string, column: number): string {
  const characters = [...line.replaceAll("\t", " ")];
  if (characters.length > maxSnippetLength) return "";
  const wide = (character: string | undefined): boolean => character !== undefined && character.codePointAt(0)! > 0x7f;
  const dots = characters.slice(0, column).map((character) => (wide(character) ? "\uff0e" : ".")).join("");
  return `\n | ${characters.join("")}\n | ${dots}${wide(characters[column]) ? "\uff3e" : "^"}`;
}
