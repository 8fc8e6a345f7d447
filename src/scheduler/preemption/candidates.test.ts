import { describe, expect, test } from "bun:test";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { podInfo } from "../pod-info.ts";
import { cluster, decide, node, pod, type PodShape } from "../testing/cluster.ts";
import { byImportance, findCandidates, pickCandidate, type Candidate } from "./candidates.ts";
import { parseBudget, splitByViolation, type Budget } from "./disruption-budgets.ts";

const web = { app: "web" };
const budget = (allowed: number, { selector = web, namespace = "default", disrupted = [] as string[] } = {}): Budget => parseBudget({
  metadata: { name: "b", namespace }, spec: { selector: { matchLabels: selector } },
  status: { disruptionsAllowed: allowed, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, disruptedPods: Object.fromEntries(disrupted.map((name) => [name, "2026-01-01T00:00:00Z"])) },
});
const started = (one: Frozen<Pod>, minute: number): Frozen<Pod> => ({ ...one, status: { startTime: `2026-01-01T00:${String(minute).padStart(2, "0")}:00Z` } });
const on = (nodeName: string, name: string, priority: number, cpu: string, shape: PodShape = {}): Frozen<Pod> => pod(name, { nodeName, priority, requests: { cpu }, ...shape });

/** Victims by node, as `name name (violations)`, and why the other nodes won't do. */
function search(wanted: Frozen<Pod>, others: readonly Frozen<Pod>[], { nodes = ["a"], budgets = [] as Budget[], enough = 100 } = {}): { victims: Record<string, string>; statuses: Record<string, string> } {
  const state = cluster(nodes.map((name) => node(name)), others);
  const decision = decide(wanted, state);
  if (decision.fits) throw new Error(`fits on ${decision.nodeName}`);
  const { candidates, statuses } = findCandidates(podInfo(wanted), decision.filters, { nodes: state.nodes, budgets, enough });
  return {
    victims: Object.fromEntries(candidates.map(({ nodeName, victims, violations }) => [nodeName, `${victims.map(({ uid }) => uid).join(" ")} (${violations})`])),
    statuses: Object.fromEntries([...statuses].map(([name, { code, reasons }]) => [name, `${code}: ${reasons.join(", ")}`])),
  };
}

describe("victims", () => {
  const large = pod("p", { priority: 100, requests: { cpu: "3" } });

  test("as few as needed, the less important ones", () => {
    expect(search(large, [on("a", "low", 1, "1"), on("a", "lower", 0, "1"), on("a", "mid", 50, "2")]).victims).toEqual({ a: "mid lower (0)" });
    expect(search(large, [on("a", "low", 1, "2"), on("a", "mid", 50, "1")]).victims).toEqual({ a: "low (0)" });
  });
  test("of equal priority those that run for less", () => {
    const [early, late] = [started(on("a", "early", 1, "1500m"), 1), started(on("a", "late", 1, "1500m"), 9)];
    expect(search(pod("p", { priority: 9, requests: { cpu: "2" } }), [late, early]).victims).toEqual({ a: "late (0)" });
    expect(["unstarted", "late", "early"].toSorted((a, b) => byImportance(...([a, b].map((name) => podInfo({ late, early, unstarted: on("a", "unstarted", 1, "1") }[name]!)) as [never, never])))).toEqual(["early", "late", "unstarted"]);
  });
  test("none of its own priority or above", () => {
    expect(search(large, [on("a", "same", 100, "2"), on("a", "higher", 200, "2")])).toEqual({ victims: {}, statuses: { a: "UnschedulableAndUnresolvable: No preemption victims found for incoming pod" } });
  });
  test("none where it wouldn't fit even so", () => {
    expect(search(large, [on("a", "same", 100, "2"), on("a", "low", 1, "1")])).toEqual({ victims: {}, statuses: { a: "Unschedulable: Insufficient cpu" } });
  });
  test("those whose budget would break stay when others can go", () => {
    const others = [on("a", "protected", 1, "2", { labels: web }), on("a", "free", 1, "2")];
    expect(search(pod("p", { priority: 9, requests: { cpu: "2" } }), others, { budgets: [budget(0)] }).victims).toEqual({ a: "free (0)" });
    expect(search(pod("p", { priority: 9, requests: { cpu: "4" } }), others, { budgets: [budget(0)] }).victims).toEqual({ a: "protected free (1)" });
    expect(search(pod("p", { priority: 9, requests: { cpu: "4" } }), others, { budgets: [budget(1)] }).victims).toEqual({ a: "protected free (0)" });
  });
  test("host ports and affinity are seen without the victims", () => {
    const port = { hostPorts: [{ hostPort: 80 }] };
    expect(search(pod("p", { priority: 9, ...port }), [on("a", "holder", 1, "1", port), on("a", "other", 1, "1")]).victims).toEqual({ a: "holder (0)" });
    const avoids = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: web } }] } } };
    expect(search(pod("p", { priority: 9, ...avoids }), [on("a", "unwanted", 1, "1", { labels: web }), on("a", "other", 1, "1")]).victims).toEqual({ a: "unwanted (0)" });
  });
  test("the cluster is as before afterwards", () => {
    const state = cluster([node("a")], [on("a", "low", 1, "4")]);
    const decision = decide(large, state);
    if (decision.fits) throw new Error("fits");
    findCandidates(podInfo(large), decision.filters, { nodes: state.nodes, budgets: [], enough: 1 });
    expect([...state.node("a")!.pods.keys()]).toEqual(["low"]);
    expect(state.node("a")!.requested.get("cpu")).toBe(4000);
  });
  test("the search ends when enough are found, one of them harmless", () => {
    const others = ["a", "b", "c", "d"].map((name) => on(name, `on-${name}`, 1, "4", name < "c" ? { labels: web } : {}));
    expect(search(large, others, { nodes: ["a", "b", "c", "d"], enough: 2, budgets: [budget(0)] }).victims).toEqual({ c: "on-c (0)", a: "on-a (1)", b: "on-b (1)" });
  });
});

