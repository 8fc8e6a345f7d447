import type { Frozen } from "../../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import type { ExpressionWarning, NamedRuleWithOperations, ValidatingAdmissionPolicy } from "../../apis/generated/admissionregistration/v1.ts";
import { compileVariables } from "../../cel/admission/compile.ts";
import { admissionEnvironment, type AdmissionDeclarations } from "../../cel/admission/environment.ts";
import type { DeclType } from "../../cel/cel.ts";
import { compile } from "../../cel/compile.ts";

/** As many kinds as one policy's expressions are checked against. */
const mostKinds = 10;

/** What is known of the kinds that are served. */
export interface KindTypes {
  readonly cards: readonly AnyResource[];
  /** Undefined for a kind whose schema isn't known. */
  declTypeOf(card: AnyResource): DeclType | undefined;
}

/**
 * What a policy's expressions do that the kinds it is for don't have: fields that aren't there, values of other types.
 * Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
 */
export function typeCheck({ spec }: Frozen<ValidatingAdmissionPolicy>, kinds: KindTypes): ExpressionWarning[] {
  const objects = kindsOf(spec.matchConstraints?.resourceRules ?? [], kinds).flatMap((card) => {
    const object = kinds.declTypeOf(card);
    return object ? [{ kind: `${apiVersionOf(card)}, Kind=${card.kind}`, object }] : [];
  });
  const { paramKind, variables = [], validations = [] } = spec;
  const paramsCard = paramKind && kinds.cards.find((card) => apiVersionOf(card) === paramKind.apiVersion && card.kind === paramKind.kind);
  const paramsObject = paramsCard && kinds.declTypeOf(paramsCard);
  const named = variables.map(({ name = "", expression = "" }) => ({ name, expression }));

  const check = (fieldRef: string, expression: string | undefined): ExpressionWarning[] => {
    if (!expression) return [];
    const issues = objects.flatMap(({ kind, object }) => {
      const declarations: AdmissionDeclarations = { params: paramKind !== undefined, authorizer: true, object, ...(paramsObject && { paramsObject }) };
      const { types } = compileVariables(named, declarations);
      const compiled = compile(expression, admissionEnvironment({ ...declarations, variables: types }));
      return compiled.program || compiled.stage === "instantiation" ? [] : [`${kind}: ${compiled.issues}\n`];
    });
    return issues.length > 0 ? [{ fieldRef, warning: issues.join("\n") }] : [];
  };

  return validations.flatMap(({ expression, messageExpression }, index) => [
    ...check(`spec.validations[${index}].expression`, expression), ...check(`spec.validations[${index}].messageExpression`, messageExpression),
  ]);
}

/** The kinds that rules name outright; a rule with a wildcard names none. */
function kindsOf(rules: readonly Frozen<NamedRuleWithOperations>[], { cards }: KindTypes): AnyResource[] {
  const found = new Set<AnyResource>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of rules) {
    if (apiGroups.includes("*") || apiVersions.includes("*")) continue;
    for (const card of cards) {
      if (apiGroups.includes(card.group) && apiVersions.includes(card.version) && resources.includes(card.resource)) found.add(card);
      if (found.size === mostKinds) break;
    }
  }
  return [...found].toSorted((a, b) => (`${a.group}/${a.version}/${a.kind}` < `${b.group}/${b.version}/${b.kind}` ? -1 : 1));
}
