import { scaledValue } from "../../apimachinery/intstr.ts";
import type { Condition, Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from "../../apis/generated/policy/v1.ts";
import { isPodReady, isPodTerminal, podCondition } from "../pod-status.ts";

/** How long an eviction that was granted may take to show as a deletion, and a pod may be marked for a disruption that doesn't come. */
const deletionTimeout = 2 * 60_000;

/** Whether the pods' controllers say how many pods there should be; a number of pods that must be available says it all. */
export const countsControllers = ({ spec: { minAvailable, maxUnavailable } }: Frozen<PodDisruptionBudget>): boolean => maxUnavailable !== undefined || typeof minAvailable === "string";

export interface Expected {
  pods: number;
  healthy: number;
}

/** `pods` are those that there are, or those that their controllers want where `countsControllers`. */
export function expectedOf({ spec: { minAvailable, maxUnavailable } }: Frozen<PodDisruptionBudget>, pods: number): Expected {
  if (maxUnavailable !== undefined) return { pods, healthy: Math.max(0, pods - scaledValue(maxUnavailable, pods, true)) };
  if (minAvailable === undefined) return { pods: 0, healthy: 0 };
  return { pods, healthy: scaledValue(minAvailable, pods, true) };
}

/** Evictions that were granted and have not happened yet. */
export interface Disrupted {
  /** When each was granted, by the pod's name. */
  pending: Record<string, string>;
  /** Should be gone, and aren't: they count as healthy again. */
  overdue: Frozen<Pod>[];
  /** When the next becomes overdue, in milliseconds. */
  nextOverdueAt?: number;
}

export function planDisrupted({ status }: Frozen<PodDisruptionBudget>, pods: readonly Frozen<Pod>[], now: number): Disrupted {
  const disrupted: Disrupted = { pending: {}, overdue: [] };
  for (const pod of pods) {
    const since = pod.metadata.deletionTimestamp ? undefined : status?.disruptedPods?.[pod.metadata.name!];
    if (!since) continue;
    const until = Date.parse(since) + deletionTimeout;
    if (until <= now) {
      disrupted.overdue.push(pod);
      continue;
    }
    disrupted.pending[pod.metadata.name!] = since;
    disrupted.nextOverdueAt = Math.min(disrupted.nextOverdueAt ?? until, until);
  }
  return disrupted;
}

/** The status of a budget. Source: k8s.io/kubernetes/pkg/controller/disruption. */
export function planStatus(budget: Frozen<PodDisruptionBudget>, pods: readonly Frozen<Pod>[], expected: Expected, pending: Readonly<Record<string, string>>, now: number): PodDisruptionBudgetStatus {
  const currentHealthy = pods.filter((pod) => !pod.metadata.deletionTimestamp && !Object.hasOwn(pending, pod.metadata.name!) && isPodReady(pod)).length;
  // A budget that no pod has met yet allows nothing, so that the first ones are safe before they are counted.
  const disruptionsAllowed = expected.pods > 0 ? Math.max(0, currentHealthy - expected.healthy) : 0;
  const observedGeneration = budget.metadata.generation ?? 0;
  const verdict = disruptionsAllowed > 0 ? { status: "True" as const, reason: "SufficientPods" } : { status: "False" as const, reason: "InsufficientPods" };
  return {
    observedGeneration, disruptionsAllowed, currentHealthy, desiredHealthy: expected.healthy, expectedPods: expected.pods,
    ...(Object.keys(pending).length > 0 ? { disruptedPods: { ...pending } } : {}),
    conditions: withCondition(budget, { ...verdict, message: "", observedGeneration }, now),
  };
}

/** What is written when the counts can't be known: nothing may be evicted. */
export function failedStatus(budget: Frozen<PodDisruptionBudget>, message: string, now: number): PodDisruptionBudgetStatus {
  const old = structuredClone(budget.status ?? { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }) as PodDisruptionBudgetStatus;
  const observedGeneration = old.observedGeneration ?? 0;
  return { ...old, disruptionsAllowed: 0, conditions: withCondition(budget, { status: "False", reason: "SyncFailed", message, observedGeneration }, now) };
}

function withCondition({ status }: Frozen<PodDisruptionBudget>, verdict: Pick<Condition, "status" | "reason" | "message" | "observedGeneration">, now: number): Condition[] {
  const type = "DisruptionAllowed", conditions = structuredClone(status?.conditions ?? []) as Condition[];
  const index = conditions.findIndex((condition) => condition.type === type), old = conditions[index];
  const condition: Condition = { type, ...verdict, lastTransitionTime: old?.status === verdict.status ? old.lastTransitionTime : formatTime(now) };
  if (old) conditions[index] = condition;
  else conditions.push(condition);
  return conditions;
}

/**
 * When a pod that was marked for a disruption counts as spared, in milliseconds; undefined for one that isn't marked, or goes. What a kubelet
 * marks may take its time.
 */
export function sparedAt(pod: Frozen<Pod>): number | undefined {
  const mark = podCondition(pod, "DisruptionTarget");
  if (pod.metadata.deletionTimestamp || isPodTerminal(pod) || mark?.status !== "True" || mark.reason === "TerminationByKubelet") return undefined;
  return (mark.lastTransitionTime ? Date.parse(mark.lastTransitionTime) : 0) + deletionTimeout;
}
