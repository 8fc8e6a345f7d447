import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { validateAnnotations, validateLabels } from "../../apimachinery/validation/object-meta.ts";
import type { RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetStatus, StatefulSetUpdateStrategy } from "../generated/apps/v1.ts";
import type { PodTemplateSpec } from "../generated/core/v1.ts";
import { dnsLabel, given, nonNegative } from "../core/field-rules.ts";
import { atMostAll, intOrPercent, shareOf } from "../core/int-or-percent.ts";
import { validatePodTemplate } from "../core/pod/validation-spec.ts";
import { validateCollisionCount, validateCounts } from "../core/replica-counts.ts";
import { validateClaimSpec } from "../core/volume/claim-validation.ts";

export const validateStatefulSet = ({ spec }: Frozen<StatefulSet>): FieldError[] => (spec ? validateSpec(spec, "all") : []);

/** On update what cannot change is taken as it is, and so is a template that was never valid. */
type Extent = "all" | "changeable" | "changeable but the template";

function validateSpec(spec: Frozen<StatefulSetSpec>, extent: Extent): FieldError[] {
  const { podManagementPolicy: management = "", selector } = spec;
  const errors = management === "OrderedReady" || management === "Parallel" ? [] : [invalidValue("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'")];
  errors.push(...validateStrategy(spec.updateStrategy ?? {}), ...validateRetention(spec));
  if (extent === "all") for (const [index, claim] of (spec.volumeClaimTemplates ?? []).entries()) errors.push(...validateClaimSpec(`spec.volumeClaimTemplates[${index}].spec`, claim.spec ?? {}));
  errors.push(...nonNegative("spec.replicas", spec.replicas), ...nonNegative("spec.minReadySeconds", spec.minReadySeconds), ...nonNegative("spec.ordinals.start", spec.ordinals?.start));
  if (extent === "all") errors.push(...given(spec.serviceName, (name) => dnsLabel("spec.serviceName", name)));
  if (!selector) errors.push(required("spec.selector"));
  const wrongSelector = validateLabelSelector(selector, "spec.selector");
  errors.push(...wrongSelector);
  const stated = Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0);
  if (selector && stated === 0) errors.push(invalidValue("spec.selector", selector, "empty selector is invalid for statefulset"));
  errors.push(...(wrongSelector.length > 0 ? [invalidValue("spec.selector", selector, "")] : validateTemplate(spec, extent !== "changeable but the template")));
  const { restartPolicy, activeDeadlineSeconds } = spec.template?.spec ?? {};
  if (restartPolicy !== "Always") errors.push(notSupported("spec.template.spec.restartPolicy", restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined) errors.push(forbiddenField("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in StatefulSet is not Supported"));
  return errors;
}

function validateStrategy(strategy: Frozen<StatefulSetUpdateStrategy>): FieldError[] {
  const { type, rollingUpdate } = strategy, at = "spec.updateStrategy";
  switch (type) {
    case "OnDelete": return rollingUpdate ? [invalidValue(`${at}.rollingUpdate`, shown(rollingUpdate), "only allowed for updateStrategy 'RollingUpdate'")] : [];
    case "RollingUpdate": return rollingUpdate ? validateRollingUpdate(`${at}.rollingUpdate`, rollingUpdate) : [];
    default: return [invalidValue(at, { Type: type ?? "", RollingUpdate: rollingUpdate ? shown(rollingUpdate) : null }, "must be 'RollingUpdate' or 'OnDelete'")];
  }
}

/** With Go's names, which Kubernetes' internal types print. */
const shown = ({ partition = 0, maxUnavailable }: Frozen<RollingUpdateStatefulSetStrategy>): object => ({ Partition: partition, MaxUnavailable: maxUnavailable ?? null });

function validateRollingUpdate(field: string, { partition, maxUnavailable }: Frozen<RollingUpdateStatefulSetStrategy>): FieldError[] {
  const errors = nonNegative(`${field}.partition`, partition), at = `${field}.maxUnavailable`;
  if (maxUnavailable === undefined) return errors;
  return [...errors, ...intOrPercent(at, maxUnavailable), ...(shareOf(maxUnavailable) === 0 ? [invalidValue(at, maxUnavailable, "cannot be 0")] : []), ...atMostAll(at, maxUnavailable)];
}

function validateRetention({ persistentVolumeClaimRetentionPolicy: policy }: Frozen<StatefulSetSpec>): FieldError[] {
  return (["whenDeleted", "whenScaled"] as const).flatMap((when) =>
    policy && policy[when] !== "Retain" && policy[when] !== "Delete" ? [notSupported(`spec.persistentVolumeClaimRetentionPolicy.${when}`, policy[when] ?? "", ["Retain", "Delete"])] : []);
}

function validateTemplate(spec: Frozen<StatefulSetSpec>, whole: boolean): FieldError[] {
  const at = "spec.template", labels = spec.template?.metadata?.labels, selector = fromLabelSelector(spec.selector);
  const errors = selector.length > 0 && !matchesLabels(selector, labels) ? [invalidValue(`${at}.metadata.labels`, labels, "`selector` does not match template `labels`")] : [];
  if (whole) errors.push(...validatePodTemplate(at, asMade(spec)));
  return [...errors, ...validateLabels(labels, `${at}.labels`), ...validateAnnotations(spec.template?.metadata?.annotations, `${at}.annotations`)];
}

/** The template as pods are made of it: named by the controller, with a volume for each claim. */
function asMade({ template, volumeClaimTemplates: claims = [] }: Frozen<StatefulSetSpec>): Frozen<PodTemplateSpec> {
  if (!template?.spec || (claims.length === 0 && !template.spec.hostname && !template.spec.subdomain)) return template ?? {};
  const names = new Set(claims.map(({ metadata }) => metadata?.name ?? ""));
  const volumes = [...[...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })), ...(template.spec.volumes ?? []).filter(({ name }) => !names.has(name))];
  const { hostname: _, subdomain: __, ...spec } = template.spec;
  return { ...template, spec: claims.length > 0 ? { ...spec, volumes } : spec };
}

const changeable = ["replicas", "template", "updateStrategy", "minReadySeconds", "ordinals", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy"] as const;

export function validateStatefulSetUpdate({ spec }: Frozen<StatefulSet>, old: Frozen<StatefulSet>): FieldError[] {
  if (!spec || !old.spec) return [];
  const errors = validateSpec(spec, validateSpec(old.spec, "changeable").length > 0 ? "changeable but the template" : "changeable");
  const leveled: Record<string, unknown> = { ...spec };
  for (const name of changeable) leveled[name] = old.spec[name];
  if (semanticEqual(leveled, old.spec)) return errors;
  return [...errors, forbiddenField("spec", "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden")];
}

export function validateStatefulSetStatusUpdate({ status }: Frozen<StatefulSet>, old: Frozen<StatefulSet>): FieldError[] {
  const errors = validateCounts<Frozen<Partial<StatefulSetStatus>>>(status ?? {},
    ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration", "collisionCount"],
    ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"], "status.readyReplicas");
  return [...errors, ...validateCollisionCount(status?.collisionCount, old.status?.collisionCount)];
}
