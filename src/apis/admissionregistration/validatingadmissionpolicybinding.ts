import { duplicate, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import type { ValidatingAdmissionPolicyBinding } from "../generated/admissionregistration/v1.ts";
import { bindingColumns, validateBinding } from "./params.ts";
import { defaultMatchResources } from "./rules.ts";
export type { ValidatingAdmissionPolicyBinding } from "../generated/admissionregistration/v1.ts";

export const validatingadmissionpolicybindings = defineResource<ValidatingAdmissionPolicyBinding>({
  group: "admissionregistration.k8s.io", version: "v1", kind: "ValidatingAdmissionPolicyBinding", resource: "validatingadmissionpolicybindings", scope: "Cluster", categories: ["api-extensions"],
  schema: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
  default(binding) {
    defaultMatchResources((binding.spec ??= {}).matchResources);
  },
  strategy: {
    validate: ({ spec }) => [...validateBinding(spec), ...validateActions("spec.validationActions", spec.validationActions ?? [])],
    validateUpdate: ({ spec }) => [...validateBinding(spec), ...validateActions("spec.validationActions", spec.validationActions ?? [])],
    allowUnconditionalUpdate: false,
  },
  columns: bindingColumns(),
  example: () => ({ apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingAdmissionPolicyBinding", metadata: { name: "example" }, spec: { policyName: "missing", validationActions: ["Deny"] } }),
});

const known = ["Audit", "Deny", "Warn"];

function validateActions(field: string, actions: readonly string[]): FieldError[] {
  const errors = actions.flatMap((action, index) => [
    ...(known.includes(action) ? [] : [notSupported(`${field}[${index}]`, action, known)]),
    ...(actions.indexOf(action) < index ? [duplicate(`${field}[${index}]`, action)] : []),
  ]);
  if (actions.includes("Deny") && actions.includes("Warn")) errors.push(invalidValue(field, actions, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"));
  return actions.length === 0 ? [required(field, "at least one validation action is required")] : errors;
}
