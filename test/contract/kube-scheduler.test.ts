import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { poddisruptionbudgets, replicasets, services } from "../../src/apis/builtins.ts";
import type { ReplicaSet } from "../../src/apis/generated/apps/v1.ts";
import type { Node, Pod, Service } from "../../src/apis/generated/core/v1.ts";
import type { PodDisruptionBudget } from "../../src/apis/generated/policy/v1.ts";
import { parseSchedulerConfiguration } from "../../src/scheduler/configuration/parse.ts";
import { fitError } from "../../src/scheduler/failure-message.ts";
import type { Handle } from "../../src/scheduler/framework.ts";
import { PodNominator } from "../../src/scheduler/nominator.ts";
import { podInfo } from "../../src/scheduler/pod-info.ts";
import { pluginRegistry } from "../../src/scheduler/plugins/index.ts";
import { findCandidates, pickCandidate } from "../../src/scheduler/preemption/candidates.ts";
import { parseBudget } from "../../src/scheduler/preemption/disruption-budgets.ts";
import { createProfile, type PluginSet } from "../../src/scheduler/profile.ts";
import { runPostFilters, schedule, scoreAll } from "../../src/scheduler/schedule.ts";
import { createSchedulerMetrics } from "../../src/scheduler/scheduler-metrics.ts";
import { ClusterState } from "../../src/scheduler/snapshot.ts";
import { atOnce } from "../../src/scheduler/testing/cluster.ts";
import { handleOf } from "../../src/scheduler/testing/handle.ts";

/**
 * What kube-scheduler 1.36.3 did with clusters made at random, under the profiles of `configuration.yaml`: recorded from its log (scores, at
 * -v=10), from the pods it placed, removed or left, and from the conditions it wrote. We must do the same with the same clusters.
 */
interface Recording {
  nodes: Frozen<Node>[];
  pods: Frozen<Pod>[];
  services?: Frozen<Service>[];
  replicasets: Frozen<ReplicaSet>[];
  budgets?: Frozen<PodDisruptionBudget>[];
  steps: Step[];
}

/** One pod more. `node`: where it went; else `message` says why nowhere. */
interface Step {
  pod: Frozen<Pod>;
  node?: string;
  message?: string;
  /** By plugin and node, weighted; absent when one node alone was left. */
  scores?: Record<string, Record<string, number>>;
  /** Keys of the pods that were removed for it. */
  victims?: string[];
}

const fixtures = join(import.meta.dir, "../fixtures/kube-scheduler");
const recordings = (name: string): Recording[] => readFileSync(join(fixtures, name), "utf8").trim().split("\n").map((line) => JSON.parse(line) as Recording);
const { profiles } = parseSchedulerConfiguration(readFileSync(join(fixtures, "configuration.yaml"), "utf8")).configuration;

const labelsOfNamespaces: Record<string, Record<string, string>> = { default: {}, other: { team: "x" } };

/** As the API server would have it. */
const complete = (pod: Frozen<Pod>): Frozen<Pod> => ({ ...pod, metadata: { ...pod.metadata, uid: `${pod.metadata.namespace}/${pod.metadata.name}` }, spec: { schedulerName: "default-scheduler", ...pod.spec } });

function replay({ nodes, pods, services: ofServices = [], replicasets: ofReplicaSets, budgets = [] }: Recording): { state: ClusterState; pluginsOf(pod: Frozen<Pod>): PluginSet } {
  const state = new ClusterState({ namespaceLabels: (name) => labelsOfNamespaces[name] });
  for (const node of nodes) state.setNode(node);
  for (const pod of pods) state.setPod(complete(pod));
  const listed = handleOf([[services, ofServices], [replicasets, ofReplicaSets], [poddisruptionbudgets, budgets]], labelsOfNamespaces);
  const handle = { ...listed, snapshot: state, nominator: new PodNominator(), metrics: createSchedulerMetrics() } as unknown as Handle;
  return { state, pluginsOf: ({ spec }) => createProfile(profiles.find(({ schedulerName }) => schedulerName === spec.schedulerName)!, pluginRegistry, handle).plugins };
}

