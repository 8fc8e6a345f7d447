import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import { nameIsPathSegment } from "../../apimachinery/validation/names.ts";
import type { ClusterRoleBinding } from "../generated/rbac/v1.ts";
import { bindingColumns, defaultBinding, validateBinding, validateBindingUpdate, type Binding } from "./bindings.ts";
import { rbacGroup } from "./rules.ts";
export type { ClusterRoleBinding } from "../generated/rbac/v1.ts";

export const clusterrolebindings = defineResource<ClusterRoleBinding>({
  group: rbacGroup, version: "v1", kind: "ClusterRoleBinding", resource: "clusterrolebindings", scope: "Cluster",
  schema: "io.k8s.api.rbac.v1.ClusterRoleBinding",
  default: defaultBinding,
  strategy: {
    validate: (binding) => validateBinding(binding as Frozen<Binding>, false),
    validateUpdate: (binding, old) => validateBindingUpdate(binding as Frozen<Binding>, old as Frozen<Binding>, false),
    allowCreateOnUpdate: true,
  },
  columns: bindingColumns("clusterRoleBinding"),
  validateName: nameIsPathSegment,
  example: () => ({ apiVersion: `${rbacGroup}/v1`, kind: "ClusterRoleBinding", metadata: { name: "example" }, roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name: "example" }, subjects: [{ kind: "Group", apiGroup: rbacGroup, name: "operators" }] }),
});
