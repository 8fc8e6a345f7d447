import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { namespaces } from "../../apis/builtins.ts";
import type { Namespace, Node, Pod } from "../../apis/generated/core/v1.ts";
import { matchesTerm, type AffinityTerm } from "../affinity-term.ts";
import type { EventInterest, Hint } from "../cluster-events.ts";
import type { Handle } from "../framework.ts";
import { podInfo } from "../pod-info.ts";

type MatchesAll = (terms: readonly AffinityTerm[], pod: Frozen<Pod>) => boolean;
type Labels = Readonly<Record<string, string>> | undefined;

/**
 * What may let a pod go where pods' affinity kept it away. Source: kubernetes plugins/interpodaffinity/plugin.go, which doesn't look at
 * namespaces' labels here and so leaves pods waiting whose terms select namespaces.
 */
export function affinityEvents({ lister }: Pick<Handle, "lister">): readonly EventInterest[] {
  const known = lister(namespaces);
  const matchesAll: MatchesAll = (terms, pod) => terms.length > 0 && terms.every((term) => matchesTerm(term, pod, (name) => known.get(name)?.metadata.labels));
  return [
    { resource: "Pod", actions: ["Add", "UpdatePodLabel", "Delete"], hint: (pod, old, current) => afterPodChange(pod, old, current, matchesAll) },
    { resource: "Node", actions: ["Add", "UpdateNodeLabel"], hint: afterNodeChange },
    { resource: "Namespace", actions: ["Add", "Update"], hint: afterNamespaceChange },
  ];
}

const isPlaced = ({ spec, status }: Frozen<Pod>): boolean => Boolean(spec.nodeName || status?.nominatedNodeName);

function afterPodChange(pod: Frozen<Pod>, old: Frozen<Pod> | undefined, current: Frozen<Pod> | undefined, matchesAll: MatchesAll): Hint {
  if (old && current && current.metadata.uid === pod.metadata.uid) return "Queue";
  if ((current && !isPlaced(current)) || (old && !isPlaced(old))) return "Skip";
  const { required = [], requiredAnti = [] } = podInfo(pod).affinity ?? {};
  if (current) {
    const wantedNow = matchesAll(required, current) && !(old && matchesAll(required, old));
    return wantedNow || (old && matchesAll(requiredAnti, old) && !matchesAll(requiredAnti, current)) ? "Queue" : "Skip";
  }
  return old && (matchesAll(requiredAnti, old) || matchesAll(podInfo(old).affinity?.requiredAnti ?? [], pod)) ? "Queue" : "Skip";
}

/** A node comes into a place of the affinity's, or leaves one of the anti-affinity's. */
function afterNodeChange(pod: Frozen<Pod>, old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): Hint {
  const { required = [], requiredAnti = [] } = podInfo(pod).affinity ?? {};
  const before: Labels = old?.metadata.labels, now: Labels = current?.metadata.labels;
  const enters = ({ topologyKey }: AffinityTerm): boolean => now?.[topologyKey] !== undefined && now[topologyKey] !== before?.[topologyKey];
  const leaves = ({ topologyKey }: AffinityTerm): boolean => !old || (before?.[topologyKey] !== undefined && before[topologyKey] !== now?.[topologyKey]);
  return required.some(enters) || requiredAnti.some(leaves) ? "Queue" : "Skip";
}

/** Only pods whose own terms select namespaces; those that others' terms refuse are tried when the others change. */
function afterNamespaceChange(pod: Frozen<Pod>, old: Frozen<Namespace> | undefined, current: Frozen<Namespace> | undefined): Hint {
  if (semanticEqual(old?.metadata.labels, current?.metadata.labels)) return "Skip";
  const { required = [], requiredAnti = [] } = podInfo(pod).affinity ?? {};
  return [...required, ...requiredAnti].some(({ namespaceSelector }) => namespaceSelector !== "nothing") || current?.metadata.name === pod.metadata.namespace ? "Queue" : "Skip";
}
