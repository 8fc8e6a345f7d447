import type { Frozen } from "../../apimachinery/meta.ts";
import type { JobSpec } from "../../apis/generated/batch/v1.ts";
import type { ContainerStatus, Pod } from "../../apis/generated/core/v1.ts";
import { isPodTerminal, podCondition } from "../pod-status.ts";

/** What the job controller reads from pods. */

/** Holds a pod back until it has been counted. */
export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
/** Label and annotation. */
export const completionIndexKey = "batch.kubernetes.io/job-completion-index";
/** How often pods of this index failed before this one: those that count, and those that a pod failure policy ignores. */
export const failureCountKey = "batch.kubernetes.io/job-index-failure-count";
export const ignoredFailureCountKey = "batch.kubernetes.io/job-index-ignored-failure-count";

/** Not counted yet. */
export const isTracked = ({ metadata }: Frozen<Pod>): boolean => metadata.finalizers?.includes(trackingFinalizer) ?? false;

export const isTerminating = (pod: Frozen<Pod>): boolean => pod.metadata.deletionTimestamp !== undefined && !isPodTerminal(pod);

export const isIndexed = ({ completionMode }: Frozen<JobSpec>): boolean => completionMode === "Indexed";

/** Waits for the end of pods that are being deleted before it replaces them. */
export const replacesOnlyFailed = ({ podReplacementPolicy, podFailurePolicy }: Frozen<JobSpec>): boolean => podReplacementPolicy === "Failed" || podFailurePolicy !== undefined;

/** A pod that is deleted counts as failed: it may never get to say so itself. */
export function isPodFailed(pod: Frozen<Pod>, spec: Frozen<JobSpec>): boolean {
  return pod.status?.phase === "Failed" || (!replacesOnlyFailed(spec) && isTerminating(pod));
}

export function completionIndex({ metadata }: Frozen<Pod>): number | undefined {
  const text = metadata.annotations?.[completionIndexKey] ?? "";
  return /^\+?\d+$/.test(text) ? Number(text) : undefined;
}

/** The pod's index, when it is one of the job's. */
export function validIndex(pod: Frozen<Pod>, { completions = 0 }: Frozen<JobSpec>): number | undefined {
  const index = completionIndex(pod);
  return index !== undefined && index < completions ? index : undefined;
}

/** Whether the end of this pod counts for the job: in an Indexed one it needs an index. */
export const counts = (pod: Frozen<Pod>, spec: Frozen<JobSpec>): boolean => !isIndexed(spec) || validIndex(pod, spec) !== undefined;

export const failureCount = (pod: Frozen<Pod>): number => annotatedCount(pod, failureCountKey);
export const ignoredFailureCount = (pod: Frozen<Pod>): number => annotatedCount(pod, ignoredFailureCountKey);

function annotatedCount({ metadata }: Frozen<Pod>, key: string): number {
  const text = metadata.annotations?.[key] ?? "", count = Number(text);
  return /^\+?\d+$/.test(text) && count < 2 ** 31 ? count : 0;
}

/** When the pod ended, in milliseconds since the epoch, as well as it shows. Source: getFinishedTime of backoff_utils.go. */
export function finishedAt(pod: Frozen<Pod>): number {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata;
  const ended = lastContainerEnd(pod);
  if (ended !== undefined) return ended;
  const ready = podCondition(pod, "Ready");
  if (ready?.status === "False" && ready.lastTransitionTime) return Date.parse(ready.lastTransitionTime);
  return deletionTimestamp ? Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000 : Date.parse(creationTimestamp ?? "");
}

/** Of the containers and sidecars; undefined while one still runs. */
function lastContainerEnd({ spec, status }: Frozen<Pod>): number | undefined {
  const sidecars = new Set((spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always").map(({ name }) => name));
  const statuses: Frozen<ContainerStatus>[] = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name))];
  const ends = statuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ""));
  return ends.length > 0 && !ends.some(Number.isNaN) ? Math.max(...ends) : undefined;
}
