import { definePlugin, unresolvable } from "../framework.ts";
import { isTolerated } from "../taints.ts";

const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;

/** Cordoned nodes, but for pods that tolerate the taint that stands for it. */
export const nodeUnschedulable = definePlugin({
  name: "NodeUnschedulable",
  events: () => [{ resource: "Node", actions: ["Add", "UpdateNodeTaint"] }, { resource: "Pod", actions: ["UpdatePodToleration"] }],
  filter: ({ pod }, { node }) => (node.spec?.unschedulable && !isTolerated(taint, pod.spec.tolerations) ? unresolvable("node(s) were unschedulable") : undefined),
});
