import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import { nameIsPathSegment } from "../../apimachinery/validation/names.ts";
import type { RoleBinding } from "../generated/rbac/v1.ts";
import { bindingColumns, defaultBinding, validateBinding, validateBindingUpdate, type Binding } from "./bindings.ts";
import { rbacGroup } from "./rules.ts";
export type { RoleBinding } from "../generated/rbac/v1.ts";

export const rolebindings = defineResource<RoleBinding>({
  group: rbacGroup, version: "v1", kind: "RoleBinding", resource: "rolebindings", scope: "Namespaced",
  schema: "io.k8s.api.rbac.v1.RoleBinding",
  default: defaultBinding,
  strategy: {
    validate: (binding) => validateBinding(binding as Frozen<Binding>, true),
    validateUpdate: (binding, old) => validateBindingUpdate(binding as Frozen<Binding>, old as Frozen<Binding>, true),
    allowCreateOnUpdate: true,
  },
  columns: bindingColumns("roleBinding"),
  validateName: nameIsPathSegment,
  example: () => ({ apiVersion: `${rbacGroup}/v1`, kind: "RoleBinding", metadata: { name: "example", namespace: "default" }, roleRef: { apiGroup: rbacGroup, kind: "Role", name: "example" }, subjects: [{ kind: "User", apiGroup: rbacGroup, name: "jane" }] }),
});
