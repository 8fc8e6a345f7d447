import { definePlugin, maxNodeScore } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";

const scored = ["cpu", "memory"] as const;

/** What the pod asks for must be free; of nodes that fit, those with more left are better (LeastAllocated). */
export const nodeResourcesFit = definePlugin({
  name: "NodeResourcesFit",
  events: () => [{ resource: "Pod", actions: ["Delete", "UpdatePodScaleDown"] }, { resource: "Node", actions: ["Add", "UpdateNodeAllocatable"] }],
  filter(pod, node) {
    const reasons: string[] = [];
    let unresolvable = false;
    if (node.pods.size + 1 > (node.allocatable.get("pods") ?? 0)) reasons.push("Too many pods");
    for (const [name, amount] of pod.requests) {
      if (amount === 0) continue;
      const allocatable = node.allocatable.get(name) ?? 0;
      if (amount <= allocatable - (node.requested.get(name) ?? 0)) continue;
      reasons.push(`Insufficient ${name}`);
      if (amount > allocatable) unresolvable = true;
    }
    return reasons.length > 0 ? { code: unresolvable ? "UnschedulableAndUnresolvable" : "Unschedulable", reasons } : undefined;
  },
  score: leastAllocated,
});

/** The mean of the free shares of cpu and memory, rounded down as upstream's integers do. Source: noderesources/least_allocated.go. */
function leastAllocated(pod: PodInfo, node: NodeInfo): number {
  let sum = 0, counted = 0;
  for (const name of scored) {
    const allocatable = node.allocatable.get(name) ?? 0;
    if (allocatable === 0) continue;
    const used = (node.nonZero.get(name) ?? 0) + pod.nonZero.get(name)!;
    if (used <= allocatable) sum += Math.floor(((allocatable - used) * maxNodeScore) / allocatable);
    counted++;
  }
  return counted === 0 ? 0 : Math.floor(sum / counted);
}
