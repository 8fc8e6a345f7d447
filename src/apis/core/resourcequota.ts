import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities, formatQuantity, quantityOf } from "../../apimachinery/quantity.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from "../generated/core/v1.ts";
import { isStandardInQuota, quotaResourceName, resourceAmount } from "./resource-names.ts";
import { roundAmounts } from "./round-amounts.ts";

type Amounts = Readonly<Record<string, string | number>>;

export const resourcequotas = defineResource<ResourceQuota>({
  group: "", version: "v1", kind: "ResourceQuota", resource: "resourcequotas", scope: "Namespaced", shortNames: ["quota"],
  subresources: { status: true },
  schema: "io.k8s.api.core.v1.ResourceQuota",
  default({ spec, status }) {
    for (const list of [spec?.hard, status?.hard, status?.used]) roundAmounts(list);
  },
  strategy: {
    prepareForCreate(quota) {
      // Kubernetes counts no generations of these.
      delete quota.metadata.generation;
      quota.status = {};
    },
    validate: ({ spec = {} }) => validateSpec(spec),
    validateUpdate: ({ spec = {} }, { spec: old = {} }) => [...validateSpec(spec), ...validateScopesUnchanged(spec, old)],
    validateStatusUpdate: ({ status }) => [...validateAmounts("status.hard", status?.hard), ...validateAmounts("status.used", status?.used)],
    warnings: ({ spec }, old) => (old ? [] : limitWarnings(spec?.hard ?? {})),
  },
  columns: [
    nameColumn(),
    { name: "Request", type: "string", description: "Request represents a minimum amount of cpu/memory that a container may consume.", value: (quota) => used(quota, (name) => !name.startsWith("limits.")) },
    { name: "Limit", type: "string", description: "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.", value: (quota) => used(quota, (name) => name.startsWith("limits.")) },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "example", namespace: "default" }, spec: { hard: { pods: "10" } } }),
});

function used({ status }: Frozen<ResourceQuota>, shows: (name: string) => boolean): string {
  const text = (amount: string | number | undefined): string => formatQuantity(quantityOf(amount ?? "0"));
  return Object.entries(status?.hard ?? {}).filter(([name]) => shows(name)).toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${text(status?.used?.[name])}/${text(hard)}`).join(", ");
}

const validateAmounts = (field: string, amounts: Amounts = {}): FieldError[] =>
  Object.entries(amounts).flatMap(([name, amount]) => [...quotaResourceName(`${field}[${name}]`, name), ...resourceAmount(`${field}[${name}]`, name, amount)]);

const validateSpec = (spec: Frozen<ResourceQuotaSpec>): FieldError[] => [...validateAmounts("spec.hard", spec.hard), ...validateScopes(spec), ...validateScopeSelector(spec)];

const ofPods = ["pods", ...["cpu", "memory"].flatMap((name) => [name, `requests.${name}`, `limits.${name}`])];
/** What a quota of each scope may limit. */
const limitable: Readonly<Record<string, readonly string[]>> = {
  Terminating: ofPods, NotTerminating: ofPods, NotBestEffort: ofPods, PriorityClass: ofPods, CrossNamespacePodAffinity: ofPods,
  BestEffort: ["pods"],
  VolumeAttributesClass: ["requests.storage", "persistentvolumeclaims"],
};

/** One error for each limit that a scope cannot have. */
function misfits(scope: string, spec: Frozen<ResourceQuotaSpec>): string[] {
  return Object.keys(spec.hard ?? {}).filter((name) => isStandardInQuota(name) && Object.hasOwn(limitable, scope) && !limitable[scope]!.includes(name));
}

function conflicts(scopes: ReadonlySet<string>): number {
  return [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]].filter((pair) => pair.every((scope) => scopes.has(scope))).length;
}

function validateScopes(spec: Frozen<ResourceQuotaSpec>): FieldError[] {
  const { scopes = [] } = spec, at = "spec.scopes";
  const errors: FieldError[] = [];
  for (const scope of scopes) {
    if (!Object.hasOwn(limitable, scope)) errors.push(invalidValue(at, scopes, "unsupported scope"));
    for (const _ of misfits(scope, spec)) errors.push(invalidValue(at, scopes, "unsupported scope applied to resource"));
  }
  for (let count = conflicts(new Set(scopes)); count > 0; count--) errors.push(invalidValue(at, scopes, "conflicting scopes"));
  return errors;
}

const existsOnly = ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];

function validateScopeSelector(spec: Frozen<ResourceQuotaSpec>): FieldError[] {
  if (!spec.scopeSelector) return [];
  // Kubernetes leaves the index out of these.
  const requirements = spec.scopeSelector.matchExpressions ?? [], at = "spec.scopeSelector.matchExpressions";
  const errors: FieldError[] = [];
  for (const { scopeName = "", operator = "", values = [] } of requirements) {
    if (!Object.hasOwn(limitable, scopeName)) errors.push(invalidValue(`${at}.scopeName`, scopeName, "unsupported scope"));
    for (const _ of misfits(scopeName, spec)) errors.push(invalidValue(at, shownSelector(requirements), "unsupported scope applied to resource"));
    if (existsOnly.includes(scopeName) && operator !== "Exists") {
      errors.push(invalidValue(`${at}.operator`, operator, "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"));
    }
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) errors.push(required(`${at}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) errors.push(invalidValue(`${at}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"));
    } else errors.push(invalidValue(`${at}.operator`, operator, "not a valid selector operator"));
  }
  for (let count = conflicts(new Set(requirements.map(({ scopeName }) => scopeName))); count > 0; count--) errors.push(invalidValue(at, spec.scopes, "conflicting scopes"));
  return errors;
}

/** With Go's names, which Kubernetes' internal types print. */
const shownSelector = (requirements: Frozen<ScopedResourceSelectorRequirement[]>): object => ({ MatchExpressions: requirements.map(({ scopeName, operator, values = null }) => ({ ScopeName: scopeName, Operator: operator, Values: values })) });

function validateScopesUnchanged({ scopes: stated }: Frozen<ResourceQuotaSpec>, { scopes: old = [] }: Frozen<ResourceQuotaSpec>): FieldError[] {
  const scopes = stated ?? [];
  const same = new Set(scopes).size === new Set(old).size && scopes.every((scope) => old.includes(scope));
  return same ? [] : [invalidValue("spec.scopes", stated, "field is immutable")];
}

function limitWarnings(hard: Amounts): string[] {
  return ["cpu", "memory", "ephemeral-storage"].flatMap((name) => {
    const requestName = hard[`requests.${name}`] === undefined && name !== "ephemeral-storage" ? name : `requests.${name}`;
    const request = hard[requestName], limit = hard[`limits.${name}`];
    if (request === undefined || limit === undefined || compareQuantities(request, limit) <= 0) return [];
    return [`ResourceQuota ${requestName} (${formatQuantity(quantityOf(request))}) should be less than limits.${name} (${formatQuantity(quantityOf(limit))})`];
  });
}
