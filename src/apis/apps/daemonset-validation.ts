import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import type { DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet } from "../generated/apps/v1.ts";
import { nonNegative } from "../core/field-rules.ts";
import { atMostAll, intOrPercent, shareOf } from "../core/int-or-percent.ts";
import { validatePodTemplate } from "../core/pod/validation-spec.ts";
import { validateCollisionCount } from "../core/replica-counts.ts";
import { internalForm, validateSelectorUnchanged } from "./workload-validation.ts";

export const validateDaemonSet = ({ spec }: Frozen<DaemonSet>): FieldError[] => (spec ? validateSpec(spec) : [required("spec")]);

export function validateDaemonSetUpdate(daemonset: Frozen<DaemonSet>, old: Frozen<DaemonSet>): FieldError[] {
  return [...validateSelectorUnchanged(daemonset.spec?.selector, old.spec?.selector), ...validateDaemonSet(daemonset)];
}

function validateSpec({ selector, template, minReadySeconds, updateStrategy, revisionHistoryLimit }: Frozen<DaemonSetSpec>): FieldError[] {
  const wrongSelector = validateLabelSelector(selector, "spec.selector"), labels = template?.metadata?.labels;
  const errors = [...wrongSelector];
  if (wrongSelector.length === 0 && !matchesLabels(fromLabelSelector(selector), labels)) errors.push(invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
  const stated = Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0);
  if (selector && stated === 0) errors.push(invalidValue("spec.selector", selector, "empty selector is invalid for daemonset"));
  errors.push(...validatePodTemplate("spec.template", template ?? {}));
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {};
  if (restartPolicy !== "Always") errors.push(notSupported("spec.template.spec.restartPolicy", restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined) errors.push(forbiddenField("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in DaemonSet is not Supported"));
  return [...errors, ...nonNegative("spec.minReadySeconds", minReadySeconds), ...validateStrategy(updateStrategy ?? {}), ...nonNegative("spec.revisionHistoryLimit", revisionHistoryLimit)];
}

function validateStrategy(strategy: Frozen<DaemonSetUpdateStrategy>): FieldError[] {
  const at = "spec.updateStrategy";
  if (strategy.type === "OnDelete") return [];
  if (strategy.type !== "RollingUpdate") return [notSupported(at, internalForm(strategy), ["RollingUpdate", "OnDelete"])];
  return strategy.rollingUpdate ? validateRollingUpdate(`${at}.rollingUpdate`, strategy.rollingUpdate) : [required(`${at}.rollingUpdate`)];
}

/** Either old pods go first, or new ones come first. */
function validateRollingUpdate(field: string, { maxUnavailable = 0, maxSurge = 0 }: Frozen<RollingUpdateDaemonSet>): FieldError[] {
  const errors = [
    ...intOrPercent(`${field}.maxUnavailable`, maxUnavailable), ...intOrPercent(`${field}.maxSurge`, maxSurge),
    ...atMostAll(`${field}.maxUnavailable`, maxUnavailable), ...atMostAll(`${field}.maxSurge`, maxSurge),
  ];
  const goesFirst = shareOf(maxUnavailable) !== 0, comesFirst = shareOf(maxSurge) !== 0;
  if (goesFirst && comesFirst) errors.push(invalidValue(`${field}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero"));
  if (!goesFirst && !comesFirst) errors.push(required(`${field}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  return errors;
}

const counts = ["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount"] as const;

export function validateDaemonSetStatusUpdate({ status }: Frozen<DaemonSet>, old: Frozen<DaemonSet>): FieldError[] {
  return [...counts.flatMap((name) => nonNegative(`status.${name}`, status?.[name])), ...validateCollisionCount(status?.collisionCount, old.status?.collisionCount)];
}
