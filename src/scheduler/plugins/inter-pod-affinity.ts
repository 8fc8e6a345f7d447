import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { matchesTerm, type AffinityTerm } from "../affinity-term.ts";
import { interPodAffinityArgs, type InterPodAffinityArgs } from "../configuration/plugin-args.ts";
import { definePlugin, maxNodeScore, unresolvable, unschedulable, type AnyPlugin, type Handle, type PreFilterResult, type PreScoreResult } from "../framework.ts";
import { countPods } from "../match-counts.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";
import { affinityEvents } from "./inter-pod-affinity-hints.ts";
import { TopologySums } from "./topology-sums.ts";

type SpeaksOf = (term: AffinityTerm, pod: Frozen<Pod>) => boolean;

interface Required {
  /** Where pods are whose anti-affinity speaks of this pod. */
  refusing: TopologySums;
  /** Where pods are that match all its affinity terms. */
  wanted: TopologySums;
  /** Where pods are that match one of its anti-affinity terms. */
  unwanted: TopologySums;
  /** The first of a group that wants to be together may go anywhere. */
  matchesItself: boolean;
  speaksOf: SpeaksOf;
}

const affinityMismatch = unresolvable("node(s) didn't match pod affinity rules");
const antiAffinityMismatch = unschedulable("node(s) didn't match pod anti-affinity rules");
const refused = unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");

/** Required and preferred affinity between pods. Source: kubernetes plugins/interpodaffinity. */
export function interPodAffinity(args: InterPodAffinityArgs = interPodAffinityArgs(), handle: Pick<Handle, "lister">): AnyPlugin {
  const events = affinityEvents(handle);
  return definePlugin<Required, TopologySums>({
    name: "InterPodAffinity",
    events: () => events,
    preFilter,
    preFilterExtensions: {
      clone: (state) => ({ ...state, refusing: state.refusing.clone(), wanted: state.wanted.clone(), unwanted: state.unwanted.clone() }),
      addPod: (pod, added, node, state) => count(pod, added, node, state, 1),
      removePod: (pod, removed, node, state) => count(pod, removed, node, state, -1),
    },
    filter({ affinity }, node, { refusing, wanted, unwanted, matchesItself }) {
      if (affinity && !findsWanted(affinity.required, node, wanted, matchesItself)) return affinityMismatch;
      if (affinity?.requiredAnti.some(({ topologyKey }) => unwanted.has(topologyKey, node))) return antiAffinityMismatch;
      return refusing.hasAny(node) ? refused : undefined;
    },
    preScore: (pod, _, snapshot) => preScore(pod, snapshot, args),
    score: (_, node, sums) => sums.sumAt(node),
    normalize(scores) {
      let min = Infinity, max = -Infinity;
      for (const score of scores) {
        if (score < min) min = score;
        if (score > max) max = score;
      }
      // Divided first, as upstream does: 29 of 100 becomes 28.
      for (let i = 0; i < scores.length; i++) scores[i] = max > min ? Math.trunc(maxNodeScore * ((scores[i]! - min) / (max - min))) : 0;
    },
  });
}

const speakerIn = (snapshot: Snapshot): SpeaksOf => (term, pod) => matchesTerm(term, pod, (namespace) => snapshot.namespaceLabels(namespace));

function preFilter(info: PodInfo, snapshot: Snapshot): PreFilterResult<Required> {
  const { pod, affinity } = info;
  const { required = [], requiredAnti = [] } = affinity ?? {};
  const speaksOf = speakerIn(snapshot);
  const state: Required = { refusing: new TopologySums(), wanted: new TopologySums(), unwanted: new TopologySums(), matchesItself: matchesAll(required, pod, speaksOf), speaksOf };
  for (const node of snapshot.nodesWithAffinity()) for (const other of node.podsWithAffinity.values()) countRefusing(pod, other, node, state, 1);
  if (required.length === 0 && requiredAnti.length === 0) return state.refusing.empty ? { skip: true } : { state };
  for (const node of snapshot.nodes) if (node.pods.size > 0) countWantedOn(node, info, state);
  return { state };
}

