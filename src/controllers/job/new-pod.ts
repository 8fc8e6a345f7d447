import type { Frozen } from "../../apimachinery/meta.ts";
import { jobs } from "../../apis/builtins.ts";
import type { Job } from "../../apis/generated/batch/v1.ts";
import type { Container, Pod } from "../../apis/generated/core/v1.ts";
import { podFromTemplate } from "../pod-control.ts";
import { completionIndexKey, failureCount, failureCountKey, ignoredFailureCount, ignoredFailureCountKey, trackingFinalizer } from "./job-pods.ts";
import { isCounted } from "./pod-failure-policy.ts";

const indexVariable = "JOB_COMPLETION_INDEX";
/** What the server appends its random suffix to is cut off there. */
const longestBase = 58;

/** The pod to make, for an index in an Indexed Job. `replaced` is the failed pod of the index, where each has a back-off limit. */
export function newPod(job: Frozen<Job>, index: number | undefined, replaced?: Frozen<Pod>): Pod {
  const pod = podFromTemplate(jobs, job, job.spec.template), { metadata, spec } = pod;
  metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), trackingFinalizer])];
  if (index === undefined) return pod;
  metadata.generateName = baseName(job.metadata.name!, index);
  metadata.labels = { ...metadata.labels, [completionIndexKey]: String(index) };
  metadata.annotations = { ...metadata.annotations, [completionIndexKey]: String(index), ...(job.spec.backoffLimitPerIndex === undefined ? {} : failureCounts(job, replaced)) };
  spec.hostname = `${job.metadata.name}-${index}`;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) addIndexVariable(container);
  return pod;
}

function baseName(jobName: string, index: number): string {
  const suffix = `-${index}-`;
  return jobName.slice(0, longestBase - suffix.length) + suffix;
}

function failureCounts({ spec }: Frozen<Job>, replaced: Frozen<Pod> | undefined): Record<string, string> {
  if (!replaced) return { [failureCountKey]: "0" };
  const counted = isCounted(spec, replaced), ignored = ignoredFailureCount(replaced) + (counted ? 0 : 1);
  return { [failureCountKey]: String(failureCount(replaced) + (counted ? 1 : 0)), ...(ignored > 0 ? { [ignoredFailureCountKey]: String(ignored) } : {}) };
}

function addIndexVariable(container: Container): void {
  if (container.env?.some(({ name }) => name === indexVariable)) return;
  (container.env ??= []).push({ name: indexVariable, valueFrom: { fieldRef: { fieldPath: `metadata.labels['${completionIndexKey}']` } } });
}
