import type { CelType } from "../type.ts";
import type { Value } from "../values/value.ts";

/** Where in the source a node begins, in UTF-16 units; the checker notes the type. */
interface Node {
  readonly offset: number;
  type?: CelType;
}

export interface Literal extends Node {
  readonly kind: "literal";
  readonly value: Value;
}
export interface Ident extends Node {
  readonly kind: "ident";
  name: string;
}
export interface Select extends Node {
  readonly kind: "select";
  readonly operand: Expr;
  readonly field: string;
  /** `has(a.b)`. */
  readonly testOnly: boolean;
  /** When `a.b` turns out to be the name of a variable or type. */
  qualified?: string;
}
export interface Call extends Node {
  readonly kind: "call";
  function: string;
  target: Expr | undefined;
  readonly args: readonly Expr[];
  /** The overloads that may apply, noted by the checker. */
  overloads?: readonly string[];
}
export interface ListExpr extends Node {
  readonly kind: "list";
  readonly elements: readonly Expr[];
  /** Indexes of `?x` elements. */
  readonly optional: ReadonlySet<number>;
}
export interface MapEntry {
  readonly offset: number;
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface MapExpr extends Node {
  readonly kind: "map";
  readonly entries: readonly MapEntry[];
}
export interface StructField {
  readonly offset: number;
  readonly name: string;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface StructExpr extends Node {
  readonly kind: "struct";
  readonly name: string;
  readonly fields: readonly StructField[];
}
/** What all macros over lists and maps become: a fold. */
export interface Comprehension extends Node {
  readonly kind: "comprehension";
  readonly range: Expr;
  readonly iterVar: string;
  readonly iterVar2: string | undefined;
  readonly accuVar: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}
export type Expr = Literal | Ident | Select | Call | ListExpr | MapExpr | StructExpr | Comprehension;

/** A copy for macros that use an argument twice: types are noted on nodes, so no node may be in two places. */
export function copyExpr(expr: Expr): Expr {
  switch (expr.kind) {
    case "literal": case "ident": return { ...expr };
    case "select": return { ...expr, operand: copyExpr(expr.operand) };
    case "call": return { ...expr, target: expr.target && copyExpr(expr.target), args: expr.args.map(copyExpr) };
    case "list": return { ...expr, elements: expr.elements.map(copyExpr) };
    case "map": return { ...expr, entries: expr.entries.map((entry) => ({ ...entry, key: copyExpr(entry.key), value: copyExpr(entry.value) })) };
    case "struct": return { ...expr, fields: expr.fields.map((field) => ({ ...field, value: copyExpr(field.value) })) };
    case "comprehension": return { ...expr, range: copyExpr(expr.range), init: copyExpr(expr.init), condition: copyExpr(expr.condition), step: copyExpr(expr.step), result: copyExpr(expr.result) };
  }
}

export function* childrenOf(expr: Expr): Generator<Expr> {
  switch (expr.kind) {
    case "select": yield expr.operand; break;
    case "call": if (expr.target) yield expr.target; yield* expr.args; break;
    case "list": yield* expr.elements; break;
    case "map": for (const { key, value } of expr.entries) { yield key; yield value; } break;
    case "struct": for (const { value } of expr.fields) yield value; break;
    case "comprehension": yield* [expr.range, expr.init, expr.condition, expr.step, expr.result]; break;
  }
}

export function* descendantsOf(expr: Expr): Generator<Expr> {
  yield expr;
  for (const child of childrenOf(expr)) yield* descendantsOf(child);
}

/** `a.b.c` as one name, or undefined when the expression is more than names and dots. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === "ident") return expr.name;
  if (expr.kind !== "select" || expr.testOnly) return undefined;
  const prefix = qualifiedName(expr.operand);
  return prefix === undefined ? undefined : `${prefix}.${expr.field}`;
}
