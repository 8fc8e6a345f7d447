import { formatTime } from "../../apimachinery/time.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "../../apis/generated/apps/v1.ts";
import { maxUnavailable, total, totalStatus, wanted } from "./replicas.ts";

/** The status and conditions of a Deployment. Source: progress.go and sync.go of Kubernetes' deployment controller. */

const noDeadline = 2 ** 31 - 1;

export function deadlineOf(d: Frozen<Deployment>): number | undefined {
  const seconds = d.spec.progressDeadlineSeconds;
  return seconds === undefined || seconds === null || seconds === noDeadline ? undefined : seconds * 1000;
}

export type Conditions = readonly DeploymentCondition[];
export const condition = (conditions: Conditions | undefined, type: string): DeploymentCondition | undefined => conditions?.find((c) => c.type === type);
const without = (conditions: Conditions, type: string): Conditions => conditions.filter((c) => c.type !== type);

/** Replaces the condition of that type unless status and reason are the same already; the time of transition is that of the status. */
export function setCondition(conditions: Conditions, now: number, type: string, status: string, reason: string, message: string): Conditions {
  const current = condition(conditions, type);
  if (current?.status === status && current.reason === reason) return conditions;
  return [...without(conditions, type), newCondition(current, now, type, status, reason, message)];
}

function newCondition(current: DeploymentCondition | undefined, now: number, type: string, status: string, reason: string, message: string): DeploymentCondition {
  const time = formatTime(now);
  return { type, status, lastUpdateTime: time, lastTransitionTime: current?.status === status ? current.lastTransitionTime : time, reason, message };
}

/** The numbers, and whether enough replicas are available. `collisionCount` is carried over. */
export function countStatus(d: Frozen<Deployment>, current: ReplicaSet | undefined, all: readonly ReplicaSet[], conditions: Conditions, now: number): DeploymentStatus {
  const available = totalStatus(all, "availableReplicas");
  const enough = available >= wanted(d) - maxUnavailable(d);
  return {
    observedGeneration: d.metadata.generation,
    replicas: totalStatus(all, "replicas"),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: totalStatus(all, "readyReplicas"),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total(all) - available),
    terminatingReplicas: totalStatus(all, "terminatingReplicas"),
    ...(d.status?.collisionCount ? { collisionCount: d.status.collisionCount } : {}),
    conditions: [...(enough
      ? setCondition(conditions, now, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
      : setCondition(conditions, now, "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."))],
  };
}

export const isComplete = (d: Frozen<Deployment>, status: Frozen<DeploymentStatus>): boolean =>
  status.updatedReplicas === wanted(d) && status.replicas === wanted(d) && status.availableReplicas === wanted(d) && (status.observedGeneration ?? 0) >= (d.metadata.generation ?? 0);

function isProgressing(old: Frozen<DeploymentStatus>, status: DeploymentStatus): boolean {
  const outdated = (s: Frozen<DeploymentStatus>): number => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  const more = (field: "updatedReplicas" | "readyReplicas" | "availableReplicas"): boolean => (status[field] ?? 0) > (old[field] ?? 0);
  return more("updatedReplicas") || outdated(status) < outdated(old) || more("readyReplicas") || more("availableReplicas");
}

function isTimedOut(deadline: number, progressing: DeploymentCondition | undefined, now: number): boolean {
  if (!progressing || progressing.reason === "NewReplicaSetAvailable") return false;
  return progressing.reason === "ProgressDeadlineExceeded" || Date.parse(progressing.lastUpdateTime ?? "") + deadline < now;
}

/** Adds to counted `status` how the rollout goes. */
export function rolloutStatus(d: Frozen<Deployment>, current: ReplicaSet | undefined, all: readonly ReplicaSet[], status: DeploymentStatus, now: number): DeploymentStatus {
  return { ...status, conditions: [...withReplicaFailure(progressOf(d, current, status, now), current, all, now)] };
}

function progressOf(d: Frozen<Deployment>, current: ReplicaSet | undefined, status: DeploymentStatus, now: number): Conditions {
  const conditions = status.conditions ?? [];
  const deadline = deadlineOf(d);
  if (deadline === undefined) return without(conditions, "Progressing");
  const before = condition(conditions, "Progressing");
  if (status.replicas === status.updatedReplicas && before?.reason === "NewReplicaSetAvailable") return conditions;
  const subject = current ? `ReplicaSet ${JSON.stringify(current.metadata.name)}` : `Deployment ${JSON.stringify(d.metadata.name)}`;
  if (isComplete(d, status)) return setCondition(conditions, now, "Progressing", "True", "NewReplicaSetAvailable", `${subject} has successfully progressed.`);
  if (isProgressing(d.status ?? {}, status)) {
    // Set anew each time: its lastUpdateTime is what the deadline counts from.
    return [...without(conditions, "Progressing"), newCondition(before, now, "Progressing", "True", "ReplicaSetUpdated", `${subject} is progressing.`)];
  }
  return isTimedOut(deadline, before, now) ? setCondition(conditions, now, "Progressing", "False", "ProgressDeadlineExceeded", `${subject} has timed out progressing.`) : conditions;
}

function withReplicaFailure(conditions: Conditions, current: ReplicaSet | undefined, all: readonly ReplicaSet[], now: number): Conditions {
  const failureOf = (rs: ReplicaSet | undefined): DeploymentCondition | undefined => rs?.status?.conditions?.find((c) => c.type === "ReplicaFailure" && c.status === "True");
  const failure = failureOf(current) ?? all.map(failureOf).find((c) => c);
  return failure ? setCondition(conditions, now, "ReplicaFailure", failure.status, failure.reason ?? "", failure.message ?? "") : without(conditions, "ReplicaFailure");
}

/** `kubectl rollout pause` stops the clock of the deadline. */
export function pausedConditions(d: Frozen<Deployment>, now: number): Conditions {
  const conditions = (d.status?.conditions ?? []) as Conditions;
  const reason = condition(conditions, "Progressing")?.reason;
  if (deadlineOf(d) === undefined || reason === "ProgressDeadlineExceeded") return conditions;
  if (d.spec.paused && reason !== "DeploymentPaused") return setCondition(conditions, now, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused");
  if (!d.spec.paused && reason === "DeploymentPaused") return setCondition(conditions, now, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed");
  return conditions;
}

/** Milliseconds until the deadline has to be looked at; undefined when nothing is to be waited for. */
export function untilDeadline(d: Frozen<Deployment>, status: DeploymentStatus, now: number): number | undefined {
  const deadline = deadlineOf(d);
  const progressing = condition(status.conditions, "Progressing");
  if (deadline === undefined || !progressing || isComplete(d, status) || progressing.reason === "ProgressDeadlineExceeded" || progressing.reason === "NewReplicaSetAvailable" || d.spec.paused) return undefined;
  // A second more, because times are written without fractions; not longer than that from now, also when the clock was set back.
  return Math.min(Math.max(0, Date.parse(progressing.lastUpdateTime ?? "") + deadline - now), deadline) + 1000;
}
