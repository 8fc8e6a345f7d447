import { treeOf } from "../compile.ts";
import type { CostRange, DeclType, Program } from "../cel.ts";
import { accumulator } from "../syntax/macros.ts";
import type { Call, Comprehension, Expr } from "../syntax/ast.ts";
import { isOptional, type CelType } from "../type.ts";
import { codePointCount } from "../values/value.ts";
import { estimateCall, type Argument } from "./estimate-calls.ts";
import { addRanges, atMost, exactly, unionOf, unlimited, timesRange, unknown, type Range } from "./range.ts";
import { listCreation, mapCreation, structCreation } from "./runtime.ts";

/**
 * The least and the most that one evaluation can cost, for data within the bounds of the declared types of `variables`.
 * Source: cel-go's checker/cost.go, which Kubernetes refuses too expensive rules of CRDs by.
 */
export function estimateCost(program: Program, variables: Readonly<Record<string, DeclType>>): CostRange {
  return new Estimator(variables).cost(treeOf(program));
}

/** Sizes of a list's items or a map's keys and values. */
interface EntrySize {
  container: "list" | "map";
  key: Range;
  value: Range;
}

interface Local {
  path: readonly string[] | undefined;
  size: Range | undefined;
  entry: EntrySize | undefined;
}

class Estimator {
  readonly #paths = new Map<Expr, readonly string[] | undefined>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #entries = new Map<Expr, EntrySize>();
  readonly #locals = new Map<string, Local[]>();

  constructor(private readonly variables: Readonly<Record<string, DeclType>>) {}

  cost(expr: Expr): CostRange {
    switch (expr.kind) {
      case "literal": return exactly(0);
      case "ident": return this.#ident(expr, expr.name);
      case "select": {
        if (expr.qualified !== undefined) return this.#ident(expr, expr.qualified);
        const operand = this.cost(expr.operand);
        if (expr.testOnly) return operand;
        this.#paths.set(expr, below(this.#path(expr.operand), expr.field));
        return /^(map|struct|param)$/.test(expr.operand.type!.kind) ? addRanges(operand, exactly(1)) : operand;
      }
      case "call": return this.#call(expr);
      case "list": {
        const cost = expr.elements.reduce((sum, element) => addRanges(sum, this.cost(element)), exactly(listCreation));
        this.#entries.set(expr, { container: "list", key: exactly(1), value: this.#unionOfSizes(expr.elements) });
        return cost;
      }
      case "map": {
        const cost = expr.entries.reduce((sum, { key, value }) => addRanges(addRanges(sum, this.cost(key)), this.cost(value)), exactly(mapCreation));
        this.#entries.set(expr, { container: "map", key: this.#unionOfSizes(expr.entries.map(({ key }) => key)), value: this.#unionOfSizes(expr.entries.map(({ value }) => value)) });
        return cost;
      }
      case "struct": return expr.fields.reduce((sum, { value }) => addRanges(sum, this.cost(value)), exactly(structCreation));
      case "comprehension": return isBind(expr) ? this.#bind(expr) : this.#fold(expr);
    }
  }

