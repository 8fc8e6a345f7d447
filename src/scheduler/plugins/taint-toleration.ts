import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Pod, Toleration } from "../../apis/generated/core/v1.ts";
import type { Hint } from "../cluster-events.ts";
import { definePlugin, normalizeByMax, unresolvable } from "../framework.ts";
import { isTolerated, untoleratedTaint } from "../../apis/core/taints.ts";

type Tolerations = readonly Frozen<Toleration>[];

const untolerated = unresolvable("node(s) had untolerated taint(s)");
const none: Tolerations = [];

/** Keeps pods off taints of NoSchedule and NoExecute that they don't tolerate, and prefers nodes with fewer PreferNoSchedule ones. Source: kubernetes plugins/tainttoleration. */
export const taintToleration = definePlugin<undefined, Tolerations>({
  name: "TaintToleration",
  events: () => [{ resource: "Node", actions: ["Add", "UpdateNodeTaint"], hint: afterNodeChange }, { resource: "Pod", actions: ["UpdatePodToleration"], hint: afterTolerationChange }],
  filter: ({ pod }, { node }) => (untoleratedTaint(node.spec?.taints, pod.spec.tolerations) ? untolerated : undefined),
  preScore: ({ pod }) => ({ state: ofPreferences(pod) }),
  score({ pod }, { node }, tolerations = ofPreferences(pod)) {
    let count = 0;
    for (const taint of node.spec?.taints ?? []) if (taint.effect === "PreferNoSchedule" && !isTolerated(taint, tolerations)) count++;
    return count;
  },
  normalize: (scores) => normalizeByMax(scores, { reverse: true }),
});

const ofPreferences = ({ spec }: Frozen<Pod>): Tolerations => spec.tolerations?.filter(({ effect }) => !effect || effect === "PreferNoSchedule") ?? none;

function afterNodeChange({ spec }: Frozen<Pod>, old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): Hint {
  const keepsOut = (node: Frozen<Node>): boolean => untoleratedTaint(node.spec?.taints, spec.tolerations) !== undefined;
  return current && !keepsOut(current) && (!old || keepsOut(old)) ? "Queue" : "Skip";
}

const afterTolerationChange = (pod: Frozen<Pod>, _: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined): Hint => (current?.metadata.uid === pod.metadata.uid ? "Queue" : "Skip");
