import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { nameIsPathSegment } from "../../apimachinery/validation/names.ts";
import type { ClusterRole } from "../generated/rbac/v1.ts";
import { createdAtColumn, rbacGroup, validateRules } from "./rules.ts";
export type { ClusterRole } from "../generated/rbac/v1.ts";

export const clusterroles = defineResource<ClusterRole>({
  group: rbacGroup, version: "v1", kind: "ClusterRole", resource: "clusterroles", scope: "Cluster",
  schema: "io.k8s.api.rbac.v1.ClusterRole",
  default(role) {
    if (!role.rules?.length) role.rules = null as never;
  },
  strategy: { validate, validateUpdate: (role) => validate(role), allowCreateOnUpdate: true },
  columns: [nameColumn(), createdAtColumn()],
  validateName: nameIsPathSegment,
  example: () => ({ apiVersion: `${rbacGroup}/v1`, kind: "ClusterRole", metadata: { name: "example" }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }),
});

function validate(role: Frozen<ClusterRole>): FieldError[] {
  const errors = validateRules(role.rules, false);
  if (!role.aggregationRule) return errors;
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) errors.push(required("aggregationRule.clusterRoleSelectors", "at least one clusterRoleSelector required if aggregationRule is non-nil"));
  return [...errors, ...selectors.flatMap((selector, index) => {
    const field = `aggregationRule.clusterRoleSelectors[${index}]`, wrong = validateLabelSelector(selector, field);
    return wrong.length > 0 ? [...wrong, invalidValue(field, null, "invalid label selector.")] : [];
  })];
}
