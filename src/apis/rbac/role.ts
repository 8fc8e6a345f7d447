import { nameIsPathSegment } from "../../apimachinery/validation/names.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Role } from "../generated/rbac/v1.ts";
import { createdAtColumn, rbacGroup, validateRules } from "./rules.ts";
export type { Role } from "../generated/rbac/v1.ts";

export const roles = defineResource<Role>({
  group: rbacGroup, version: "v1", kind: "Role", resource: "roles", scope: "Namespaced",
  schema: "io.k8s.api.rbac.v1.Role",
  default(role) {
    if (!role.rules?.length) role.rules = null as never;
  },
  strategy: {
    validate: (role) => validateRules(role.rules, true), validateUpdate: (role) => validateRules(role.rules, true),
    allowCreateOnUpdate: true,
  },
  columns: [nameColumn(), createdAtColumn()],
  validateName: nameIsPathSegment,
  example: () => ({ apiVersion: `${rbacGroup}/v1`, kind: "Role", metadata: { name: "example", namespace: "default" }, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }),
});
