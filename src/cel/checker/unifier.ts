import { isDyn, isDynOrError, listType, mapType, sameType, typeOfType, type CelType } from "../type.ts";

const nullable = new Set(["opaque", "struct", "duration", "timestamp", "null"]);

/** What type parameters stand for, as far as is known. Attempts that fail leave no trace. */
export class Unifier {
  readonly #bound = new Map<string, CelType>();
  #trail: [string, CelType | undefined][] = [];
  #fresh = 0;

  newVariable(): CelType {
    return { kind: "param", name: `_var${this.#fresh++}`, params: [] };
  }

  /** Whether a value of type `from` may be where `to` is expected; binds type parameters if so. */
  isAssignable(to: CelType, from: CelType): boolean {
    return this.#attempt(() => this.#assignable(to, from));
  }

  areAssignable(to: readonly CelType[], from: readonly CelType[]): boolean {
    return this.#attempt(() => this.#listAssignable(to, from));
  }

  /** Replaces type parameters by what they are bound to; unbound ones by dyn when asked. */
  substitute(type: CelType, unboundToDyn: boolean): CelType {
    if (type.kind === "param") {
      const bound = this.#bound.get(type.name);
      if (bound) return this.substitute(bound, unboundToDyn);
      return unboundToDyn ? { kind: "dyn", name: "dyn", params: [] } : type;
    }
    if (type.params.length === 0) return type;
    const params = type.params.map((param) => this.substitute(param, unboundToDyn));
    switch (type.kind) {
      case "list": return listType(params[0]!);
      case "map": return mapType(params[0]!, params[1]!);
      case "type": return typeOfType(params[0]!);
      default: return { ...type, params };
    }
  }

  /** The same type with fresh type parameters, so that two calls of a function don't bind each other's. */
  instantiate(types: readonly CelType[]): CelType[] {
    const fresh = new Map<string, CelType>();
    const rename = (type: CelType): CelType => {
      if (type.kind === "param") {
        let variable = fresh.get(type.name);
        if (!variable) fresh.set(type.name, variable = this.newVariable());
        return variable;
      }
      return type.params.length === 0 ? type : { ...type, params: type.params.map(rename) };
    };
    return types.map(rename);
  }

  mostGeneral(a: CelType, b: CelType): CelType {
    return lessOrEquallySpecific(a, b) ? a : b;
  }

  #attempt(tryIt: () => boolean): boolean {
    this.#trail = [];
    if (tryIt()) return true;
    for (const [name, old] of this.#trail.reverse()) {
      if (old) this.#bound.set(name, old);
      else this.#bound.delete(name);
    }
    return false;
  }

  #bind(name: string, type: CelType): void {
    this.#trail.push([name, this.#bound.get(name)]);
    this.#bound.set(name, type);
  }

  #assignable(a: CelType, b: CelType): boolean {
    if (b.kind === "param") {
      const [valid, bound] = this.#validSubstitution(a, b);
      if (valid) return true;
      if (bound) return false;
    }
    if (a.kind === "param") return this.#validSubstitution(b, a)[0];
    if (isDynOrError(a) || isDynOrError(b)) return true;
    if (a.kind === "null") return nullable.has(b.kind);
    if (b.kind === "null") return nullable.has(a.kind);
    if (a.kind === "type") return b.kind === "type";
    if (a.kind !== b.kind || a.name !== b.name) return false;
    return this.#listAssignable(a.params, b.params);
  }

  #listAssignable(a: readonly CelType[], b: readonly CelType[]): boolean {
    return a.length === b.length && a.every((type, index) => this.#assignable(type, b[index]!));
  }

  /** Whether `param` may stand for `type`, and whether it stood for something before. */
  #validSubstitution(type: CelType, param: CelType): [valid: boolean, bound: boolean] {
    if (type.kind === "param" && type.name === param.name) return [true, true];
    const bound = this.#bound.get(param.name);
    if (bound) {
      if (sameType(type, bound)) return [true, true];
      if (!this.#assignable(type, bound)) return [false, true];
      const general = this.mostGeneral(type, bound);
      if (this.#notWithin(param, general)) this.#bind(param.name, general);
      return [true, true];
    }
    if (!this.#notWithin(param, type)) return [false, false];
    this.#bind(param.name, type);
    return [true, false];
  }

  #notWithin(param: CelType, type: CelType): boolean {
    if (type.kind !== "param") return type.params.every((inner) => this.#notWithin(param, inner));
    if (type.name === param.name) return false;
    const bound = this.#bound.get(type.name);
    return !bound || this.#notWithin(param, bound);
  }
}

function lessOrEquallySpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === "param") return true;
  if (isDyn(b) || b.kind === "param") return false;
  if (a.kind !== b.kind) return false;
  if (a.kind === "type") return true;
  return a.name === b.name && a.params.length === b.params.length && a.params.every((param, index) => lessOrEquallySpecific(param, b.params[index]!));
}
