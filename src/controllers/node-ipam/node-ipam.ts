import type { Frozen } from "../../apimachinery/meta.ts";
import { isConflict, isNotFound } from "../../apimachinery/status.ts";
import { nodes } from "../../apis/builtins.ts";
import type { Node } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller } from "../../client/controller.ts";
import { nextPodCidr, parseClusterNetworks } from "./plan.ts";

const podCidrs = ({ spec }: Frozen<Node>): readonly string[] => spec.podCIDRs ?? (spec.podCIDR ? [spec.podCIDR] : []);

/**
 * Gives every node a part of each of the cluster's pod networks, of which there is one, or one of each family. One worker: two nodes
 * never get the same. Make one for each start.
 */
export function nodeIpam({ clusterCidr }: { clusterCidr: string }): Controller {
  const networks = parseClusterNetworks(clusterCidr).map((network) => ({ network, last: -1n }));
  /** Nodes that nothing was left for. */
  const wanting = new Set<string>();
  return defineController<Node>({
    name: "node-ipam-controller", eventSource: "cidrAllocator", for: nodes, writes: [nodes], workers: 1,
    watches: [watchOf(nodes, (current, old) => (!current && podCidrs(old!).length > 0 ? wanting : []))],
    async reconcile(name, { client, lister, recorder }) {
      const node = lister(nodes).get(name);
      wanting.delete(name);
      if (!node || node.metadata.deletionTimestamp || podCidrs(node).length > 0) return;
      const tell = (status: string): void => recorder.event(node, "Normal", status, `Node ${name} status is now: ${status}`);
      const taken = lister(nodes).list().flatMap(podCidrs);
      const found = networks.map(({ network, last }) => nextPodCidr(network, taken, last));
      if (found.some((one) => one === undefined)) {
        wanting.add(name);
        return tell("CIDRNotAvailable");
      }
      const podCIDRs = found.map((one) => one!.cidr);
      try {
        await client.patch(nodes, { name }, { type: "application/merge-patch+json", body: { metadata: { uid: node.metadata.uid }, spec: { podCIDR: podCIDRs[0], podCIDRs } } });
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) tell("CIDRAssignmentFailed");
        throw error;
      }
      for (const [i, one] of found.entries()) networks[i]!.last = one!.number;
    },
  });
}
