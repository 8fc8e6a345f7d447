import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import type { MutatingAdmissionPolicyBinding } from "../generated/admissionregistration/v1.ts";
import { bindingColumns, validateBinding } from "./params.ts";
import { defaultMatchResources, validateMutatingOperations } from "./rules.ts";
export type { MutatingAdmissionPolicyBinding } from "../generated/admissionregistration/v1.ts";

export const mutatingadmissionpolicybindings = defineResource<MutatingAdmissionPolicyBinding>({
  group: "admissionregistration.k8s.io", version: "v1", kind: "MutatingAdmissionPolicyBinding", resource: "mutatingadmissionpolicybindings", scope: "Cluster", categories: ["api-extensions"],
  schema: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
  default(binding) {
    defaultMatchResources((binding.spec ??= {}).matchResources);
  },
  strategy: { validate, validateUpdate: (binding) => validate(binding), allowUnconditionalUpdate: false },
  columns: bindingColumns(),
  example: () => ({ apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingAdmissionPolicyBinding", metadata: { name: "example" }, spec: { policyName: "missing" } }),
});

function validate({ spec }: Frozen<MutatingAdmissionPolicyBinding>): FieldError[] {
  return [...validateBinding(spec), ...validateMutatingOperations("spec.matchResources", spec.matchResources)];
}
