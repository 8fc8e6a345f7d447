import type { Frozen } from "../../apimachinery/meta.ts";
import type { HorizontalPodAutoscalerBehavior, HPAScalingRules } from "../../apis/generated/autoscaling/v2.ts";

/** What an autoscaler remembers of its past, at times of the monotonic clock in milliseconds. Lost with the process, as in Kubernetes. */
export interface History {
  /** What metrics asked for. */
  recommendations: readonly { replicas: number; at: number }[];
  /** Replicas added and taken away. */
  ups: readonly Change[];
  downs: readonly Change[];
}

interface Change {
  by: number;
  at: number;
}

export interface Wish {
  current: number;
  /** What metrics ask for. */
  desired: number;
  min: number;
  max: number;
}

export interface Normalized {
  replicas: number;
  /** Why the past holds the wish back; absent when it does not. */
  stabilized?: Reason;
  limited: Reason & { holds: boolean };
  recommendations: History["recommendations"];
}

interface Reason {
  reason: string;
  message: string;
}

/** For so long a wish for more holds against wishes for less, where the autoscaler does not say. */
const downscaleStabilization = 300;

const scaleUpLimit: Reason = { reason: "ScaleUpLimit", message: "the desired replica count is increasing faster than the maximum scale rate" };
const scaleDownLimit: Reason = { reason: "ScaleDownLimit", message: "the desired replica count is decreasing faster than the maximum scale rate" };
const tooMany: Reason = { reason: "TooManyReplicas", message: "the desired replica count is more than the maximum replica count" };
const tooFew: Reason = { reason: "TooFewReplicas", message: "the desired replica count is less than the minimum replica count" };
const within: Reason = { reason: "DesiredWithinRange", message: "the desired count is within the acceptable range" };
const downStabilized: Reason = { reason: "ScaleDownStabilized", message: "recent recommendations were higher than current one, applying the highest recent recommendation" };
const upStabilized: Reason = { reason: "ScaleUpStabilized", message: "recent recommendations were lower than current one, applying the lowest recent recommendation" };

/**
 * Holds a wish within what the recent past, the rates and the limits allow.
 * Source: normalizeDesiredReplicas and normalizeDesiredReplicasWithBehaviors of k8s.io/kubernetes/pkg/controller/podautoscaler.
 */
export function normalize(behavior: Frozen<HorizontalPodAutoscalerBehavior> | undefined, wish: Wish, history: History, now: number): Normalized {
  const up = behavior?.scaleUp, down = behavior?.scaleDown;
  const upFrom = now - (up?.stabilizationWindowSeconds ?? 0) * 1000, downFrom = now - (down?.stabilizationWindowSeconds ?? downscaleStabilization) * 1000;
  const recommendations = [...history.recommendations.filter(({ at }) => at > Math.min(upFrom, downFrom)), { replicas: wish.desired, at: now }];
  const lowest = least(history.recommendations, upFrom, wish.desired), highest = most(history.recommendations, downFrom, wish.desired);
  const desired = behavior ? Math.min(Math.max(wish.current, lowest), highest) : highest;
  const stabilized = desired === wish.desired ? undefined : behavior && wish.desired >= wish.current ? upStabilized : downStabilized;
  const { replicas, ...reason } = behavior ? withinRates({ ...wish, desired }, behavior, history, now) : withinDefaults({ ...wish, desired });
  return { replicas, ...(stabilized ? { stabilized } : {}), limited: { ...reason, holds: replicas !== desired }, recommendations };
}

const recent = <T extends { at: number }>(list: readonly T[], from: number): T[] => list.filter(({ at }) => at > from);
const least = (list: History["recommendations"], from: number, desired: number): number => Math.min(desired, ...recent(list, from).map(({ replicas }) => replicas));
const most = (list: History["recommendations"], from: number, desired: number): number => Math.max(desired, ...recent(list, from).map(({ replicas }) => replicas));

type Limited = Reason & { replicas: number };

/** Without a behaviour: at most the double of what there is, or four. */
function withinDefaults({ current, desired, min, max }: Wish): Limited {
  const limit = Math.max(2 * current, 4);
  if (desired < min) return { replicas: min, ...tooFew };
  if (desired > Math.min(limit, max)) return max > limit ? { replicas: limit, ...scaleUpLimit } : { replicas: max, ...tooMany };
  return { replicas: desired, ...within };
}

function withinRates({ current, desired, min, max }: Wish, { scaleUp = {}, scaleDown = {} }: Frozen<HorizontalPodAutoscalerBehavior>, history: History, now: number): Limited {
  if (desired > current) {
    const limit = Math.max(current, upLimit(current, scaleUp, history, now));
    if (desired > Math.min(max, limit)) return max > limit ? { replicas: limit, ...scaleUpLimit } : { replicas: max, ...tooMany };
  } else if (desired < current) {
    const limit = Math.min(current, downLimit(current, scaleDown, history, now));
    if (desired < Math.max(min, limit)) return min < limit ? { replicas: limit, ...scaleDownLimit } : { replicas: min, ...tooFew };
  }
  return { replicas: desired, ...within };
}

const changed = (changes: readonly Change[], seconds: number, now: number): number => recent(changes, now - seconds * 1000).reduce((sum, { by }) => sum + by, 0);

/** What there was when a policy's period began. */
const atStart = (current: number, seconds: number, { ups, downs }: History, now: number): number => current - changed(ups, seconds, now) + changed(downs, seconds, now);

/** The most replicas that the policies allow; a share is rounded up, so that one replica can grow. */
function upLimit(current: number, { selectPolicy, policies = [] }: Frozen<HPAScalingRules>, history: History, now: number): number {
  if (selectPolicy === "Disabled") return current;
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const start = atStart(current, periodSeconds, history, now);
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
  });
  return selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits);
}

/** The fewest replicas that the policies allow. */
function downLimit(current: number, { selectPolicy, policies = [] }: Frozen<HPAScalingRules>, history: History, now: number): number {
  if (selectPolicy === "Disabled") return current;
  const limits = policies.map(({ type, value, periodSeconds }) => {
    const start = atStart(current, periodSeconds, history, now);
    return type === "Pods" ? start - value : Math.trunc(start * (1 - value / 100));
  });
  return selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits);
}

/** The history with a change of replicas that has been made; what no policy looks back to is forgotten. */
export function remember(history: History, behavior: Frozen<HorizontalPodAutoscalerBehavior> | undefined, by: number, now: number): History {
  if (!behavior) return history;
  const added = (changes: readonly Change[], rules: Frozen<HPAScalingRules> | undefined): Change[] => {
    const longest = Math.max(0, ...(rules?.policies ?? []).map(({ periodSeconds }) => periodSeconds));
    return [...changes.filter(({ at }) => at >= now - longest * 1000), { by: Math.abs(by), at: now }];
  };
  return by > 0 ? { ...history, ups: added(history.ups, behavior.scaleUp) } : { ...history, downs: added(history.downs, behavior.scaleDown) };
}
