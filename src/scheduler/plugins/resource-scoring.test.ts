import { describe, expect, test } from "bun:test";
import { nodeResourcesBalancedAllocationArgs, nodeResourcesFitArgs, type NodeResourcesFitArgs, type ScoringStrategy } from "../configuration/plugin-args.ts";
import { cluster, node, pod, rejectionsBy, scoresBy, type PodShape } from "../testing/cluster.ts";
import { balancedAllocation } from "./node-resources-balanced-allocation.ts";
import { nodeResourcesFit } from "./node-resources-fit.ts";

const gpu = "example.com/gpu";
const sized = (name: string, allocatable: Record<string, string>) => node(name, { allocatable: { cpu: "4", memory: "10000", ...allocatable } });
const using = (nodeName: string, requests: Record<string, string>) => pod(`on-${nodeName}`, { nodeName, requests });
const strategy = (of: Partial<ScoringStrategy>) => nodeResourcesFit(nodeResourcesFitArgs({ scoringStrategy: of }));

describe("strategies of NodeResourcesFit", () => {
  const nodes = [sized("small", {}), sized("large", { cpu: "6" })];
  const used = [using("small", { cpu: "1", memory: "2000" }), using("large", { cpu: "3", memory: "5000" })];
  const wanted: PodShape = { requests: { cpu: "1", memory: "3000" } };
  const cpuTwice = [{ name: "cpu", weight: 2 }, { name: "memory", weight: 1 }];
  const ratio = (shape: [utilization: number, score: number][], resources?: { name: string; weight: number }[]): Partial<ScoringStrategy> => ({ type: "RequestedToCapacityRatio", resources, requestedToCapacityRatio: { shape: shape.map(([utilization, score]) => ({ utilization, score })) } });
  // small: half of 4 cores and of the memory; large: 4 of 6 cores, 80 % of the memory.
  const cases: [name: string, of: Partial<ScoringStrategy>, scores: Record<string, number>][] = [
    ["least allocated", { type: "LeastAllocated" }, { small: 50, large: 26 }],
    ["least allocated, weighted", { type: "LeastAllocated", resources: cpuTwice }, { small: 50, large: 28 }],
    ["most allocated", { type: "MostAllocated" }, { small: 50, large: 73 }],
    ["most allocated, weighted", { type: "MostAllocated", resources: cpuTwice }, { small: 50, large: 70 }],
    ["ratio, falling", ratio([[0, 10], [100, 0]]), { small: 50, large: 27 }],
    ["ratio, rising", ratio([[0, 0], [100, 10]]), { small: 50, large: 73 }],
    ["ratio, with a bend", ratio([[0, 0], [50, 10], [100, 5]]), { small: 100, large: 77 }],
    ["ratio, from a point on", ratio([[60, 2], [70, 8]]), { small: 20, large: 68 }],
    ["ratio: scores of 0 don't count in the mean", ratio([[70, 0], [80, 10]]), { small: 0, large: 100 }],
  ];
  test.each(cases)("%s", (_, of, scores) => expect(scoresBy(strategy(of), pod("p", wanted), cluster(nodes, used))).toEqual(scores));

  test("resources that the pod doesn't ask for don't count, but for cpu and memory", () => {
    const state = cluster([sized("with", { [gpu]: "4" }), sized("without", {})], [using("with", { [gpu]: "2", cpu: "2", memory: "5000" })]);
    const most = strategy({ type: "MostAllocated", resources: [{ name: "cpu", weight: 1 }, { name: gpu, weight: 3 }] });
    expect(scoresBy(most, pod("p", { requests: { cpu: "1" } }), state)).toEqual({ with: 75, without: 25 });
    expect(scoresBy(most, pod("p", { requests: { cpu: "1", [gpu]: "1" } }), state)).toEqual({ with: 75, without: 25 });
    expect(scoresBy(most, pod("p", { requests: { cpu: "1", [gpu]: "2" } }), state)).toEqual({ with: 93, without: 25 });
  });
  test("used up counts as full, whatever small containers add", () => {
    const state = cluster([sized("n", {})], [using("n", { cpu: "4", memory: "10000" })]);
    expect(scoresBy(strategy({ type: "MostAllocated" }), pod("p"), state)).toEqual({ n: 100 });
    expect(scoresBy(strategy({ type: "LeastAllocated" }), pod("p"), state)).toEqual({ n: 0 });
  });
  test("what is asked for the pod as a whole isn't scored", () => {
    const state = cluster([sized("n", { memory: "8Gi" })]);
    expect(scoresBy(strategy({}), pod("p", { requests: { cpu: "1", memory: "2Gi" }, resources: { requests: { cpu: "4" } } }), state)).toEqual({ n: 75 });
  });
});

describe("resources that are not looked at", () => {
  const args = (more: Partial<NodeResourcesFitArgs>) => nodeResourcesFit({ ...nodeResourcesFitArgs(), ...more });
  const says = (more: Partial<NodeResourcesFitArgs>) => rejectionsBy(args(more), pod("p", { requests: { [gpu]: "1", "other.com/x": "1", cpu: "9" } }), cluster([node("n")])).n;
  test.each([
    [{}, `Insufficient ${gpu}, Insufficient other.com/x, Insufficient cpu (for good)`],
    [{ ignoredResources: [gpu] }, "Insufficient other.com/x, Insufficient cpu (for good)"],
    [{ ignoredResourceGroups: ["example.com"] }, "Insufficient other.com/x, Insufficient cpu (for good)"],
    // Only extended resources can be ignored.
    [{ ignoredResources: ["cpu", gpu, "other.com/x"] }, "Insufficient cpu (for good)"],
  ] as [Partial<NodeResourcesFitArgs>, string][])("%j", (more, reasons) => expect(says(more)).toBe(reasons));
});

describe("NodeResourcesBalancedAllocation", () => {
  const three = balancedAllocation(nodeResourcesBalancedAllocationArgs({ resources: [{ name: "cpu" }, { name: "memory" }, { name: gpu }] }));
  const cases: [name: string, plugin: ReturnType<typeof balancedAllocation>, requests: Record<string, string>, used: Record<string, string>, score: number][] = [
    ["nothing changes", balancedAllocation(), { cpu: "1", memory: "2500" }, {}, 75],
    ["more alike", balancedAllocation(), { memory: "5000" }, { cpu: "2" }, 87],
    ["less alike", balancedAllocation(), { cpu: "2" }, {}, 62],
    ["full", balancedAllocation(), { cpu: "9", memory: "90000" }, {}, 75],
    ["a third resource that isn't asked for", three, { cpu: "2" }, { [gpu]: "4" }, 62],
    // Shares of 0, 0, 0 become 1/2, 0, 1/4: the deviation is 0.204.
    ["three resources", three, { cpu: "2", [gpu]: "1" }, {}, 64],
  ];
  test.each(cases)("%s", (_, plugin, requests, used, score) => expect(scoresBy(plugin, pod("p", { requests }), cluster([sized("n", { [gpu]: "4" })], [using("n", used)]))).toEqual({ n: score }));
  test("has nothing to say of pods that ask for nothing", () => {
    expect(scoresBy(balancedAllocation(), pod("p"), cluster([node("n")]))).toEqual({ n: 0 });
  });
});
