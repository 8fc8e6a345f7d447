import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { matchesTerm, type AffinityTerm } from "../affinity-term.ts";
import { definePlugin, maxNodeScore, unresolvable, unschedulable, type PreFilterResult, type PreScoreResult } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";

/** Sums by topology key and value: a place is all nodes that have that label. */
class Places {
  readonly #sums = new Map<string, Map<string, number>>();

  get empty(): boolean {
    return this.#sums.size === 0;
  }

  add({ topologyKey }: AffinityTerm, { labels }: NodeInfo, amount: number): void {
    const value = labels[topologyKey];
    if (value === undefined) return;
    let sums = this.#sums.get(topologyKey);
    if (!sums) this.#sums.set(topologyKey, (sums = new Map()));
    sums.set(value, (sums.get(value) ?? 0) + amount);
  }

  has(topologyKey: string, { labels }: NodeInfo): boolean {
    const value = labels[topologyKey];
    return value !== undefined && (this.#sums.get(topologyKey)?.get(value) ?? 0) > 0;
  }

  /** Whether any of the node's labels is a place with something in it. */
  hasAny(node: NodeInfo): boolean {
    for (const topologyKey of this.#sums.keys()) if (this.has(topologyKey, node)) return true;
    return false;
  }

  sum({ labels }: NodeInfo): number {
    let sum = 0;
    for (const [topologyKey, sums] of this.#sums) sum += (labels[topologyKey] !== undefined && sums.get(labels[topologyKey])) || 0;
    return sum;
  }
}

interface Required {
  /** Where pods are whose anti-affinity speaks of this pod. */
  refusing: Places;
  /** Where pods are that match all its affinity terms. */
  wanted: Places;
  /** Where pods are that match one of its anti-affinity terms. */
  unwanted: Places;
  /** The first of a group that wants to be together may go anywhere. */
  matchesItself: boolean;
}

/** Required and preferred affinity between pods. Source: kubernetes plugins/interpodaffinity. */
export const interPodAffinity = definePlugin<Required, Places>({
  name: "InterPodAffinity",
  events: () => [{ resource: "Pod", actions: ["Add", "Delete", "UpdatePodLabel"] }, { resource: "Node", actions: ["Add", "UpdateNodeLabel"] }, { resource: "Namespace", actions: ["Add", "Update"] }],
  preFilter,
  filter({ affinity }, node, { refusing, wanted, unwanted, matchesItself }) {
    if (affinity && !findsWanted(affinity.required, node, wanted, matchesItself)) return unresolvable("node(s) didn't match pod affinity rules");
    if (affinity?.requiredAnti.some(({ topologyKey }) => unwanted.has(topologyKey, node))) return unschedulable("node(s) didn't match pod anti-affinity rules");
    if (refusing.hasAny(node)) return unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");
    return undefined;
  },
  preScore,
  score: (_, node, places) => places.sum(node),
  normalize(scores) {
    const min = Math.min(...scores), max = Math.max(...scores);
    for (let i = 0; i < scores.length; i++) scores[i] = max === min ? 0 : Math.floor((maxNodeScore * (scores[i]! - min)) / (max - min));
  },
});

function preFilter({ pod, affinity }: PodInfo, snapshot: Snapshot): PreFilterResult<Required> {
  const { required = [], requiredAnti = [] } = affinity ?? {};
  const speaksOf = (term: AffinityTerm, other: Frozen<Pod>): boolean => matchesTerm(term, other, (namespace) => snapshot.namespaceLabels(namespace));
  const refusing = new Places(), wanted = new Places(), unwanted = new Places();
  for (const node of snapshot.nodesWithAffinity()) {
    for (const other of node.podsWithAffinity.values()) {
      for (const term of other.affinity!.requiredAnti) if (speaksOf(term, pod)) refusing.add(term, node, 1);
    }
  }
  if (required.length === 0 && requiredAnti.length === 0) return refusing.empty ? { skip: true } : { state: { refusing, wanted, unwanted, matchesItself: false } };
  for (const node of snapshot.nodes) {
    for (const other of node.pods.values()) {
      if (required.length > 0 && required.every((term) => speaksOf(term, other.pod))) for (const term of required) wanted.add(term, node, 1);
      for (const term of requiredAnti) if (speaksOf(term, other.pod)) unwanted.add(term, node, 1);
    }
  }
  return { state: { refusing, wanted, unwanted, matchesItself: required.every((term) => speaksOf(term, pod)) } };
}

function findsWanted(terms: readonly AffinityTerm[], node: NodeInfo, wanted: Places, matchesItself: boolean): boolean {
  if (terms.some(({ topologyKey }) => node.labels[topologyKey] === undefined)) return false;
  return terms.every(({ topologyKey }) => wanted.has(topologyKey, node)) || (wanted.empty && matchesItself);
}

/** What the required affinity of others counts for in scores. Source: hardPodAffinityWeight's default. */
const requiredAffinityWeight = 1;

/** Weighs the pod's own preferences, and those of the pods that are there already for this one. */
function preScore({ pod, affinity }: PodInfo, _: readonly NodeInfo[], snapshot: Snapshot): PreScoreResult<Places> {
  const own = affinity !== undefined && affinity.preferred.length + affinity.preferredAnti.length > 0;
  const places = new Places();
  const weigh = (terms: readonly AffinityTerm[], about: Frozen<Pod>, node: NodeInfo, factor: number): void => {
    for (const term of terms) if (matchesTerm(term, about, (namespace) => snapshot.namespaceLabels(namespace))) places.add(term, node, factor * term.weight);
  };
  for (const node of own ? snapshot.nodes : snapshot.nodesWithAffinity()) {
    for (const other of own ? node.pods.values() : node.podsWithAffinity.values()) {
      if (own) {
        weigh(affinity.preferred, other.pod, node, 1);
        weigh(affinity.preferredAnti, other.pod, node, -1);
      }
      if (!other.affinity) continue;
      weigh(other.affinity.required, pod, node, requiredAffinityWeight);
      weigh(other.affinity.preferred, pod, node, 1);
      weigh(other.affinity.preferredAnti, pod, node, -1);
    }
  }
  return places.empty ? { skip: true } : { state: places };
}