/** A pod comes to the node, or leaves it. */
function count(info: PodInfo, other: PodInfo, node: NodeInfo, state: Required, amount: 1 | -1): void {
  countRefusing(info.pod, other, node, state, amount);
  countWanted(info, other, node, state, amount);
}

function countRefusing(pod: Frozen<Pod>, { affinity }: PodInfo, node: NodeInfo, { refusing, speaksOf }: Required, amount: number): void {
  for (const term of affinity?.requiredAnti ?? []) if (speaksOf(term, pod)) refusing.add(term.topologyKey, node, amount);
}

function countWanted({ affinity }: PodInfo, { pod: other }: PodInfo, node: NodeInfo, { wanted, unwanted, speaksOf }: Required, amount: number): void {
  if (!affinity) return;
  if (matchesAll(affinity.required, other, speaksOf)) for (const { topologyKey } of affinity.required) wanted.add(topologyKey, node, amount);
  for (const term of affinity.requiredAnti) if (speaksOf(term, other)) unwanted.add(term.topologyKey, node, amount);
}

/** As `countWanted` for each pod of the node. */
function countWantedOn(node: NodeInfo, { affinity }: PodInfo, { wanted, unwanted, speaksOf }: Required): void {
  const { required, requiredAnti } = affinity!;
  const all = countSpokenOf(node, required, speaksOf);
  if (all > 0) for (const { topologyKey } of required) wanted.add(topologyKey, node, all);
  for (const term of requiredAnti) unwanted.add(term.topologyKey, node, countSpokenOf(node, [term], speaksOf));
}

/** Pods of the node that all the terms speak of; none when there are no terms. */
function countSpokenOf(node: NodeInfo, terms: readonly AffinityTerm[], speaksOf: SpeaksOf): number {
  const query = terms.length === 1 ? terms[0]!.query : undefined;
  if (query) return countPods(node, query);
  let count = 0;
  if (terms.length > 0) for (const { pod } of node.pods.values()) if (matchesAll(terms, pod, speaksOf)) count++;
  return count;
}

const matchesAll = (terms: readonly AffinityTerm[], pod: Frozen<Pod>, speaksOf: SpeaksOf): boolean => terms.length > 0 && terms.every((term) => speaksOf(term, pod));

function findsWanted(terms: readonly AffinityTerm[], node: NodeInfo, wanted: TopologySums, matchesItself: boolean): boolean {
  let all = true;
  for (const { topologyKey } of terms) {
    if (node.labels[topologyKey] === undefined) return false;
    if (!wanted.has(topologyKey, node)) all = false;
  }
  return all || (wanted.empty && matchesItself);
}

/** Weighs the pod's own preferences, and those of the pods that are there already for this one. */
function preScore({ pod, affinity }: PodInfo, snapshot: Snapshot, { hardPodAffinityWeight, ignorePreferredTermsOfExistingPods }: InterPodAffinityArgs): PreScoreResult<TopologySums> {
  const own = affinity !== undefined && affinity.preferred.length + affinity.preferredAnti.length > 0;
  if (ignorePreferredTermsOfExistingPods && !own) return { skip: true };
  const sums = new TopologySums();
  const speaksOf = speakerIn(snapshot);
  const weighOwn = (terms: readonly AffinityTerm[], node: NodeInfo, factor: number): void => {
    for (const term of terms) sums.add(term.topologyKey, node, factor * term.weight * countSpokenOf(node, [term], speaksOf));
  };
  const weigh = (terms: readonly AffinityTerm[], node: NodeInfo, factor: number): void => {
    for (const term of terms) if (speaksOf(term, pod)) sums.add(term.topologyKey, node, factor * term.weight);
  };
  for (const node of own ? snapshot.nodes : snapshot.nodesWithAffinity()) {
    if (own && node.pods.size > 0) {
      weighOwn(affinity.preferred, node, 1);
      weighOwn(affinity.preferredAnti, node, -1);
    }
    for (const { affinity: others } of node.podsWithAffinity.values()) {
      if (hardPodAffinityWeight > 0) weigh(others!.required, node, hardPodAffinityWeight);
      weigh(others!.preferred, node, 1);
      weigh(others!.preferredAnti, node, -1);
    }
  }
  return sums.empty ? { skip: true } : { state: sums };
}
