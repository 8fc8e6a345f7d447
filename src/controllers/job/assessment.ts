import type { Frozen } from "../../apimachinery/meta.ts";
import type { Job, JobSpec } from "../../apis/generated/batch/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodActive } from "../pod-status.ts";
import { happenedAt, noFailures, recordEnds, type Failures, type Times } from "./backoff.ts";
import { indexSet, has, parseIndexes, sizeOf, union, type IndexSet } from "./index-set.ts";
import { counts, failureCount, finishedAt, isIndexed, isPodFailed, isTracked, validIndex } from "./job-pods.ts";
import { isCounted, judgeFailure } from "./pod-failure-policy.ts";
import { metSuccessRule } from "./success-policy.ts";

/** How a job ends: decided first, then its pods go, and last it is marked as Complete or Failed. */
export interface Outcome {
  type: "SuccessCriteriaMet" | "FailureTarget";
  reason: string;
  message: string;
}

/** What isn't in the status; when it is lost it is made up from the pods. */
export interface Memory {
  /** None where each index has a back-off of its own. */
  failures: Failures;
  /** When pods that wait for their replacement ended, by uid; as all times here by the clock that never jumps. */
  ends: ReadonlyMap<string, number>;
  /** When the job began, as its status tells. */
  start?: { told: string; at: number };
}

export interface Assessment {
  active: Frozen<Pod>[];
  /** Pods that have ended so, whether the status says so or not yet. */
  succeeded: number;
  failed: number;
  /** Indexes that the status has as completed, and those and the ones completed since. */
  recorded: IndexSet;
  completed: IndexSet;
  /** Only where each index has a back-off limit. */
  failedIndexes?: IndexSet;
  /** The last failed pod of an index, kept until there is another one that goes on with its count. */
  awaitingReplacement: ReadonlyMap<number, Frozen<Pod>>;
  outcome?: Outcome;
  /** When the job will have been active for too long, by the clock that never jumps. */
  deadlineAt?: number;
  memory: Memory;
}

export const hasCondition = (job: Frozen<Job>, type: string): boolean => job.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;

/** Weighs what the pods show against what the status says already. Source: syncJob of kubernetes pkg/controller/job. */
export function assess(job: Frozen<Job>, pods: readonly Frozen<Pod>[], memory: Memory | undefined, times: Times): Assessment {
  const { spec, status = {} } = job, active = pods.filter(isPodActive), { succeeded, failed } = newlyEnded(job, pods);
  const uncounted = status.uncountedTerminatedPods ?? {}, indexes = assessIndexes(job, pods, active), start = startOf(job, memory, times);
  const facts: Facts = {
    active,
    succeeded: isIndexed(spec) ? sizeOf(indexes.completed) : (status.succeeded ?? 0) + (uncounted.succeeded?.length ?? 0) + succeeded.length,
    failed: (status.failed ?? 0) + (uncounted.failed?.length ?? 0) + failed.filter((pod) => isCounted(spec, pod)).length,
    ...indexes,
    ...deadlineOf(spec, start, times),
    memory: {
      failures: indexes.failedIndexes ? noFailures : recordEnds(memory?.failures ?? pastFailures(pods, spec, times), succeeded, failed, times),
      ends: endsOf(indexes.awaitingReplacement, memory, times),
      ...(start ? { start } : {}),
    },
  };
  const outcome = outcomeOf(job, pods, facts, times);
  return { ...facts, ...(outcome ? { outcome } : {}) };
}

/** Pods that the status doesn't know of yet. */
function newlyEnded({ spec, status }: Frozen<Job>, pods: readonly Frozen<Pod>[]): { succeeded: Frozen<Pod>[]; failed: Frozen<Pod>[] } {
  const known = new Set([...(status?.uncountedTerminatedPods?.succeeded ?? []), ...(status?.uncountedTerminatedPods?.failed ?? [])]);
  const unknown = pods.filter((pod) => isTracked(pod) && counts(pod, spec) && !known.has(pod.metadata.uid!));
  return { succeeded: unknown.filter((pod) => pod.status?.phase === "Succeeded"), failed: unknown.filter((pod) => isPodFailed(pod, spec)) };
}

type Indexes = Pick<Assessment, "recorded" | "completed" | "failedIndexes" | "awaitingReplacement">;

function assessIndexes(job: Frozen<Job>, pods: readonly Frozen<Pod>[], active: readonly Frozen<Pod>[]): Indexes {
  const { spec, status } = job, tracked = pods.filter(isTracked);
  if (!isIndexed(spec)) return { recorded: [], completed: [], awaitingReplacement: new Map() };
  const recorded = parseIndexes(status?.completedIndexes ?? "", spec.completions ?? 0);
  const completed = union(recorded, indexesOf(tracked.filter((pod) => pod.status?.phase === "Succeeded"), spec));
  if (spec.backoffLimitPerIndex === undefined) return { recorded, completed, awaitingReplacement: new Map() };
  const failed = tracked.filter((pod) => isPodFailed(pod, spec) && counts(pod, spec)), failedIndexes = failedIndexesOf(job, failed);
  return { recorded, completed, failedIndexes, awaitingReplacement: lastFailures(failed, union(completed, failedIndexes, indexesOf(active, spec)), spec) };
}

