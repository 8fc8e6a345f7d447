import { formatTime } from "../../apimachinery/time.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, NodeCondition, Taint } from "../../apis/generated/core/v1.ts";

export const notReadyTaint = "node.kubernetes.io/not-ready";
export const unreachableTaint = "node.kubernetes.io/unreachable";

/** Conditions that only the kubelet can speak for, and so become Unknown when it is silent. */
const spokenFor = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** Taints that keep new pods away, by condition and status. */
const noSchedule: readonly (readonly [condition: string, status: string, taint: string])[] = [
  ["Ready", "False", notReadyTaint], ["Ready", "Unknown", unreachableTaint], ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"], ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"], ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const unschedulableTaint = "node.kubernetes.io/unschedulable";
const managed = new Set([...noSchedule.map(([, , taint]) => taint), unschedulableTaint]);

export const readyStatus = (conditions: readonly Frozen<NodeCondition>[] | undefined): string => conditions?.find((c) => c.type === "Ready")?.status ?? "Unknown";

/** The conditions of a node whose kubelet has been silent for too long; undefined when they say so already. Source: node_lifecycle_controller.go. */
export function silentConditions(node: Frozen<Node>, now: number): NodeCondition[] | undefined {
  const conditions = (node.status?.conditions ?? []) as readonly NodeCondition[];
  const time = formatTime(now);
  let changed = false;
  const next = conditions.map((condition) => {
    if (!spokenFor.includes(condition.type) || condition.status === "Unknown") return condition;
    changed = true;
    return { ...condition, status: "Unknown", reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status.", lastTransitionTime: time };
  });
  for (const type of spokenFor) {
    if (conditions.some((condition) => condition.type === type)) continue;
    changed = true;
    next.push({ type, status: "Unknown", reason: "NodeStatusNeverUpdated", message: "Kubelet never posted node status.", lastHeartbeatTime: node.metadata.creationTimestamp, lastTransitionTime: time });
  }
  return changed ? next : undefined;
}

/**
 * The taints a node is to have by these conditions; undefined when it has them. `evict` is false while no node answers: then the trouble is
 * more likely ours, and nothing is evicted.
 */
export function taintsFor(node: Frozen<Node>, conditions: readonly Frozen<NodeCondition>[], evict: boolean, now: number): Taint[] | undefined {
  const old = (node.spec.taints ?? []) as readonly Taint[];
  const wanted: Taint[] = [];
  for (const [type, status, key] of noSchedule) if (conditions.some((c) => c.type === type && c.status === status)) wanted.push({ key, effect: "NoSchedule" });
  if (node.spec.unschedulable) wanted.push({ key: unschedulableTaint, effect: "NoSchedule" });
  const ready = conditions.find((c) => c.type === "Ready")?.status;
  if (evict && (ready === "False" || ready === "Unknown")) wanted.push({ key: ready === "False" ? notReadyTaint : unreachableTaint, effect: "NoExecute" });
  const others = old.filter((taint) => !managed.has(taint.key) || taint.effect === "PreferNoSchedule");
  const next = [...others, ...wanted.map((taint) => old.find((t) => t.key === taint.key && t.effect === taint.effect) ?? { ...taint, timeAdded: formatTime(now) })];
  const name = (taint: Taint): string => `${taint.key}:${taint.effect}`;
  return next.length === old.length && next.every((taint) => old.some((t) => name(t) === name(taint))) ? undefined : next;
}
