import type { Extender } from "./extender/extender.ts";
import { extenderName, extenderScores, passExtenders, stillThere } from "./extender/extenders.ts";
import { Filters } from "./filter-cycle.ts";
import { during, isRejected, maxNodeScore, messageOf, unresolvable, unschedulable, type AnyPlugin, type FailedCycle, type Nominator, type Status } from "./framework.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import type { PluginSet, WeightedPlugin } from "./profile.ts";
import type { PointDurations } from "./scheduler-metrics.ts";
import type { Snapshot } from "./snapshot.ts";
import { wait, type Steps } from "./steps.ts";

/** What each plugin's preFilter worked out, for the points after the decision. */
export type PluginStates = ReadonlyMap<AnyPlugin, unknown>;

/** `evaluated`: so many nodes were looked at, the next round starts after them. */
export type Decision =
  | { fits: true; nodeName: string; evaluated: number; feasible: number; states: PluginStates }
  | { fits: false; evaluated: number; diagnosis: Diagnosis; filters: Filters };

/** Why no node will do. */
export interface Diagnosis {
  /** All nodes of the cluster. */
  nodes: number;
  /** Set when a plugin ruled the pod out before looking at nodes. */
  preFilter?: Status;
  /** Names of the plugins whose preFilters didn't run because of it. */
  unprepared?: readonly string[];
  /** By node name. */
  statuses: ReadonlyMap<string, Status>;
  /** Of the nodes that have none of their own. */
  absent: Status;
  /** Names of the plugins that said no. */
  rejectors: ReadonlySet<string>;
  /** Of these, those that have set something going. */
  pending: ReadonlySet<string>;
  /** What the plugins after filtering said. */
  postFilter?: string;
}

export interface ScheduleOptions {
  nominator: Nominator;
  /** The index of the first node to look at, for rounds that start anywhere. Default 0. */
  start?: number;
  /** Of nodes that fit, which are enough; 0: by the size of the cluster. */
  percentageOfNodesToScore?: number;
  /** Chooses among the best. In [0, 1). */
  random?: () => number;
  durations?: PointDurations;
  /** Those that the pod is the business of: they are waited for. */
  extenders?: readonly Extender[];
}

/** Of nodes nobody asked about. */
const unknown = unresolvable();

/**
 * Decides where a pod goes. Without extenders it is pure and never waits: the same snapshot and options, the same decision. Throws what plugins
 * and extenders throw. Source: kubernetes pkg/scheduler/schedule_one.go (schedulePod).
 */
export function* schedule(pod: PodInfo, snapshot: Snapshot, plugins: PluginSet, options: ScheduleOptions): Steps<Decision> {
  const { start = 0, random = Math.random, durations, extenders = [] } = options;
  let since = performance.now();
  const { states, skipped, nodeNames, narrowedBy, rejected, rejectedBy, unprepared } = runPreFilters(pod, snapshot, plugins.preFilter);
  durations?.observe("PreFilter", since, rejected?.code);
  since = performance.now();
  const filters = new Filters(pod, plugins.filter.filter((plugin) => !skipped.has(plugin)).map((plugin) => ({ plugin, state: states.get(plugin) })), options.nominator);
  const total = snapshot.nodes.length;
  const verdicts = new Verdicts(filters, narrowedBy);
  const { statuses, rejectors, pending } = verdicts;
  if (rejected) {
    if (rejectedBy) verdicts.blame(rejected, rejectedBy);
    return { fits: false, evaluated: 0, filters, diagnosis: { nodes: total, preFilter: rejected, unprepared, statuses, absent: rejected, rejectors, pending } };
  }

  // Ours counts before the pod's status tells it.
  const nominated = options.nominator.nodeOf(pod.uid) ?? pod.pod.status?.nominatedNodeName;
  const promised = nominated ? snapshot.node(nominated) : undefined;
  if (promised && verdicts.accepts(promised) && (extenders.length === 0 || (yield* keepsPromise(extenders, pod, promised, snapshot, verdicts)))) {
    return { fits: true, nodeName: promised.name, evaluated: 1 + statuses.size, feasible: 1, states };
  }

  const candidates = nodeNames ? [...nodeNames].flatMap((name) => snapshot.node(name) ?? []) : snapshot.nodes;
  const chooses = plugins.score.length > 0 || extenders.some(({ calls }) => calls.filter || calls.prioritize);
  const found = findFeasible(candidates, verdicts, { start, wanted: chooses ? feasibleNodesToFind(candidates.length, options.percentageOfNodesToScore) : 1 });
  const evaluated = found.length + statuses.size;
  durations?.observe("Filter", since, found.length > 0 ? "Success" : "Unschedulable");
  const feasible = extenders.length === 0 ? found : yield* passExtenders(extenders, pod, found, snapshot, statuses);
  if (feasible.length < found.length) rejectors.add(extenderName);
  if (feasible.length === 0) {
    const absent = nodeNames ? unresolvable(`node(s) didn't satisfy plugin(s) [${[...narrowedBy].sort().join(" ")}]`) : unknown;
    return { fits: false, evaluated, filters, diagnosis: { nodes: total, statuses, absent, rejectors, pending } };
  }
  if (feasible.length === 1) return { fits: true, nodeName: feasible[0]!.name, evaluated, feasible: 1, states };
  const prioritizers = extenders.filter(({ calls }) => calls.prioritize);
  const extra = prioritizers.length === 0 ? undefined : yield* wait(extenderScores(prioritizers, pod, feasible));
  const choice = extra ? stillThere(feasible, snapshot) : feasible;
  if (choice.length === 0) throw new Error("all nodes that fit went away while extenders were asked");
  const scores = scoreAll(pod, choice, snapshot, plugins, states, durations);
  if (extra) for (const [i, { name }] of choice.entries()) scores[i]! += extra.get(name) ?? 0;
  return { fits: true, nodeName: selectHost(choice, scores, random).name, evaluated, feasible: feasible.length, states };
}

