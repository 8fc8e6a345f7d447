import type { Environment } from "../environment.ts";
import type { Overload } from "../function.ts";
import { qualifiedName, type Call, type Comprehension, type Expr, type ListExpr, type MapExpr, type Select, type StructExpr } from "../syntax/ast.ts";
import type { Issue } from "../syntax/issues.ts";
import { boolType, bytesType, doubleType, dynType, errorType, formatType, intType, isDyn, isDynOrError, isOptional, listType, mapType, nullType, optionalType, stringType, uintType, type CelType } from "../type.ts";
import { Uint, type Value } from "../values/value.ts";
import { Unifier } from "./unifier.ts";

/** Notes types and overloads on the tree and returns what is wrong, worded as cel-go words it. `references` takes the variables used. */
export function check(expr: Expr, environment: Environment, references: Set<string>): Issue[] {
  return new Checker(environment, references).run(expr);
}

class Checker {
  readonly #unifier = new Unifier();
  readonly #issues: Issue[] = [];
  readonly #nodes: Expr[] = [];
  /** Variables of comprehensions, innermost last. */
  readonly #scopes: Map<string, CelType>[] = [];

  constructor(private readonly environment: Environment, private readonly references: Set<string>) {}

  run(expr: Expr): Issue[] {
    this.#check(expr);
    for (const node of this.#nodes) node.type = this.#unifier.substitute(node.type!, true);
    return this.#issues;
  }

  #report(offset: number, message: string): void {
    this.#issues.push({ offset, message });
  }

