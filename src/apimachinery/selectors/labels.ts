import type { Frozen, LabelSelector } from "../meta.ts";
import { badRequest } from "../status.ts";
import { labelKeyErrors, labelValueErrors } from "../validation/names.ts";
import { tokenize, type Token } from "./tokens.ts";

export type LabelOperator = "=" | "!=" | "in" | "notin" | "exists" | "!" | "gt" | "lt";
/** One term of a selector (k8s.io/apimachinery/pkg/labels). `values` is sorted; empty for `exists` and `!`. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}
/** Terms that must all hold: an empty selector matches everything. */
export type Selector = readonly LabelRequirement[] | "nothing";

export const everything: Selector = [];
export const nothing: Selector = "nothing";

type Labels = Readonly<Record<string, string>> | undefined;

export function matchesLabels(selector: Selector, labels: Labels): boolean {
  if (selector === "nothing") return false;
  for (const requirement of selector) if (!holds(requirement, labels)) return false;
  return true;
}

function holds({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "=": return value === values[0];
    case "!=": return value !== values[0];
    case "in": return value !== undefined && values.includes(value);
    case "notin": return value === undefined || !values.includes(value);
    case "exists": return value !== undefined;
    case "!": return value === undefined;
    case "gt": return isInteger(value) && BigInt(value) > BigInt(values[0]!);
    case "lt": return isInteger(value) && BigInt(value) < BigInt(values[0]!);
  }
}

const isInteger = (text: string | undefined): text is string => text !== undefined && /^-?\d+$/.test(text);

/** Reads what kubectl's `-l` takes: `app=web,tier in (a,b),!canary`. Throws a 400 StatusError. */
export function parseLabelSelector(text: string): Selector {
  const tokens = tokenize(text);
  const requirements: LabelRequirement[] = [];
  let position = 0;
  const fail = (found: string, expected: string, where = "unable to parse requirement: "): never => {
    throw badRequest(`${where}found '${found}', expected: ${expected}`);
  };
  const take = (): Token => tokens[position++]!;
  const peek = (): Token => tokens[position]!;

  while (peek().type !== "end") {
    const negated = peek().type === "!";
    if (negated) position++;
    const name = take();
    if (name.type !== "word") fail(name.text, negated ? "identifier" : "!, identifier, or 'end of string'", negated ? undefined : "");
    requirements.push(makeRequirement(name.text, ...readRest(negated)));
    const next = peek();
    if (next.type === ",") {
      position++;
      if (peek().type !== "word" && peek().type !== "!") fail(peek().text, "identifier after ','", "");
    } else if (next.type !== "end") fail(next.text, "',' or 'end of string'", "");
  }
  return requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));

  function readRest(negated: boolean): [LabelOperator, string[]] {
    if (negated) return ["!", []];
    const { type, text: operator } = peek();
    if (type === "end" || type === ",") return ["exists", []];
    position++;
    if (type === "operator") return [operator as LabelOperator, [readValue()]];
    if (type === "word" && (operator === "in" || operator === "notin")) return [operator, readSet()];
    return fail(operator, "in, notin, =, ==, !=, gt, lt");
  }
  /** What follows `=`: a word, or nothing for the empty value. */
  function readValue(): string {
    if (peek().type === "word") return take().text;
    if (peek().type === "," || peek().type === "end") return "";
    return fail(peek().text, "identifier");
  }
  function readSet(): string[] {
    if (take().type !== "(") fail(tokens[position - 1]!.text, "'('");
    const values = new Set<string>();
    for (;;) {
      values.add(peek().type === "word" ? take().text : "");
      const next = take();
      if (next.type === ")") return [...values].sort();
      if (next.type !== ",") fail(next.text, "',' or ')'");
    }
  }
}

/** Throws a 400 StatusError for a key or value that no label can have. */
export function makeRequirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const keyErrors = labelKeyErrors(key);
  if (keyErrors.length > 0) throw badRequest(`unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(key)}: ${keyErrors.join("; ")}`);
  if (operator === "gt" || operator === "lt") {
    if (!isInteger(values[0])) throw badRequest(`unable to parse requirement: values[0]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`);
  }
  values.forEach((value, i) => {
    const errors = labelValueErrors(value);
    if (errors.length > 0) throw badRequest(`unable to parse requirement: values[${i}][${key}]: Invalid value: ${JSON.stringify(value)}: ${errors.join("; ")}`);
  });
  return { key, operator, values };
}

const operatorOf: Readonly<Record<string, LabelOperator>> = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!" };

/** From the selector of a spec. Absent matches nothing, empty matches everything. Throws a 400 StatusError when it isn't valid. */
export function fromLabelSelector(selector: Frozen<LabelSelector> | LabelSelector | null | undefined): Selector {
  if (!selector) return nothing;
  const requirements = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => makeRequirement(key, "=", [value]));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = operatorOf[operator];
    if (!known) throw badRequest(`${JSON.stringify(operator)} is not a valid label selector operator`);
    requirements.push(makeRequirement(key, known, [...(values ?? [])].sort()));
  }
  return requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/** Labels that must all be equal, as the selectors of Services and ReplicationControllers have. Empty matches everything. */
export const fromSet = (labels: Labels): Selector => Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: "=", values: [value] }));

/** The string form, which `parseLabelSelector` reads. */
export function formatSelector(selector: Selector): string {
  if (selector === "nothing") return "";
  return selector.map(({ key, operator, values }) => {
    switch (operator) {
      case "exists": return key;
      case "!": return `!${key}`;
      case "in": case "notin": return `${key} ${operator} (${values.join(",")})`;
      case "gt": return `${key}>${values[0]}`;
      case "lt": return `${key}<${values[0]}`;
      default: return `${key}${operator}${values[0]}`;
    }
  }).join(",");
}

/** metav1.FormatLabelSelector: what columns and `/scale` show. */
export const formatLabelSelector = (selector: Frozen<LabelSelector> | LabelSelector | null | undefined): string =>
  formatSelector(fromLabelSelector(selector)) || "<none>";
