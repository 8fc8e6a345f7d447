import { nodes } from "../../apis/builtins.ts";
import { defineController, TerminalError, type Controller } from "../../client/controller.ts";
import { nextPodCidr } from "./plan.ts";

/** Gives every node a /24 of the cluster's pod network. One worker: two nodes never get the same. */
export function nodeIpam({ clusterCidr }: { clusterCidr: string }): Controller {
  return defineController({
    name: "node-ipam-controller", for: nodes, writes: [nodes], workers: 1,
    async reconcile(name, { client, lister, recorder }) {
      const node = lister(nodes).get(name);
      if (!node || node.spec.podCIDR) return;
      const taken = lister(nodes).list().flatMap((other) => other.spec.podCIDRs ?? (other.spec.podCIDR ? [other.spec.podCIDR] : []));
      const podCIDR = nextPodCidr(clusterCidr, taken.filter((cidr) => !cidr.includes(":")));
      if (!podCIDR) {
        recorder.event(node, "Normal", "CIDRNotAvailable", `Node ${name} status is now: CIDRNotAvailable`);
        throw new TerminalError(`no free range is left in ${clusterCidr}`);
      }
      await client.patch(nodes, { name }, { type: "application/merge-patch+json", body: { metadata: { uid: node.metadata.uid }, spec: { podCIDR, podCIDRs: [podCIDR] } } });
    },
  });
}
