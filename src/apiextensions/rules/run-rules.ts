import { duplicate, forbiddenField, invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { isObject, type JsonObject } from "../../apimachinery/own.ts";
import type { ValidationRule } from "../../apis/generated/apiextensions/v1.ts";
import { perCallLimit, runtimeCostBudget } from "../../cel/cel.ts";
import { valueOf } from "../../cel/values/json.ts";
import { Optional, type Value } from "../../cel/values/value.ts";
import { Correlation } from "../schema/correlation.ts";
import { additionalOf, itemsOf, propertyOf, type Schema } from "../schema/schema.ts";
import { hasRules, rulesOf, type CompiledRule, type NodeRules } from "./compiled-rules.ts";

/** A value on its way through its schema. */
interface Node {
  value: unknown;
  /** Undefined where it can't be told from before, or is new. */
  old: unknown;
  schema: Schema;
  /** Empty at the root. */
  field: string;
  /** The nearest value around that can be told from before: what has not changed is let pass. */
  correlation: Correlation | undefined;
}

/**
 * Runs the rules of a schema, within Kubernetes' budget for one object. Of a rule about the value alone, what was false before and has not
 * changed is let pass. Source: k8s.io/apiextensions-apiserver pkg/apiserver/schema/cel Validator.
 */
export function runRules(value: unknown, schema: Schema, { old, field = "" }: { old?: unknown; field?: string } = {}): FieldError[] {
  if (!hasRules(schema)) return [];
  const run = new Run();
  run.node({ value, old, schema, field, correlation: old === undefined ? undefined : new Correlation(value, old, schema) });
  return run.errors;
}

class Run {
  readonly errors: FieldError[] = [];
  #budget = runtimeCostBudget;
  #ended = false;

  node(node: Node): void {
    const { value, schema } = node;
    if (this.#ended || value === null || value === undefined || !hasRules(schema)) return;
    const rules = rulesOf(schema);
    if (rules) this.#rules(node, rules);
    this.#children(node);
  }

  #children({ value, old, schema, field, correlation }: Node): void {
    if (Array.isArray(value)) {
      const items = itemsOf(schema);
      if (!items || !hasRules(items)) return;
      const listed = new Correlation(value, old, schema);
      value.forEach((item, i) => this.node({ value: item, old: listed.index(i)?.old, schema: items, field: `${field}[${i}]`, correlation: correlation?.index(i) ?? unchanged(correlation) }));
    } else if (isObject(value)) this.#fields(value, isObject(old) ? old : {}, schema, field, correlation);
  }

  #fields(value: JsonObject, old: JsonObject, schema: Schema, field: string, correlation: Correlation | undefined): void {
    const additional = additionalOf(schema);
    for (const name of Object.keys(value)) {
      const own = propertyOf(schema, name), inner = own ?? additional;
      if (!inner || !hasRules(inner)) continue;
      const at = own ? (field ? `${field}.${name}` : name) : `${field}[${name}]`;
      this.node({ value: value[name], old: Object.hasOwn(old, name) ? old[name] : undefined, schema: inner, field: at, correlation: correlation?.key(name) ?? unchanged(correlation) });
    }
  }

  #rules(node: Node, { rules, decl }: NodeRules): void {
    const { value, old, schema, field } = node, at = field || "<nil>", hasOld = old !== undefined && old !== null;
    const self = valueOf(value, decl), oldSelf = hasOld ? valueOf(old, decl) : undefined;
    for (const rule of rules) {
      if (this.#ended) return;
      if (rule.error !== undefined) {
        this.errors.push(invalidValue(at, schema.type, `rule compile error: ${rule.error}`));
        continue;
      }
      const optional = rule.rule.optionalOldSelf ?? false;
      if (!rule.program || (rule.usesOldSelf && !hasOld && !optional)) continue;
      const variables: Record<string, Value> = { self };
      if (optional) variables["oldSelf"] = oldSelf === undefined ? Optional.none : Optional.of(oldSelf);
      else if (oldSelf !== undefined) variables["oldSelf"] = oldSelf;
      this.#rule(node, rule, variables, at);
    }
  }

  #rule({ value, schema, field, correlation }: Node, { rule, program, message, usesOldSelf, fieldPath }: CompiledRule, variables: Record<string, Value>, at: string): void {
    const { cost, ...result } = program!.evaluate(variables, { costLimit: perCallLimit });
    if (!this.#spend(cost, () => invalidValue(at, schema.type, "validation failed due to running out of cost budget, no further validation rules will be run"))) return;
    if (result.error !== undefined) return this.#failed(result.error, result.outOfBudget, rule, at, schema);
    if (result.value === true || (!usesOldSelf && correlation?.equal)) return;
    const detail = message && this.#message(message.evaluate(variables, { costLimit: perCallLimit }), at, schema);
    if (this.#ended) return;
    const where = fieldPath ? (field ? `${field}.${fieldPath}` : fieldPath) : at;
    this.errors.push(fieldErrorOf(rule, where, schema.type === "object" || schema.type === "array" ? omitted : value, detail ?? messageOf(rule)));
  }

  #failed(error: string, outOfBudget: boolean, rule: Frozen<ValidationRule>, at: string, schema: Schema): void {
    const text = textOf(rule);
    if (outOfBudget) {
      this.errors.push(invalidValue(at, schema.type, `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`));
      this.#ended = true;
    } else if (error.startsWith("no such overload")) {
      this.errors.push(invalidValue(at, schema.type, `'${error}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`));
    } else this.errors.push(invalidValue(at, schema.type, `${error} evaluating rule: ${text}`));
  }

  /** Undefined when the expression comes to nothing that can be shown. */
  #message(result: { value?: Value; error?: string; outOfBudget?: boolean; cost: number }, at: string, schema: Schema): string | undefined {
    const fits = this.#spend(result.cost, () => invalidValue(at, schema.type, "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"));
    if (!fits || typeof result.value !== "string") return undefined;
    const text = result.value.trim();
    return text === "" || text.includes("\n") || Buffer.byteLength(text) > 5 * 1024 ? undefined : text;
  }

  #spend(cost: number, tooMuch: () => FieldError): boolean {
    this.#budget -= cost;
    if (this.#budget >= 0) return true;
    this.errors.push(tooMuch());
    this.#ended = true;
    return false;
  }
}

/** What can't be told from before itself is unchanged when what holds it is. */
const unchanged = (correlation: Correlation | undefined): Correlation | undefined => (correlation?.equal ? correlation : undefined);

const textOf = ({ message, rule }: Frozen<ValidationRule>): string => (message ? message.trim() : rule.trim());
const messageOf = (rule: Frozen<ValidationRule>): string => (rule.message ? rule.message.trim() : `failed rule: ${textOf(rule)}`);

/** Objects and lists are not shown. */
const omitted = Symbol("omitted");

function fieldErrorOf({ reason }: Frozen<ValidationRule>, field: string, value: unknown, detail: string): FieldError {
  if (reason === "FieldValueForbidden") return forbiddenField(field, detail);
  if (reason === "FieldValueRequired") return required(field, detail);
  if (reason === "FieldValueDuplicate") return value === omitted ? { reason, field, message: "Duplicate value" } : duplicate(field, value);
  return value === omitted ? { reason: "FieldValueInvalid", field, message: `Invalid value: ${detail}` } : invalidValue(field, value, detail);
}