const decide = (pod: Frozen<Pod>, state: ClusterState, plugins: PluginSet) => atOnce(schedule(podInfo(pod), state, plugins, { nominator: new PodNominator(), random: () => 0 }));

function whyNowhere(pod: Frozen<Pod>, state: ClusterState, plugins: PluginSet): string | undefined {
  const decision = decide(pod, state, plugins);
  if (decision.fits) return undefined;
  const { message } = atOnce(runPostFilters(podInfo(pod), state, decision, plugins.postFilter));
  return fitError({ ...decision.diagnosis, postFilter: message });
}

/** The weighted scores of one plugin for the nodes that kube-scheduler scored. */
function scoresOf(name: string, pod: Frozen<Pod>, names: readonly string[], state: ClusterState, plugins: PluginSet): Record<string, number> {
  const nodes = names.map((node) => state.node(node)!);
  const totals = scoreAll(podInfo(pod), nodes, state, { preScore: plugins.preScore.filter((plugin) => plugin.name === name), score: plugins.score.filter(({ plugin }) => plugin.name === name) }, new Map());
  return Object.fromEntries(names.map((node, i) => [node, totals[i]!]));
}

describe("decisions", () => {
  test.each(recordings("decisions.jsonl").map((recording, i) => [i, recording] as const))("cluster %d", (_, recording) => {
    const { state, pluginsOf } = replay(recording);
    for (const { pod: recorded, node, message, scores } of recording.steps) {
      const pod = complete(recorded), plugins = pluginsOf(pod);
      if (node === undefined) {
        expect(whyNowhere(pod, state, plugins)).toBe(message);
        continue;
      }
      const decision = decide(pod, state, plugins);
      expect(decision).toMatchObject({ fits: true });
      if (!scores) expect(decision).toMatchObject({ nodeName: node, feasible: 1 });
      for (const [plugin, byNode] of Object.entries(scores ?? {})) {
        expect(decision).toMatchObject({ feasible: Object.keys(byNode).length });
        expect([plugin, scoresOf(plugin, pod, Object.keys(byNode), state, plugins)]).toEqual([plugin, byNode]);
      }
      state.setPod({ ...pod, spec: { ...pod.spec, nodeName: node } });
    }
  });
});

describe("preemptions", () => {
  test.each(recordings("preemptions.jsonl").map((recording, i) => [i, recording] as const))("cluster %d", (_, recording) => {
    const { state, pluginsOf } = replay(recording);
    const budgets = (recording.budgets ?? []).map(parseBudget);
    for (const { pod: recorded, node, message, victims } of recording.steps) {
      const pod = complete(recorded), plugins = pluginsOf(pod);
      if (node === undefined) {
        expect(whyNowhere(pod, state, plugins)).toBe(message);
        continue;
      }
      if (victims) {
        const decision = decide(pod, state, plugins);
        if (decision.fits) throw new Error(`pod ${pod.metadata.name} needs nobody to go`);
        const { statuses, absent } = decision.diagnosis;
        const nodes = state.nodes.filter(({ name }) => (statuses.get(name) ?? absent).code === "Unschedulable");
        const { candidates } = findCandidates(podInfo(pod), decision.filters, { nodes, enough: nodes.length, budgets });
        const chosen = candidates.find(({ nodeName }) => nodeName === node)!;
        expect(chosen.victims.map(({ key }) => key).toSorted()).toEqual(victims);
        // Of candidates that are equal by all criteria, the first is taken, and which is first is chance.
        expect(pickCandidate([chosen, ...candidates.filter((one) => one !== chosen)])).toBe(chosen);
        for (const { uid } of chosen.victims) state.removePod(uid);
      }
      state.setPod({ ...pod, spec: { ...pod.spec, nodeName: node } });
    }
  });
});
