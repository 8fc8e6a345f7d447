import { callCost, listCreation, mapCreation, needsResult, structCreation } from "../cost/runtime.ts";
import type { Environment } from "../environment.ts";
import type { Overload } from "../function.ts";
import type { Call, Comprehension, Expr, ListExpr, MapExpr, Select, StructExpr } from "../syntax/ast.ts";
import { structType } from "../type.ts";
import { noSuchOverload } from "../values/arithmetic.ts";
import { accepts } from "../values/type-of.ts";
import { CelError, isList, isMap, itemsOf, keyIdentity, ListOf, MapOf, Optional, TypeValue, type Value } from "../values/value.ts";
import { conversions } from "../checker/literals.ts";
import type { Activation } from "./activation.ts";
import { index, optionalIndex, select, hasField } from "./access.ts";
import { text } from "./show.ts";

/** An expression made ready to run. Errors are values; only an exceeded budget throws. */
export type Step = (activation: Activation) => Value;

/** Makes a checked tree runnable. */
export function plan(expr: Expr, environment: Environment): Step {
  return new Planner(environment).plan(expr);
}

/** A literal, or a list or map of literals, which is made once. */
interface Constant extends Step {
  constant?: Value;
}

function constantStep(value: Value): Step {
  const step: Constant = () => value;
  step.constant = value;
  return step;
}

class Planner {
  /** Names of folds' variables, innermost last; a name's place is its slot. */
  readonly #locals: string[] = [];

  constructor(private readonly environment: Environment) {}

  plan(expr: Expr): Step {
    switch (expr.kind) {
      case "literal": return constantStep(expr.value);
      case "ident": return this.#ident(expr.name);
      case "select": return this.#select(expr);
      case "call": return this.#call(expr);
      case "list": return this.#list(expr);
      case "map": return this.#map(expr);
      case "struct": return this.#struct(expr);
      case "comprehension": return this.#comprehension(expr);
    }
  }

