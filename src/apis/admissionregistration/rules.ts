import { duplicate, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { pathSegmentErrors } from "../../apimachinery/validation/names.ts";
import type { MatchResources, NamedRuleWithOperations, RuleWithOperations } from "../generated/admissionregistration/v1.ts";

/** What webhooks and policies apply to. Source: pkg/apis/admissionregistration/validation. */

export const failurePolicies = ["Fail", "Ignore"], matchPolicies = ["Equivalent", "Exact"], reinvocationPolicies = ["IfNeeded", "Never"];
const operationNames = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"], mutatingOperations = ["*", "CONNECT", "CREATE", "UPDATE"];
const scopes = ["*", "Cluster", "Namespaced"];

export const optionalOneOf = (field: string, value: string | undefined, supported: readonly string[]): FieldError[] =>
  (value === undefined || supported.includes(value) ? [] : [notSupported(field, value, supported)]);

export function validateRule(field: string, { operations = [], apiGroups = [], apiVersions = [], resources = [], scope }: Frozen<RuleWithOperations>): FieldError[] {
  const alone = (name: string, values: readonly string[], what: string): FieldError[] => [
    ...(values.length === 0 ? [required(`${field}.${name}`)] : []),
    ...(values.length > 1 && values.includes("*") ? [invalidValue(`${field}.${name}`, values, `if '*' is present, must not specify other ${what}`)] : []),
  ];
  return [
    ...alone("operations", operations, "operations"),
    ...operations.flatMap((operation, index) => optionalOneOf(`${field}.operations[${index}]`, operation, operationNames)),
    ...alone("apiGroups", apiGroups, "API groups"),
    ...alone("apiVersions", apiVersions, "API versions"),
    ...apiVersions.flatMap((version, index) => (version ? [] : [required(`${field}.apiVersions[${index}]`)])),
    ...validateResources(`${field}.resources`, resources),
    ...optionalOneOf(`${field}.scope`, scope, scopes),
  ];
}

function validateResources(field: string, resources: readonly string[]): FieldError[] {
  if (resources.length === 0) return [required(field)];
  const anySubresource = new Set<string>(), anyResource = new Set<string>();
  // Only the last plain resource counts, as in Kubernetes.
  let plain = false;
  const errors = resources.flatMap((text, index) => {
    const at = `${field}[${index}]`, [resource = "", ...rest] = text.split("/"), subresource = rest.join("/");
    if (text === "") return [required(at)];
    if (rest.length === 0) {
      plain = text !== "*";
      return [];
    }
    const found = [
      ...(anySubresource.has(resource) ? [invalidValue(at, text, `if '${resource}/*' is present, must not specify ${text}`)] : []),
      ...(anyResource.has(subresource) ? [invalidValue(at, text, `if '*/${subresource}' is present, must not specify ${text}`)] : []),
    ];
    if (subresource === "*") anySubresource.add(resource);
    if (resource === "*") anyResource.add(subresource);
    return found;
  });
  if (resources.length > 1 && resources.includes("*/*")) errors.push(invalidValue(field, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes("*") && plain) errors.push(invalidValue(field, resources, "if '*' is present, must not specify other resources without subresources"));
  return errors;
}

export function validateMatchResources(field: string, match: Frozen<MatchResources> | undefined): FieldError[] {
  if (!match) return [];
  const { matchPolicy, namespaceSelector, objectSelector, resourceRules = [], excludeResourceRules = [] } = match;
  return [
    ...(matchPolicy === undefined ? [required(`${field}.matchPolicy`)] : optionalOneOf(`${field}.matchPolicy`, matchPolicy, matchPolicies)),
    ...(namespaceSelector ? validateLabelSelector(namespaceSelector, `${field}.namespaceSelector`) : [required(`${field}.namespaceSelector`)]),
    ...(objectSelector ? validateLabelSelector(objectSelector, `${field}.objectSelector`) : [required(`${field}.objectSelector`)]),
    ...resourceRules.flatMap((rule, index) => validateNamedRule(`${field}.resourceRules[${index}]`, rule)),
    ...excludeResourceRules.flatMap((rule, index) => validateNamedRule(`${field}.excludeResourceRules[${index}]`, rule)),
  ];
}

function validateNamedRule(field: string, rule: Frozen<NamedRuleWithOperations>): FieldError[] {
  const { resourceNames: names = [] } = rule;
  return [
    ...names.flatMap((name, index) => [
      ...pathSegmentErrors(name).map((message) => invalidValue(`${field}.resourceNames[${index}]`, name, message)),
      ...(names.indexOf(name) < index ? [duplicate(`${field}.resourceNames[${index}]`, name)] : []),
    ]),
    ...validateRule(field, rule),
  ];
}

/** Deleting can't be mutated. */
export const validateMutatingOperations = (field: string, match: Frozen<MatchResources> | undefined): FieldError[] =>
  (match?.resourceRules ?? []).flatMap(({ operations = [] }) => operations.flatMap((operation) => optionalOneOf(`${field}.resourceRules.operations`, operation, mutatingOperations)));

export function defaultMatchResources(match: MatchResources | undefined): void {
  if (!match) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= "*";
}
