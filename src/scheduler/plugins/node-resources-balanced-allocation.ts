import { definePlugin, maxNodeScore } from "../framework.ts";

/** Prefers nodes on which cpu and memory would be used in like shares. Source: noderesources/balanced_allocation.go. */
export const balancedAllocation = definePlugin({
  name: "NodeResourcesBalancedAllocation",
  preScore: ({ requests }) => (requests.get("cpu") || requests.get("memory") ? { state: undefined } : { skip: true }),
  score(pod, node) {
    const share = (name: string): number | undefined => {
      const allocatable = node.allocatable.get(name);
      return allocatable ? Math.min(1, ((node.requested.get(name) ?? 0) + (pod.requests.get(name) ?? 0)) / allocatable) : undefined;
    };
    const cpu = share("cpu"), memory = share("memory");
    // Of two shares, half the difference is the standard deviation.
    const deviation = cpu === undefined || memory === undefined ? 0 : Math.abs(cpu - memory) / 2;
    return Math.floor((1 - deviation) * maxNodeScore);
  },
});
