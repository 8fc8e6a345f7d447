import type { Issue } from "./issues.ts";

export type TokenKind = "int" | "uint" | "float" | "string" | "bytes" | "identifier" | "escaped" | "symbol" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written; a symbol is its text, keywords `true`, `false`, `null` and `in` among them. */
  readonly text: string;
  readonly offset: number;
}

const skipped = /(?:[\t \r\n\f]+|\/\/[^\n]*)*/y;
const number = /(?:(\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|(0x[0-9a-fA-F]+[uU]|\d+[uU])|(0x[0-9a-fA-F]+|\d+))/y;
const escape = String.raw`\\(?:[abfnrtv"'\\?\x60]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})`;
const string = new RegExp(
  [
    String.raw`([bB]?)(?:`,
    String.raw`[rR](?:"""[^]*?"""|'''[^]*?'''|"[^"\n\r]*"|'[^'\n\r]*')|`,
    String.raw`"""(?:${escape}|[^\\])*?"""|'''(?:${escape}|[^\\])*?'''|`,
    String.raw`"(?:${escape}|[^\\"\n\r])*"|'(?:${escape}|[^\\'\n\r])*'`,
    ")",
  ].join(""), "y");
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const escaped = /`[A-Za-z0-9_.\-/ ]+`/y;
const symbol = /==|!=|<=|>=|&&|\|\||[[\]{}().,\-!?:+*/%<>]/y;
const keywords = new Set(["true", "false", "null", "in"]);

/** All tokens, the last of kind `end`, and what no token begins with, which is left out. */
export function tokenize(source: string): { tokens: Token[]; issues: Issue[] } {
  const tokens: Token[] = [];
  const issues: Issue[] = [];
  const take = (pattern: RegExp, offset: number): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    return pattern.exec(source);
  };
  let offset = take(skipped, 0)![0].length;
  while (offset < source.length) {
    const token = scan(take, offset);
    if (token) tokens.push(token);
    else issues.push({ offset, message: `Syntax error: token recognition error at: '${unrecognized(source, offset)}'` });
    offset += (token?.text ?? unrecognized(source, offset)).length;
    offset += take(skipped, offset)![0].length;
  }
  tokens.push({ kind: "end", text: "<EOF>", offset: source.length });
  return { tokens, issues };
}

function scan(take: (pattern: RegExp, offset: number) => RegExpExecArray | null, offset: number): Token | undefined {
  let match = take(string, offset);
  if (match) return { kind: match[1] ? "bytes" : "string", text: match[0], offset };
  match = take(number, offset);
  if (match) return { kind: match[1] ? "float" : match[2] ? "uint" : "int", text: match[0], offset };
  match = take(identifier, offset);
  if (match) return { kind: keywords.has(match[0]) ? "symbol" : "identifier", text: match[0], offset };
  match = take(escaped, offset);
  if (match) return { kind: "escaped", text: match[0], offset };
  match = take(symbol, offset);
  return match ? { kind: "symbol", text: match[0], offset } : undefined;
}

/** An open string runs to the end of its line; anything else is one character, with the one that shows it can't be a token. */
function unrecognized(source: string, offset: number): string {
  if (/['"]/.test(source[offset]!)) return source.slice(offset).split("\n")[0]!;
  const length = /[|&=]/.test(source[offset]!) ? 2 : 1;
  return Array.from(source.slice(offset, offset + 4)).slice(0, length).join("");
}
