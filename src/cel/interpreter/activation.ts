import type { Value } from "../values/value.ts";

/** Ends an evaluation whose cost passes its limit. */
export class CostLimitExceeded extends Error {}

/** One evaluation: its variables, and what it has cost so far. */
export class Activation {
  cost = 0;
  /** Variables of folds and binds, by slot. */
  readonly slots: Value[] = [];
  readonly #resolved = new Map<string, Value>();

  constructor(private readonly variables: Readonly<Record<string, Value | (() => Value)>>, private readonly limit: number) {}

  charge(cost: number): void {
    this.cost += cost;
    if (this.cost > this.limit) throw new CostLimitExceeded();
  }

  /** Undefined for a variable that was not given. */
  variable(name: string): Value | undefined {
    const given = Object.hasOwn(this.variables, name) ? this.variables[name] : undefined;
    if (typeof given !== "function") return given;
    let value = this.#resolved.get(name);
    if (value === undefined) this.#resolved.set(name, value = given());
    return value;
  }
}
