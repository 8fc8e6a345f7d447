import type { Frozen } from "../../apimachinery/meta.ts";
import type { StatefulSet, StatefulSetStatus } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { isPodAvailable, isPodReady } from "../pod-status.ts";
import { ordinalOf, revisionOf, wanted } from "./identity.ts";

/** Counts all pods of the set, also those that are about to go. `collisionCount` is carried over. */
export function statusOf(set: Frozen<StatefulSet>, pods: readonly Frozen<Pod>[], revisions: { current: { name: string }; update: { name: string } }, now: number): StatefulSetStatus {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0;
  const members = pods.filter((pod) => ordinalOf(pod) >= 0);
  const ready = members.filter((pod) => pod.status?.phase === "Running" && isPodReady(pod));
  const lasting = members.filter((pod) => !pod.metadata.deletionTimestamp).map(revisionOf);
  return {
    observedGeneration: set.metadata.generation,
    replicas: members.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isPodAvailable(pod, minReadySeconds, now)).length,
    currentReplicas: lasting.filter((revision) => revision === revisions.current.name).length,
    updatedReplicas: lasting.filter((revision) => revision === revisions.update.name).length,
    currentRevision: revisions.current.name,
    updateRevision: revisions.update.name,
    collisionCount: set.status?.collisionCount ?? 0,
  };
}

/** Once all pods are of the new revision and ready, it is the current one. */
export function completed(set: Frozen<StatefulSet>, status: StatefulSetStatus): StatefulSetStatus {
  const size = wanted(set);
  const done = set.spec?.updateStrategy?.type === "RollingUpdate" && status.updatedReplicas === size && status.readyReplicas === size && status.replicas === size;
  return done ? { ...status, currentReplicas: status.updatedReplicas, currentRevision: status.updateRevision } : status;
}

const numbers = ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas", "collisionCount"] as const;

/** True when writing `status` would change nothing. */
export const sameStatus = (old: Frozen<StatefulSetStatus> | undefined, status: StatefulSetStatus): boolean =>
  numbers.every((name) => (old?.[name] ?? 0) === (status[name] ?? 0)) && (status.observedGeneration ?? 0) <= (old?.observedGeneration ?? 0)
  && (old?.currentRevision ?? "") === status.currentRevision && (old?.updateRevision ?? "") === status.updateRevision;
