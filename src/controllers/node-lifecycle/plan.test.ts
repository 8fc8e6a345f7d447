import { describe, expect, test } from "bun:test";
import type { Node, NodeCondition, Taint, Toleration } from "../../apis/generated/core/v1.ts";
import { planEviction, tolerates } from "./eviction-plan.ts";
import { silentConditions, taintsFor } from "./plan.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const condition = (type: string, status: string): NodeCondition => ({ type, status, lastTransitionTime: "2026-01-01T00:00:00Z" });
const node = (conditions: NodeCondition[], spec: Node["spec"] = {}): Node => ({ metadata: { name: "n", creationTimestamp: "2026-01-01T00:00:00Z" }, spec, status: { conditions } });

describe("a silent node", () => {
  test("is Unknown in all that its kubelet speaks for", () => {
    const next = silentConditions(node([condition("Ready", "True"), condition("NetworkUnavailable", "False")]), now)!;
    expect(next.map((c) => `${c.type}=${c.status} ${c.reason ?? ""}`)).toEqual([
      "Ready=Unknown NodeStatusUnknown", "NetworkUnavailable=False ", "MemoryPressure=Unknown NodeStatusNeverUpdated", "DiskPressure=Unknown NodeStatusNeverUpdated", "PIDPressure=Unknown NodeStatusNeverUpdated",
    ]);
    expect(silentConditions(node(next), now + 1000)).toBeUndefined();
  });
});

describe("taints", () => {
  const table: { name: string; conditions: NodeCondition[]; spec?: Node["spec"]; evict?: boolean; expected: string[] | undefined }[] = [
    { name: "none when well", conditions: [condition("Ready", "True")], expected: undefined },
    { name: "not ready", conditions: [condition("Ready", "False")], expected: ["node.kubernetes.io/not-ready:NoSchedule", "node.kubernetes.io/not-ready:NoExecute"] },
    { name: "unreachable", conditions: [condition("Ready", "Unknown")], expected: ["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"] },
    { name: "no eviction when nobody answers", conditions: [condition("Ready", "Unknown")], evict: false, expected: ["node.kubernetes.io/unreachable:NoSchedule"] },
    { name: "pressure and cordon", conditions: [condition("Ready", "True"), condition("DiskPressure", "True"), condition("MemoryPressure", "False")], spec: { unschedulable: true }, expected: ["node.kubernetes.io/disk-pressure:NoSchedule", "node.kubernetes.io/unschedulable:NoSchedule"] },
    { name: "recovered, keeping those of others", conditions: [condition("Ready", "True")], spec: { taints: [{ key: "node.kubernetes.io/unreachable", effect: "NoExecute" }, { key: "mine", effect: "NoExecute" }] }, expected: ["mine:NoExecute"] },
  ];
  for (const { name, conditions, spec, evict = true, expected } of table) {
    test(name, () => expect(taintsFor(node(conditions, spec), conditions, evict, now)?.map((t) => `${t.key}:${t.effect}`)).toEqual(expected!));
  }
  test("keep the time they were added", () => {
    const conditions = [condition("Ready", "Unknown")];
    const taints = taintsFor(node(conditions), conditions, false, now)!;
    expect(taintsFor(node(conditions, { taints }), conditions, true, now + 60_000)!.map((t) => t.timeAdded)).toEqual(["2026-01-01T12:00:00Z", "2026-01-01T12:01:00Z"]);
  });
});

describe("tolerations", () => {
  const taint: Taint = { key: "k", value: "v", effect: "NoExecute" };
  for (const [name, toleration, expected] of [
    ["everything", { operator: "Exists" }, true], ["the key", { key: "k", operator: "Exists" }, true], ["the value", { key: "k", value: "v" }, true],
    ["another value", { key: "k", value: "w" }, false], ["another effect", { key: "k", operator: "Exists", effect: "NoSchedule" }, false],
    ["a greater number", { key: "k", operator: "Gt", value: "5" }, false],
  ] as [string, Toleration, boolean][]) test(name, () => expect(tolerates(toleration, taint)).toBe(expected));
});

describe("eviction", () => {
  const taint = (key: string, secondsAgo = 0): Taint => ({ key, effect: "NoExecute", timeAdded: new Date(now - secondsAgo * 1000).toISOString() });
  const bear = (key: string, tolerationSeconds?: number): Toleration => ({ key, operator: "Exists", tolerationSeconds });
  const table: { name: string; taints: Taint[]; tolerations: Toleration[]; expected: object }[] = [
    { name: "no taint", taints: [], tolerations: [], expected: { evict: "never" } },
    { name: "only NoSchedule", taints: [{ key: "a", effect: "NoSchedule" }], tolerations: [], expected: { evict: "never" } },
    { name: "not tolerated", taints: [taint("a")], tolerations: [], expected: { evict: "now" } },
    { name: "tolerated for ever", taints: [taint("a")], tolerations: [bear("a")], expected: { evict: "never" } },
    { name: "tolerated for a while", taints: [taint("a", 10)], tolerations: [bear("a", 300)], expected: { evict: "at", time: now + 290_000 } },
    { name: "the while is over", taints: [taint("a", 301)], tolerations: [bear("a", 300)], expected: { evict: "now" } },
    { name: "the shortest counts", taints: [taint("a"), taint("b")], tolerations: [bear("a", 300), bear("b", 60)], expected: { evict: "at", time: now + 60_000 } },
    { name: "one of two is not tolerated", taints: [taint("a"), taint("b")], tolerations: [bear("a")], expected: { evict: "now" } },
    { name: "less than nothing is at once", taints: [taint("a")], tolerations: [bear("a", -5)], expected: { evict: "now" } },
  ];
  for (const { name, taints, tolerations, expected } of table) test(name, () => expect(planEviction(taints, tolerations, now)).toEqual(expected as never));
});
