import { describe, expect, test } from "bun:test";
import { Filters } from "./filter-cycle.ts";
import { definePlugin, unschedulable } from "./framework.ts";
import type { NodeInfo } from "./node-info.ts";
import { PodNominator } from "./nominator.ts";
import { podInfo } from "./pod-info.ts";
import { cluster, node, pod } from "./testing/cluster.ts";

/** Lets no more than two pods onto a node, by what its state has counted. */
const atMostTwo = definePlugin<Map<string, number>>({
  name: "AtMostTwo",
  preFilterExtensions: {
    clone: (counts) => new Map(counts),
    addPod: (_, __, { name }, counts) => void counts.set(name, (counts.get(name) ?? 0) + 1),
    removePod: (_, __, { name }, counts) => void counts.set(name, (counts.get(name) ?? 0) - 1),
  },
  filter: (_, { name }, counts) => ((counts.get(name) ?? 0) < 2 ? undefined : unschedulable("two are enough")),
});
/** Wants company. */
const company = definePlugin({ name: "Company", filter: (_, { pods }) => (pods.size > 0 ? undefined : unschedulable("nobody there")) });

describe("filters with nominated pods", () => {
  const state = cluster([node("n")], [pod("there", { nodeName: "n" })]);
  const wanted = podInfo(pod("p", { priority: 5 }));
  function reasons(nominated: Record<string, number>, plugins = [atMostTwo], on: NodeInfo = state.node("n")!): string | undefined {
    const nominator = new PodNominator();
    for (const [name, priority] of Object.entries(nominated)) nominator.set(podInfo(pod(name, { priority })), on.name);
    const filters = new Filters(wanted, plugins.map((plugin) => ({ plugin, state: new Map([["n", 1]]) })), nominator);
    const said = filters.filter(on)?.reasons.join();
    return said && `${filters.rejector}: ${said}`;
  }

  test("those of its priority and above count", () => {
    expect(reasons({})).toBeUndefined();
    expect(reasons({ higher: 9 })).toBe("AtMostTwo: two are enough");
    expect(reasons({ equal: 5 })).toBe("AtMostTwo: two are enough");
    expect(reasons({ lower: 4 })).toBeUndefined();
    expect(reasons({ p: 5 })).toBeUndefined();
  });
  test("but nothing is built on their coming", () => {
    const empty = cluster([node("n")]).node("n")!;
    expect(reasons({ higher: 9 }, [company], empty)).toBe("Company: nobody there");
    expect(reasons({ higher: 9 }, [company])).toBeUndefined();
  });
  test("neither the node nor the state is changed", () => {
    const counts = new Map([["n", 1]]);
    const nominator = new PodNominator();
    nominator.set(podInfo(pod("higher", { priority: 9 })), "n");
    new Filters(wanted, [{ plugin: atMostTwo, state: counts }], nominator).filter(state.node("n")!);
    expect([counts.get("n"), state.node("n")!.pods.size]).toEqual([1, 1]);
  });
  test("a dry run has a state of its own", () => {
    const shared = new Filters(wanted, [{ plugin: atMostTwo, state: new Map([["n", 1]]) }], new PodNominator());
    const run = shared.clone();
    run.addPod(podInfo(pod("more")), state.node("n")!);
    expect(run.filter(state.node("n")!)?.reasons).toEqual(["two are enough"]);
    run.removePod(podInfo(pod("more")), state.node("n")!);
    expect(run.filter(state.node("n")!)).toBeUndefined();
    expect(shared.filter(state.node("n")!)).toBeUndefined();
  });
});