  #ident(expr: Expr, name: string): CostRange {
    const local = this.#local(name);
    this.#paths.set(expr, local ? local.path : [name]);
    return exactly(1);
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #push(name: string, local: Local): void {
    const same = this.#locals.get(name);
    if (same) same.push(local);
    else this.#locals.set(name, [local]);
  }

  #pop(name: string): void {
    this.#locals.get(name)!.pop();
  }

  #path(expr: Expr): readonly string[] | undefined {
    const local = expr.kind === "ident" ? this.#local(expr.name) : undefined;
    return local ? local.path : this.#paths.get(expr);
  }

  #unionOfSizes(exprs: readonly Expr[]): Range {
    return exprs.length === 0 ? exactly(0) : exprs.map((expr) => this.#sizeOrUnknown(expr)).reduce(unionOf);
  }

  #sizeOrUnknown(expr: Expr): Range {
    return this.#size(expr) ?? unknown;
  }

  #size(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr) ?? literalSize(expr);
    if (known) return known;
    const declared = this.declaredSize(this.#path(expr));
    if (declared) {
      this.#sizes.set(expr, declared);
      return declared;
    }
    if (isScalar(expr.type!)) return exactly(1);
    return expr.kind === "ident" ? this.#local(expr.name)?.size : undefined;
  }

  #entry(expr: Expr): EntrySize | undefined {
    return this.#entries.get(expr) ?? (expr.kind === "ident" ? this.#local(expr.name)?.entry : undefined);
  }

  /** The bounds that the declared type at a path sets. */
  declaredSize(path: readonly string[] | undefined): Range | undefined {
    if (!path || path.length === 0) return undefined;
    const [root, ...rest] = path as [string, ...string[]];
    // A path that begins elsewhere counts from the first variable, as Kubernetes' estimates do: their numbers decide what is accepted.
    let declared = Object.hasOwn(this.variables, root) ? this.variables[root] : Object.values(this.variables)[0];
    for (const step of rest) {
      if (!declared) return undefined;
      declared = step === "@items" || step === "@values" ? declared.item : step === "@keys" ? declared.key : declared.fields?.get(step)?.decl;
    }
    return declared && atMost(declared.maxElements);
  }

  #argument(expr: Expr): Argument {
    const path = this.#path(expr);
    return { type: expr.type!, path: path?.[0] === accumulator ? undefined : path, size: this.#size(expr), literal: expr.kind === "literal" ? expr.value : undefined };
  }

  #call(expr: Call): CostRange {
    if (expr.function === "dyn" && !expr.target) {
      const [inner] = expr.args as [Expr];
      const cost = this.cost(inner);
      this.#copySizes(expr, inner);
      return addRanges(exactly(1), cost);
    }
    const costs = expr.args.map((arg) => this.cost(arg));
    const args = expr.args.map((arg) => this.#argument(arg));
    const targetCost = expr.target ? this.cost(expr.target) : exactly(0);
    const target = expr.target && this.#argument(expr.target);
    let total: CostRange = { min: unlimited, max: 0 };
    let size: Range | undefined;
    for (const overload of expr.overloads ?? []) {
      const estimate = this.#overload(expr, overload, target, args, costs);
      total = unionOf(total, estimate.cost);
      if (estimate.size) size = size ? unionOf(size, estimate.size) : estimate.size;
      if (overload === "index_list" || overload === "index_map") {
        size = this.#entry(expr.args[0]!)?.value;
        this.#paths.set(expr, below(this.#path(expr.args[0]!), overload === "index_list" ? "@items" : "@values"));
      }
      size ??= this.#size(expr);
    }
    if (size) this.#sizes.set(expr, size);
    return addRanges(targetCost, total);
  }

  #overload(expr: Call, overload: string, target: Argument | undefined, args: Argument[], costs: CostRange[]): { cost: CostRange; size?: Range } {
    switch (overload) {
      case "logical_or": case "logical_and": return { cost: { min: costs[0]!.min, max: addRanges(costs[0]!, costs[1]!).max } };
      case "conditional": {
        const [condition, yes, no] = costs as [CostRange, CostRange, CostRange];
        const entry = unionOfEntries(this.#entry(expr.args[1]!), this.#entry(expr.args[2]!));
        if (entry) this.#entries.set(expr, entry);
        return { cost: addRanges(condition, unionOf(yes, no)), size: unionOf(args[1]!.size ?? unknown, args[2]!.size ?? unknown) };
      }
      case "add_string": case "add_bytes": case "add_list": {
        const entry = unionOfEntries(this.#entry(expr.args[0]!), this.#entry(expr.args[1]!));
        if (entry) this.#entries.set(expr, entry);
      }
    }
    const estimate = estimateCall(expr.function, overload, target, args, (path) => this.declaredSize(path));
    return { cost: costs.reduce(addRanges, estimate.cost), ...(estimate.size && { size: estimate.size }) };
  }

  #copySizes(to: Expr, from: Expr): void {
    const size = this.#size(from), entry = this.#entry(from);
    if (size) this.#sizes.set(to, size);
    if (entry) this.#entries.set(to, entry);
  }

  #pushExpr(name: string, expr: Expr): void {
    this.#push(name, { path: this.#path(expr), size: this.#size(expr), entry: this.#entry(expr) });
  }

  /** One of the variables of a fold: keys and indices, or values and items. */
  #pushIterated(name: string, range: Expr, part: "key" | "value" | "single"): void {
    const entry = this.#entry(range);
    const isList = (entry?.container ?? range.type!.kind) === "list";
    const wantsKey = part === "key" || (part === "single" && !isList);
    const step = wantsKey ? (isList ? "@indices" : "@keys") : isList ? "@items" : "@values";
    this.#push(name, { path: below(this.#path(range), step), size: wantsKey ? entry?.key : entry?.value, entry: undefined });
  }

  #fold(expr: Comprehension): CostRange {
    let sum = addRanges(this.cost(expr.range), this.cost(expr.init));
    this.#pushExpr(expr.accuVar, expr.init);
    this.#pushIterated(expr.iterVar, expr.range, expr.iterVar2 === undefined ? "single" : "key");
    if (expr.iterVar2 !== undefined) this.#pushIterated(expr.iterVar2, expr.range, "value");
    const condition = this.cost(expr.condition), step = this.cost(expr.step);
    this.#pop(expr.iterVar);
    if (expr.iterVar2 !== undefined) this.#pop(expr.iterVar2);
    sum = addRanges(sum, this.cost(expr.result));
    this.#pop(expr.accuVar);
    const count = this.#sizeOrUnknown(expr.range);
    sum = addRanges(sum, timesRange(count, addRanges(step, condition)));
    if (expr.init.kind === "literal") {
      const size = this.#size(expr.init);
      if (size) this.#sizes.set(expr, size);
    } else if (expr.init.kind === "list" || expr.init.kind === "map") {
      this.#sizes.set(expr, count);
      const entry = this.#entry(expr.step);
      if (entry) this.#entries.set(expr, entry);
    }
    return sum;
  }

  #bind(expr: Comprehension): CostRange {
    let sum = addRanges(this.cost(expr.range), this.cost(expr.init));
    this.#pushExpr(expr.accuVar, expr.init);
    sum = addRanges(sum, this.cost(expr.result));
    this.#copySizes(expr, expr.result);
    this.#pop(expr.accuVar);
    return sum;
  }
}

const isBind = ({ range, condition, accuVar }: Comprehension): boolean =>
  range.kind === "list" && range.elements.length === 0 && condition.kind === "literal" && condition.value === false && accuVar !== accumulator;

const below = (path: readonly string[] | undefined, step: string): readonly string[] => [...(path ?? []), step];

function unionOfEntries(a: EntrySize | undefined, b: EntrySize | undefined): EntrySize | undefined {
  return a && b && { container: a.container, key: unionOf(a.key, b.key), value: unionOf(a.value, b.value) };
}

function literalSize(expr: Expr): Range | undefined {
  if (expr.kind === "list") return exactly(expr.elements.length);
  if (expr.kind === "map") return exactly(expr.entries.length);
  if (expr.kind !== "literal") return undefined;
  const { value } = expr;
  return exactly(typeof value === "string" ? codePointCount(value) : value instanceof Uint8Array ? value.length : 1);
}

const isScalar = (type: CelType): boolean => /^(bool|double|duration|int|timestamp|uint)$/.test(type.kind) || (isOptional(type) && isScalar(type.params[0]!));
