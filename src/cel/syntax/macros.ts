import type { Value } from "../values/value.ts";
import { copyExpr, descendantsOf, type Call, type Comprehension, type Expr } from "./ast.ts";
import { SourceError } from "./issues.ts";

/** The accumulator of macros; no identifier of a source can be spelled so. */
export const accumulator = "@result";
/** `optMap` and `sortBy` name a value by a fold over nothing. Kubernetes has no `cel.bind`. */
const unused = "#unused";

/** What a macro's nodes are made with: all of them are placed where the call is. */
interface Maker {
  ident(name: string): Expr;
  literal(value: Value): Expr;
  list(...elements: Expr[]): Expr;
  call(name: string, ...args: Expr[]): Expr;
  member(name: string, target: Expr, ...args: Expr[]): Expr;
  fold(range: Expr, vars: readonly [string] | readonly [string, string], init: Expr, condition: Expr, step: Expr, result: Expr): Expr;
  bind(name: string, value: Expr, body: Expr): Expr;
}

function maker(offset: number): Maker {
  const call = (name: string, target: Expr | undefined, args: Expr[]): Call => ({ kind: "call", offset, function: name, target, args });
  const fold = (fields: Omit<Comprehension, "kind" | "offset">): Expr => ({ kind: "comprehension", offset, ...fields });
  const list = (...elements: Expr[]): Expr => ({ kind: "list", offset, elements, optional: new Set() });
  const literal = (value: Value): Expr => ({ kind: "literal", offset, value });
  const ident = (name: string): Expr => ({ kind: "ident", offset, name });
  return {
    ident, literal, list,
    call: (name, ...args) => call(name, undefined, args),
    member: (name, target, ...args) => call(name, target, args),
    fold: (range, [iterVar, iterVar2], init, condition, step, result) => fold({ range, iterVar, iterVar2, accuVar: accumulator, init, condition, step, result }),
    bind: (name, value, body) => fold({ range: list(), iterVar: unused, iterVar2: undefined, accuVar: name, init: value, condition: literal(false), step: ident(name), result: body }),
  };
}

type Expander = (make: Maker, target: Expr, args: readonly Expr[]) => Expr;

/** The expression that a call stands for, or undefined when it is a plain call. Throws SourceError for a macro used wrongly. */
export function expandMacro(offset: number, name: string, target: Expr | undefined, args: readonly Expr[]): Expr | undefined {
  if (!target) {
    if (name !== "has" || args.length !== 1) return undefined;
    const [selection] = args;
    if (selection!.kind !== "select") throw new SourceError(selection!.offset, "invalid argument to has() macro");
    return { kind: "select", offset, operand: selection!.operand, field: selection!.field, testOnly: true };
  }
  const key = `${name}/${args.length}`;
  return Object.hasOwn(receiverMacros, key) ? receiverMacros[key]!(maker(offset), target, args) : undefined;
}

const receiverMacros: Readonly<Record<string, Expander>> = {
  "all/2": one(all, "argument must be a simple name"), "all/3": two(all),
  "exists/2": one(exists, "argument must be a simple name"), "exists/3": two(exists),
  "exists_one/2": one(existsOne, "argument must be a simple name"), "exists_one/3": two(existsOne), "existsOne/3": two(existsOne),
  "map/2": one(transform, "argument is not an identifier"), "map/3": one(transform, "argument is not an identifier"),
  "filter/2": (make, target, args) => {
    const name = simpleName(args[0]!, "argument is not an identifier");
    return fold(make, target, [name], make.list(), choose(make, args[1]!, append(make, copyExpr(args[0]!))));
  },
  "transformList/3": two(transform), "transformList/4": two(transform),
  "transformMap/3": two(transformMap), "transformMap/4": two(transformMap),
  "transformMapEntry/3": two(transformMapEntry), "transformMapEntry/4": two(transformMapEntry),
  "optMap/2": (make, target, [name, body]) => optional(make, target, boundName(name!, "optMap() variable name must be a simple identifier"), (bound) => make.call("optional.of", bound), body!),
  "optFlatMap/2": (make, target, [name, body]) => optional(make, target, boundName(name!, "optFlatMap() variable name must be a simple identifier"), (bound) => bound, body!),
  "sortBy/2": sortBy,
};

type Vars = readonly [string] | readonly [string, string];
type Folding = (make: Maker, target: Expr, vars: Vars, body: readonly Expr[]) => Expr;