  #check(expr: Expr): CelType {
    const type = this.#typeOf(expr);
    expr.type = type;
    this.#nodes.push(expr);
    return type;
  }

  #typeOf(expr: Expr): CelType {
    switch (expr.kind) {
      case "literal": return literalType(expr.value);
      case "ident": {
        const type = this.#lookup(expr.name);
        if (type) {
          if (expr.name.startsWith(".")) expr.name = expr.name.slice(1);
          return type;
        }
        return this.#undeclared(expr.offset, expr.name);
      }
      case "select": return this.#select(expr);
      case "call": return this.#call(expr);
      case "list": return this.#list(expr);
      case "map": return this.#map(expr);
      case "struct": return this.#struct(expr);
      case "comprehension": return this.#comprehension(expr);
    }
  }

  #undeclared(offset: number, name: string): CelType {
    this.#report(offset, `undeclared reference to '${name}' (in container '')`);
    return errorType;
  }

  #lookup(name: string): CelType | undefined {
    const plain = name.startsWith(".") ? name.slice(1) : name;
    if (plain === name) {
      for (let index = this.#scopes.length - 1; index >= 0; index--) {
        const local = this.#scopes[index]!.get(name);
        if (local) return local;
      }
    }
    const type = this.environment.variable(plain);
    if (type) this.references.add(plain);
    return type;
  }

  #select(expr: Select): CelType {
    const name = qualifiedName(expr);
    const type = name === undefined || this.#isLocal(name) ? undefined : this.#lookup(name);
    if (type) {
      expr.qualified = name!;
      return type;
    }
    const field = this.#field(expr.offset, this.#check(expr.operand), expr.field, false);
    return expr.testOnly ? boolType : this.#unifier.substitute(field, false);
  }

  /** Whether a dotted name begins with a variable of a comprehension, which hides types and variables of that name. */
  #isLocal(name: string): boolean {
    const first = name.split(".", 1)[0]!;
    return this.#scopes.some((scope) => scope.has(first));
  }

  #field(offset: number, operandType: CelType, field: string, optional: boolean): CelType {
    const type = this.#unifier.substitute(operandType, false);
    const target = isOptional(type) ? type.params[0]! : type;
    const result = this.#fieldOf(offset, target, field);
    return optional || target !== type ? optionalType(result) : result;
  }

  #fieldOf(offset: number, target: CelType, field: string): CelType {
    switch (target.kind) {
      case "map": return target.params[1]!;
      case "struct": return this.#structField(offset, target.name, field) ?? errorType;
      case "param": this.#unifier.isAssignable(dynType, target); return dynType;
      default:
        if (!isDynOrError(target)) this.#report(offset, `type '${formatType(target)}' does not support field selection`);
        return dynType;
    }
  }

  #structField(offset: number, struct: string, field: string): CelType | undefined {
    const declared = this.environment.struct(struct);
    if (!declared) {
      this.#report(offset, `unexpected failed resolution of '${struct}'`);
      return undefined;
    }
    const type = declared.field(field);
    if (!type) this.#report(offset, `undefined field '${field}'`);
    return type;
  }

  #call(expr: Call): CelType {
    if (expr.function === "_?._") {
      const [operand, field] = expr.args as [Expr, Expr & { value: string }];
      field.type = stringType;
      expr.overloads = ["select_optional_field"];
      return this.#unifier.substitute(this.#field(expr.offset, this.#check(operand), field.value, true), false);
    }
    for (const arg of expr.args) this.#check(arg);
    if (!expr.target) return this.#resolve(expr, expr.function, undefined);
    const prefix = qualifiedName(expr.target);
    if (prefix !== undefined) {
      const name = `${prefix.replace(/^\./, "")}.${expr.function}`;
      if (this.environment.functions(name)) {
        expr.function = name;
        expr.target = undefined;
        return this.#resolve(expr, name, undefined);
      }
    }
    return this.#resolve(expr, expr.function, this.#check(expr.target));
  }

  #resolve(expr: Call, name: string, target: CelType | undefined): CelType {
    const overloads = this.environment.functions(name);
    if (!overloads) return this.#undeclared(expr.offset, name);
    if (name === "_&&_" || name === "_||_") return this.#resolveLogical(expr, overloads[0]!);
    const argTypes = [...(target ? [target] : []), ...expr.args.map((arg) => arg.type!)];
    let result: CelType | undefined;
    const matching: string[] = [];
    for (const overload of overloads) {
      if (overload.member !== (target !== undefined)) continue;
      const [overloadResult, ...parameters] = this.#unifier.instantiate([overload.result, ...overload.args]) as [CelType, ...CelType[]];
      if (!this.#unifier.areAssignable(argTypes, parameters)) continue;
      matching.push(overload.id);
      const found = this.#unifier.substitute(overloadResult, false);
      if (!result) result = found;
      else if (!isDyn(result) && formatType(found) !== formatType(result)) result = dynType;
    }
    if (!result) {
      const [first, ...rest] = argTypes.map((type) => formatType(this.#unifier.substitute(type, true)));
      const signature = target ? `${first}.(${rest.join(", ")})` : `(${[first, ...rest].filter((one) => one !== undefined).join(", ")})`;
      this.#report(expr.offset, `found no matching overload for '${name}' applied to '${signature}'`);
      return errorType;
    }
    expr.overloads = matching;
    return result;
  }

  #resolveLogical(expr: Call, overload: Overload): CelType {
    let failed = false;
    for (const arg of expr.args) {
      if (this.#unifier.isAssignable(arg.type!, boolType)) continue;
      this.#mismatch(arg.offset, boolType, arg.type!);
      failed = true;
    }
    expr.overloads = [overload.id];
    return failed ? errorType : boolType;
  }

  #mismatch(offset: number, expected: CelType, found: CelType): void {
    this.#report(offset, `expected type '${formatType(expected)}' but found '${formatType(found)}'`);
  }

  /** The type inside an optional entry `?x`. */
  #unwrap(expr: Expr, optional: boolean): CelType {
    const type = this.#check(expr);
    if (!optional || isOptional(type)) return optional ? type.params[0]! : type;
    if (!isDyn(type)) this.#mismatch(expr.offset, optionalType(type), type);
    return type;
  }

  #join(previous: CelType | undefined, current: CelType): CelType {
    if (!previous) return current;
    if (this.#unifier.isAssignable(previous, current)) return this.#unifier.mostGeneral(previous, current);
    // Literals say what they have against mixed types, where they have anything.
    return dynType;
  }

  #list(expr: ListExpr): CelType {
    let item: CelType | undefined;
    expr.elements.forEach((element, index) => { item = this.#join(item, this.#unwrap(element, expr.optional.has(index))); });
    return listType(item ?? this.#unifier.newVariable());
  }

  #map(expr: MapExpr): CelType {
    let keyType: CelType | undefined, valueType: CelType | undefined;
    for (const { key, value, optional } of expr.entries) {
      keyType = this.#join(keyType, this.#check(key));
      valueType = this.#join(valueType, this.#unwrap(value, optional));
    }
    return mapType(keyType ?? this.#unifier.newVariable(), valueType ?? this.#unifier.newVariable());
  }

  #struct(expr: StructExpr): CelType {
    const name = expr.name.replace(/^\./, "");
    const type = this.#lookup(name);
    if (!type) return this.#undeclared(expr.offset, expr.name);
    let result = errorType;
    if (type.kind !== "type") this.#report(expr.offset, `'${formatType(type)}' is not a type`);
    else if (type.params[0]?.kind === "struct") result = type.params[0];
    else this.#report(expr.offset, `'${type.params[0]?.name ?? "type"}' is not a message type`);
    for (const { offset, name: field, value, optional } of expr.fields) {
      const valueType = this.#unwrap(value, optional);
      const fieldType = this.#structField(offset, name, field) ?? errorType;
      if (!this.#unifier.isAssignable(fieldType, valueType)) {
        this.#report(offset, `expected type of field '${field}' is '${formatType(fieldType)}' but provided type is '${formatType(valueType)}'`);
      }
    }
    return result;
  }

  #comprehension(expr: Comprehension): CelType {
    const range = this.#unifier.substitute(this.#check(expr.range), false);
    const accu = this.#check(expr.init);
    const vars = new Map<string, CelType>();
    const [first, second] = this.#iterated(expr, range);
    vars.set(expr.iterVar, first);
    if (expr.iterVar2 !== undefined) vars.set(expr.iterVar2, second);
    this.#scopes.push(new Map([[expr.accuVar, accu]]), vars);
    for (const [part, expected] of [[expr.condition, boolType], [expr.step, accu]] as const) {
      const type = this.#check(part);
      if (!this.#unifier.isAssignable(expected, type)) this.#mismatch(part.offset, expected, type);
    }
    this.#scopes.pop();
    const result = this.#check(expr.result);
    this.#scopes.pop();
    return this.#unifier.substitute(result, false);
  }

  /** Types of the one or two variables of a fold over this range. */
  #iterated({ range: expr, iterVar2 }: Comprehension, range: CelType): [CelType, CelType] {
    switch (range.kind) {
      case "list": return iterVar2 === undefined ? [range.params[0]!, dynType] : [intType, range.params[0]!];
      case "map": return [range.params[0]!, range.params[1]!];
      case "dyn": case "error": case "param":
        this.#unifier.isAssignable(dynType, range);
        return [dynType, dynType];
      default:
        this.#report(expr.offset, `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`);
        return [errorType, errorType];
    }
  }
}

function literalType(value: Value): CelType {
  switch (typeof value) {
    case "boolean": return boolType;
    case "bigint": return intType;
    case "number": return doubleType;
    case "string": return stringType;
    default: return value === null ? nullType : value instanceof Uint ? uintType : bytesType;
  }
}
