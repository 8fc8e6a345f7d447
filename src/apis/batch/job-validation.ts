import { semanticEqual } from "../../apimachinery/equality.ts";
import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { thaw, type Frozen, type ObjectMeta } from "../../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { dns1123LabelErrors } from "../../apimachinery/validation/names.ts";
import type { Job, JobSpec } from "../generated/batch/v1.ts";
import type { Affinity, PodSpec, PodTemplateSpec } from "../generated/core/v1.ts";
import { validateJobSpec } from "./job-spec-validation.ts";

/** What tells a job's pods from all others. */
export const jobLabels = ({ name = "", uid = "" }: Frozen<ObjectMeta> | ObjectMeta): Record<string, string> => ({
  "controller-uid": uid, "job-name": name, "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name,
});

export const validateJob = (job: Frozen<Job>): FieldError[] => validateWhole(job, true);

function validateWhole(job: Frozen<Job>, prefixed: boolean): FieldError[] {
  const { metadata } = job, spec = job.spec ?? { template: {} }, name = metadata.name ?? "";
  const errors = [...validateGeneratedSelector(job, prefixed), ...validateSpec(spec)];
  const { completionMode, completions = 0 } = spec, last = `${name}-${completions - 1}`;
  if (completionMode === "Indexed" && completions > 0 && dns1123LabelErrors(last).length > 0) {
    errors.push(invalidValue("metadata.name", name, `will not able to create pod with invalid DNS label: ${last}`));
  }
  return errors;
}

/** As Kubernetes prints maps. */
const inOrder = (labels: Readonly<Record<string, string>> | undefined): Record<string, string> | undefined => labels && Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));

function validateSpec(spec: Frozen<JobSpec>): FieldError[] {
  const { selector, template } = spec, labels = inOrder(template?.metadata?.labels);
  const wrongSelector = validateLabelSelector(selector, "spec.selector");
  const errors = [...validateJobSpec("spec", spec), ...(selector ? wrongSelector : [required("spec.selector")])];
  if (wrongSelector.length === 0 && !matchesLabels(fromLabelSelector(selector), labels)) errors.push(invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
  return errors;
}

/** Unless the selector is the user's own, it and the pods' labels must be those that were generated. */
function validateGeneratedSelector({ metadata, spec }: Frozen<Job>, prefixed: boolean): FieldError[] {
  if (!spec || spec.manualSelector || !spec.selector) return [];
  const labels = inOrder(spec.template?.metadata?.labels) ?? {}, expected = Object.entries(jobLabels(metadata)).filter(([key]) => prefixed || !key.includes("/"));
  const errors = expected.flatMap(([key, value]) => {
    const at = `spec.template.metadata.labels[${key}]`;
    if (labels[key] === undefined) return [required(at, `must be '${value}'`)];
    return labels[key] === value ? [] : [invalidValue(at, labels, `must be '${value}'`)];
  });
  const readable = validateLabelSelector(spec.selector, "spec.selector").length === 0;
  if (readable && !matchesLabels(fromLabelSelector(spec.selector), Object.fromEntries(expected))) errors.push(invalidValue("spec.selector", spec.selector, "`selector` not auto-generated"));
  return errors;
}

const immutable = (field: string, value: unknown, old: unknown): FieldError[] => (semanticEqual(value, old) ? [] : [invalidValue(field, value, "field is immutable")]);

/** As Kubernetes does, the whole is validated, and the spec once more. */
export function validateJobUpdate(job: Frozen<Job>, old: Frozen<Job>): FieldError[] {
  const spec = job.spec ?? { template: {} }, was = old.spec ?? { template: {} }, labels = was.template?.metadata?.labels ?? {};
  const prefixed = ["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"].every((key) => labels[key] !== undefined);
  return [
    ...validateWhole(job, prefixed), ...validateSpec(spec),
    ...validateCompletions(spec, was),
    ...immutable("spec.selector", spec.selector, was.selector),
    ...validateTemplateUpdate(spec.template ?? {}, old),
    ...(["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] as const).flatMap((name) => immutable(`spec.${name}`, spec[name], was[name])),
  ];
}

/** Indexed Jobs grow and shrink, with all their pods at once. */
function validateCompletions({ completionMode, completions, parallelism }: Frozen<JobSpec>, old: Frozen<JobSpec>): FieldError[] {
  if (completionMode !== "Indexed") return immutable("spec.completions", completions, old.completions);
  if (completions === old.completions || completions === undefined || completions === parallelism) return [];
  return [invalidValue("spec.completions", completions, "can only be modified in tandem with spec.parallelism")];
}

/** A suspended job that has no pods may still be told where its pods go and what they ask. */
function validateTemplateUpdate(template: Frozen<PodTemplateSpec>, { spec, status }: Frozen<Job>): FieldError[] {
  const suspended = spec?.suspend === true;
  const stopped = status?.startTime === undefined || status.conditions?.some((condition) => condition.type === "Suspended" && condition.status === "True");
  const mayChange = suspended && stopped && !status?.active;
  const old = thaw<PodTemplateSpec>(spec?.template ?? {});
  if (!mayChange) return immutable("spec.template", template, old);
  levelScheduling(old, thaw<PodTemplateSpec>(template));
  return immutable("spec.template.spec", template.spec, levelResources(old.spec, template.spec));
}

/** Takes over into `old` what says where pods go. */
function levelScheduling(old: PodTemplateSpec, template: PodTemplateSpec): void {
  const was = (old.spec ??= { containers: [] }), spec = template.spec ?? { containers: [] };
  const affinity: Affinity | undefined = was.affinity || spec.affinity ? { ...was.affinity } : undefined;
  if (affinity) {
    if (spec.affinity?.nodeAffinity) affinity.nodeAffinity = spec.affinity.nodeAffinity;
    else delete affinity.nodeAffinity;
  }
  assign(was, "affinity", !spec.affinity && affinity && Object.keys(affinity).length === 0 ? undefined : affinity);
  assign(was, "nodeSelector", spec.nodeSelector);
  assign(was, "tolerations", spec.tolerations);
  assign(was, "schedulingGates", spec.schedulingGates);
}

function assign<K extends keyof PodSpec>(spec: PodSpec, name: K, value: PodSpec[K] | undefined): void {
  if (value === undefined) delete spec[name];
  else spec[name] = value;
}

function levelResources(old: PodSpec | undefined, spec: Frozen<PodSpec> | undefined): PodSpec | undefined {
  for (const list of ["containers", "initContainers"] as const) {
    const now = spec?.[list] ?? [], was = old?.[list] ?? [];
    if (now.length !== was.length) continue;
    for (const [index, container] of was.entries()) {
      if (container.name === now[index]!.name) container.resources = thaw<NonNullable<typeof container.resources>>(now[index]!.resources ?? {});
    }
  }
  return old;
}
