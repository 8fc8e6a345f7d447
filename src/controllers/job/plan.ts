import type { Frozen } from "../../apimachinery/meta.ts";
import type { Job, JobSpec } from "../../apis/generated/batch/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { Assessment, Outcome } from "./assessment.ts";
import { remainingBackoff } from "./backoff.ts";
import { firstMissing, indexSet, union } from "./index-set.ts";
import { completionIndex, failureCount, ignoredFailureCount, isIndexed, isTerminating, isTracked, replacesOnlyFailed, validIndex } from "./job-pods.ts";
import { removalOrder } from "./removal-order.ts";

/** At most so many pods are made or deleted in one go. */
const burst = 500;

export interface PodsPlan {
  /** Pods to make: the index of each, in an Indexed Job. */
  create: (number | undefined)[];
  delete: readonly Frozen<Pod>[];
  /** The pods to delete count for nothing: they were too many. */
  discard: boolean;
  /** Milliseconds until a pod that failed may be replaced. */
  retryAfter?: number;
}

/** Which pods to make and to delete. Source: manageJob. */
export function planPods(job: Frozen<Job>, pods: readonly Frozen<Pod>[], assessment: Assessment, monotonic: number): PodsPlan {
  const { active, outcome } = assessment, nothing: PodsPlan = { create: [], delete: [], discard: false };
  if (outcome) return { ...nothing, delete: active };
  if (job.metadata.deletionTimestamp) return nothing;
  if (job.spec.suspend) return { create: [], delete: active, discard: true };
  const wanted = wantedActive(job.spec, assessment), surplus = surplusOf(job.spec, active, wanted);
  if (surplus.length > 0) return { create: [], delete: surplus.slice(0, burst), discard: true };
  const terminating = replacesOnlyFailed(job.spec) ? pods.filter(isTerminating) : [];
  const missing = Math.min(burst, wanted - active.length - terminating.length);
  if (missing <= 0) return nothing;
  return { ...nothing, ...planCreation(job.spec, missing, terminating, assessment, monotonic) };
}

/** A job without a number of completions runs on until a pod has succeeded. */
function wantedActive({ completions, parallelism = 1 }: Frozen<JobSpec>, { active, succeeded }: Assessment): number {
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(parallelism, completions - succeeded));
}

/** Pods that are not the job's to count go in any case: of an index that isn't its own or that another one has, or no longer tracked. */
function surplusOf(spec: Frozen<JobSpec>, active: readonly Frozen<Pod>[], wanted: number): Frozen<Pod>[] {
  const taken = new Set<number>();
  const useful = (pod: Frozen<Pod>): boolean => {
    if (!isTracked(pod)) return false;
    if (!isIndexed(spec)) return true;
    const index = validIndex(pod, spec);
    if (index === undefined || taken.has(index)) return false;
    taken.add(index);
    return true;
  };
  const kept = removalOrder(active).toReversed().filter(useful);
  const rest = active.filter((pod) => !kept.includes(pod));
  const tooMany = Math.max(0, active.length - wanted - rest.length);
  return [...rest, ...kept.slice(kept.length - tooMany).toReversed()];
}

function planCreation(spec: Frozen<JobSpec>, missing: number, terminating: readonly Frozen<Pod>[], assessment: Assessment, monotonic: number): Pick<PodsPlan, "create" | "retryAfter"> {
  const { active, completed, failedIndexes, memory } = assessment;
  const wait = failedIndexes ? 0 : remainingBackoff(memory.failures, monotonic);
  if (wait > 0) return { create: [], retryAfter: wait };
  if (!isIndexed(spec)) return { create: Array.from({ length: missing }, () => undefined) };
  const present = indexSet([...active, ...terminating].map(completionIndex).filter((index) => index !== undefined));
  const indexes = firstMissing(union(completed, failedIndexes ?? [], present), missing, spec.completions ?? 0);
  const waits = new Map(indexes.map((index) => [index, remainingOf(index, assessment, monotonic)]));
  const later = [...waits.values()].filter((ms) => ms > 0);
  return { create: indexes.filter((index) => waits.get(index) === 0), ...(later.length > 0 ? { retryAfter: Math.min(...later) } : {}) };
}

/** Milliseconds until the failed pod of an index may be replaced, where each index has a back-off of its own. */
function remainingOf(index: number, { awaitingReplacement, memory }: Assessment, monotonic: number): number {
  const pod = awaitingReplacement.get(index);
  if (!pod) return 0;
  return remainingBackoff({ inARow: failureCount(pod) + ignoredFailureCount(pod) + 1, last: memory.ends.get(pod.metadata.uid!)! }, monotonic);
}

/** How the job stands once the plan for its pods has been carried out, which left so many `active`: what was decided holds when they are gone. */
export function outcomeAfter({ spec: { completions } }: Frozen<Job>, { outcome, succeeded }: Assessment, active: number): Outcome | undefined {
  if (active > 0) return undefined;
  if (outcome) return outcome;
  if (completions === undefined ? succeeded === 0 : succeeded < completions) return undefined;
  return { type: "SuccessCriteriaMet", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
}
