import { maxNodeScore, type AnyPlugin, type Rejection } from "./framework.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import type { Snapshot } from "./snapshot.ts";

export type Decision =
  | { fits: true; nodeName: string; /** Nodes looked at: the next round starts after them. */ evaluated: number; feasible: number }
  | { fits: false; diagnosis: Diagnosis };

/** Why no node will do. */
export interface Diagnosis {
  /** All nodes of the cluster. */
  nodes: number;
  /** Set when a plugin ruled the pod out before looking at nodes. */
  preFilter?: Rejection;
  /** By node name. */
  rejections: ReadonlyMap<string, Rejection>;
  /** Of the nodes that have none of their own. */
  absent?: Rejection;
  /** Names of the plugins that said no. */
  rejectors: ReadonlySet<string>;
}

export interface ScheduleOptions {
  /** The index of the first node to look at, for rounds that start anywhere. Default 0. */
  start?: number;
  /** Chooses among the best. In [0, 1). */
  random?: () => number;
}

/** A plugin that has something to say of this pod, with what it worked out. */
interface Active {
  plugin: AnyPlugin;
  state: unknown;
}

/** Decides where a pod goes. Pure: the same snapshot and options, the same decision. */
export function schedule(pod: PodInfo, snapshot: Snapshot, plugins: readonly AnyPlugin[], { start = 0, random = Math.random }: ScheduleOptions = {}): Decision {
  const filtered = findFeasible(pod, snapshot, plugins, start);
  if ("diagnosis" in filtered) return { fits: false, diagnosis: filtered.diagnosis };
  const { feasible, evaluated } = filtered;
  const best = feasible.length === 1 ? feasible[0]! : selectHost(feasible, scoreAll(pod, feasible, snapshot, plugins), random);
  return { fits: true, nodeName: best.name, evaluated, feasible: feasible.length };
}

type Feasible = { feasible: NodeInfo[]; evaluated: number } | { diagnosis: Diagnosis };

function findFeasible(pod: PodInfo, snapshot: Snapshot, plugins: readonly AnyPlugin[], start: number): Feasible {
  const total = snapshot.nodes.length;
  const rejectors = new Set<string>();
  const rejections = new Map<string, Rejection>();
  const prepared = runPreFilters(pod, snapshot, plugins);
  if ("preFilter" in prepared) return { diagnosis: { nodes: total, preFilter: prepared.preFilter, rejections, rejectors: new Set([prepared.by]) } };

  const { active, nodeNames, narrowedBy } = prepared;
  const candidates = nodeNames ? [...nodeNames].flatMap((name) => snapshot.node(name) ?? []) : snapshot.nodes;
  const wanted = feasibleNodesToFind(candidates.length);
  const feasible: NodeInfo[] = [];
  let evaluated = 0;
  for (; evaluated < candidates.length && feasible.length < wanted; evaluated++) {
    const node = candidates[(start + evaluated) % candidates.length]!;
    const rejected = runFilters(pod, node, active);
    if (!rejected) feasible.push(node);
    else {
      rejections.set(node.name, rejected.rejection);
      rejectors.add(rejected.by);
    }
  }
  if (feasible.length > 0) return { feasible, evaluated };
  for (const name of narrowedBy) rejectors.add(name);
  const absent = nodeNames ? { reasons: [`node(s) didn't satisfy plugin(s) [${[...narrowedBy].sort().join(" ")}]`], unresolvable: true } : undefined;
  return { diagnosis: { nodes: total, rejections, rejectors, absent } };
}

type Prepared = { active: Active[]; nodeNames: ReadonlySet<string> | undefined; narrowedBy: ReadonlySet<string> } | { preFilter: Rejection; by: string };

function runPreFilters(pod: PodInfo, snapshot: Snapshot, plugins: readonly AnyPlugin[]): Prepared {
  const active: Active[] = [];
  const narrowedBy = new Set<string>();
  let nodeNames: ReadonlySet<string> | undefined;
  for (const plugin of plugins) {
    const result = plugin.preFilter ? plugin.preFilter(pod, snapshot) : { state: undefined };
    if ("skip" in result) continue;
    if ("rejected" in result) return { preFilter: result.rejected, by: plugin.name };
    if (plugin.filter) active.push({ plugin, state: result.state });
    if (!result.nodeNames) continue;
    narrowedBy.add(plugin.name);
    nodeNames = nodeNames ? nodeNames.intersection(result.nodeNames) : result.nodeNames;
  }
  return { active, nodeNames, narrowedBy };
}

function runFilters(pod: PodInfo, node: NodeInfo, active: readonly Active[]): { rejection: Rejection; by: string } | undefined {
  for (const { plugin, state } of active) {
    const rejection = plugin.filter!(pod, node, state);
    if (rejection) return { rejection, by: plugin.name };
  }
  return undefined;
}

const minFeasibleNodes = 100;

/** How many nodes that fit are enough, in large clusters. Source: kube-scheduler's percentageOfNodesToScore with its default, 0. */
export function feasibleNodesToFind(nodes: number): number {
  if (nodes <= minFeasibleNodes) return nodes;
  const percentage = Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.max(minFeasibleNodes, Math.floor((nodes * percentage) / 100));
}

/** The weighted sum of each node's scores, in the order of `nodes`. */
export function scoreAll(pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot, plugins: readonly AnyPlugin[]): number[] {
  const totals = nodes.map(() => 0);
  for (const plugin of plugins) {
    if (!plugin.score) continue;
    const prepared = plugin.preScore ? plugin.preScore(pod, nodes, snapshot) : { state: undefined };
    if ("skip" in prepared) continue;
    const { state } = prepared;
    const scores = nodes.map((node) => plugin.score!(pod, node, state));
    plugin.normalize?.(scores, nodes, state);
    for (let i = 0; i < scores.length; i++) {
      const score = scores[i]!;
      if (!(score >= 0 && score <= maxNodeScore)) throw new Error(`plugin ${plugin.name} scored node ${nodes[i]!.name} ${score}, which is not in 0..${maxNodeScore}`);
      totals[i]! += score * (plugin.weight ?? 1);
    }
  }
  return totals;
}

function selectHost(nodes: readonly NodeInfo[], scores: readonly number[], random: () => number): NodeInfo {
  const max = Math.max(...scores);
  const best = nodes.filter((_, i) => scores[i] === max);
  return best[Math.floor(random() * best.length)]!;
}
