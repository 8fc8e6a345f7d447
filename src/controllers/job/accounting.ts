import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Job, JobCondition, JobStatus } from "../../apis/generated/batch/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodActive, isPodReady } from "../pod-status.ts";
import { hasCondition, type Assessment, type Outcome } from "./assessment.ts";
import { formatIndexes, has, indexSet, sizeOf, union } from "./index-set.ts";
import { completionIndex, isIndexed, isPodFailed, isTerminating, isTracked, validIndex } from "./job-pods.ts";
import { isCounted } from "./pod-failure-policy.ts";

/**
 * How pods are counted, each once, whenever the process ends: a pod that has ended is held by its finalizer; its uid (or its index) is written into
 * the status; then the finalizer goes; then, the pod being free, the uid makes way for a number. Source: trackJobStatusAndRemoveFinalizers.
 */

/** At most so many uids are in the status. */
const maxUncounted = 500;

export interface Accounts {
  status: JobStatus;
  /** Pods whose finalizer is to go once the status is written. */
  release: Frozen<Pod>[];
  /** Not all pods were looked at: the job can't be finished yet. */
  partial: boolean;
}

/** The status to write before finalizers go. `pods` are as they were assessed, `podsNow` as the plan for them left them. */
export function openAccounts(job: Frozen<Job>, pods: readonly Frozen<Pod>[], podsNow: readonly Frozen<Pod>[], assessment: Assessment, outcome: Outcome | undefined, now: number): Accounts {
  const { spec } = job, before = job.status?.uncountedTerminatedPods;
  const counted = new Set([...(before?.succeeded ?? []), ...(before?.failed ?? [])]);
  const status = countReleased(withPods(thaw<JobStatus>(job.status ?? {}), podsNow), podsNow);
  const uncounted = status.uncountedTerminatedPods!;
  const release: Frozen<Pod>[] = [], newIndexes: number[] = [];
  const full = (): boolean => newIndexes.length + (uncounted.succeeded?.length ?? 0) + (uncounted.failed?.length ?? 0) >= maxUncounted;
  for (const pod of isIndexed(spec) ? pods.toSorted((a, b) => (completionIndex(a) ?? -1) - (completionIndex(b) ?? -1)) : pods) {
    if (!isTracked(pod) || !mayRelease(job, pod, assessment, outcome)) continue;
    if (full()) return { status: withIndexes(job, status, assessment, newIndexes), release, partial: true };
    release.push(pod);
    const uid = pod.metadata.uid!, end = counted.has(uid) ? undefined : endOf(job, pod, outcome);
    if (end === "Failed") (uncounted.failed ??= []).push(uid);
    else if (end === "Succeeded" && !isIndexed(spec)) (uncounted.succeeded ??= []).push(uid);
    else if (end === "Succeeded" && !has(assessment.recorded, validIndex(pod, spec)!)) newIndexes.push(validIndex(pod, spec)!);
  }
  if (outcome) addCondition(status, outcome, now);
  return { status: withIndexes(job, status, assessment, newIndexes), release, partial: false };
}

/** The status once finalizers are gone, or as many as went. `finishing` says how the job ends, when nothing else is left to do. */
export function closeAccounts(status: Frozen<JobStatus>, podsNow: readonly Frozen<Pod>[], finishing: Outcome | undefined, now: number): JobStatus {
  const closed = countReleased(withPods(thaw<JobStatus>(status), podsNow), podsNow);
  const { succeeded = [], failed = [] } = closed.uncountedTerminatedPods!;
  if (!finishing || succeeded.length + failed.length > 0 || closed.terminating! > 0 || closed.active) return closed;
  const complete = finishing.type === "SuccessCriteriaMet";
  addCondition(closed, { ...finishing, type: complete ? "Complete" : "Failed" }, now);
  if (complete) closed.completionTime = formatTime(now);
  return closed;
}

/** Whether the pod has ended as far as the job is concerned. */
function mayRelease(job: Frozen<Job>, pod: Frozen<Pod>, { awaitingReplacement }: Assessment, outcome: Outcome | undefined): boolean {
  if (job.metadata.deletionTimestamp || outcome || pod.status?.phase === "Succeeded") return true;
  const index = completionIndex(pod);
  return isPodFailed(pod, job.spec) && !(index !== undefined && awaitingReplacement.get(index)?.metadata.uid === pod.metadata.uid);
}

/** What the pod counts as. When a job fails, so do all its pods; when it has succeeded, those deleted for it count as nothing. */
function endOf(job: Frozen<Job>, pod: Frozen<Pod>, outcome: Outcome | undefined): "Succeeded" | "Failed" | undefined {
  const { spec } = job;
  if (isIndexed(spec) && validIndex(pod, spec) === undefined) return undefined;
  if (pod.status?.phase === "Succeeded") return "Succeeded";
  const failed = hasCondition(job, "SuccessCriteriaMet") ? pod.status?.phase === "Failed" : isPodFailed(pod, spec) || outcome?.type === "FailureTarget";
  return failed && isCounted(spec, pod) ? "Failed" : undefined;
}

/** Turns uids of pods that are free, or gone, into numbers. */
function countReleased(status: JobStatus, podsNow: readonly Frozen<Pod>[]): JobStatus {
  const held = new Set(podsNow.filter(isTracked).map(({ metadata }) => metadata.uid!)), { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const remaining = { succeeded: succeeded.filter((uid) => held.has(uid)), failed: failed.filter((uid) => held.has(uid)) };
  const done = { succeeded: succeeded.length - remaining.succeeded.length, failed: failed.length - remaining.failed.length };
  if (done.succeeded) status.succeeded = (status.succeeded ?? 0) + done.succeeded;
  if (done.failed) status.failed = (status.failed ?? 0) + done.failed;
  status.uncountedTerminatedPods = { ...(remaining.succeeded.length ? { succeeded: remaining.succeeded } : {}), ...(remaining.failed.length ? { failed: remaining.failed } : {}) };
  return status;
}

function withPods(status: JobStatus, podsNow: readonly Frozen<Pod>[]): JobStatus {
  const active = podsNow.filter(isPodActive);
  status.ready = active.filter(isPodReady).length;
  status.terminating = podsNow.filter(isTerminating).length;
  if (active.length > 0) status.active = active.length;
  else delete status.active;
  return status;
}

function withIndexes({ spec }: Frozen<Job>, status: JobStatus, { completed, failedIndexes }: Assessment, newIndexes: readonly number[]): JobStatus {
  if (!isIndexed(spec)) return status;
  const all = union(completed, indexSet(newIndexes));
  setOrDelete(status, "succeeded", sizeOf(all) || undefined);
  setOrDelete(status, "completedIndexes", formatIndexes(all) || undefined);
  if (failedIndexes) status.failedIndexes = formatIndexes(failedIndexes);
  return status;
}

function setOrDelete<K extends keyof JobStatus>(status: JobStatus, name: K, value: JobStatus[K] | undefined): void {
  if (value === undefined) delete status[name];
  else status[name] = value;
}

/** Adds a condition that holds, or leaves it as it is. */
export function addCondition(status: JobStatus, { type, reason, message }: Pick<JobCondition, "type"> & { reason: string; message: string }, now: number): void {
  const conditions = (status.conditions ??= []);
  if (conditions.some((condition) => condition.type === type && condition.status === "True")) return;
  conditions.push({ type, status: "True", lastProbeTime: formatTime(now), lastTransitionTime: formatTime(now), reason, message });
}
