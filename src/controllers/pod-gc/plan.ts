import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";

/** A node that is gone may come back under its name (a reboot with registration): its pods wait so long, in milliseconds. */
export const quarantine = 40_000;

export type PodFate = { action: "keep" } | { action: "wait"; for: number } | { action: "delete"; reason: "unscheduled" | "orphaned" };

/** What becomes of a pod whose kubelet cannot delete it. `nodeGoneSince` is when its node was first seen missing. Source: pkg/controller/podgc. */
export function planPod(pod: Frozen<Pod>, nodeGoneSince: number | undefined, now: number): PodFate {
  if (!pod.spec.nodeName) return pod.metadata.deletionTimestamp ? { action: "delete", reason: "unscheduled" } : { action: "keep" };
  if (nodeGoneSince === undefined) return { action: "keep" };
  const left = nodeGoneSince + quarantine - now;
  return left > 0 ? { action: "wait", for: left } : { action: "delete", reason: "orphaned" };
}

/** The finished pods beyond `threshold`, oldest first. 0 keeps all. */
export function surplusTerminated(terminated: readonly Frozen<Pod>[], threshold: number): Frozen<Pod>[] {
  if (threshold <= 0 || terminated.length <= threshold) return [];
  return terminated.toSorted((a, b) => Date.parse(a.metadata.creationTimestamp ?? "") - Date.parse(b.metadata.creationTimestamp ?? "")).slice(0, terminated.length - threshold);
}
