import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { IntOrString } from "../../apimachinery/intstr.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { nonNegative } from "../core/field-rules.ts";
import { validatePodTemplate } from "../core/pod/validation-spec.ts";
import type { PodTemplateSpec } from "../generated/core/v1.ts";
import type { LabelSelector } from "../generated/meta/v1.ts";

interface ReplicatedSpec {
  replicas?: number;
  minReadySeconds?: number;
  selector?: LabelSelector;
  template?: PodTemplateSpec;
}

/** What Deployments and ReplicaSets ask of their spec: a selector, and a template for pods that it selects and that never end. */
export function validateReplicatedSpec({ replicas, minReadySeconds, selector, template }: Frozen<ReplicatedSpec>): FieldError[] {
  const errors = [...nonNegative("spec.replicas", replicas), ...nonNegative("spec.minReadySeconds", minReadySeconds)];
  if (!selector) errors.push(required("spec.selector"));
  const invalidSelector = validateLabelSelector(selector, "spec.selector");
  errors.push(...invalidSelector);
  const stated = Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0);
  if (selector && stated === 0) errors.push(invalidValue("spec.selector", selector, "empty selector is invalid for deployment"));
  if (invalidSelector.length > 0) return [...errors, invalidValue("spec.selector", selector, "invalid label selector")];
  if (!template) return [...errors, required("spec.template")];
  return [...errors, ...validateTemplate(template, selector)];
}

function validateTemplate(template: Frozen<PodTemplateSpec>, selector: Frozen<LabelSelector> | undefined): FieldError[] {
  const labels = template.metadata?.labels;
  const errors = selector && matchesLabels(fromLabelSelector(selector), labels) ? [] : [invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")];
  errors.push(...validatePodTemplate("spec.template", template));
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== "Always") errors.push(notSupported("spec.template.spec.restartPolicy", restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined) errors.push(forbiddenField("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported"));
  return errors;
}

export function validateSelectorUnchanged(selector: Frozen<LabelSelector> | undefined, old: Frozen<LabelSelector> | undefined): FieldError[] {
  return semanticEqual(selector, old) ? [] : [invalidValue("spec.selector", selector, "field is immutable")];
}

/** A strategy with Go's names for its fields, as Kubernetes' internal types print. */
export function internalForm({ type = "", rollingUpdate }: { readonly type?: string; readonly rollingUpdate?: { readonly maxUnavailable?: IntOrString; readonly maxSurge?: IntOrString } }): object {
  return { Type: type, RollingUpdate: rollingUpdate ? { MaxUnavailable: rollingUpdate.maxUnavailable ?? 0, MaxSurge: rollingUpdate.maxSurge ?? 0 } : null };
}
