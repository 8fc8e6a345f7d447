import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { Column } from "../../apimachinery/resource.ts";
import type { PolicyRule } from "../generated/rbac/v1.ts";
export type { PolicyRule } from "../generated/rbac/v1.ts";

export const rbacGroup = "rbac.authorization.k8s.io";

/** Rules of a Role name resources only; those of a ClusterRole may name paths instead. */
export function validateRules(rules: readonly Frozen<PolicyRule>[] | undefined, namespaced: boolean): FieldError[] {
  return (rules ?? []).flatMap((rule, index) => validateRule(rule, namespaced, `rules[${index}]`));
}

function validateRule({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: Frozen<PolicyRule>, namespaced: boolean, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!verbs?.length) errors.push(required(`${field}.verbs`, "verbs must contain at least one value"));
  if (nonResourceURLs?.length) {
    if (namespaced) errors.push(invalidValue(`${field}.nonResourceURLs`, nonResourceURLs, "namespaced rules cannot apply to non-resource URLs"));
    if (apiGroups?.length || resources?.length || resourceNames?.length) {
      errors.push(invalidValue(`${field}.nonResourceURLs`, nonResourceURLs, "rules cannot apply to both regular resources and non-resource URLs"));
    }
    return errors;
  }
  if (!apiGroups?.length) errors.push(required(`${field}.apiGroups`, "resource rules must supply at least one api group"));
  if (!resources?.length) errors.push(required(`${field}.resources`, "resource rules must supply at least one resource"));
  return errors;
}

/** Roles have no columns of their own in Kubernetes: it shows the plain creation time. */
export const createdAtColumn = <T extends KubeObject>(): Column<T> => ({
  name: "Created At", type: "date", description: "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  value: (object) => (object as Frozen<KubeObject>).metadata.creationTimestamp ?? null,
});
