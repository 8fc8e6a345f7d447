import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod, PodCondition } from "../apis/generated/core/v1.ts";

/** What controllers read from a pod's status. Source: k8s.io/kubernetes/pkg/api/v1/pod. */
export const podCondition = (pod: Frozen<Pod>, type: string): Frozen<PodCondition> | undefined => pod.status?.conditions?.find((c) => c.type === type);

export const isPodReady = (pod: Frozen<Pod>): boolean => podCondition(pod, "Ready")?.status === "True";

export const isPodTerminal = (pod: Frozen<Pod>): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** Counts towards its controller's replicas. */
export const isPodActive = (pod: Frozen<Pod>): boolean => !isPodTerminal(pod) && !pod.metadata.deletionTimestamp;

/** When a ready pod counts as available, in milliseconds; undefined when it isn't ready. */
export function podAvailableAt(pod: Frozen<Pod>, minReadySeconds: number): number | undefined {
  const ready = podCondition(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  return ready.lastTransitionTime ? Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000 : undefined;
}

export function isPodAvailable(pod: Frozen<Pod>, minReadySeconds: number, now: number): boolean {
  const at = podAvailableAt(pod, minReadySeconds);
  return at !== undefined && at <= now;
}
