import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import type { Hint } from "../cluster-events.ts";
import { definePlugin, unresolvable } from "../framework.ts";
import { isTolerated } from "../../apis/core/taints.ts";

const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;
const cordoned = unresolvable("node(s) were unschedulable");

/** Cordoned nodes, but for pods that tolerate the taint that stands for it. Source: kubernetes plugins/nodeunschedulable. */
export const nodeUnschedulable = definePlugin({
  name: "NodeUnschedulable",
  events: () => [{ resource: "Node", actions: ["Add", "UpdateNodeTaint"], hint: afterNodeChange }, { resource: "Pod", actions: ["UpdatePodToleration"], hint: afterTolerationChange }],
  filter: ({ pod }, { node }) => (node.spec?.unschedulable && !isTolerated(taint, pod.spec.tolerations) ? cordoned : undefined),
});

function afterNodeChange(_: Frozen<Pod>, old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): Hint {
  return !current?.spec?.unschedulable && (!old || old.spec?.unschedulable) ? "Queue" : "Skip";
}

function afterTolerationChange(pod: Frozen<Pod>, _: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined): Hint {
  return current?.metadata.uid === pod.metadata.uid && isTolerated(taint, current?.spec.tolerations) ? "Queue" : "Skip";
}
