import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod, PodCondition } from "../apis/generated/core/v1.ts";

/** What controllers read from a pod's status. Source: k8s.io/kubernetes/pkg/api/v1/pod. */
export const podCondition = (pod: Frozen<Pod>, type: string): Frozen<PodCondition> | undefined => pod.status?.conditions?.find((c) => c.type === type);

export const isPodReady = (pod: Frozen<Pod>): boolean => podCondition(pod, "Ready")?.status === "True";

export const isPodTerminal = (pod: Frozen<Pod>): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** Counts towards its controller's replicas. */
export const isPodActive = (pod: Frozen<Pod>): boolean => !isPodTerminal(pod) && !pod.metadata.deletionTimestamp;

/** A time so far ahead was written by a clock that goes wrong, or before ours was set back: it doesn't tell for how long something is so. */
const believable = 60_000;

/** Milliseconds until a ready pod counts as available, 0 when it does; undefined when it isn't ready. */
function untilAvailable(pod: Frozen<Pod>, minReadySeconds: number, now: number): number | undefined {
  const ready = podCondition(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  if (!ready.lastTransitionTime) return undefined;
  const since = Date.parse(ready.lastTransitionTime);
  return since > now + believable ? 0 : Math.max(0, since + minReadySeconds * 1000 - now);
}

export const isPodAvailable = (pod: Frozen<Pod>, minReadySeconds: number, now: number): boolean => untilAvailable(pod, minReadySeconds, now) === 0;

/** Milliseconds until the next of the ready pods counts as available; undefined when none waits for it. */
export function untilNextAvailable(pods: readonly Frozen<Pod>[], minReadySeconds: number, now: number): number | undefined {
  if (minReadySeconds === 0) return undefined;
  let next: number | undefined;
  for (const pod of pods) {
    const wait = untilAvailable(pod, minReadySeconds, now);
    if (wait) next = Math.min(wait, next ?? Infinity);
  }
  return next;
}
