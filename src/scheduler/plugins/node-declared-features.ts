import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import type { Hint } from "../cluster-events.ts";
import { definePlugin, unresolvable } from "../framework.ts";

const mismatch = unresolvable("node(s) didn't match Pod's required features");

/** Pods that use what only newer kubelets can go where the kubelet declares it. Source: kubernetes plugins/nodedeclaredfeatures, k8s.io/component-helpers/nodedeclaredfeatures. */
export const nodeDeclaredFeatures = definePlugin<readonly string[]>({
  name: "NodeDeclaredFeatures",
  events: () => [{ resource: "Node", actions: ["Add", "UpdateNodeDeclaredFeature"], hint: afterNodeChange }, { resource: "Pod", actions: ["Update"], hint: afterPodUpdate }],
  preFilter({ pod }) {
    const features = featuresOf(pod);
    return features.length > 0 ? { state: features } : { skip: true };
  },
  filter({ pod }, { node }, features = featuresOf(pod)) {
    const declared = node.status?.declaredFeatures ?? [];
    return features.every((feature) => declared.includes(feature)) ? undefined : mismatch;
  },
});

function featuresOf({ spec }: Frozen<Pod>): string[] {
  const restartsAll = [...spec.containers, ...(spec.initContainers ?? [])].some(({ restartPolicyRules }) => restartPolicyRules?.some(({ action }) => action === "RestartAllContainers"));
  return [...(restartsAll ? ["RestartAllContainersOnContainerExits"] : []), ...(spec.hostNetwork && spec.hostUsers === false ? ["UserNamespacesHostNetworkSupport"] : [])];
}

const afterNodeChange = (_: Frozen<Pod>, old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): Hint =>
  current && (!old || !semanticEqual(old.status?.declaredFeatures, current.status?.declaredFeatures)) ? "Queue" : "Skip";

function afterPodUpdate(pod: Frozen<Pod>, old: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined): Hint {
  if (!old || !current || current.metadata.uid !== pod.metadata.uid) return "Skip";
  return semanticEqual(featuresOf(old), featuresOf(current)) ? "Skip" : "Queue";
}
