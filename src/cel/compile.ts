import type { Compiled, Evaluation, Program, Variables } from "./cel.ts";
import { check } from "./checker/checker.ts";
import { failingLiteral, validateLiterals } from "./checker/literals.ts";
import { Activation, CostLimitExceeded } from "./interpreter/activation.ts";
import { plan, type Step } from "./interpreter/plan.ts";
import type { Environment } from "./environment.ts";
import type { Expr } from "./syntax/ast.ts";
import { displayIssues, SourceError } from "./syntax/issues.ts";
import { parse } from "./syntax/parser.ts";
import { CelError, type Value } from "./values/value.ts";
import { perCallLimit } from "./cel.ts";

/** The checked tree of a program, for what looks at it: cost estimates. */
const trees = new WeakMap<Program, Expr>();
export const treeOf = (program: Program): Expr => trees.get(program)!;

/** Parses and checks an expression; it is made runnable when it first runs. */
export function compile(source: string, environment: Environment): Compiled {
  try {
    const tree = parse(source);
    const references = new Set<string>();
    const issues = check(tree, environment, references);
    if (issues.length === 0) issues.push(...validateLiterals(tree));
    if (issues.length > 0) return { issues: displayIssues(source, issues), stage: "compilation" };
    const failure = failingLiteral(tree, environment);
    if (failure) return { issues: failure.message, stage: "instantiation" };
    let step: Step | undefined;
    const program: Program = {
      source, type: tree.type!, references,
      evaluate: (variables, { costLimit = perCallLimit } = {}) => evaluate((step ??= plan(tree, environment)), variables, costLimit),
    };
    trees.set(program, tree);
    return { program };
  } catch (error) {
    if (error instanceof SourceError) return { issues: displayIssues(source, error.issues), stage: "compilation" };
    throw error;
  }
}

function evaluate(step: Step, variables: Variables, costLimit: number): Evaluation {
  const activation = new Activation(variables, costLimit);
  try {
    const value: Value = step(activation);
    return value instanceof CelError ? { error: value.message, outOfBudget: false, cost: activation.cost } : { value, cost: activation.cost };
  } catch (error) {
    if (error instanceof CostLimitExceeded) return { error: "operation cancelled: actual cost limit exceeded", outOfBudget: true, cost: activation.cost };
    throw error;
  }
}
