import { forbidden } from "../../apimachinery/status.ts";
import { compileFor, type CompiledExpression } from "../../cel/admission/compile.ts";
import { admissionEnvironment } from "../../cel/admission/environment.ts";
import { evaluateConditions } from "../../cel/admission/evaluate.ts";
import type { Environment } from "../../cel/environment.ts";
import type { Authorizer } from "../attributes.ts";
import { requestVariables } from "./policy/request-variables.ts";
import type { MatchConditions } from "./webhook/webhook.ts";

/** The CEL conditions of webhooks. Expressions are compiled when a write first comes by and kept with the stored configuration's list of them. */
export function createMatchConditions({ authorizer }: { authorizer: Authorizer }): MatchConditions {
  const known = new WeakMap<object, readonly CompiledExpression[]>();
  let environment: Environment | undefined;

  return (conditions, attributes, failurePolicy) => {
    let compiled = known.get(conditions);
    if (!compiled) {
      const env = (environment ??= admissionEnvironment({ params: false, authorizer: true }));
      known.set(conditions, compiled = conditions.map(({ expression = "" }) => compileFor("matchCondition", expression, env)));
    }
    const { card, object, oldObject } = attributes;
    const { matches, error } = evaluateConditions(compiled, requestVariables({ attributes, card, objects: { object, oldObject }, namespace: undefined, authorizer }));
    if (error === undefined) return matches;
    if (failurePolicy === "Ignore") return false;
    throw forbidden(card, attributes.name, error);
  };
}
