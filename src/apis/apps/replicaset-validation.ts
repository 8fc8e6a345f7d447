import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ReplicaSet, ReplicaSetStatus } from "../generated/apps/v1.ts";
import { validateCounts } from "../core/replica-counts.ts";
import { validateReplicatedSpec, validateSelectorUnchanged } from "./workload-validation.ts";

export const validateReplicaSet = ({ spec }: Frozen<ReplicaSet>): FieldError[] => validateReplicatedSpec(spec);

export function validateReplicaSetUpdate({ spec }: Frozen<ReplicaSet>, old: Frozen<ReplicaSet>): FieldError[] {
  return [...validateReplicatedSpec(spec), ...validateSelectorUnchanged(spec.selector, old.spec.selector)];
}

export function validateReplicaSetStatusUpdate({ status }: Frozen<ReplicaSet>): FieldError[] {
  return validateCounts<Frozen<Partial<ReplicaSetStatus>>>(status ?? {},
    ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration", "terminatingReplicas"],
    ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"]);
}