  #ident(name: string): Step {
    const slot = this.#locals.lastIndexOf(name);
    if (slot >= 0) return (activation) => { activation.charge(1); return activation.slots[slot]!; };
    const type = this.environment.variable(name);
    const typeValue = type?.kind === "type" && type.params[0] ? new TypeValue(type.params[0]) : undefined;
    const missing = new CelError(`no such attribute(s): ${name}`);
    return (activation) => {
      const value = activation.variable(name);
      if (value === undefined && typeValue) return typeValue;
      activation.charge(1);
      return value ?? (value === null ? null : missing);
    };
  }

  #select({ operand, field, testOnly, qualified }: Select): Step {
    if (qualified !== undefined) return this.#ident(qualified);
    const from = this.plan(operand);
    if (testOnly) return (activation) => hasField(from(activation), field);
    return (activation) => {
      const value = from(activation);
      if (value instanceof CelError) return value;
      activation.charge(1);
      return select(value, field);
    };
  }

  #call(expr: Call): Step {
    const [a, b, c] = expr.args;
    switch (expr.function) {
      case "_&&_": return logical(this.plan(a!), this.plan(b!), false);
      case "_||_": return logical(this.plan(a!), this.plan(b!), true);
      case "_?_:_": return conditional(this.plan(a!), this.plan(b!), this.plan(c!));
      case "@not_strictly_false": return notStrictlyFalse(this.plan(a!));
      case "_[_]": return access(this.plan(a!), this.plan(b!), index);
      case "_[?_]": return access(this.plan(a!), this.plan(b!), optionalIndex);
      case "_?._": return access(this.plan(a!), this.plan(b!), optionalIndex);
      case "or": case "orValue":
        if (expr.target && expr.overloads?.[0]?.startsWith("optional_or")) return optionalOr(this.plan(expr.target), this.plan(a!), expr.function === "orValue");
        break;
    }
    return this.#strict(expr);
  }

  /** A call that needs all its arguments, and fails with the first that failed. */
  #strict(expr: Call): Step {
    const steps = [...(expr.target ? [expr.target] : []), ...expr.args].map((arg) => this.plan(arg));
    const overloads = this.#overloads(expr);
    const only = overloads.length === 1 ? overloads[0]! : undefined;
    if (only?.id === "in_list" && isConstantList(steps[1]!)) return membership(steps[0]!, (steps[1] as Constant).constant as ListOf);
    const [argument] = steps as [Constant];
    if (only?.call && steps.length === 1 && conversions.has(expr.function) && argument.constant !== undefined) {
      const converted = only.call(argument.constant);
      if (!(converted instanceof CelError)) return constantStep(converted);
    }
    const cost = callCost(expr.function, only?.id);
    const late = needsResult(expr.function);
    const dispatch = only ? single(only) : among(overloads, expr.function);
    const run: Step = (activation) => {
      const args: Value[] = [];
      for (const step of steps) {
        const value = step(activation);
        if (value instanceof CelError) return value;
        args.push(value);
      }
      if (!late) activation.charge(cost(args));
      const result = dispatch(args);
      if (late) activation.charge(cost(args, result));
      return result;
    };
    return run;
  }

  #overloads(expr: Call): Overload[] {
    const all = this.environment.functions(expr.function) ?? [];
    return all.filter(({ id }) => expr.overloads!.includes(id));
  }

  #list({ elements, optional }: ListExpr): Step {
    const steps = elements.map((element) => this.plan(element));
    const constants = steps.map((step) => (step as Constant).constant);
    if (optional.size === 0 && constants.every((value) => value !== undefined)) return constantStep(new ListOf(constants));
    return (activation) => {
      const items: Value[] = [];
      for (const [place, step] of steps.entries()) {
        const value = step(activation);
        if (value instanceof CelError) return value;
        if (!optional.has(place)) items.push(value);
        else if (!(value instanceof Optional)) return new CelError(`cannot initialize optional list element from non-optional value ${text(value)}`);
        else if (value.value !== undefined) items.push(value.value);
      }
      activation.charge(listCreation);
      return new ListOf(items);
    };
  }

  #map({ entries }: MapExpr): Step {
    const steps = entries.map(({ key, value, optional }) => ({ key: this.plan(key), value: this.plan(value), optional }));
    const build: Step = (activation) => {
      const map = new MapOf();
      for (const step of steps) {
        const key = step.key(activation);
        if (key instanceof CelError) return key;
        let value: Value | undefined = step.value(activation);
        if (value instanceof CelError) return value;
        if (step.optional) {
          if (!(value instanceof Optional)) return new CelError(`cannot initialize optional entry '${text(key)}' from non-optional value ${text(value)}`);
          value = value.value;
          if (value === undefined) continue;
        }
        if (keyIdentity(key) === undefined) return new CelError(`unsupported key type: ${text(key)}`);
        if (!map.add(key, value)) return new CelError(`Failed with repeated key: ${text(key)}`);
      }
      activation.charge(mapCreation);
      return map;
    };
    if (steps.length === 0) return constantStep(new MapOf());
    return build;
  }

  #struct({ name, fields }: StructExpr): Step {
    const type = structType(name.replace(/^\./, ""));
    const steps = fields.map((field) => ({ name: field.name, value: this.plan(field.value), optional: field.optional }));
    return (activation) => {
      const object = new MapOf(type);
      for (const step of steps) {
        let value: Value | undefined = step.value(activation);
        if (value instanceof CelError) return value;
        if (step.optional) {
          if (!(value instanceof Optional)) return new CelError(`cannot initialize optional entry '${step.name}' from non-optional value ${text(value)}`);
          value = value.value;
          if (value === undefined) continue;
        }
        object.add(step.name, value);
      }
      activation.charge(structCreation);
      return object;
    };
  }

  #comprehension(expr: Comprehension): Step {
    const range = this.plan(expr.range);
    const init = this.plan(expr.init);
    const accu = this.#locals.push(expr.accuVar) - 1;
    // A fold over nothing, made to name a value: the value is evaluated when it is first needed, at most once.
    if (expr.range.kind === "list" && expr.range.elements.length === 0 && expr.iterVar === "#unused") {
      const body = this.plan(expr.result);
      this.#locals.pop();
      return bind(accu, init, body);
    }
    const first = this.#locals.push(expr.iterVar) - 1;
    const second = expr.iterVar2 === undefined ? -1 : this.#locals.push(expr.iterVar2) - 1;
    const condition = this.plan(expr.condition), step = this.plan(expr.step);
    this.#locals.length = accu + 1;
    const result = this.plan(expr.result);
    this.#locals.length = accu;
    return fold({ range, init, accu, first, second, condition, step, result });
  }
}

