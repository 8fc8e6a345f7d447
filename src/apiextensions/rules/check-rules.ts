import { forbiddenField, invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ValidationRule } from "../../apis/generated/apiextensions/v1.ts";
import type { DeclType, Program } from "../../cel/cel.ts";
import { estimateCost } from "../../cel/cost/estimate.ts";
import { maxCardinality } from "../../cel/schema/decl-type.ts";
import { additionalOf, asResource, itemsOf, type Schema } from "../schema/schema.ts";
import { rulesOf, type CompiledRule } from "./compiled-rules.ts";

/** What one rule may cost, and all rules of a schema together. */
const mostPerRule = 10_000_000, mostPerSchema = 100_000_000;

interface Place {
  field: string;
  /** How often there can be such a value in one object; undefined when nothing bounds it. */
  cardinality: number | undefined;
  /** The outermost list or map around whose items can't be told from before. */
  uncorrelatable: string | undefined;
}

/** Whether rules compile and what they can cost at most. Source: k8s.io/apiextensions-apiserver ValidateCustomResourceDefinitionOpenAPISchema and CELSchemaContext. */
export function checkRules(schema: Schema, field: string): FieldError[] {
  const check = new Check();
  check.schema(asResource(schema), { field, cardinality: 1, uncorrelatable: undefined });
  return [...check.errors, ...check.total(field)];
}

class Check {
  readonly errors: FieldError[] = [];
  readonly #costs: { field: string; cost: number }[] = [];

  schema(schema: Schema, place: Place): void {
    const { field, cardinality } = place, items = itemsOf(schema), additional = additionalOf(schema);
    const times = (most: number | undefined): number | undefined => (cardinality === undefined || most === undefined ? undefined : cardinality * most);
    if (additional) this.schema(additional, { ...place, field: `${field}.additionalProperties`, cardinality: times(schema.maxProperties) });
    for (const [name, property] of Object.entries(schema.properties ?? {})) this.schema(property, { ...place, field: `${field}.properties[${name}]` });
    if (items) {
      const uncorrelatable = place.uncorrelatable ?? (schema["x-kubernetes-list-type"] === "map" ? undefined : field);
      this.schema(items, { field: `${field}.items`, cardinality: times(schema.maxItems), uncorrelatable });
    }
    const rules = rulesOf(schema);
    rules?.rules.forEach((rule, i) => this.#rule(rule, rules.decl, place, `${field}.x-kubernetes-validations[${i}]`));
  }

  #rule({ rule, program, message, error, messageError, usesOldSelf }: CompiledRule, decl: DeclType, { cardinality, uncorrelatable }: Place, field: string): void {
    const times = cardinality ?? maxCardinality(decl);
    if (program) this.#cost(program, decl, times, `${field}.rule`, "estimated rule cost");
    if (error !== undefined) this.errors.push(invalidValue(`${field}.rule`, shown(rule), error));
    if (messageError !== undefined) this.errors.push(invalidValue(`${field}.messageExpression`, shown(rule), messageError));
    else if (message) this.#cost(message, decl, 1, `${field}.messageExpression`, "estimated messageExpression cost");
    if (usesOldSelf && uncorrelatable !== undefined) this.errors.push(invalidValue(`${field}.rule`, rule.rule, `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`));
    else if (!usesOldSelf && rule.optionalOldSelf !== undefined && program) this.errors.push(invalidValue(`${field}.optionalOldSelf`, rule.optionalOldSelf, "may not be set if oldSelf is not used in rule"));
  }

  #cost(program: Program, decl: DeclType, times: number, field: string, what: string): void {
    const cost = estimateCost(program, { self: decl, oldSelf: decl }).max * times;
    this.#costs.push({ field, cost });
    if (cost > mostPerRule) this.errors.push(forbiddenField(field, tooExpensive(what, cost, mostPerRule)));
  }

  /** Of a schema that costs too much altogether, its most expensive rules and itself. */
  total(field: string): FieldError[] {
    const total = this.#costs.reduce((sum, { cost }) => sum + cost, 0);
    if (total <= mostPerSchema) return [];
    const most = this.#costs.filter(({ cost }) => cost >= mostPerSchema / 100).toSorted((a, b) => b.cost - a.cost).slice(0, 4);
    return [
      ...most.map((one) => forbiddenField(one.field, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema")),
      forbiddenField(field, tooExpensive("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", total, mostPerSchema)),
    ];
  }
}

function tooExpensive(what: string, cost: number, limit: number): string {
  const times = cost / limit, factor = times > 100 ? "more than 100x" : times < 1.5 ? `${times.toFixed(6)}x` : `${times.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

/** As Go shows it. */
const shown = ({ rule, message = "", messageExpression = "", reason = undefined, fieldPath = "", optionalOldSelf = undefined }: Frozen<ValidationRule>): object =>
  ({ Rule: rule, Message: message, MessageExpression: messageExpression, Reason: reason ?? null, FieldPath: fieldPath, OptionalOldSelf: optionalOldSelf ?? null });
