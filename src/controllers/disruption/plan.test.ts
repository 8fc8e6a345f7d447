import { describe, expect, test } from "bun:test";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from "../../apis/generated/policy/v1.ts";
import { labelSelectorText } from "../label-selector-text.ts";
import { countsControllers, expectedOf, failedStatus, planDisrupted, planStatus, sparedAt } from "./plan.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString().replace(".000", "");
const budget = (spec: Partial<PodDisruptionBudgetSpec>, status?: object): PodDisruptionBudget => ({ metadata: { name: "b", namespace: "n", generation: 3 }, spec, ...(status ? { status } : {}) }) as PodDisruptionBudget;
const pod = (name: string, { ready = true, deleting = false, ...status }: { ready?: boolean; deleting?: boolean; phase?: string; conditions?: object[] } = {}): Pod => ({
  metadata: { name, ...(deleting ? { deletionTimestamp: ago(1) } : {}) }, spec: { containers: [] },
  status: { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }], ...status },
}) as unknown as Pod;

describe("how many pods there should be", () => {
  const table: [spec: Partial<PodDisruptionBudgetSpec>, pods: number, counts: boolean, healthy: number, expected: number][] = [
    [{ minAvailable: 2 }, 5, false, 2, 5],
    [{ minAvailable: "50%" }, 5, true, 3, 5],
    [{ minAvailable: "100%" }, 5, true, 5, 5],
    [{ minAvailable: 0 }, 5, false, 0, 5],
    [{ maxUnavailable: 1 }, 5, true, 4, 5],
    [{ maxUnavailable: 7 }, 5, true, 0, 5],
    [{ maxUnavailable: "30%" }, 5, true, 3, 5],
    [{ maxUnavailable: 0 }, 5, true, 5, 5],
    [{}, 5, false, 0, 0],
  ];
  test.each(table)("%j of %i", (spec, pods, counts, healthy, expected) => {
    expect(countsControllers(budget(spec))).toBe(counts);
    expect(expectedOf(budget(spec), pods)).toEqual({ pods: expected, healthy });
  });
});

describe("the status", () => {
  const pods = [pod("a"), pod("b"), pod("c", { ready: false }), pod("d", { deleting: true }), pod("e")];
  test("counts what is healthy, and neither what goes nor what is about to", () => {
    expect(planStatus(budget({}), pods, { pods: 5, healthy: 1 }, { e: ago(5) }, now)).toEqual({
      observedGeneration: 3, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 5, disruptedPods: { e: ago(5) },
      conditions: [{ type: "DisruptionAllowed", status: "True", reason: "SufficientPods", message: "", observedGeneration: 3, lastTransitionTime: ago(0) }],
    });
  });

  test.each<[string, number, number, number]>([["what is missing", 5, 4, 0], ["no pods", 0, 0, 0], ["just enough", 5, 3, 0], ["one more", 5, 2, 1]])("allows by %s", (_, expected, healthy, allowed) => {
    expect(planStatus(budget({}), pods, { pods: expected, healthy }, {}, now).disruptionsAllowed).toBe(allowed);
  });

  test("keeps the time of a condition that stays", () => {
    const first = planStatus(budget({}), [], { pods: 0, healthy: 0 }, {}, now);
    const failed = failedStatus(budget({}, { ...first, disruptionsAllowed: 2 }), "why", now + 1000);
    expect(failed).toEqual({ ...first, conditions: [{ ...first.conditions![0]!, reason: "SyncFailed", message: "why" }] });
    const [later] = planStatus(budget({}, failed), [pod("a")], { pods: 1, healthy: 0 }, {}, now + 2000).conditions!;
    expect(later).toMatchObject({ status: "True", message: "", lastTransitionTime: ago(-2) });
  });
});

test("an eviction that does not happen within two minutes is forgotten", () => {
  const { pending, overdue, nextOverdueAt } = planDisrupted(budget({}, { disruptedPods: { a: ago(10), b: ago(119), c: ago(120), d: ago(1), gone: ago(1) } }), [pod("a"), pod("b"), pod("c"), pod("d", { deleting: true }), pod("e")], now);
  expect(pending).toEqual({ a: ago(10), b: ago(119) });
  expect(overdue.map(({ metadata }) => metadata.name)).toEqual(["c"]);
  expect(nextOverdueAt).toBe(now + 1000);
});

describe("a mark for a disruption", () => {
  const marked = (more: object = {}, rest: object = {}): Pod => pod("a", { conditions: [{ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler", lastTransitionTime: ago(30), ...more }], ...rest });
  test.each<[string, Pod, number | undefined]>([
    ["is taken off after two minutes", marked(), now + 90_000],
    ["stays on what goes", marked({}, { deleting: true }), undefined],
    ["stays on what has ended", marked({}, { phase: "Failed" }), undefined],
    ["stays where a kubelet put it", marked({ reason: "TerminationByKubelet" }), undefined],
    ["is off already", marked({ status: "False" }), undefined],
    ["isn't there", pod("a"), undefined],
  ])("%s", (_, it, at) => expect(sparedAt(it)).toBe(at as number));
});

test("selectors are told as Go prints them", () => {
  expect(labelSelectorText(undefined)).toBe("nil");
  expect(labelSelectorText({ matchLabels: { b: "2", a: "1" }, matchExpressions: [{ key: "k", operator: "In", values: ["x", "y"] }, { key: "e", operator: "Exists" }] }))
    .toBe("&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},LabelSelectorRequirement{Key:e,Operator:Exists,Values:[],},},}");
});
