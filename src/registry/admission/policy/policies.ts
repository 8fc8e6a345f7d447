import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { AnyResource } from "../../../apimachinery/resource.ts";
import type { MatchCondition, MatchResources, NamedRuleWithOperations, ParamKind, ParamRef, Variable } from "../../../apis/generated/admissionregistration/v1.ts";
import type { Namespace } from "../../../apis/generated/core/v1.ts";
import { compileFor, compileVariables, type CompiledExpression, type ExpressionPurpose } from "../../../cel/admission/compile.ts";
import { admissionEnvironment, type AdmissionDeclarations } from "../../../cel/admission/environment.ts";
import { evaluateConditions } from "../../../cel/admission/evaluate.ts";
import type { Variables } from "../../../cel/cel.ts";
import type { Authorizer } from "../../attributes.ts";
import type { Listers } from "../../listers.ts";
import type { AdmissionAttributes } from "../admission.ts";
import type { Matcher, MatchCriteria } from "../matching.ts";
import { objectsAs } from "../webhook/versions.ts";
import { collectParams, paramCard, type Param } from "./params.ts";
import { requestVariables, type RequestView } from "./request-variables.ts";

/** What policies of both sorts, and their bindings, have in common. */
interface PolicySpec {
  failurePolicy?: string;
  paramKind?: ParamKind;
  matchConstraints?: MatchResources;
  matchConditions?: MatchCondition[];
  variables?: Variable[];
}
export interface Policy extends KubeObject {
  spec: PolicySpec;
}
export interface Binding extends KubeObject {
  spec: { policyName?: string; paramRef?: ParamRef; matchResources?: MatchResources };
}

export interface PolicyDependencies {
  listers: Listers;
  authorizer: Authorizer;
  matcher: Matcher;
  /** All that is served now. */
  cards(): readonly AnyResource[];
}

/** Something is wrong with a policy or a binding, and its failure policy decides what that means. */
export interface ConfigurationError {
  message: string;
  /** Whether it is the policy's own, whatever the binding. */
  ofPolicy: boolean;
}

/** A policy that is for a write, as one of its bindings wants it: evaluated with each of `params`. */
export interface Bound<P extends Policy, B extends Binding> {
  policy: Frozen<P>;
  binding: Frozen<B> | undefined;
  view: RequestView | undefined;
  params: readonly Param[];
  error?: ConfigurationError;
}

/** Policies bound to a write, in order of their names, then of their bindings' names. */
export async function boundPolicies<P extends Policy, B extends Binding>(policies: readonly Frozen<P>[], bindings: readonly Frozen<B>[], attributes: AdmissionAttributes, dependencies: PolicyDependencies): Promise<Bound<P, B>[]> {
  const result: Bound<P, B>[] = [];
  const views = new Map<AnyResource, RequestView>();
  for (const policy of byName(policies)) {
    const { name } = policy.metadata;
    const own = byName(bindings.filter(({ spec }) => spec.policyName === name));
    if (own.length === 0) continue;
    const failed = (error: unknown, binding?: Frozen<B>): void => {
      result.push({ policy, binding, view: undefined, params: [], error: { message: (error as Error).message, ofPolicy: binding === undefined } });
    };
    let card: AnyResource | undefined;
    try {
      card = dependencies.matcher(criteriaOf((policy as Frozen<Policy>).spec.matchConstraints), attributes);
      if (!card) continue;
      if (policy.spec.paramKind) paramCard(dependencies, policy.spec.paramKind as Frozen<ParamKind>);
    } catch (error) {
      failed(error);
      continue;
    }
    for (const binding of own) {
      const { matchResources, paramRef } = (binding as Frozen<Binding>).spec;
      try {
        if (matchResources && !dependencies.matcher(criteriaOf(matchResources), attributes)) continue;
        const params = await collectParams(dependencies, (policy as Frozen<Policy>).spec.paramKind, paramRef, requestNamespace(attributes));
        if (params.length > 0) result.push({ policy, binding, params, view: await viewAs(card, attributes, dependencies, views) });
      } catch (error) {
        failed(error, binding);
      }
    }
  }
  return result;
}

