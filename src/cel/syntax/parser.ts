import { Uint, type Value } from "../values/value.ts";
import type { Expr, MapEntry, StructField } from "./ast.ts";
import { SourceError } from "./issues.ts";
import { tokenize, type Token } from "./lexer.ts";
import { expandMacro } from "./macros.ts";
import { unescapeBytes, unescapeString } from "./unescape.ts";

const maxCodePoints = 100_000;
const maxDepth = 250;
const startOfExpression = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const reserved = new Set(["as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "package", "namespace", "null", "return", "true", "var", "void", "while"]);
const relations: Readonly<Record<string, string>> = { "<": "_<_", "<=": "_<=_", ">": "_>_", ">=": "_>=_", "==": "_==_", "!=": "_!=_", in: "@in" };
const sums: Readonly<Record<string, string>> = { "+": "_+_", "-": "_-_" };
const products: Readonly<Record<string, string>> = { "*": "_*_", "/": "_/_", "%": "_%_" };

/** The syntax tree with macros expanded. Throws SourceError. */
export function parse(source: string): Expr {
  const length = [...source].length;
  if (length > maxCodePoints) throw new SourceError(0, `expression code point size exceeds limit: size: ${length}, limit ${maxCodePoints}`);
  const { tokens, issues } = tokenize(source);
  try {
    const expr = new Parser(tokens).parse();
    const [first, ...rest] = issues.toReversed();
    if (first) throw new SourceError(first.offset, first.message, rest.reverse());
    return expr;
  } catch (error) {
    if (error instanceof SourceError && issues.length > 0 && error.issues[0] !== issues[0]) throw new SourceError(error.issues[0]!.offset, error.message, issues);
    throw error;
  }
}

class Parser {
  private position = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): Expr {
    const expr = this.expression();
    const rest = this.token;
    if (rest.kind === "end") return expr;
    const single = this.tokens[this.position + 1]!.kind === "end";
    throw new SourceError(rest.offset, `Syntax error: ${single ? "extraneous" : "mismatched"} input '${rest.text}' expecting <EOF>`);
  }

  private get token(): Token {
    return this.tokens[this.position]!;
  }

  private is(text: string): boolean {
    return this.token.kind === "symbol" && this.token.text === text;
  }

  private accept(text: string): Token | undefined {
    return this.is(text) ? this.tokens[this.position++] : undefined;
  }

  private expect(text: string, expecting = `'${text}'`): Token {
    return this.accept(text) ?? this.fail(expecting === `'${text}'` && this.mayFollow(text) ? `missing '${text}' at '${this.token.text}'` : `mismatched input '${this.token.text}' expecting ${expecting}`);
  }

  /** Whether what comes would be right if `text` stood before it. */
  private mayFollow(text: string): boolean {
    return text === ":" ? startsExpression(this.token) : this.token.kind === "end" || (this.token.kind === "symbol" && !startsExpression(this.token));
  }

  private fail(message: string): never {
    throw new SourceError(this.token.offset, `Syntax error: ${message}`);
  }

  private nested<T>(read: () => T): T {
    if (++this.depth > maxDepth) throw new SourceError(0, `expression recursion limit exceeded: ${maxDepth}`);
    const result = read();
    this.depth--;
    return result;
  }

  private expression(): Expr {
    return this.nested(() => {
      const condition = this.logical("||", "_||_", () => this.logical("&&", "_&&_", () => this.relation()));
      const question = this.accept("?");
      if (!question) return condition;
      const yes = this.logical("||", "_||_", () => this.logical("&&", "_&&_", () => this.relation()));
      this.expect(":");
      return call(question.offset, "_?_:_", [condition, yes, this.expression()]);
    });
  }

  /** Chains of && and || become balanced trees, so that long ones don't nest deeply. */
  private logical(operator: string, name: string, operand: () => Expr): Expr {
    const terms = [operand()];
    const offsets: number[] = [];
    for (let token = this.accept(operator); token; token = this.accept(operator)) {
      offsets.push(token.offset);
      terms.push(operand());
    }
    const balanced = (low: number, high: number): Expr => {
      const middle = Math.floor((low + high + 1) / 2);
      return call(offsets[middle]!, name, [middle === low ? terms[middle]! : balanced(low, middle - 1), middle === high ? terms[middle + 1]! : balanced(middle + 1, high)]);
    };
    return offsets.length === 0 ? terms[0]! : balanced(0, offsets.length - 1);
  }

  private relation(): Expr {
    return this.leftAssociative(relations, () => this.leftAssociative(sums, () => this.leftAssociative(products, () => this.unary())));
  }

  private leftAssociative(operators: Readonly<Record<string, string>>, operand: () => Expr): Expr {
    let left = operand();
    let chained = 0;
    for (;;) {
      const { kind, text, offset } = this.token;
      const name = kind === "symbol" && Object.hasOwn(operators, text) ? operators[text] : undefined;
      if (!name) return left;
      if (++chained > maxDepth) throw new SourceError(0, `expression recursion limit exceeded: ${maxDepth}`);
      this.position++;
      left = call(offset, name, [left, operand()]);
    }
  }

  private unary(): Expr {
    const { offset } = this.token;
    if (this.is("!")) {
      let count = 0;
      while (this.accept("!")) count++;
      const operand = this.member();
      return count % 2 === 0 ? operand : call(offset, "!_", [operand]);
    }
    if (!this.is("-")) return this.member();
    const next = this.tokens[this.position + 1]!;
    // A sign right before a number is part of the literal: -9223372036854775808 has no positive sister.
    if (next.kind === "int" || next.kind === "float") return this.member();
    let count = 0;
    while (this.accept("-")) count++;
    const operand = this.member();
    return count % 2 === 0 ? operand : call(offset, "-_", [operand]);
  }

  private member(): Expr {
    let expr = this.primary();
    for (let chained = 0; ; chained++) {
      if (chained > maxDepth) throw new SourceError(0, `expression recursion limit exceeded: ${maxDepth}`);
      const dot = this.accept(".");
      if (dot) {
        expr = this.selection(expr, dot.offset);
        continue;
      }
      const bracket = this.accept("[");
      if (!bracket) return expr;
      const optional = this.accept("?");
      const index = this.expression();
      this.expect("]");
      expr = call(bracket.offset, optional ? "_[?_]" : "_[_]", [expr, index]);
    }
  }

  private selection(operand: Expr, dot: number): Expr {
    const optional = this.accept("?");
    const name = this.token;
    if (name.kind === "escaped") throw new SourceError(name.offset, "unsupported syntax: '`'");
    if (name.kind !== "identifier") {
      this.fail(name.kind === "symbol" && /^(true|false|null)$/.test(name.text)
        ? `mismatched input '${name.text}' expecting IDENTIFIER` : `no viable alternative at input '.${name.kind === "end" ? "" : name.text}'`);
    }
    this.position++;
    if (optional) return call(dot, "_?._", [operand, literal(name.offset, name.text)]);
    const open = this.accept("(");
    if (!open) return { kind: "select", offset: dot, operand, field: name.text, testOnly: false };
    const args = this.list(")", () => this.expression());
    return expandMacro(open.offset, name.text, operand, args) ?? { kind: "call", offset: open.offset, function: name.text, target: operand, args };
  }

  /** Elements up to a closing bracket that has been promised. A comma may end lists in brackets and braces. */
  private list<T>(close: string, element: () => T, trailingComma = false): T[] {
    const elements: T[] = [];
    if (this.accept(close)) return elements;
    if (trailingComma && this.is(",")) {
      this.position++;
      this.expect(close);
      return elements;
    }
    do {
      if (trailingComma && elements.length > 0 && this.is(close)) break;
      elements.push(element());
    } while (this.accept(","));
    this.expect(close, trailingComma ? `{'${close}', ','}` : `{')', ','}`);
    return elements;
  }

  private primary(): Expr {
    const token = this.token;
    const { offset } = token;
    switch (token.kind) {
      case "identifier": return this.named("");
      case "symbol": break;
      case "end": case "escaped": return this.fail(`mismatched input '${token.text}' expecting ${this.expected()}`);
      default: this.position++; return literal(offset, literalValue(token, ""));
    }
    switch (token.text) {
      case "true": case "false": this.position++; return literal(offset, token.text === "true");
      case "null": this.position++; return literal(offset, null);
      case "-": {
        this.position++;
        const number = this.token;
        if (number.kind !== "int" && number.kind !== "float") this.fail(`mismatched input '${number.text}' expecting {NUM_FLOAT, NUM_INT}`);
        this.position++;
        return literal(offset, literalValue(number, "-", offset));
      }
      case "(": {
        this.position++;
        const expr = this.expression();
        this.expect(")");
        return expr;
      }
      case "[": this.position++; return this.listLiteral(offset);
      case "{": this.position++; return { kind: "map", offset, entries: this.list("}", () => this.entry(), true) };
      case ".":
        this.position++;
        if (this.token.kind !== "identifier") this.fail(`mismatched input '${this.token.text}' expecting IDENTIFIER`);
        return this.named(".");
      default: return this.fail(`${startsExpression(this.tokens[this.position + 1]!) ? "extraneous" : "mismatched"} input '${token.text}' expecting ${this.expected()}`);
    }
  }

  /** What may begin an expression; after an opening parenthesis of a call, its end too. */
  private expected(): string {
    const before = this.tokens[this.position - 1], name = this.tokens[this.position - 2];
    return before?.text === "(" && name?.kind === "identifier" ? startOfExpression.replace("'(', ", "'(', ')', ") : startOfExpression;
  }

  private listLiteral(offset: number): Expr {
    const optional = new Set<number>();
    let index = 0;
    const elements = this.list("]", () => {
      if (this.accept("?")) optional.add(index);
      index++;
      return this.expression();
    }, true);
    return { kind: "list", offset, elements, optional };
  }

  private entry(): MapEntry {
    const optional = this.accept("?") !== undefined;
    const key = this.expression();
    const { offset } = this.expect(":");
    return { offset, key, value: this.expression(), optional };
  }

  private field(): StructField {
    const optional = this.accept("?") !== undefined;
    const name = this.token;
    if (name.kind === "escaped") throw new SourceError(name.offset, "unsupported syntax: '`'");
    if (name.kind !== "identifier") this.fail(`mismatched input '${name.text}' expecting IDENTIFIER`);
    this.position++;
    const { offset } = this.expect(":");
    return { offset, name: name.text, value: this.expression(), optional };
  }

  /** An identifier, a call, or a message `a.b.C{…}`. */
  private named(dot: string): Expr {
    const start = this.position;
    const first = this.token;
    let name = dot + first.text;
    this.position++;
    // Names and dots up to a brace are the name of a message's type.
    for (let position = this.position; ; position += 2) {
      if (this.tokens[position]?.text === "{" && this.tokens[position]!.kind === "symbol") {
        const path = this.tokens.slice(start, position).map(({ text }) => text).join("");
        this.position = position + 1;
        return { kind: "struct", offset: this.tokens[position]!.offset, name: dot + path, fields: this.list("}", () => this.field(), true) };
      }
      if (this.tokens[position]?.text !== "." || this.tokens[position + 1]?.kind !== "identifier") break;
    }
    if (reserved.has(first.text)) throw new SourceError(first.offset, `reserved identifier: ${first.text}`);
    const open = this.accept("(");
    if (!open) return { kind: "ident", offset: first.offset, name };
    if (name.startsWith(".")) name = name.slice(1);
    const args = this.list(")", () => this.expression());
    return expandMacro(open.offset, name, undefined, args) ?? call(open.offset, name, args);
  }
}

const startsExpression = ({ kind, text }: Token): boolean => kind !== "end" && (kind !== "symbol" || /^(?:[[{(.!-]|true|false|null)$/.test(text));

const literal = (offset: number, value: Value): Expr => ({ kind: "literal", offset, value });
const call = (offset: number, name: string, args: Expr[]): Expr => ({ kind: "call", offset, function: name, target: undefined, args });

function literalValue({ kind, text, offset }: Token, sign: string, start = offset): Value {
  const invalid = (what: string): SourceError => new SourceError(start, what);
  switch (kind) {
    case "int": {
      const value = BigInt(text) * (sign ? -1n : 1n);
      if (value < -(2n ** 63n) || value >= 2n ** 63n) throw invalid("invalid int literal");
      return value;
    }
    case "uint": {
      const value = BigInt(text.slice(0, -1));
      if (value >= 2n ** 64n) throw invalid("invalid uint literal");
      return new Uint(value);
    }
    case "float": {
      const value = Number(sign + text);
      if (!Number.isFinite(value)) throw invalid("invalid double literal");
      return value;
    }
    default:
      try {
        return kind === "bytes" ? unescapeBytes(text) : unescapeString(text);
      } catch (error) {
        throw invalid((error as Error).message);
      }
  }
}
