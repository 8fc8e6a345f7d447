import { formatTime } from "../../apimachinery/time.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodActive, isPodAvailable, isPodReady, isPodTerminal, untilNextAvailable } from "../pod-status.ts";
import { deletionOrder } from "./deletion-order.ts";

/** At most so many pods are made or deleted in one go. */
export const burstReplicas = 500;

export interface ReplicaSetPlan {
  /** How many pods to make. */
  create: number;
  /** The pods to delete. */
  delete: Frozen<Pod>[];
  /** What the pods show now; without the ReplicaFailure condition, which depends on how the writes go. */
  status: ReplicaSetStatus;
  /** Milliseconds until a ready pod becomes available. */
  requeueAfter: number | undefined;
}

/** Decides from the pods a ReplicaSet owns. `related` finds the active pods of all ReplicaSets of the same owner, when there is something to delete. */
export function planReplicaSet(rs: Frozen<ReplicaSet>, pods: readonly Frozen<Pod>[], related: () => readonly Frozen<Pod>[], now: number): ReplicaSetPlan {
  const active = pods.filter(isPodActive);
  const diff = active.length - (rs.spec.replicas ?? 1);
  const managed = !rs.metadata.deletionTimestamp;
  const surplus = managed && diff > 0 ? deletionOrder(active, related(), now).slice(0, Math.min(diff, burstReplicas)) : [];
  return {
    create: managed && diff < 0 ? Math.min(-diff, burstReplicas) : 0,
    delete: surplus,
    status: statusOf(rs, pods, active, now),
    requeueAfter: untilNextAvailable(active, rs.spec.minReadySeconds ?? 0, now),
  };
}

function statusOf(rs: Frozen<ReplicaSet>, pods: readonly Frozen<Pod>[], active: readonly Frozen<Pod>[], now: number): ReplicaSetStatus {
  const minReadySeconds = rs.spec.minReadySeconds ?? 0;
  const templateLabels = Object.entries(rs.spec.template?.metadata?.labels ?? {});
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => templateLabels.every(([name, value]) => pod.metadata.labels?.[name] === value)).length,
    readyReplicas: active.filter(isPodReady).length,
    availableReplicas: active.filter((pod) => isPodAvailable(pod, minReadySeconds, now)).length,
    terminatingReplicas: pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodTerminal(pod)).length,
    observedGeneration: rs.metadata.generation,
  };
}

/** The conditions after writes that failed with `failure`, or went well. */
export function conditionsAfter(rs: Frozen<ReplicaSet>, failure: { reason: "FailedCreate" | "FailedDelete"; message: string } | undefined, now: number): ReplicaSetCondition[] | undefined {
  const conditions = (rs.status?.conditions ?? []) as readonly ReplicaSetCondition[];
  const present = conditions.find((c) => c.type === "ReplicaFailure");
  if (failure && present) return [...conditions];
  const others = conditions.filter((c) => c !== present);
  if (failure) others.push({ type: "ReplicaFailure", status: "True", lastTransitionTime: formatTime(now), reason: failure.reason, message: failure.message });
  return others.length > 0 ? others : undefined;
}

/** True when writing `status` would change nothing. */
export function sameStatus(old: Frozen<ReplicaSetStatus> | undefined, status: ReplicaSetStatus): boolean {
  const numbers = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas", "observedGeneration"] as const;
  return numbers.every((name) => (old?.[name] ?? 0) === (status[name] ?? 0)) && JSON.stringify(old?.conditions ?? []) === JSON.stringify(status.conditions ?? []);
}
