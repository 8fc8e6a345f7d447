import { describe, expect, test } from "bun:test";
import type { Frozen } from "../apimachinery/meta.ts";
import type { Node, Pod } from "../apis/generated/core/v1.ts";
import { fitError } from "./failure-message.ts";
import { definePlugin, unresolvable, type AnyPlugin } from "./framework.ts";
import { podInfo } from "./pod-info.ts";
import { feasibleNodesToFind, runPostFilters } from "./schedule.ts";
import { atOnce, cluster, decide, defaultPluginSet, node, pod } from "./testing/cluster.ts";

const noHelp = (nodes: number): string => `no new claims to deallocate, preemption: 0/${nodes} nodes are available: ${nodes} Preemption is not helpful for scheduling.`;

describe("the message of a pod that fits nowhere", () => {
  function message(wanted: Frozen<Pod>, nodes: readonly Frozen<Node>[], others: readonly Frozen<Pod>[] = [], plugins = defaultPluginSet()): string {
    const state = cluster(nodes, others);
    const decision = decide(wanted, state, plugins);
    if (decision.fits) throw new Error(`fits on ${decision.nodeName}`);
    return fitError({ ...decision.diagnosis, postFilter: atOnce(runPostFilters(podInfo(wanted), state, decision, plugins.postFilter)).message });
  }
  const tainted = node("tainted", { taints: [{ key: "k", effect: "NoSchedule" }] });
  const large = pod("p", { requests: { cpu: "5" } });
  const named = (...values: string[]) => ({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In" as const, values }] }] } } } });

  const cases: [name: string, wanted: Frozen<Pod>, nodes: Frozen<Node>[], others: Frozen<Pod>[], message: string][] = [
    ["reasons counted and sorted as text", large, [node("a"), node("b"), tainted], [], `0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. ${noHelp(3)}`],
    ["several reasons of one node", pod("p", { requests: { cpu: "5", memory: "9Gi" } }), [node("a", { allocatable: { pods: "0" } })], [], `0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. ${noHelp(1)}`],
    ["only the first plugin's reason", large, [tainted], [], `0/1 nodes are available: 1 node(s) had untolerated taint(s). ${noHelp(1)}`],
    ["nodes it doesn't name", pod("p", { requests: { cpu: "5" }, ...named("a") }), [node("a"), node("b"), node("c")], [], `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. ${noHelp(3)}`],
    ["room that others take", pod("p", { requests: { cpu: "4" } }), [node("a"), tainted], [pod("o", { nodeName: "a", requests: { cpu: "1" } })],
      "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."],
    ["names that no node can have at once", pod("p", { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields: ["a", "b"].map((name) => ({ key: "metadata.name", operator: "In" as const, values: [name] })) }] } } } }), [node("a"), node("b")], [],
      "0/2 nodes are available: pod affinity terms conflict. not found"],
    ["a pod that never preempts", pod("p", { requests: { cpu: "5" }, preemptionPolicy: "Never" }), [node("a")], [], "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."],
  ];
  test.each(cases)("%s", (_, wanted, nodes, others, expected) => expect(message(wanted, nodes, others)).toBe(expected));
  test("only what comes before the plugin for claims keeps that from knowing the pod", () => {
    const defaults = defaultPluginSet(), refuses = definePlugin({ name: "Refuses", preFilter: () => ({ rejected: unresolvable("never") }) });
    const said = (preFilter: readonly AnyPlugin[]): string => message(pod("p"), [node("a")], [], { ...defaults, preFilter });
    expect(said([refuses, ...defaults.preFilter])).toBe("0/1 nodes are available: never. not found");
    expect(said([...defaults.preFilter, refuses])).toBe(`0/1 nodes are available: never. ${noHelp(1)}`);
  });
});

describe("a decision", () => {
  test("is for the best of the nodes that fit", () => {
    const state = cluster([node("full"), node("busy"), node("idle")], [pod("a", { nodeName: "full", requests: { cpu: "4" } }), pod("b", { nodeName: "busy", requests: { cpu: "2", memory: "4Gi" } })]);
    expect(decide(pod("p", { requests: { cpu: "1" } }), state)).toMatchObject({ fits: true, nodeName: "idle", evaluated: 3, feasible: 2 });
  });
  test("counts what was assumed until it is forgotten, or bound and gone", () => {
    const state = cluster([node("n")]);
    const first = pod("first", { requests: { cpu: "3" } });
    const fits = (): boolean => decide(pod("second", { requests: { cpu: "3" } }), state).fits;
    state.assume(podInfo(first), "n");
    expect(fits()).toBe(false);
    expect(state.forget("first")).toBe(true);
    expect(fits()).toBe(true);
    state.assume(podInfo(first), "n");
    state.setPod(pod("first", { nodeName: "n", requests: { cpu: "3" } }));
    expect(state.forget("first")).toBe(false);
    expect(state.node("n")!.pods.size).toBe(1);
    state.removePod("first");
    expect(fits()).toBe(true);
  });
  test("looks at part of the nodes of a large cluster", () => {
    expect([0, 1, 100, 101, 250, 1000, 5000, 10000].map((nodes) => feasibleNodesToFind(nodes))).toEqual([0, 1, 100, 100, 120, 420, 500, 500]);
    const many = cluster(Array.from({ length: 300 }, (_, i) => node(`n${i}`)));
    expect(decide(pod("p"), many)).toMatchObject({ fits: true, feasible: feasibleNodesToFind(300) });
  });
  test("pods are seen before their node", () => {
    const state = cluster([], [pod("early", { nodeName: "n", requests: { cpu: "4" } })]);
    expect(state.nodes).toEqual([]);
    state.setNode(node("n"));
    expect(decide(pod("p", { requests: { cpu: "1" } }), state).fits).toBe(false);
    state.removePod("early");
    expect(decide(pod("p", { requests: { cpu: "1" } }), state).fits).toBe(true);
    state.removeNode("n");
    expect(state.nodes).toEqual([]);
  });
});
