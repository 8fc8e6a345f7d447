import { checkFormat, clauseNeeds } from "../library/format-string.ts";
import { compileRegex } from "../library/re2.ts";
import { childrenOf, descendantsOf, type Call, type Expr } from "../syntax/ast.ts";
import type { Issue } from "../syntax/issues.ts";
import { formatType, isOptional, sameType, type CelType, type TypeKind } from "../type.ts";
import { toDuration, toTimestamp } from "../values/convert.ts";
import { accepts } from "../values/type-of.ts";
import { CelError, type Value } from "../values/value.ts";
import type { Environment } from "../environment.ts";

/** Of a literal these are literals themselves, made before anything runs. */
export const conversions = new Set(["bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"]);

/** The first conversion of a literal that fails, or pattern that isn't one. */
export function failingLiteral(expr: Expr, environment: Environment): CelError | undefined {
  for (const node of descendantsOf(expr)) {
    if (node.kind !== "call" || node.overloads?.length !== 1) continue;
    const result = conversions.has(node.function) ? converted(node, environment) : pattern(node);
    if (result instanceof CelError) return result;
  }
  return undefined;
}

function converted({ function: name, args: [arg], overloads }: Call, environment: Environment): Value | undefined {
  if (arg?.kind !== "literal") return undefined;
  const overload = environment.functions(name)?.find(({ id }) => id === overloads![0]);
  return overload?.call && overload.args.every((type) => accepts(type, arg.value)) ? overload.call(arg.value) : undefined;
}

function pattern({ function: name, target, args }: Call): CelError | undefined {
  if (!/^(matches|find|findAll)$/.test(name)) return undefined;
  let arg = target ? args[0] : args[1];
  while (arg?.kind === "call" && arg.function === "dyn") [arg] = arg.args;
  const compiled = arg?.kind === "literal" && typeof arg.value === "string" ? compileRegex(arg.value) : undefined;
  return compiled instanceof CelError ? compiled : undefined;
}

/** Literal arguments that could never work: durations, timestamps, patterns, formats; and lists and maps of mixed types. */
export function validateLiterals(expr: Expr): Issue[] {
  const calls = [...descendantsOf(expr)].filter((node) => node.kind === "call");
  return [
    ...literalArguments(calls, "duration", (value) => toDuration(value) instanceof CelError),
    ...literalArguments(calls, "timestamp", (value) => toTimestamp(value) instanceof CelError),
    ...literalArguments(calls, "matches", (value) => typeof value === "string" && compileRegex(value) instanceof CelError),
    ...mixedTypes(expr),
    ...calls.flatMap(formats),
  ];
}

function* literalArguments(calls: readonly Call[], name: string, wrong: (value: Value) => boolean): Generator<Issue> {
  for (const call of calls) {
    const [arg] = call.args;
    if (call.function === name && arg?.kind === "literal" && wrong(arg.value)) yield { offset: arg.offset, message: `invalid ${name} argument` };
  }
}

/** Not inside the arguments of `format`, which are of any types. */
function* mixedTypes(expr: Expr): Generator<Issue> {
  if (expr.kind === "list") yield* mixed(expr.elements, (element, index) => (expr.optional.has(index) ? unwrapped(element.type!) : element.type!));
  if (expr.kind === "map") {
    yield* mixed(expr.entries.map(({ key }) => key), (key) => key.type!);
    yield* mixed(expr.entries.map(({ value }) => value), (value, index) => (expr.entries[index]!.optional ? unwrapped(value.type!) : value.type!));
  }
  const exempt = expr.kind === "call" && expr.function === "format";
  if (!exempt) for (const child of childrenOf(expr)) yield* mixedTypes(child);
}

const unwrapped = (type: CelType): CelType => (isOptional(type) ? type.params[0]! : type);

function* mixed(exprs: readonly Expr[], typeOf: (expr: Expr, index: number) => CelType): Generator<Issue> {
  let first: CelType | undefined;
  for (const [index, expr] of exprs.entries()) {
    const type = typeOf(expr, index);
    first ??= type;
    if (sameType(first, type)) continue;
    yield { offset: expr.offset, message: `expected type '${formatType(first)}' but found '${formatType(type)}'` };
    return;
  }
}

const clauseTypes: Readonly<Record<string, readonly TypeKind[]>> = {
  s: ["list", "map", "int", "uint", "double", "bool", "string", "timestamp", "bytes", "duration", "type", "null"], d: ["int", "uint"], f: ["double", "string"], e: ["double", "string"],
  b: ["int", "uint", "bool"], x: ["int", "uint", "string", "bytes"], X: ["int", "uint", "string", "bytes"], o: ["int", "uint"],
};

function formats(call: Call): Issue[] {
  const [list] = call.args;
  if (call.function !== "format" || call.target?.kind !== "literal" || typeof call.target.value !== "string" || list?.kind !== "list") return [];
  const fault = checkFormat(call.target.value, list.elements.length, (letter, index) => {
    const { type } = list.elements[index]!;
    return type!.kind === "dyn" || clauseTypes[letter]!.includes(type!.kind) ? undefined : clauseNeeds[letter]! + type!.name;
  });
  return fault ? [{ offset: fault.argument === undefined ? call.offset : list.elements[fault.argument]!.offset, message: fault.message }] : [];
}
