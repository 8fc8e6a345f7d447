import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, humanDuration, nameColumn } from "../../apimachinery/resource.ts";
import type { Job, JobSpec } from "../generated/batch/v1.ts";
import { defaultPodTemplate } from "../core/pod/defaults.ts";
import { nameWarnings, podTemplateWarnings, templateColumns } from "../core/pod/template.ts";
import { validateJobStatusUpdate } from "./job-status-validation.ts";
import { jobLabels, validateJob, validateJobUpdate } from "./job-validation.ts";
export type { Job } from "../generated/batch/v1.ts";

export const jobSelectorDescription = "A label query over pods that should match the pod count. Normally, the system sets this field for you. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors";

export const jobs = defineResource<Job>({
  group: "batch", version: "v1", kind: "Job", resource: "jobs", scope: "Namespaced", categories: ["all"],
  subresources: { status: true },
  schema: "io.k8s.api.batch.v1.Job",
  default: defaultJob,
  strategy: {
    prepareForCreate(job) {
      if (!job.spec!.manualSelector) generateSelector(job);
      if (Object.keys(job.metadata.labels ?? {}).length === 0 && job.spec!.template.metadata?.labels) job.metadata.labels = { ...job.spec!.template.metadata.labels };
      job.status = {};
    },
    validate: validateJob,
    validateUpdate: validateJobUpdate,
    validateStatusUpdate: validateJobStatusUpdate,
    warnings: (job, old) => [...(old ? [] : nameWarnings(job.metadata.name)), ...jobSpecWarnings("spec", job.spec ?? { template: {} }, old?.spec)],
    defaultPropagation: "Orphan",
  },
  fieldSelectors: { "status.successful": ({ status }) => String(status?.succeeded ?? 0) },
  columns: [
    nameColumn(),
    { name: "Status", type: "string", description: "Status of the job.", value: statusOf },
    { name: "Completions", type: "string", description: "The number of pods which reached phase Succeeded. The value increases monotonically for a given spec. However, it may decrease in reaction to scale down of elastic indexed jobs.", value: completionsOf },
    { name: "Duration", type: "string", description: "Time required to complete the job.", value: durationOf },
    ageColumn(),
    ...templateColumns<Job>(jobSelectorDescription),
  ],
  example: () => ({
    apiVersion: "batch/v1", kind: "Job", metadata: { name: "example", namespace: "default" },
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "busybox:1.36" }] } } },
  }),
});

function defaultJob(job: Job): void {
  const spec = (job.spec ??= { template: {} });
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1;
  // One object for both, as Kubernetes has one map: the labels that are generated later show on the job too.
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = labels;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? "Failed" : "TerminatingOrFailed";
  spec.manualSelector ??= false;
  defaultJobSpec(spec);
}

/** What a CronJob's template gets too; the rest is for the Jobs made of it. */
export function defaultJobSpec(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? []) for (const pattern of rule.onPodConditions ?? []) pattern.status ||= "True";
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}

/** Labels that only this job's pods have, and a selector for them; labels that are there already are left for validation to refuse. */
function generateSelector({ metadata, spec }: Job): void {
  const template = (spec!.template.metadata ??= {});
  const labels = (template.labels ??= {});
  for (const [name, value] of Object.entries(jobLabels(metadata))) labels[name] ??= value;
  const selector = (spec!.selector ??= {});
  selector.matchLabels = { "batch.kubernetes.io/controller-uid": metadata.uid ?? "", ...selector.matchLabels };
}

export function jobSpecWarnings(field: string, spec: Frozen<JobSpec>, old?: Frozen<JobSpec>): string[] {
  if (old && semanticEqual(spec, old)) return [];
  const { completionMode, completions = 0, parallelism = 0 } = spec;
  const many = completionMode === "Indexed" && completions > 100_000 && parallelism > 10_000;
  return [
    ...(many ? [`${field}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`] : []),
    ...podTemplateWarnings(`${field}.template`, spec.template, old?.template),
  ];
}

const shownConditions = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];

function statusOf({ metadata, status }: Frozen<Job>): string {
  const shown = shownConditions.find((type) => status?.conditions?.some((condition) => condition.type === type && condition.status === "True"));
  if (shown === "Complete" || shown === "Failed") return shown;
  return metadata.deletionTimestamp ? "Terminating" : shown ?? "Running";
}

function completionsOf({ spec, status }: Frozen<Job>): string {
  const { completions, parallelism = 0 } = spec ?? {}, succeeded = status?.succeeded ?? 0;
  if (completions !== undefined) return `${succeeded}/${completions}`;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationOf({ status }: Frozen<Job>, now: number): string {
  const { startTime, completionTime } = status ?? {};
  return startTime ? humanDuration((completionTime ? Date.parse(completionTime) : now) - Date.parse(startTime)) : "";
}
