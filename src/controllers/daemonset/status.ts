import type { Frozen } from "../../apimachinery/meta.ts";
import type { DaemonSetStatus } from "../../apis/generated/apps/v1.ts";
import { isPodAvailable, isPodReady, untilNextAvailable } from "../pod-status.ts";
import { isUpdated } from "./daemon-pod.ts";
import { podsByNode, scheduledAndOldestFirst, type DaemonSetView } from "./plan.ts";

const numbers = ["desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady", "updatedNumberScheduled", "numberAvailable", "numberUnavailable"] as const;

export interface CountedStatus {
  status: DaemonSetStatus;
  /** Milliseconds until the next ready pod counts as available. */
  requeueAfter?: number;
}

/** Counts nodes, by the first of their pods. */
export function statusOf({ ds, nodes, pods, eligible, hash, now }: Pick<DaemonSetView, "ds" | "nodes" | "pods" | "eligible" | "hash" | "now">, collisionCount: number): CountedStatus {
  const byNode = podsByNode(pods), updated = isUpdated(ds, hash), minReadySeconds = ds.spec?.minReadySeconds ?? 0;
  const count = { desiredNumberScheduled: 0, currentNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0, updatedNumberScheduled: 0, numberAvailable: 0 };
  for (const node of nodes) {
    const [pod] = (byNode.get(node.metadata.name!) ?? []).toSorted(scheduledAndOldestFirst);
    const { run } = eligible(node);
    if (!run) {
      if (pod) count.numberMisscheduled++;
      continue;
    }
    count.desiredNumberScheduled++;
    if (!pod) continue;
    count.currentNumberScheduled++;
    if (isPodReady(pod)) count.numberReady++;
    if (isPodAvailable(pod, minReadySeconds, now)) count.numberAvailable++;
    if (updated(pod)) count.updatedNumberScheduled++;
  }
  const status = { ...count, numberUnavailable: count.desiredNumberScheduled - count.numberAvailable, observedGeneration: ds.metadata.generation, ...(collisionCount > 0 ? { collisionCount } : {}) };
  const wait = untilNextAvailable(pods, minReadySeconds, now);
  return { status, ...(wait === undefined ? {} : { requeueAfter: wait }) };
}

/** True when writing `status` would change nothing. */
export const sameStatus = (old: Frozen<DaemonSetStatus> | undefined, status: DaemonSetStatus): boolean =>
  numbers.every((name) => (old?.[name] ?? 0) === (status[name] ?? 0)) && (old?.observedGeneration ?? 0) >= (status.observedGeneration ?? 0) && (old?.collisionCount ?? 0) === (status.collisionCount ?? 0);