type Facts = Omit<Assessment, "outcome">;

const indexesOf = (pods: readonly Frozen<Pod>[], spec: Frozen<JobSpec>): IndexSet => indexSet(pods.map((pod) => validIndex(pod, spec)).filter((index) => index !== undefined));

function failedIndexesOf({ spec, status }: Frozen<Job>, failed: readonly Frozen<Pod>[]): IndexSet {
  const forGood = failed.filter((pod) => {
    const { action } = judgeFailure(spec, pod);
    return action === "FailIndex" || (action !== "Ignore" && failureCount(pod) >= spec.backoffLimitPerIndex!);
  });
  return union(parseIndexes(status?.failedIndexes ?? "", spec.completions ?? 0), indexesOf(forGood, spec));
}

/** Of each index that isn't settled, its last failed pod. */
function lastFailures(failed: readonly Frozen<Pod>[], settled: IndexSet, spec: Frozen<JobSpec>): Map<number, Frozen<Pod>> {
  const last = new Map<number, Frozen<Pod>>();
  for (const pod of failed) {
    const index = validIndex(pod, spec)!, other = last.get(index);
    if (!has(settled, index) && (!other || (failureCount(other) <= failureCount(pod) && finishedAt(other) <= finishedAt(pod)))) last.set(index, pod);
  }
  return last;
}

/** The failures that pods counted long ago tell of. */
function pastFailures(pods: readonly Frozen<Pod>[], spec: Frozen<JobSpec>, times: Times): Failures {
  const counted = pods.filter((pod) => !isTracked(pod));
  return recordEnds(noFailures, counted.filter((pod) => pod.status?.phase === "Succeeded"), counted.filter((pod) => isPodFailed(pod, spec)), times);
}

function endsOf(awaiting: ReadonlyMap<number, Frozen<Pod>>, memory: Memory | undefined, times: Times): Map<string, number> {
  return new Map([...awaiting.values()].map((pod) => [pod.metadata.uid!, memory?.ends.get(pod.metadata.uid!) ?? happenedAt(finishedAt(pod), times)]));
}

function startOf({ status }: Frozen<Job>, memory: Memory | undefined, times: Times): Memory["start"] {
  const told = status?.startTime;
  if (!told) return undefined;
  return memory?.start?.told === told ? memory.start : { told, at: happenedAt(Date.parse(told), times) };
}

function deadlineOf({ activeDeadlineSeconds, suspend }: Frozen<JobSpec>, start: Memory["start"], { monotonic }: Times): { deadlineAt?: number } {
  return activeDeadlineSeconds === undefined || suspend ? {} : { deadlineAt: (start?.at ?? monotonic) + activeDeadlineSeconds * 1000 };
}

/** What was decided before stays; then come the ways to fail, and success last. */
function outcomeOf(job: Frozen<Job>, pods: readonly Frozen<Pod>[], facts: Facts, times: Times): Outcome | undefined {
  const { spec, status } = job;
  for (const type of ["SuccessCriteriaMet", "FailureTarget"] as const) {
    const decided = status?.conditions?.find((condition) => condition.type === type && condition.status === "True");
    if (decided) return { type, reason: decided.reason ?? "", message: decided.message ?? "" };
  }
  const failure = failureOf(job, pods, facts, times);
  if (failure) return { type: "FailureTarget", ...failure };
  const rule = isIndexed(spec) ? metSuccessRule(spec, facts.completed) : undefined;
  return rule === undefined ? undefined : { type: "SuccessCriteriaMet", reason: "SuccessPolicy", message: `Matched rules at index ${rule}` };
}

function failureOf({ spec }: Frozen<Job>, pods: readonly Frozen<Pod>[], { failed, completed, failedIndexes, deadlineAt }: Facts, { monotonic }: Times): Omit<Outcome, "type"> | undefined {
  const message = pods.filter((pod) => isPodFailed(pod, spec)).map((pod) => judgeFailure(spec, pod).message).find((text) => text !== undefined);
  if (message !== undefined) return { reason: "PodFailurePolicy", message };
  if (failed > (spec.backoffLimit ?? 6) || restartedTooOften(spec, pods)) return { reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" };
  if (deadlineAt !== undefined && deadlineAt <= monotonic) return { reason: "DeadlineExceeded", message: "Job was active longer than specified deadline" };
  const lost = failedIndexes ? sizeOf(failedIndexes) : 0;
  if (lost > (spec.maxFailedIndexes ?? Infinity)) return { reason: "MaxFailedIndexesExceeded", message: "Job has exceeded the specified maximal number of failed indexes" };
  return lost > 0 && lost + sizeOf(completed) >= (spec.completions ?? 0) ? { reason: "FailedIndexes", message: "Job has failed indexes" } : undefined;
}

/** Where containers are restarted in their pod, those restarts are its failures. */
function restartedTooOften({ backoffLimit = 6, template }: Frozen<JobSpec>, pods: readonly Frozen<Pod>[]): boolean {
  if (template.spec?.restartPolicy !== "OnFailure") return false;
  const running = pods.filter(({ status }) => status?.phase === "Running" || status?.phase === "Pending");
  const restarts = running.flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]).reduce((sum, { restartCount }) => sum + restartCount, 0);
  return restarts >= Math.max(1, backoffLimit);
}
