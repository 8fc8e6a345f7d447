import type { Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus, MetricStatus } from "../../apis/generated/autoscaling/v2.ts";

type Conditions = readonly Frozen<HorizontalPodAutoscalerCondition>[];

/** The status of an autoscaler while it is worked out. */
export interface StatusDraft {
  set(type: "AbleToScale" | "ScalingActive" | "ScalingLimited", holds: boolean, reason: string, message: string): void;
  /** What was found of the target and its metrics; `rescaled` when replicas were just changed. */
  report(found: { currentReplicas: number; desiredReplicas?: number; currentMetrics?: MetricStatus[]; rescaled?: boolean }): void;
  readonly status: HorizontalPodAutoscalerStatus;
}

/** `now` in milliseconds since the epoch. */
export function draftOf(old: Frozen<HorizontalPodAutoscalerStatus> | undefined, now: number): StatusDraft {
  // The types call the list of metrics required; it is missing until there are any.
  let status = structuredClone(old ?? { desiredReplicas: 0 }) as HorizontalPodAutoscalerStatus;
  // Left over where a server could scale to zero.
  if (status.conditions?.some(({ type }) => type === "ScaledToZero")) status.conditions = status.conditions.filter(({ type }) => type !== "ScaledToZero");
  return {
    set: (type, holds, reason, message) => {
      status.conditions = withCondition(status.conditions ?? [], { type, status: holds ? "True" : "False", reason, message }, now);
    },
    report({ currentReplicas, desiredReplicas = status.desiredReplicas, currentMetrics, rescaled }) {
      const { conditions, lastScaleTime } = status;
      const scaled = rescaled ? formatTime(now) : lastScaleTime;
      status = { currentReplicas, desiredReplicas, ...(scaled ? { lastScaleTime: scaled } : {}), ...(currentMetrics ? { currentMetrics } : {}), ...(conditions ? { conditions } : {}) } as HorizontalPodAutoscalerStatus;
    },
    get status() {
      return status;
    },
  };
}

function withCondition(conditions: Conditions, condition: HorizontalPodAutoscalerCondition, now: number): HorizontalPodAutoscalerCondition[] {
  const old = conditions.find(({ type }) => type === condition.type);
  const changed = { ...condition, lastTransitionTime: old?.status === condition.status && old.lastTransitionTime ? old.lastTransitionTime : formatTime(now) };
  return old ? conditions.map((each) => (each === old ? changed : { ...each })) : [...conditions, changed];
}
