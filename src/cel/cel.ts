/**
 * The Common Expression Language as Kubernetes 1.36 speaks it (https://kubernetes.io/docs/reference/using-api/cel/): type checking with
 * cel-go's messages, cost bounded at run time and estimated before, RE2 regular expressions, Kubernetes' libraries.
 *
 * No npm package has costs, schema types and these messages, so the engine is ours; regular expressions come from re2js.
 */
import type { CelType } from "./type.ts";
import type { Value } from "./values/value.ts";

/** A declared type with the bounds that cost estimates go by: from a CRD's schema, or made by hand for `request` and its like. */
export interface DeclType {
  readonly type: CelType;
  /** Of an object, by the escaped name. */
  readonly fields?: ReadonlyMap<string, DeclField>;
  /** Of a list's items or a map's values. */
  readonly item?: DeclType;
  readonly key?: DeclType;
  /** The longest a string, list or map can be. */
  readonly maxElements: number;
  /** Bytes of the smallest JSON of this type. */
  readonly minSerializedSize: number;
  /** Beyond the type: how lists compare and add, and what JSON of this type becomes. */
  readonly listType?: "set" | "map";
  readonly listMapKeys?: readonly string[];
  readonly intOrString?: boolean;
}

export interface DeclField {
  /** As in JSON, unescaped. */
  readonly json: string;
  readonly decl: DeclType;
}

/** A compiled expression. Pure data and closures: evaluate it as often as you like. */
export interface Program {
  readonly source: string;
  readonly type: CelType;
  /** Names of the variables that the expression mentions. */
  readonly references: ReadonlySet<string>;
  /** Variables by name: what `valueOf…` made, or a function that makes it when first needed. Never throws for what the expression does. */
  evaluate(variables: Variables, options?: { costLimit?: number }): Evaluation;
}

export type Variables = Readonly<Record<string, Value | (() => Value)>>;

export type Evaluation =
  | { readonly value: Value; readonly error?: undefined; readonly cost: number }
  /** `error` is worded as cel-go words it; `outOfBudget` when the limit on cost ended the evaluation. */
  | { readonly value?: undefined; readonly error: string; readonly outOfBudget: boolean; readonly cost: number };

/**
 * Either a program, or what is wrong with the source. At `compilation` the issues are as cel-go displays them, one or more
 * `ERROR: <input>:1:5: undeclared reference to 'x' …`; at `instantiation` a literal can't be converted: `int('x')`.
 */
export type Compiled = { readonly program: Program; readonly issues?: undefined } | { readonly program?: undefined; readonly issues: string; readonly stage: "compilation" | "instantiation" };

export interface CostRange {
  readonly min: number;
  readonly max: number;
}

/** Of one evaluation (Kubernetes' PerCallLimit). */
export const perCallLimit = 1_000_000;
/** Of all validations of one policy binding or custom resource (RuntimeCELCostBudget). */
export const runtimeCostBudget = 10_000_000;
/** Of all match conditions of one webhook or policy. */
export const matchConditionsCostBudget = 2_500_000;
