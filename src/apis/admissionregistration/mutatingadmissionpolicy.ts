import { semanticEqual } from "../../apimachinery/equality.ts";
import { invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicySpec, Mutation } from "../generated/admissionregistration/v1.ts";
import { validateExpression, validateMatchConditions, validateVariables, type ExpressionScope, type ExpressionUse } from "./expressions.ts";
import { paramKindColumn, validateParamKind } from "./params.ts";
import { defaultMatchResources, failurePolicies, optionalOneOf, reinvocationPolicies, validateMatchResources, validateMutatingOperations } from "./rules.ts";
export type { MutatingAdmissionPolicy } from "../generated/admissionregistration/v1.ts";

export const mutatingadmissionpolicies = defineResource<MutatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io", version: "v1", kind: "MutatingAdmissionPolicy", resource: "mutatingadmissionpolicies", scope: "Cluster", categories: ["api-extensions"],
  schema: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
  default(policy) {
    const spec = (policy.spec ??= {});
    spec.failurePolicy ??= "Fail";
    defaultMatchResources(spec.matchConstraints);
  },
  strategy: {
    validate: (policy) => validate(policy, undefined),
    validateUpdate: validate,
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Mutations", type: "integer", description: "Mutation indicates the number of mutations rules defined in this configuration", value: ({ spec }) => spec.mutations?.length ?? 0 },
    paramKindColumn(),
    ageColumn(),
  ],
  example: () => ({
    apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingAdmissionPolicy", metadata: { name: "example" },
    spec: {
      matchConstraints: { resourceRules: [{ operations: ["CREATE"], apiGroups: ["skiff.example.com"], apiVersions: ["v1"], resources: ["examples"] }] }, reinvocationPolicy: "Never",
      mutations: [{ patchType: "JSONPatch", jsonPatch: { expression: `[JSONPatch{op: "add", path: "/metadata/labels/a", value: "b"}]` } }],
    },
  }),
});

function validate({ spec }: Frozen<MutatingAdmissionPolicy>, old: Frozen<MutatingAdmissionPolicy> | undefined): FieldError[] {
  const { failurePolicy, paramKind, matchConstraints, matchConditions, variables = [], mutations = [], reinvocationPolicy } = spec;
  const scope: ExpressionScope = { hasParams: paramKind !== undefined, variables, stored: expressionsOf(old?.spec) };
  const conditionsAsStored = old !== undefined && semanticEqual(paramKind, old.spec.paramKind) && semanticEqual(matchConditions, old.spec.matchConditions);
  return [
    ...(failurePolicy === undefined ? [required("spec.failurePolicy")] : optionalOneOf("spec.failurePolicy", failurePolicy, failurePolicies)),
    ...(paramKind ? validateParamKind("spec.paramKind", paramKind) : []),
    ...(matchConstraints ? validateMatchResources("spec.matchConstraints", matchConstraints) : [required("spec.matchConstraints")]),
    ...(matchConstraints && !matchConstraints.resourceRules?.length ? [required("spec.matchConstraints.resourceRules")] : []),
    ...validateMutatingOperations("spec.matchConstraints", matchConstraints),
    ...(conditionsAsStored ? [] : validateMatchConditions("spec.matchConditions", matchConditions, scope)),
    ...validateVariables("spec.variables", variables, scope),
    ...(mutations.length === 0 ? [required("spec.mutations", "mutations must contain at least one item")] : []),
    ...mutations.flatMap((mutation, index) => validateMutation(`spec.mutations[${index}]`, mutation, scope)),
    ...(reinvocationPolicy ? optionalOneOf("spec.reinvocationPolicy", reinvocationPolicy, reinvocationPolicies) : [required("spec.reinvocationPolicy")]),
  ];
}

const fieldOfType = { ApplyConfiguration: "applyConfiguration", JSONPatch: "jsonPatch" } as const;

function validateMutation(field: string, mutation: Frozen<Mutation>, scope: ExpressionScope): FieldError[] {
  const { patchType: type } = mutation;
  if (!type) return [required(`${field}.patchType`)];
  if (!Object.hasOwn(fieldOfType, type)) return [notSupported(`${field}.patchType`, type, Object.keys(fieldOfType))];
  const wanted = fieldOfType[type], other = wanted === "jsonPatch" ? "applyConfiguration" : "jsonPatch", given = mutation[wanted];
  const expression = given?.expression?.trim() ?? "", at = `${field}.${wanted}.expression`;
  return [
    ...(given ? (expression ? validateExpression(at, expression, wanted, scope) : [required(at)]) : [required(`${field}.${wanted}`, `must be specified when patchType is ${type}`)]),
    ...(mutation[other] ? [invalidValue(`${field}.${other}`, `{${other}}`, `must not be specified when patchType is ${type}`)] : []),
  ];
}

function expressionsOf({ matchConditions = [], mutations = [], variables = [] }: Frozen<MutatingAdmissionPolicySpec> = {}): ReadonlyMap<ExpressionUse, ReadonlySet<string>> {
  const of = (part: "applyConfiguration" | "jsonPatch"): ReadonlySet<string> => new Set(mutations.flatMap((mutation) => mutation[part]?.expression ?? []));
  return new Map<ExpressionUse, ReadonlySet<string>>([
    ["matchCondition", new Set(matchConditions.map(({ expression }) => expression))],
    ["variable", new Set(variables.map(({ expression }) => expression))],
    ["applyConfiguration", of("applyConfiguration")], ["jsonPatch", of("jsonPatch")],
  ]);
}
