import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateConditions } from "../../apimachinery/validation/conditions.ts";
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec } from "../generated/admissionregistration/v1.ts";
import { validateAuditAnnotation, validateMatchConditions, validateValidation, validateVariables, type ExpressionScope, type ExpressionUse } from "./expressions.ts";
import { paramKindColumn, validateParamKind } from "./params.ts";
import { defaultMatchResources, failurePolicies, optionalOneOf, validateMatchResources } from "./rules.ts";
export type { ValidatingAdmissionPolicy } from "../generated/admissionregistration/v1.ts";

export const validatingadmissionpolicies = defineResource<ValidatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io", version: "v1", kind: "ValidatingAdmissionPolicy", resource: "validatingadmissionpolicies", scope: "Cluster", categories: ["api-extensions"], subresources: { status: true },
  schema: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
  default(policy) {
    const spec = (policy.spec ??= {});
    spec.failurePolicy ??= "Fail";
    defaultMatchResources(spec.matchConstraints);
  },
  strategy: {
    resetFields: { status: [["metadata"], ["spec"]] },
    prepareForCreate(policy) {
      policy.status = {};
    },
    validate: (policy) => validate(policy, undefined),
    validateUpdate: validate,
    validateStatusUpdate: ({ status }) => [
      ...(status?.typeChecking?.expressionWarnings ?? []).flatMap(({ warning, fieldRef = "" }, index) => [
        ...(warning ? [] : [required(`status.typeChecking.expressionWarnings[${index}].warning`)]),
        ...(fieldRef.trim() ? [] : [required(`status.typeChecking.expressionWarnings[${index}].fieldRef`)]),
      ]),
      ...validateConditions(status?.conditions, "status.conditions"),
    ],
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Validations", type: "integer", description: "Validations indicates the number of validation rules defined in this configuration", value: ({ spec }) => spec.validations?.length ?? 0 },
    paramKindColumn(),
    ageColumn(),
  ],
  example: () => ({
    apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingAdmissionPolicy", metadata: { name: "example" },
    spec: { matchConstraints: { resourceRules: [{ operations: ["CREATE"], apiGroups: ["skiff.example.com"], apiVersions: ["v1"], resources: ["examples"] }] }, validations: [{ expression: "true" }] },
  }),
});

const mostAuditAnnotations = 20;

function validate({ metadata, spec }: Frozen<ValidatingAdmissionPolicy>, old: Frozen<ValidatingAdmissionPolicy> | undefined): FieldError[] {
  const { failurePolicy, paramKind, matchConstraints, matchConditions, variables, validations = [], auditAnnotations = [] } = spec;
  const scope: ExpressionScope = { hasParams: paramKind !== undefined, variables, stored: expressionsOf(old?.spec) };
  const conditionsAsStored = old !== undefined && semanticEqual(paramKind, old.spec.paramKind) && semanticEqual(matchConditions, old.spec.matchConditions);
  const nothing = "validations or auditAnnotations must contain at least one item", keys = auditAnnotations.map(({ key }) => key ?? "");
  return [
    ...(failurePolicy === undefined ? [required("spec.failurePolicy")] : optionalOneOf("spec.failurePolicy", failurePolicy, failurePolicies)),
    ...(paramKind ? validateParamKind("spec.paramKind", paramKind) : []),
    ...(matchConstraints ? validateMatchResources("spec.matchConstraints", matchConstraints) : [required("spec.matchConstraints")]),
    ...(matchConstraints && !matchConstraints.resourceRules?.length ? [required("spec.matchConstraints.resourceRules")] : []),
    ...(conditionsAsStored ? [] : validateMatchConditions("spec.matchConditions", matchConditions, scope)),
    ...validateVariables("spec.variables", variables, scope),
    ...(validations.length === 0 && auditAnnotations.length === 0 ? [required("spec.validations", nothing), required("spec.auditAnnotations", nothing)] : []),
    ...validations.flatMap((validation, index) => validateValidation(`spec.validations[${index}]`, validation, scope)),
    ...(auditAnnotations.length > mostAuditAnnotations ? [invalidValue("spec.auditAnnotations", auditAnnotations.map(({ key = "", valueExpression = "" }) => ({ Key: key, ValueExpression: valueExpression })), `must not have more than ${mostAuditAnnotations} auditAnnotations`)] : []),
    ...auditAnnotations.flatMap((annotation, index) => [
      ...validateAuditAnnotation(`spec.auditAnnotations[${index}]`, metadata.name ?? "", annotation, scope),
      ...(keys.indexOf(keys[index]!) < index ? [duplicate(`spec.auditAnnotations[${index}].key`, keys[index])] : []),
    ]),
  ];
}

function expressionsOf({ matchConditions = [], variables = [], validations = [], auditAnnotations = [] }: Frozen<ValidatingAdmissionPolicySpec> = {}): ReadonlyMap<ExpressionUse, ReadonlySet<string>> {
  return new Map<ExpressionUse, ReadonlySet<string>>([
    ["matchCondition", new Set(matchConditions.map(({ expression }) => expression))],
    ["variable", new Set(variables.map(({ expression }) => expression))],
    ["validation", new Set(validations.map(({ expression }) => expression))],
    ["messageExpression", new Set(validations.map(({ messageExpression }) => messageExpression ?? ""))],
    ["auditAnnotation", new Set(auditAnnotations.map(({ valueExpression }) => valueExpression))],
  ]);
}
