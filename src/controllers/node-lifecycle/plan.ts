import { formatTime } from "../../apimachinery/time.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, NodeCondition, Taint } from "../../apis/generated/core/v1.ts";
import { isAutonomous } from "../../apis/core/autonomy.ts";
import type { ZonedNode } from "./zones.ts";

const notReadyTaint = "node.kubernetes.io/not-ready";
const unreachableTaint = "node.kubernetes.io/unreachable";

/** Conditions that only the kubelet can speak for, and so become Unknown when it is silent. */
const spokenFor = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** Taints that keep new pods away, by condition and status. */
const noSchedule: readonly (readonly [condition: string, status: string, taint: string])[] = [
  ["Ready", "False", notReadyTaint], ["Ready", "Unknown", unreachableTaint], ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"], ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"], ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const unschedulableTaint = "node.kubernetes.io/unschedulable";
const managedNoSchedule = new Set([...noSchedule.map(([, , taint]) => taint), unschedulableTaint]);

type Conditions = readonly Frozen<NodeCondition>[] | undefined;

export const readyCondition = (conditions: Conditions): Frozen<NodeCondition> | undefined => conditions?.find((c) => c.type === "Ready");

/**
 * The taint that a node's pods have to leave for, by what the node says of itself. From an autonomous node that says nothing none have to: it is
 * shown as unreachable, gets no new pods, and is out of others' Services, for its pods are not ready as far as anybody knows.
 */
export function evictingTaint(node: Frozen<Node>): string | undefined {
  const ready = readyCondition(node.status?.conditions)?.status;
  if (ready === "Unknown" && isAutonomous(node)) return undefined;
  return { False: notReadyTaint, Unknown: unreachableTaint }[ready ?? ""];
}

/** Which of the taints that make pods leave a node has from us. */
export const hasEvictingTaint = ({ spec }: Frozen<Node>): boolean => (spec.taints ?? []).some((taint) => isEvicting(taint));
const isEvicting = ({ key, effect }: Frozen<Taint>): boolean => effect === "NoExecute" && (key === notReadyTaint || key === unreachableTaint);

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

/** The taints a node is to have by these conditions, with `evicting` alone of those that make pods leave; undefined when it has them. */
export function taintsFor(node: Frozen<Node>, conditions: Conditions, evicting: string | undefined, now: number): Taint[] | undefined {
  const old = (node.spec.taints ?? []) as readonly Taint[];
  const wanted: Taint[] = [];
  for (const [type, status, key] of noSchedule) if (conditions?.some((c) => c.type === type && c.status === status)) wanted.push({ key, effect: "NoSchedule" });
  if (node.spec.unschedulable) wanted.push({ key: unschedulableTaint, effect: "NoSchedule" });
  if (evicting) wanted.push({ key: evicting, effect: "NoExecute" });
  const others = old.filter((taint) => !isEvicting(taint) && !(taint.effect === "NoSchedule" && managedNoSchedule.has(taint.key)));
  const next = [...others, ...wanted.map((taint) => old.find((t) => t.key === taint.key && t.effect === taint.effect) ?? { ...taint, timeAdded: formatTime(now) })];
  const name = (taint: Taint): string => `${taint.key}:${taint.effect}`;
  return next.length === old.length && next.every((taint) => old.some((t) => name(t) === name(taint))) ? undefined : next;
}

/** The labels that are to follow others, where they don't: those of old that clients may still select by. */
export function labelsFor({ metadata: { labels } }: Frozen<Node>): Record<string, string> | undefined {
  const stale = (["os", "arch"] as const).flatMap((name) => {
    const value = labels?.[`kubernetes.io/${name}`];
    return value !== undefined && labels?.[`beta.kubernetes.io/${name}`] !== value ? [[`beta.kubernetes.io/${name}`, value]] : [];
  });
  return stale.length > 0 ? Object.fromEntries(stale) : undefined;
}

/** A node as its zone counts it. */
export function zonedNode(node: Frozen<Node>): ZonedNode {
  const { metadata: { labels = {} }, status } = node;
  const zone = labels["failure-domain.beta.kubernetes.io/zone"] ?? labels["topology.kubernetes.io/zone"] ?? "";
  const region = labels["failure-domain.beta.kubernetes.io/region"] ?? labels["topology.kubernetes.io/region"] ?? "";
  // Autonomous nodes are away as often as not: that is no sign that a zone, or the server's own network, is in trouble.
  const counts = labels["node.kubernetes.io/exclude-disruption"] === undefined && !isAutonomous(node);
  return { zone: zone || region ? `${region}:${zone}` : "", ready: readyCondition(status?.conditions)?.status === "True", counts };
}
