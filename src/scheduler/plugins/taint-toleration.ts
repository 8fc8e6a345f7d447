import type { Frozen } from "../../apimachinery/meta.ts";
import type { Toleration } from "../../apis/generated/core/v1.ts";
import { definePlugin, normalizeByMax, unresolvable } from "../framework.ts";
import { isTolerated, untoleratedTaint } from "../taints.ts";

/** Keeps pods off taints of NoSchedule and NoExecute that they don't tolerate, and prefers nodes with fewer PreferNoSchedule ones. */
export const taintToleration = definePlugin<undefined, readonly Frozen<Toleration>[]>({
  name: "TaintToleration",
  events: () => [{ resource: "Node", actions: ["Add", "UpdateNodeTaint"] }, { resource: "Pod", actions: ["UpdatePodToleration"] }],
  filter: ({ pod }, { node }) => (untoleratedTaint(node.spec?.taints, pod.spec.tolerations) ? unresolvable("node(s) had untolerated taint(s)") : undefined),
  preScore: ({ pod }) => ({ state: (pod.spec.tolerations ?? []).filter(({ effect }) => !effect || effect === "PreferNoSchedule") }),
  score(_, { node }, tolerations) {
    let count = 0;
    for (const taint of node.spec?.taints ?? []) if (taint.effect === "PreferNoSchedule" && !isTolerated(taint, tolerations)) count++;
    return count;
  },
  normalize: (scores) => normalizeByMax(scores, { reverse: true }),
});
