import type { Frozen } from "../../apimachinery/meta.ts";
import { conflicts } from "../../apis/core/pod/host-ports.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { Hint } from "../cluster-events.ts";
import { definePlugin, unschedulable } from "../framework.ts";
import { podInfo } from "../pod-info.ts";

const taken = unschedulable("node(s) didn't have free ports for the requested pod ports");

/** Two pods of a node can't have the same hostPort of a protocol on one address. Source: kubernetes plugins/nodeports. */
export const nodePorts = definePlugin({
  name: "NodePorts",
  events: () => [{ resource: "Pod", actions: ["Delete"], hint: afterPodDelete }, { resource: "Node", actions: ["Add"] }],
  preFilter: ({ hostPorts }) => (hostPorts.length === 0 ? { skip: true } : { state: undefined }),
  filter({ hostPorts }, node) {
    for (const port of hostPorts) if (node.portTaken(port)) return taken;
    return undefined;
  },
});

/** Only a pod that was on a node, with a port that this one wants. */
function afterPodDelete(pod: Frozen<Pod>, deleted: Frozen<Pod> | undefined): Hint {
  if (!deleted || (!deleted.spec.nodeName && !deleted.status?.nominatedNodeName)) return "Skip";
  const wanted = podInfo(pod).hostPorts, freed = podInfo(deleted).hostPorts;
  return wanted.some((one) => freed.some((other) => conflicts(one, other))) ? "Queue" : "Skip";
}
