import type { CelType } from "./type.ts";
import type { Value } from "./values/value.ts";

/** One form of a function: which arguments it takes, and what it does with them. */
export interface Overload {
  /** As cel-go and Kubernetes call it; costs are looked up by it. */
  readonly id: string;
  /** Called as `x.f(…)`; `args` then begins with the receiver. */
  readonly member: boolean;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Absent for what the interpreter does itself. Never throws; arguments are never errors. */
  readonly call?: (...args: Value[]) => Value;
}

/** Functions by name. */
export type Library = Readonly<Record<string, readonly Overload[]>>;

export const func = (id: string, args: readonly CelType[], result: CelType, call?: (...args: never[]) => Value): Overload =>
  ({ id, member: false, args, result, ...(call && { call: call as (...args: Value[]) => Value }) });

export const method = (id: string, args: readonly CelType[], result: CelType, call?: (...args: never[]) => Value): Overload =>
  ({ id, member: true, args, result, ...(call && { call: call as (...args: Value[]) => Value }) });