const byName = <T extends Frozen<KubeObject>>(objects: readonly T[]): T[] => objects.toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));

const anything: Frozen<NamedRuleWithOperations> = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] };

/** Without rules, constraints are for everything. */
const criteriaOf = ({ resourceRules = [], excludeResourceRules = [], matchPolicy, namespaceSelector, objectSelector }: Frozen<MatchResources> = {}): MatchCriteria =>
  ({ rules: resourceRules.length > 0 ? resourceRules : [anything], excludeRules: excludeResourceRules, matchPolicy, namespaceSelector, objectSelector });

/** Attributes name a Namespace as its own namespace; policies don't. */
const requestNamespace = ({ card, namespace }: AdmissionAttributes): string => (card.group === "" && card.resource === "namespaces" ? "" : namespace);

/** The write in a version of its kind, made once however many policies look at it. */
async function viewAs(card: AnyResource, attributes: AdmissionAttributes, { listers, authorizer }: PolicyDependencies, views: Map<AnyResource, RequestView>): Promise<RequestView> {
  let view = views.get(card);
  if (!view) {
    const namespaceName = requestNamespace(attributes);
    const namespace = namespaceName ? listers<Namespace>("", "namespaces").get(namespaceName) : undefined;
    views.set(card, view = { attributes, card, objects: await objectsAs(attributes, card), namespace, authorizer });
  }
  return view;
}

/** A policy's expressions, compiled as they are first needed. */
export class CompiledPolicy {
  readonly #declarations: AdmissionDeclarations;
  #variables: ReturnType<typeof compileVariables> | undefined;
  readonly #expressions = new Map<string, CompiledExpression>();

  constructor(private readonly spec: Frozen<PolicySpec>) {
    this.#declarations = { params: spec.paramKind !== undefined, authorizer: true };
  }

  get variables(): ReadonlyMap<string, CompiledExpression> {
    return this.#compiledVariables().compiled;
  }

  expression(purpose: ExpressionPurpose, source: string): CompiledExpression {
    const key = `${purpose} ${source}`;
    let compiled = this.#expressions.get(key);
    if (!compiled) {
      const declarations = {
        ...this.#declarations, authorizer: purpose !== "messageExpression", patchTypes: purpose === "applyConfiguration" || purpose === "jsonPatch",
        variables: this.#compiledVariables().types,
      };
      this.#expressions.set(key, compiled = compileFor(purpose, source, admissionEnvironment(declarations)));
    }
    return compiled;
  }

  /** Whether the match conditions hold; an error that `failurePolicy` Ignore makes a no is none. Throws an Error otherwise. */
  conditionsHold(given: Variables): boolean {
    const { matchConditions = [], failurePolicy } = this.spec;
    if (matchConditions.length === 0) return true;
    const { matches, error } = evaluateConditions(matchConditions.map(({ expression = "" }) => this.expression("matchCondition", expression)), given, this.variables);
    if (error === undefined) return matches;
    if (failurePolicy === "Ignore") return false;
    throw new Error(error);
  }

  #compiledVariables(): ReturnType<typeof compileVariables> {
    return (this.#variables ??= compileVariables((this.spec.variables ?? []).map(({ name = "", expression = "" }) => ({ name, expression })), this.#declarations));
  }
}

/** Keeps what is compiled for as long as the policy's spec stays. */
export function policyCompiler(): (policy: Frozen<Policy>) => CompiledPolicy {
  const compiled = new Map<string, { generation: number | undefined; policy: WeakRef<object>; program: CompiledPolicy }>();
  return (policy) => {
    const { uid = "", generation } = policy.metadata;
    const known = compiled.get(uid);
    if (known && known.generation === generation) {
      if (known.policy.deref() !== policy) known.policy = new WeakRef(policy);
      return known.program;
    }
    for (const [other, { policy: held }] of compiled) if (!held.deref()) compiled.delete(other);
    const program = new CompiledPolicy(policy.spec);
    compiled.set(uid, { generation, policy: new WeakRef(policy), program });
    return program;
  };
}

export const variablesFor = (view: RequestView, { spec: { paramKind } }: Frozen<Policy>, param: Param): Variables => requestVariables(view, paramKind ? { object: param } : undefined);