interface Fold { range: Step; init: Step; accu: number; first: number; second: number; condition: Step; step: Step; result: Step }

function fold({ range, init, accu, first, second, condition, step, result }: Fold): Step {
  return (activation) => {
    const over = range(activation);
    if (over instanceof CelError) return over;
    if (!isList(over) && !isMap(over)) return noSuchOverload;
    const { slots } = activation;
    slots[accu] = init(activation);
    let place = 0n;
    for (const item of isList(over) ? itemsOf(over) : over.keys()) {
      if (second < 0) slots[first] = item;
      else [slots[first], slots[second]] = isList(over) ? [place++, item] : [item, over.get(item)!];
      const going = condition(activation);
      if (going === false) break;
      slots[accu] = step(activation);
    }
    return result(activation);
  };
}

/** Bound values are computed at once: an error in one that isn't used stays a value nobody looks at. */
function bind(slot: number, init: Step, body: Step): Step {
  return (activation) => {
    activation.slots[slot] = init(activation);
    return body(activation);
  };
}

/** `&&` and `||`: the side that decides wins over an error on the other. */
function logical(left: Step, right: Step, decisive: boolean): Step {
  return (activation) => {
    const a = left(activation);
    if (a === decisive) return decisive;
    const b = right(activation);
    if (b === decisive) return decisive;
    if (a instanceof CelError) return a;
    if (b instanceof CelError) return b;
    return typeof a === "boolean" && typeof b === "boolean" ? !decisive : noSuchOverload;
  };
}

function conditional(condition: Step, yes: Step, no: Step): Step {
  return (activation) => {
    const value = condition(activation);
    if (typeof value !== "boolean") return value instanceof CelError ? value : noSuchOverload;
    return value ? yes(activation) : no(activation);
  };
}

function notStrictlyFalse(of: Step): Step {
  return (activation) => {
    const value = of(activation);
    activation.charge(1);
    return value !== false;
  };
}

function access(of: Step, by: Step, get: (container: Value, key: Value) => Value): Step {
  return (activation) => {
    const container = of(activation);
    if (container instanceof CelError) return container;
    const key = by(activation);
    if (key instanceof CelError) return key;
    activation.charge(1);
    return get(container, key);
  };
}

function optionalOr(left: Step, right: Step, unwrap: boolean): Step {
  return (activation) => {
    const value = left(activation);
    if (!(value instanceof Optional)) return value instanceof CelError ? value : noSuchOverload;
    if (value.value === undefined) return right(activation);
    return unwrap ? value.value : value;
  };
}

const isConstantList = (step: Constant): boolean =>
  step.constant instanceof ListOf && step.constant.items.every((item) => typeof item !== "object");

/** `x in ['a', 'b']`: looked up, at no cost. */
function membership(of: Step, list: ListOf): Step {
  const keys = new Set(list.items.map((item) => (typeof item === "number" ? keyIdentity(item) ?? item : item)));
  return (activation) => {
    const value = of(activation);
    if (value instanceof CelError) return value;
    const identity = typeof value === "number" ? keyIdentity(value) ?? value : keyIdentity(value);
    return identity !== undefined && keys.has(identity);
  };
}

const single = ({ args: types, call }: Overload) => (args: readonly Value[]): Value =>
  (types.every((type, place) => accepts(type, args[place]!)) ? call!(...args) : noSuchOverload);

/** The overload that takes the values at hand. */
const among = (overloads: readonly Overload[], name: string) => (args: readonly Value[]): Value => {
  const found = overloads.find(({ args: types, call }) => call && types.length === args.length && types.every((type, place) => accepts(type, args[place]!)));
  if (found) return found.call!(...args);
  return name.includes("_") ? noSuchOverload : new CelError(`no such overload: ${name}`);
};

