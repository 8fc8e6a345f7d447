import { matchesLabels } from "../../apimachinery/selectors/labels.ts";
import { definePlugin, maxNodeScore, unresolvable, unschedulable, type PreFilterResult, type PreScoreResult } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";
import { countMatching, hasAllKeys, hostnameLabel, ownConstraints, placesFor, systemConstraints, type SpreadConstraint } from "../spread-constraints.ts";

interface Hard {
  constraint: SpreadConstraint;
  /** Matching pods by value of the topology key. */
  counts: ReadonlyMap<string, number>;
  /** The least of them; 0 while there are fewer places than minDomains. */
  least: number;
  /** 1 when the pod itself will count. */
  self: number;
}

interface Soft {
  constraint: SpreadConstraint;
  /** Undefined for hostnames: those are counted node by node. */
  counts: Map<string, number> | undefined;
  /** More places, more weight. */
  weight: number;
}

interface SoftState {
  soft: readonly Soft[];
  /** Nodes that lack a key: the last choice. */
  ignored: ReadonlySet<string>;
}

/** Spreads pods over hosts and zones. Source: kubernetes plugins/podtopologyspread. */
export const podTopologySpread = definePlugin<readonly Hard[], SoftState>({
  name: "PodTopologySpread",
  events: () => [{ resource: "Pod", actions: ["Add", "Delete", "UpdatePodLabel"] }, { resource: "Node", actions: ["Add", "Delete", "UpdateNodeLabel", "UpdateNodeTaint"] }],
  preFilter: prepareHard,
  filter(_, { labels }, hard) {
    for (const { constraint, counts, least, self } of hard) {
      const value = labels[constraint.topologyKey];
      if (value === undefined) return unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");
      if ((counts.get(value) ?? 0) + self - least > constraint.maxSkew) return unschedulable("node(s) didn't match pod topology spread constraints");
    }
    return undefined;
  },
  preScore: prepareSoft,
  score(pod, node, { soft, ignored }) {
    if (ignored.has(node.name)) return 0;
    let score = 0;
    for (const { constraint, counts, weight } of soft) {
      const value = node.labels[constraint.topologyKey];
      if (value === undefined) continue;
      const count = counts ? counts.get(value) ?? 0 : countMatching(node, constraint.selector, pod.namespace);
      score += count * weight + (constraint.maxSkew - 1);
    }
    return Math.round(score);
  },
  normalize,
});

function prepareHard(pod: PodInfo, snapshot: Snapshot): PreFilterResult<readonly Hard[]> {
  const constraints = ownConstraints(pod, "DoNotSchedule");
  if (constraints.length === 0) return { skip: true };
  const isPlace = placesFor(pod);
  const nodes = snapshot.nodes.filter((node) => hasAllKeys(node, constraints));
  return {
    state: constraints.map((constraint) => {
      const counts = new Map<string, number>();
      for (const node of nodes) if (isPlace(constraint, node)) addTo(counts, node.labels[constraint.topologyKey]!, countMatching(node, constraint.selector, pod.namespace));
      const least = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values());
      return { constraint, counts, least, self: matchesLabels(constraint.selector, pod.pod.metadata.labels) ? 1 : 0 };
    }),
  };
}

function addTo(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function prepareSoft(pod: PodInfo, feasible: readonly NodeInfo[], snapshot: Snapshot): PreScoreResult<SoftState> {
  const own = Boolean(pod.pod.spec.topologySpreadConstraints?.length);
  const constraints = own ? ownConstraints(pod, "ScheduleAnyway") : systemConstraints(pod, snapshot);
  if (constraints.length === 0) return { skip: true };
  // The system's constraints are for clusters without zones too.
  const ignored = new Set(own ? feasible.filter((node) => !hasAllKeys(node, constraints)).map(({ name }) => name) : []);
  const soft = constraints.map((constraint): Soft => {
    if (constraint.topologyKey === hostnameLabel) return { constraint, counts: undefined, weight: Math.log(feasible.length - ignored.size + 2) };
    const counts = new Map<string, number>();
    for (const { name, labels } of feasible) if (!ignored.has(name) && labels[constraint.topologyKey] !== undefined) counts.set(labels[constraint.topologyKey]!, 0);
    return { constraint, counts, weight: Math.log(counts.size + 2) };
  });
  countSoft(pod, soft, own ? snapshot.nodes.filter((node) => hasAllKeys(node, constraints)) : snapshot.nodes);
  return { state: { soft, ignored } };
}

/** Counts also on nodes that the pod can't go to, where their place has one that it can. */
function countSoft(pod: PodInfo, soft: readonly Soft[], nodes: readonly NodeInfo[]): void {
  const isPlace = placesFor(pod);
  for (const { constraint, counts } of soft) {
    if (!counts || counts.size === 0) continue;
    for (const node of nodes) {
      const value = node.labels[constraint.topologyKey];
      if (value !== undefined && counts.has(value) && isPlace(constraint, node)) addTo(counts, value, countMatching(node, constraint.selector, pod.namespace));
    }
  }
}

/** Few matching pods are best; nodes that lack a key get nothing. */
function normalize(scores: number[], nodes: readonly NodeInfo[], { ignored }: SoftState): void {
  const counted = scores.filter((_, i) => !ignored.has(nodes[i]!.name));
  const min = Math.min(...counted), max = Math.max(...counted);
  for (let i = 0; i < scores.length; i++) {
    if (ignored.has(nodes[i]!.name)) scores[i] = 0;
    else scores[i] = max === 0 ? maxNodeScore : Math.floor((maxNodeScore * (max + min - scores[i]!)) / max);
  }
}
