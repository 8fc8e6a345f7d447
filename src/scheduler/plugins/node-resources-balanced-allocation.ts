import { nodeResourcesBalancedAllocationArgs, type NodeResourcesBalancedAllocationArgs } from "../configuration/plugin-args.ts";
import { definePlugin, maxNodeScore, type AnyPlugin } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import { isScalar, requestList, type RequestList } from "./resource-scoring.ts";

/**
 * Prefers nodes whose resources the pod brings into like shares: from 50 where it makes them more unlike, over 75 where it changes nothing, to 100.
 * Source: kubernetes plugins/noderesources/balanced_allocation.go.
 */
export function balancedAllocation({ resources }: NodeResourcesBalancedAllocationArgs = nodeResourcesBalancedAllocationArgs()): AnyPlugin {
  const looks = resources.map(({ name }) => ({ name, scalar: isScalar(name) }));
  const nothing: RequestList = resources.map(() => 0);
  return definePlugin<undefined, RequestList>({
    name: "NodeResourcesBalancedAllocation",
    preScore(pod) {
      const requests = requestList(pod, resources);
      return requests.every((amount) => amount === 0) ? { skip: true } : { state: requests };
    },
    score(pod, node, requests = requestList(pod, resources)) {
      const change = balance(node, looks, requests, requests) - balance(node, looks, requests, nothing);
      return maxNodeScore / 2 + Math.trunc((maxNodeScore / 2 + change) / 2);
    },
  });
}

interface Look { readonly name: string; readonly scalar: boolean }

/** 100 where all resources are used in like shares once `added` is, less by the standard deviation. */
function balance(node: NodeInfo, looks: readonly Look[], wanted: RequestList, added: RequestList): number {
  let counted = 0, total = 0, first = 0, last = 0;
  for (let i = 0; i < looks.length; i++) {
    const share = shareOf(node, looks[i]!, wanted[i]!, added[i]!);
    if (share === undefined) continue;
    if (counted++ === 0) first = share;
    last = share;
    total += share;
  }
  if (counted < 2) return maxNodeScore;
  if (counted === 2) return Math.trunc((1 - Math.abs((first - last) / 2)) * maxNodeScore);
  let squares = 0;
  for (let i = 0; i < looks.length; i++) {
    const share = shareOf(node, looks[i]!, wanted[i]!, added[i]!);
    if (share !== undefined) squares += (share - total / counted) ** 2;
  }
  return Math.trunc((1 - Math.sqrt(squares / counted)) * maxNodeScore);
}

/** Undefined for what the node doesn't have, and for devices and the like that the pod doesn't want. */
function shareOf({ allocatable, requested }: NodeInfo, { name, scalar }: Look, wanted: number, added: number): number | undefined {
  const capacity = wanted === 0 && scalar ? undefined : allocatable.get(name);
  return capacity ? Math.min(1, ((requested.get(name) ?? 0) + added) / capacity) : undefined;
}