describe("budgets", () => {
  const pods = ["1", "2", "3"].map((name) => podInfo(pod(name, { labels: web })));
  const violating = (budgets: Budget[], list = pods): string[] => splitByViolation(list, budgets).violating.map(({ uid }) => uid);
  const cases: [name: string, budgets: Budget[], violating: string[]][] = [
    ["none", [], []],
    ["room for one", [budget(1)], ["2", "3"]],
    ["each of two counts", [budget(2), budget(1, { selector: { app: "web" } })], ["2", "3"]],
    ["of another namespace", [budget(0, { namespace: "other" })], []],
    ["for other pods", [budget(0, { selector: { app: "db" } })], []],
    ["with an eviction that is counted already", [budget(1, { disrupted: ["1"] })], ["3"]],
    ["selecting nothing", [{ ...budget(0), selector: [] }], []],
  ];
  test.each(cases)("%s", (_, budgets, expected) => expect(violating(budgets)).toEqual(expected));
  test("pods without labels belong to none", () => expect(violating([budget(0)], [podInfo(pod("bare"))])).toEqual([]));
});

describe("the choice of the node", () => {
  const victim = (priority: number, minute = 0) => podInfo(started(pod(`p${priority}-${minute}`, { priority }), minute));
  const candidate = (nodeName: string, violations: number, ...victims: ReturnType<typeof victim>[]): Candidate => ({ nodeName, victims, violations });
  const cases: [name: string, candidates: Candidate[], nodeName: string | undefined][] = [
    ["nothing to choose from", [], undefined],
    ["fewest broken budgets", [candidate("a", 1, victim(1)), candidate("b", 0, victim(9))], "b"],
    ["lowest of the highest priorities", [candidate("a", 0, victim(9)), candidate("b", 0, victim(5), victim(5))], "b"],
    ["lowest sum", [candidate("a", 0, victim(5), victim(4)), candidate("b", 0, victim(5), victim(3))], "b"],
    ["few of negative priority rather than many", [candidate("a", 0, victim(-5), victim(-5)), candidate("b", 0, victim(-5))], "b"],
    ["latest start of the most important", [candidate("a", 0, victim(5, 1), victim(1, 9)), candidate("b", 0, victim(5, 2), victim(1, 0))], "b"],
    ["the first of equals", [candidate("a", 0, victim(5, 1)), candidate("b", 0, victim(5, 1))], "a"],
  ];
  test.each(cases)("%s", (_, candidates, expected) => expect(pickCandidate(candidates)?.nodeName).toBe(expected as string));
});
