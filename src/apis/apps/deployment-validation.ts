import { forbiddenField, invalidValue, notSupported, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { nonNegative } from "../core/field-rules.ts";
import { atMostAll, intOrPercent, shareOf } from "../core/int-or-percent.ts";
import { validateCollisionCount, validateCounts } from "../core/replica-counts.ts";
import type { Deployment, DeploymentStatus, DeploymentStrategy } from "../generated/apps/v1.ts";
import { internalForm, validateReplicatedSpec, validateSelectorUnchanged } from "./workload-validation.ts";

export function validateDeployment({ spec }: Frozen<Deployment>): FieldError[] {
  const errors = [...validateReplicatedSpec(spec), ...validateStrategy(spec.strategy ?? {}), ...nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit)];
  const deadline = spec.progressDeadlineSeconds;
  if (deadline === undefined) return errors;
  errors.push(...nonNegative("spec.progressDeadlineSeconds", deadline));
  if (deadline <= (spec.minReadySeconds ?? 0)) errors.push(invalidValue("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  return errors;
}

function validateStrategy(strategy: Frozen<DeploymentStrategy>): FieldError[] {
  const { type, rollingUpdate } = strategy, at = "spec.strategy";
  if (type === "Recreate") return rollingUpdate ? [forbiddenField(`${at}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")] : [];
  if (type !== "RollingUpdate") return [notSupported(at, internalForm(strategy), ["Recreate", "RollingUpdate"])];
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate ?? {};
  const errors = [...intOrPercent(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable), ...intOrPercent(`${at}.rollingUpdate.maxSurge`, maxSurge)];
  if (shareOf(maxUnavailable) === 0 && shareOf(maxSurge) === 0) errors.push(invalidValue(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  return [...errors, ...atMostAll(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable)];
}

export function validateDeploymentUpdate(deployment: Frozen<Deployment>, old: Frozen<Deployment>): FieldError[] {
  return [...validateDeployment(deployment), ...validateSelectorUnchanged(deployment.spec.selector, old.spec.selector)];
}

export function validateDeploymentStatusUpdate({ status }: Frozen<Deployment>, old: Frozen<Deployment>): FieldError[] {
  const errors = validateCounts<Frozen<DeploymentStatus>>(status ?? {},
    ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas", "observedGeneration", "terminatingReplicas", "collisionCount"],
    ["updatedReplicas", "readyReplicas", "availableReplicas"]);
  return [...errors, ...validateCollisionCount(status?.collisionCount, old.status?.collisionCount)];
}
