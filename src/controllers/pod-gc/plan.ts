import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Pod, PodCondition } from "../../apis/generated/core/v1.ts";
import { isNodeReady } from "../node-status.ts";

/** A node that is gone may come back under its name (a reboot with registration): its pods wait so long, in milliseconds. */
const quarantine = 40_000;
const outOfServiceTaint = "node.kubernetes.io/out-of-service";

export type PodFate = { action: "keep" } | { action: "wait"; for: number } | { action: "delete"; reason: "unscheduled" | "orphaned" | "out-of-service" };

/** The pod's node: there, or missing for so many milliseconds. */
export type Whereabouts = { node: Frozen<Node> } | { missingFor: number } | undefined;

export const isOutOfService = (node: Frozen<Node>): boolean => !isNodeReady(node) && (node.spec.taints ?? []).some(({ key }) => key === outOfServiceTaint);

/** What becomes of a pod whose kubelet cannot delete it; `where` is undefined for one that isn't scheduled. Source: pkg/controller/podgc. */
export function planPod(pod: Frozen<Pod>, where: Whereabouts): PodFate {
  const isGoing = pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp !== null;
  if (!where) return isGoing ? { action: "delete", reason: "unscheduled" } : { action: "keep" };
  if ("node" in where) return isGoing && isOutOfService(where.node) ? { action: "delete", reason: "out-of-service" } : { action: "keep" };
  const left = quarantine - where.missingFor;
  return left > 0 ? { action: "wait", for: left } : { action: "delete", reason: "orphaned" };
}

/** What the status of a pod says before it is deleted by force: how it ended, nobody else will ever say. Undefined when it says so already. */
export function finalStatus(pod: Frozen<Pod>, reason: "unscheduled" | "orphaned" | "out-of-service" | "surplus", now: string): object | undefined {
  const { status, metadata: { generation } } = pod;
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return undefined;
  const observed = { observedGeneration: generation };
  const target: PodCondition = { type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC", message: "PodGC: node no longer exists", lastTransitionTime: now, ...observed };
  return { phase: "Failed", ...observed, ...(reason === "orphaned" ? { conditions: [target] } : {}) };
}

/** The finished pods beyond `threshold`: evicted ones first, then the oldest. 0 keeps all. */
export function surplusTerminated(terminated: readonly Frozen<Pod>[], threshold: number): Frozen<Pod>[] {
  if (threshold <= 0 || terminated.length <= threshold) return [];
  const order = (pod: Frozen<Pod>): [boolean, string, string] => [!isEvicted(pod), pod.metadata.creationTimestamp ?? "", pod.metadata.name!];
  return terminated.map((pod) => ({ pod, order: order(pod) })).toSorted((a, b) => compare(a.order, b.order)).slice(0, terminated.length - threshold).map(({ pod }) => pod);
}

const isEvicted = ({ status }: Frozen<Pod>): boolean => status?.phase === "Failed" && status.reason === "Evicted";

function compare<T extends readonly (boolean | string)[]>(a: T, b: T): number {
  const i = a.findIndex((value, at) => value !== b[at]);
  return i < 0 ? 0 : a[i]! < b[i]! ? -1 : 1;
}