/** What the filters said, and who is to blame. */
class Verdicts {
  readonly statuses = new Map<string, Status>();
  readonly rejectors: Set<string>;
  readonly pending = new Set<string>();
  readonly #filters: Filters;

  constructor(filters: Filters, narrowedBy: ReadonlySet<string>) {
    this.#filters = filters;
    this.rejectors = new Set(narrowedBy);
  }

  /** Whether the pod can go there; notes why not. */
  accepts(node: NodeInfo): boolean {
    const status = this.#filters.filter(node);
    if (!status) return true;
    const { rejector } = this.#filters;
    if (!isRejected(status)) throw new Error(`running ${JSON.stringify(rejector)} filter plugin: ${messageOf(status)}`, { cause: status.cause });
    this.statuses.set(node.name, status);
    this.blame(status, rejector);
    return false;
  }

  blame({ code }: Status, plugin: string): void {
    if (code === "Pending") this.pending.add(plugin);
    this.rejectors.add(plugin);
  }
}

function findFeasible(candidates: readonly NodeInfo[], verdicts: Verdicts, { start, wanted }: { start: number; wanted: number }): NodeInfo[] {
  const feasible: NodeInfo[] = [];
  for (let i = 0; i < candidates.length && feasible.length < wanted; i++) {
    const node = candidates[(start + i) % candidates.length]!;
    if (verdicts.accepts(node)) feasible.push(node);
  }
  return feasible;
}

/** An extender that fails here is asked again about all nodes. */
function* keepsPromise(extenders: readonly Extender[], pod: PodInfo, promised: NodeInfo, snapshot: Snapshot, { statuses }: Verdicts): Steps<boolean> {
  try {
    return (yield* passExtenders(extenders, pod, [promised], snapshot, statuses)).length > 0;
  } catch {
    return false;
  }
}

interface Prepared {
  states: PluginStates;
  skipped: ReadonlySet<AnyPlugin>;
  nodeNames: ReadonlySet<string> | undefined;
  narrowedBy: ReadonlySet<string>;
  rejected?: Status;
  rejectedBy?: string;
  unprepared?: readonly string[];
}

/** A rejection that removing pods might end doesn't stop the others: preemption needs what they work out. */
function runPreFilters(pod: PodInfo, snapshot: Snapshot, plugins: readonly AnyPlugin[]): Prepared {
  const states = new Map<AnyPlugin, unknown>();
  const skipped = new Set<AnyPlugin>();
  const narrowedBy = new Set<string>();
  const prepared: Prepared = { states, skipped, narrowedBy, nodeNames: undefined };
  for (const [i, plugin] of plugins.entries()) {
    const running = `running PreFilter plugin ${JSON.stringify(plugin.name)}`;
    const result = during(running, () => plugin.preFilter!(pod, snapshot));
    if ("skip" in result) {
      skipped.add(plugin);
    } else if ("rejected" in result) {
      const { rejected } = result;
      if (!isRejected(rejected)) throw new Error(`${running}: ${messageOf(rejected)}`, { cause: rejected.cause });
      if (result.state !== undefined) states.set(plugin, result.state);
      const final = rejected.code !== "Unschedulable";
      Object.assign(prepared, { rejected, rejectedBy: plugin.name }, final ? { narrowedBy: new Set(), unprepared: namesAfter(plugins, i) } : {});
      if (final) break;
    } else {
      states.set(plugin, result.state);
      if (!result.nodeNames) continue;
      narrowedBy.add(plugin.name);
      prepared.nodeNames = prepared.nodeNames ? prepared.nodeNames.intersection(result.nodeNames) : result.nodeNames;
      if (prepared.nodeNames.size > 0) continue;
      const names = [...narrowedBy].sort();
      const message = names.length === 1 ? `node(s) didn't satisfy plugin ${names[0]!}` : `node(s) didn't satisfy plugin(s) [${names.join(" ")}] simultaneously`;
      return { ...prepared, rejected: unresolvable(message), rejectedBy: undefined, unprepared: namesAfter(plugins, i) };
    }
  }
  return prepared;
}

