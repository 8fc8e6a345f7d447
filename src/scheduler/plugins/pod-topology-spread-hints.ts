import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { matchesLabels } from "../../apimachinery/selectors/labels.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import type { EventInterest, Hint } from "../cluster-events.ts";
import { hasAllKeys, type SpreadConstraint } from "../spread-constraints.ts";

type Constraints = readonly SpreadConstraint[];

/** What may let a pod go where its hard constraints kept it away. Source: kubernetes plugins/podtopologyspread/plugin.go. */
export function spreadEvents(constraintsOf: (pod: Frozen<Pod>) => Constraints): readonly EventInterest[] {
  return [
    { resource: "Pod", actions: ["Add", "UpdatePodLabel", "UpdatePodToleration", "Delete"], hint: (pod, old, current) => afterPodChange(pod, old, current, constraintsOf) },
    { resource: "Node", actions: ["Add", "Delete", "UpdateNodeLabel", "UpdateNodeTaint"], hint: (pod, old, current) => afterNodeChange(constraintsOf(pod), old, current) },
  ];
}

const matchesAny = (constraints: Constraints, { metadata }: Frozen<Pod>): boolean => constraints.some(({ selector }) => matchesLabels(selector, metadata.labels));

function isInvolved(other: Frozen<Pod>, { metadata }: Frozen<Pod>): boolean {
  if (other.metadata.uid === metadata.uid) return true;
  return Boolean(other.spec.nodeName || other.status?.nominatedNodeName) && other.metadata.namespace === metadata.namespace;
}

function afterPodChange(pod: Frozen<Pod>, old: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined, constraintsOf: (pod: Frozen<Pod>) => Constraints): Hint {
  if ((old && !isInvolved(old, pod)) || (current && !isInvolved(current, pod))) return "Skip";
  const constraints = constraintsOf(pod);
  if (!old || !current) return matchesAny(constraints, (old ?? current)!) ? "Queue" : "Skip";
  const newToleration = current.metadata.uid === pod.metadata.uid && !semanticEqual(old.spec.tolerations, current.spec.tolerations);
  if (newToleration && constraints.some(({ honorsTaints }) => honorsTaints)) return "Queue";
  return constraints.some(({ selector }) => matchesLabels(selector, old.metadata.labels) !== matchesLabels(selector, current.metadata.labels)) ? "Queue" : "Skip";
}

function afterNodeChange(constraints: Constraints, old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): Hint {
  const counts = (node: Frozen<Node> | undefined): boolean => node !== undefined && hasAllKeys({ labels: node.metadata.labels ?? {} }, constraints);
  if (!old || !current) return counts(old) || counts(current) ? "Queue" : "Skip";
  if (counts(old) !== counts(current)) return "Queue";
  const moved = constraints.some(({ topologyKey }) => old.metadata.labels?.[topologyKey] !== current.metadata.labels?.[topologyKey]);
  return counts(current) && (moved || !semanticEqual(old.spec?.taints, current.spec?.taints)) ? "Queue" : "Skip";
}
