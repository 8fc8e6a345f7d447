import { forbiddenField, invalidValue, notSupported, type FieldError } from "../../apimachinery/field-errors.ts";
import { isPercent } from "../../apimachinery/intstr.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { percentErrors } from "../../apimachinery/validation/values.ts";
import { nonNegative } from "../core/field-rules.ts";
import { validateCollisionCount, validateCounts } from "../core/replica-counts.ts";
import type { Deployment, DeploymentStatus, DeploymentStrategy } from "../generated/apps/v1.ts";
import { validateReplicatedSpec, validateSelectorUnchanged } from "./workload-validation.ts";

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
  if (type !== "RollingUpdate") return [notSupported(at, strategy, ["Recreate", "RollingUpdate"])];
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate ?? {};
  const errors = [...validateShare(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable), ...validateShare(`${at}.rollingUpdate.maxSurge`, maxSurge)];
  if (isZero(maxUnavailable) && isZero(maxSurge)) errors.push(invalidValue(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  if (isPercent(maxUnavailable) && parseInt(String(maxUnavailable), 10) > 100) errors.push(invalidValue(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable, "must not be greater than 100%"));
  return errors;
}

const isZero = (value: number | string): boolean => value === 0 || (isPercent(value) && parseInt(String(value), 10) === 0);

/** A number of pods, or a percentage of them. */
function validateShare(field: string, value: number | string): FieldError[] {
  if (typeof value === "number") return nonNegative(field, value);
  return percentErrors(value).map((message) => invalidValue(field, value, message));
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
