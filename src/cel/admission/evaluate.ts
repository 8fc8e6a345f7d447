import { matchConditionsCostBudget, runtimeCostBudget, type Variables } from "../cel.ts";
import { structType, type CelType } from "../type.ts";
import { CelError, type MapValue, type Value } from "../values/value.ts";
import { quoted } from "../values/strings.ts";
import type { CompiledExpression } from "./compile.ts";

/** Ends the evaluation of a policy whose expressions cost too much together. */
export class OutOfBudget extends Error {
  constructor() {
    super("validation failed due to running out of cost budget, no further validation rules will be run");
  }
}

export type Outcome = { readonly value: Value; readonly error?: undefined } | { readonly value?: undefined; readonly error: string };

/** Evaluates the expressions of one policy for one request: variables at most once, everything within one budget. */
export class PolicyEvaluation {
  #remaining: number;
  /** What variables have cost since it was last asked. */
  #variablesCost = 0;
  readonly #variables: Variables;

  constructor(given: Variables, private readonly compiledVariables: ReadonlyMap<string, CompiledExpression>, budget = runtimeCostBudget) {
    this.#remaining = budget;
    this.#variables = { ...given, variables: new LazyVariables(compiledVariables, (name) => this.#variable(name)) };
  }

  /** Throws OutOfBudget. */
  evaluate({ program, failure }: CompiledExpression): Outcome {
    if (failure) return { error: `compilation error: ${failure.detail}` };
    const { value, error, cost } = program.evaluate(this.#variables);
    this.#remaining -= cost + this.#variablesCost;
    this.#variablesCost = 0;
    if (this.#remaining < 0) throw new OutOfBudget();
    return error === undefined ? { value } : { error: `expression '${program.source}' resulted in error: ${error}` };
  }

  #variable(name: string): Value {
    const { program, failure } = this.compiledVariables.get(name)!;
    if (failure) return new CelError(`composited variable ${quoted(name)} fails to compile: ${failure.detail}`);
    const { value, error, cost } = program.evaluate(this.#variables);
    this.#variablesCost += cost;
    return error === undefined ? value : new CelError(`composited variable ${quoted(name)} fails to evaluate: ${error}`);
  }
}

/** `variables`: each is evaluated when an expression first asks for it. */
class LazyVariables implements MapValue {
  readonly isMap = true;
  readonly type: CelType = structType("kubernetes.variables");
  readonly #values = new Map<string, Value>();

  constructor(private readonly compiled: ReadonlyMap<string, CompiledExpression>, private readonly evaluate: (name: string) => Value) {}

  get size(): number {
    return this.compiled.size;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== "string" || !this.compiled.has(key)) return undefined;
    let value = this.#values.get(key);
    if (value === undefined) this.#values.set(key, value = this.evaluate(key));
    return value;
  }

  keys(): Iterable<Value> {
    return this.compiled.keys();
  }
}

/** Conditions hold when none is false and none fails; a false one decides, whatever the others do. */
export type ConditionsOutcome = { readonly matches: boolean; readonly error?: undefined } | { readonly matches?: undefined; readonly error: string };

/** Source: k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions/matcher.go, but for failure policies, which are the caller's. */
export function evaluateConditions(conditions: readonly CompiledExpression[], given: Variables, variables: ReadonlyMap<string, CompiledExpression> = new Map()): ConditionsOutcome {
  const evaluation = new PolicyEvaluation(given, variables, matchConditionsCostBudget);
  const errors: string[] = [];
  try {
    for (const condition of conditions) {
      const { value, error } = evaluation.evaluate(condition);
      if (value === false) return { matches: false };
      if (error !== undefined) errors.push(error);
    }
  } catch (error) {
    if (error instanceof OutOfBudget) return { error: error.message };
    throw error;
  }
  if (errors.length === 0) return { matches: true };
  return { error: errors.length === 1 ? errors[0]! : `[${[...new Set(errors)].join(", ")}]` };
}
