import { maxNodeScore } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";
import { countMatching, hasAllKeys, hostnameLabel, placesFor, type SpreadConstraint } from "../spread-constraints.ts";

interface Soft {
  readonly constraint: SpreadConstraint;
  /** Undefined for hostnames: those are counted node by node. */
  readonly counts: Map<string, number> | undefined;
  /** More places, more weight. */
  readonly weight: number;
}

export interface SoftState {
  readonly soft: readonly Soft[];
  /** Nodes that lack a key: the last choice. */
  readonly ignored: ReadonlySet<string>;
}

/** Source: kubernetes plugins/podtopologyspread/scoring.go (initPreScoreState, PreScore). */
export function prepareSoft(pod: PodInfo, constraints: readonly SpreadConstraint[], feasible: readonly NodeInfo[], snapshot: Snapshot, needsAllKeys: boolean): SoftState {
  const ignored = new Set<string>();
  if (needsAllKeys) for (const node of feasible) if (!hasAllKeys(node, constraints)) ignored.add(node.name);
  const soft = constraints.map((constraint): Soft => {
    if (constraint.topologyKey === hostnameLabel) return { constraint, counts: undefined, weight: Math.log(feasible.length - ignored.size + 2) };
    const counts = new Map<string, number>();
    let unlabelled = 0;
    for (const { name, labels } of feasible) {
      const value = labels[constraint.topologyKey];
      if (value === undefined) unlabelled = 1;
      else if (!ignored.has(name)) counts.set(value, 0);
    }
    // Without a need for all keys, nodes that lack this one make a place together.
    return { constraint, counts, weight: Math.log(counts.size + (needsAllKeys ? 0 : unlabelled) + 2) };
  });
  countSoft(pod, soft, snapshot.nodes, needsAllKeys ? constraints : []);
  return { soft, ignored };
}

/** Counts also on nodes that the pod can't go to, where their place has one that it can. */
function countSoft(pod: PodInfo, soft: readonly Soft[], nodes: readonly NodeInfo[], needed: readonly SpreadConstraint[]): void {
  const isPlace = placesFor(pod);
  for (const { constraint, counts } of soft) {
    if (!counts || counts.size === 0) continue;
    for (const node of nodes) {
      const value = node.labels[constraint.topologyKey];
      const known = value === undefined ? undefined : counts.get(value);
      if (known !== undefined && hasAllKeys(node, needed) && isPlace(constraint, node)) counts.set(value!, known + countMatching(node, constraint));
    }
  }
}

export function spreadScore(_: PodInfo, node: NodeInfo, { soft, ignored }: SoftState): number {
  if (ignored.has(node.name)) return 0;
  let score = 0;
  for (const { constraint, counts, weight } of soft) {
    const value = node.labels[constraint.topologyKey];
    if (value !== undefined) score += (counts ? counts.get(value) ?? 0 : countMatching(node, constraint)) * weight + (constraint.maxSkew - 1);
  }
  return Math.round(score);
}

/** Few matching pods are best; nodes that lack a key get nothing. */
export function normalizeSpread(scores: number[], nodes: readonly NodeInfo[], { ignored }: SoftState): void {
  let min = Infinity, max = 0;
  for (let i = 0; i < scores.length; i++) {
    if (ignored.has(nodes[i]!.name)) continue;
    min = Math.min(min, scores[i]!);
    max = Math.max(max, scores[i]!);
  }
  for (let i = 0; i < scores.length; i++) {
    if (ignored.has(nodes[i]!.name)) scores[i] = 0;
    else scores[i] = max === 0 ? maxNodeScore : Math.floor((maxNodeScore * (max + min - scores[i]!)) / max);
  }
}
