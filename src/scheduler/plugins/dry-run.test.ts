import { describe, expect, test } from "bun:test";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../apis/generated/core/v1.ts";
import type { AnyPlugin } from "../framework.ts";
import { podInfo } from "../pod-info.ts";
import type { ClusterState } from "../snapshot.ts";
import { cluster, node, pod, type PodShape } from "../testing/cluster.ts";
import { handleOf } from "../testing/handle.ts";
import { interPodAffinity } from "./inter-pod-affinity.ts";
import { podTopologySpread } from "./pod-topology-spread.ts";

/** Pods moved in a dry run must leave the filters with the answers they would give had the pods been elsewhere from the start. */
const zone = "topology.kubernetes.io/zone", host = "kubernetes.io/hostname";
const nodes = [["a1", "a"], ["a2", "a"], ["b1", "b"], ["c1", "c"]].map(([name, value]) => node(name!, { labels: { [zone]: value! } }));
const web = { app: "web" }, labelSelector = { matchLabels: web };
const term = (topologyKey: string): PodAffinityTerm => ({ topologyKey, labelSelector });
const avoids = (topologyKey: string): PodShape => ({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(topologyKey)] } } });
const wants = (...keys: string[]): PodShape => ({ affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: keys.map(term) } } });
const spread = (topologyKey: string, more: Partial<TopologySpreadConstraint> = {}): TopologySpreadConstraint => ({ topologyKey, maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", labelSelector, ...more });

const there = [
  pod("web-a", { nodeName: "a1", labels: web }), pod("web-b", { nodeName: "b1", labels: web }), pod("web-c", { nodeName: "c1", labels: web }), pod("loner", { nodeName: "a2", ...avoids(zone) }),
  pod("other", { nodeName: "a2" }), pod("web-a2", { nodeName: "a1", labels: web }), pod("elsewhere", { nodeName: "b1", labels: web, namespace: "other" }),
];

const affinity = interPodAffinity(undefined, handleOf()), spreading = podTopologySpread(undefined, handleOf());
const cases: [name: string, plugin: AnyPlugin, wanted: PodShape][] = [
  ["wants to be with web in a zone", affinity, wants(zone)],
  ["wants to be with web in a zone and on a host", affinity, wants(zone, host)],
  ["wants to be with its like", affinity, { labels: web, ...wants(host) }],
  ["avoids web in its zone", affinity, avoids(zone)],
  ["is avoided", affinity, { labels: web }],
  ["spreads over zones", spreading, { labels: web, topologySpreadConstraints: [spread(zone)] }],
  ["spreads over zones and hosts", spreading, { labels: web, topologySpreadConstraints: [spread(zone), spread(host)] }],
  ["spreads over more zones than there are", spreading, { labels: web, topologySpreadConstraints: [spread(zone, { minDomains: 5 })] }],
  ["spreads over the zones it can go to", spreading, { labels: web, nodeSelector: { [zone]: "a" }, topologySpreadConstraints: [spread(host)] }],
];

/** By node; "" where the pod can go. */
function answers(plugin: AnyPlugin, wanted: Frozen<Pod>, state: ClusterState, prepared: unknown): string[] {
  return state.nodes.map((one) => plugin.filter!(podInfo(wanted), one, prepared)?.reasons.join() ?? "");
}

function prepare(plugin: AnyPlugin, wanted: Frozen<Pod>, state: ClusterState): unknown {
  const result = plugin.preFilter!(podInfo(wanted), state);
  return "state" in result ? result.state : undefined;
}

describe("pods that leave", () => {
  test.each(cases)("%s", (_, plugin, shape) => {
    const wanted = pod("wanted", shape);
    const state = cluster(nodes, there);
    const prepared = prepare(plugin, wanted, state);
    const before = answers(plugin, wanted, state, prepared);
    for (let gone = 1; gone <= there.length; gone++) {
      const dryRun = plugin.preFilterExtensions!.clone(prepared);
      for (const leaving of there.slice(0, gone)) plugin.preFilterExtensions!.removePod(podInfo(wanted), podInfo(leaving), state.node(leaving.spec.nodeName!)!, dryRun);
      const without = cluster(nodes, there.slice(gone));
      const afresh = prepare(plugin, wanted, without);
      expect(answers(plugin, wanted, state, dryRun)).toEqual(afresh === undefined ? nodes.map(() => "") : answers(plugin, wanted, without, afresh));
    }
    // What was worked out for all dry runs is as it was.
    expect(answers(plugin, wanted, state, prepared)).toEqual(before);
  });
});

describe("pods that come", () => {
  test.each(cases)("%s", (_, plugin, shape) => {
    const wanted = pod("wanted", shape);
    for (let present = 0; present <= there.length; present++) {
      const state = cluster(nodes, there.slice(0, present));
      const prepared = prepare(plugin, wanted, state);
      // Nobody asks a plugin that had nothing to say.
      if (prepared === undefined) continue;
      for (const coming of there.slice(present)) plugin.preFilterExtensions!.addPod(podInfo(wanted), podInfo(coming), state.node(coming.spec.nodeName!)!, prepared);
      const all = cluster(nodes, there);
      expect(answers(plugin, wanted, state, prepared)).toEqual(answers(plugin, wanted, all, prepare(plugin, wanted, all)));
    }
  });
});