const namesAfter = (plugins: readonly AnyPlugin[], i: number): string[] => plugins.slice(i + 1).map(({ name }) => name);

/** What the plugins say when no node fits: the first that can make room decides; else all their reasons. */
export function* runPostFilters(pod: PodInfo, snapshot: Snapshot, { diagnosis, filters }: Decision & { fits: false }, plugins: readonly AnyPlugin[], extenders: readonly Extender[] = []): Steps<{ nominate?: string; message: string }> {
  const cycle: FailedCycle = { snapshot, filters, extenders, prepared: (plugin) => !diagnosis.unprepared?.includes(plugin), statusOf: (name) => diagnosis.statuses.get(name) ?? diagnosis.absent };
  const reasons: string[] = [];
  let nominate: string | undefined;
  for (const plugin of plugins) {
    const answer = plugin.postFilter!(pod, cycle);
    const result = answer instanceof Promise ? yield* wait(answer) : answer;
    const { status = { code: "Success", reasons: [] } } = result;
    if (status.code === "Success" || status.code === "UnschedulableAndUnresolvable") return { nominate: result.nominate, message: messageOf(status) };
    if (!isRejected(status)) return { message: messageOf(status) };
    if (result.nominate !== undefined) nominate = result.nominate;
    reasons.push(...status.reasons);
  }
  return { nominate, message: messageOf(unschedulable(...reasons)) };
}

const minFeasibleNodes = 100;

/** How many nodes that fit are enough, in large clusters. Source: kubernetes pkg/scheduler/schedule_one.go (numFeasibleNodesToFind). */
export function feasibleNodesToFind(nodes: number, percentageOfNodesToScore = 0): number {
  if (nodes < minFeasibleNodes) return nodes;
  const percentage = percentageOfNodesToScore || Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.max(minFeasibleNodes, Math.floor((nodes * percentage) / 100));
}

/** The weighted sum of each node's scores, in the order of `nodes`. */
export function scoreAll(pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot, { preScore, score }: Pick<PluginSet, "preScore" | "score">, prefiltered: PluginStates, durations?: PointDurations): number[] {
  let since = performance.now();
  const totals: number[] = Array.from({ length: nodes.length }, () => 0);
  const prepared = new Map(preScore.map((plugin) => [plugin, during(`running PreScore plugin ${JSON.stringify(plugin.name)}`, () => plugin.preScore!(pod, nodes, snapshot, prefiltered.get(plugin)))]));
  durations?.observe("PreScore", since);
  since = performance.now();
  for (const weighted of score) {
    const result = prepared.get(weighted.plugin) ?? { state: undefined };
    if (!("skip" in result)) during(`running Score plugins: plugin ${JSON.stringify(weighted.plugin.name)} failed with`, () => addScores(totals, pod, nodes, weighted, result.state));
  }
  durations?.observe("Score", since);
  return totals;
}

function addScores(totals: number[], pod: PodInfo, nodes: readonly NodeInfo[], { plugin, weight }: WeightedPlugin, state: unknown): void {
  const scores = nodes.map((node) => plugin.score!(pod, node, state));
  plugin.normalize?.(scores, nodes, state);
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (!(score >= 0 && score <= maxNodeScore)) throw new Error(`plugin ${JSON.stringify(plugin.name)} returns an invalid score ${score}, it should in the range of [0, ${maxNodeScore}] after normalizing`);
    totals[i]! += score * weight;
  }
}

function selectHost(nodes: readonly NodeInfo[], scores: readonly number[], random: () => number): NodeInfo {
  const max = scores.reduce((a, b) => Math.max(a, b));
  const best = nodes.filter((_, i) => scores[i] === max);
  return best[Math.floor(random() * best.length)]!;
}
