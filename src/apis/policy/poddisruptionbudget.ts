import { invalidValue, notSupported, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import type { PodDisruptionBudget } from "../generated/policy/v1.ts";
import { validateConditions } from "../core/conditions.ts";
import { nonNegative } from "../core/field-rules.ts";
import { atMostAll, intOrPercent } from "../core/int-or-percent.ts";
export type { PodDisruptionBudget } from "../generated/policy/v1.ts";

export const poddisruptionbudgets = defineResource<PodDisruptionBudget>({
  group: "policy", version: "v1", kind: "PodDisruptionBudget", resource: "poddisruptionbudgets", scope: "Namespaced", shortNames: ["pdb"],
  subresources: { status: true },
  schema: "io.k8s.api.policy.v1.PodDisruptionBudget",
  strategy: {
    prepareForCreate(budget) {
      budget.metadata.generation = 1;
      budget.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
    },
    validate, validateUpdate: validate,
    validateStatusUpdate: ({ status }) => [
      ...validateConditions("status.conditions", status?.conditions),
      ...(["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const).flatMap((name) => nonNegative(`status.${name}`, status?.[name])),
    ],
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Min Available", type: "string", description: "The minimum number of pods that must be available.", value: ({ spec }) => String(spec?.minAvailable ?? "N/A") },
    { name: "Max Unavailable", type: "string", description: "The maximum number of pods that may be unavailable.", value: ({ spec }) => String(spec?.maxUnavailable ?? "N/A") },
    { name: "Allowed Disruptions", type: "integer", description: "Calculated number of pods that may be disrupted at this time.", value: ({ status }) => status?.disruptionsAllowed ?? 0 },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name: "example", namespace: "default" }, spec: { minAvailable: 1, selector: { matchLabels: { app: "example" } } } }),
});

const evictionPolicies = ["AlwaysAllow", "IfHealthyBudget"];

function validate({ spec = {} }: Frozen<PodDisruptionBudget>): FieldError[] {
  const { minAvailable, maxUnavailable, unhealthyPodEvictionPolicy: policy } = spec;
  const errors = minAvailable !== undefined && maxUnavailable !== undefined ? [invalidValue("spec", { MinAvailable: minAvailable, Selector: spec.selector ?? null, MaxUnavailable: maxUnavailable, UnhealthyPodEvictionPolicy: policy ?? null }, "minAvailable and maxUnavailable cannot be both set")] : [];
  for (const [name, share] of [["minAvailable", minAvailable], ["maxUnavailable", maxUnavailable]] as const) {
    if (share !== undefined) errors.push(...intOrPercent(`spec.${name}`, share), ...atMostAll(`spec.${name}`, share));
  }
  errors.push(...validateLabelSelector(spec.selector, "spec.selector"));
  return policy !== undefined && !evictionPolicies.includes(policy) ? [...errors, notSupported("spec.unhealthyPodEvictionPolicy", policy, evictionPolicies)] : errors;
}
