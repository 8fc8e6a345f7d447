import type { Frozen } from "../apimachinery/meta.ts";
import { formatTime } from "../apimachinery/time.ts";
import type { Pod, PodCondition } from "../apis/generated/core/v1.ts";

/** A strategic merge patch of a pod's status that sets a condition: after the others when it is new, and with its time of transition when its status stays. */
export function conditionPatch({ metadata, status }: Frozen<Pod>, condition: Pick<PodCondition, "type" | "status" | "reason" | "message">, now: number): Record<string, unknown> {
  const known = status?.conditions?.find(({ type }) => type === condition.type);
  const types = (status?.conditions ?? []).map(({ type }) => ({ type }));
  return {
    "$setElementOrder/conditions": known ? types : [...types, { type: condition.type }],
    conditions: [{
      ...condition, lastProbeTime: null,
      lastTransitionTime: known?.status === condition.status && known.lastTransitionTime ? known.lastTransitionTime : formatTime(now),
      ...(metadata.generation !== undefined ? { observedGeneration: metadata.generation } : {}),
    }],
  };
}