function one(folding: Folding, refusal: string): Expander {
  return (make, target, args) => folding(make, target, [simpleName(args[0]!, refusal)], args.slice(1));
}

function two(folding: Folding): Expander {
  return (make, target, args) => {
    const [first, second] = [simpleName(args[0]!, "argument must be a simple name"), simpleName(args[1]!, "argument must be a simple name")];
    if (first === second) throw new SourceError(args[1]!.offset, `duplicate variable name: ${first}`);
    return folding(make, target, [first, second], args.slice(2));
  };
}

function simpleName(expr: Expr, refusal: string): string {
  const name = boundName(expr, refusal);
  if (name === "__result__") throw new SourceError(expr.offset, "iteration variable overwrites accumulator variable");
  return name;
}

function boundName(expr: Expr, refusal: string): string {
  if (expr.kind !== "ident") throw new SourceError(expr.offset, refusal);
  return expr.name;
}

const accu = (make: Maker): Expr => make.ident(accumulator);
const append = (make: Maker, item: Expr): Expr => make.call("_+_", accu(make), make.list(item));
const choose = (make: Maker, condition: Expr, step: Expr): Expr => make.call("_?_:_", condition, step, accu(make));
const fold = (make: Maker, target: Expr, vars: Vars, init: Expr, step: Expr): Expr => make.fold(target, vars, init, make.literal(true), step, accu(make));

function all(make: Maker, target: Expr, vars: Vars, [predicate]: readonly Expr[]): Expr {
  return make.fold(target, vars, make.literal(true), make.call("@not_strictly_false", accu(make)), make.call("_&&_", accu(make), predicate!), accu(make));
}

function exists(make: Maker, target: Expr, vars: Vars, [predicate]: readonly Expr[]): Expr {
  return make.fold(target, vars, make.literal(false), make.call("@not_strictly_false", make.call("!_", accu(make))), make.call("_||_", accu(make), predicate!), accu(make));
}

function existsOne(make: Maker, target: Expr, vars: Vars, [predicate]: readonly Expr[]): Expr {
  const step = choose(make, predicate!, make.call("_+_", accu(make), make.literal(1n)));
  return make.fold(target, vars, make.literal(0n), make.literal(true), step, make.call("_==_", accu(make), make.literal(1n)));
}

/** `map` and `transformList`: with a filter before the transformation, or without. */
function transform(make: Maker, target: Expr, vars: Vars, body: readonly Expr[]): Expr {
  const step = append(make, body.at(-1)!);
  return fold(make, target, vars, make.list(), body.length === 2 ? choose(make, body[0]!, step) : step);
}

function transformMap(make: Maker, target: Expr, vars: Vars, body: readonly Expr[]): Expr {
  return mapFold(make, target, vars, body, make.call("cel.@mapInsert", accu(make), make.ident(vars[0]), body.at(-1)!));
}

function transformMapEntry(make: Maker, target: Expr, vars: Vars, body: readonly Expr[]): Expr {
  return mapFold(make, target, vars, body, make.call("cel.@mapInsert", accu(make), body.at(-1)!));
}

function mapFold(make: Maker, target: Expr, vars: Vars, body: readonly Expr[], step: Expr): Expr {
  const init: Expr = { kind: "map", offset: accu(make).offset, entries: [] };
  return fold(make, target, vars, init, body.length === 2 ? choose(make, body[0]!, step) : step);
}

/** Chained, `optMap` doubles what it stands on with each link. */
const mostCopied = 2_000;

function optional(make: Maker, target: Expr, name: string, wrap: (bound: Expr) => Expr, body: Expr): Expr {
  let nodes = 0;
  for (const _ of descendantsOf(target)) if (++nodes > mostCopied) throw new SourceError(target.offset, "optMap() and optFlatMap() are chained too deeply");
  const bound = make.bind(name, make.member("value", copyExpr(target)), body);
  return make.call("_?_:_", make.member("hasValue", target), wrap(bound), make.call("optional.none"));
}

function sortBy(make: Maker, target: Expr, args: readonly Expr[]): Expr {
  if (target.kind === "literal" || target.kind === "map" || target.kind === "struct") throw new SourceError(target.offset, "sortBy can only be applied to a list, identifier, comprehension, call or select expression");
  const input = "@__sortBy_input__";
  const keys = transform(make, make.ident(input), [simpleName(args[0]!, "argument is not an identifier")], args.slice(1));
  return make.bind(input, target, make.member("@sortByAssociatedKeys", make.ident(input), keys));
}
