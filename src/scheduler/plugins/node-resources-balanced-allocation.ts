import { nodeResourcesBalancedAllocationArgs, type NodeResourcesBalancedAllocationArgs, type ResourceSpec } from "../configuration/plugin-args.ts";
import { definePlugin, maxNodeScore, type AnyPlugin } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import { isScalar, requestList, type RequestList } from "./resource-scoring.ts";

/**
 * Prefers nodes whose resources the pod brings into like shares: from 50 where it makes them more unlike, over 75 where it changes nothing, to 100.
 * Source: kubernetes plugins/noderesources/balanced_allocation.go.
 */
export function balancedAllocation({ resources }: NodeResourcesBalancedAllocationArgs = nodeResourcesBalancedAllocationArgs()): AnyPlugin {
  const scalar = resources.map(({ name }) => isScalar(name));
  const nothing: RequestList = resources.map(() => 0);
  return definePlugin<undefined, RequestList>({
    name: "NodeResourcesBalancedAllocation",
    preScore(pod) {
      const requests = requestList(pod, resources);
      return requests.every((amount) => amount === 0) ? { skip: true } : { state: requests };
    },
    score(pod, node, requests = requestList(pod, resources)) {
      const counts = (i: number): boolean => requests[i] !== 0 || !scalar[i];
      const before = balance(node, resources, nothing, counts);
      const after = balance(node, resources, requests, counts);
      return maxNodeScore / 2 + Math.trunc((maxNodeScore / 2 + after - before) / 2);
    },
  });
}

/** 100 where all resources are used in like shares, less by the standard deviation. */
function balance(node: NodeInfo, resources: readonly ResourceSpec[], requests: RequestList, counts: (i: number) => boolean): number {
  const share = (i: number): number | undefined => {
    const name = resources[i]!.name, allocatable = counts(i) ? node.allocatable.get(name) : undefined;
    return allocatable ? Math.min(1, ((node.requested.get(name) ?? 0) + requests[i]!) / allocatable) : undefined;
  };
  let counted = 0, total = 0, first = 0, last = 0;
  for (let i = 0; i < resources.length; i++) {
    const one = share(i);
    if (one === undefined) continue;
    if (counted++ === 0) first = one;
    last = one;
    total += one;
  }
  if (counted < 2) return maxNodeScore;
  if (counted === 2) return Math.trunc((1 - Math.abs((first - last) / 2)) * maxNodeScore);
  let squares = 0;
  for (let i = 0; i < resources.length; i++) {
    const one = share(i);
    if (one !== undefined) squares += (one - total / counted) ** 2;
  }
  return Math.trunc((1 - Math.sqrt(squares / counted)) * maxNodeScore);
}
