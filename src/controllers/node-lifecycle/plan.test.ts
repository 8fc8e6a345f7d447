import { describe, expect, test } from "bun:test";
import type { Node, NodeCondition, Taint, Toleration } from "../../apis/generated/core/v1.ts";
import { tolerates, toleratedFor } from "./eviction-plan.ts";
import { evictingTaint, labelsFor, silentConditions, taintsFor, zonedNode } from "./plan.ts";

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
    test(name, () => expect(taintsFor(node(conditions, spec), conditions, evict ? evictingTaint(node(conditions)) : undefined, now)?.map((t) => `${t.key}:${t.effect}`)).toEqual(expected!));
  }
  test("an autonomous node is left for what it says, not for its silence", () => {
    for (const metadata of [{ labels: { "node.skiff.io/autonomy": "true" } }, { annotations: { "node.skiff.io/autonomy": "true" } }]) {
      const marked = (status: string): Node => ({ ...node([condition("Ready", status)]), metadata });
      expect([evictingTaint(marked("Unknown")), evictingTaint(marked("False")), zonedNode(marked("Unknown")).counts]).toEqual([undefined, "node.kubernetes.io/not-ready", false]);
    }
    expect(evictingTaint({ ...node([condition("Ready", "Unknown")]), metadata: { labels: { "node.skiff.io/autonomy": "false" } } })).toBe("node.kubernetes.io/unreachable");
  });
  test("keep the time they were added", () => {
    const conditions = [condition("Ready", "Unknown")];
    const taints = taintsFor(node(conditions), conditions, undefined, now)!;
    expect(taintsFor(node(conditions, { taints }), conditions, evictingTaint(node(conditions)), now + 60_000)!.map((t) => t.timeAdded)).toEqual(["2026-01-01T12:00:00Z", "2026-01-01T12:01:00Z"]);
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

describe("how long a pod may stay", () => {
  const taint = (key: string): Taint => ({ key, effect: "NoExecute" });
  const bear = (key: string, tolerationSeconds?: number): Toleration => ({ key, operator: "Exists", ...(tolerationSeconds !== undefined ? { tolerationSeconds } : {}) });
  const table: { name: string; taints: Taint[]; tolerations: Toleration[]; expected: number }[] = [
    { name: "no taint", taints: [], tolerations: [], expected: Infinity },
    { name: "not tolerated", taints: [taint("a")], tolerations: [], expected: 0 },
    { name: "one of two not tolerated", taints: [taint("a"), taint("b")], tolerations: [bear("a")], expected: 0 },
    { name: "for ever", taints: [taint("a")], tolerations: [bear("a")], expected: Infinity },
    { name: "for a while", taints: [taint("a")], tolerations: [bear("a", 300)], expected: 300_000 },
    { name: "the shortest counts", taints: [taint("a"), taint("b"), taint("c")], tolerations: [bear("a", 300), bear("b", 60), bear("c")], expected: 60_000 },
    { name: "of several for one taint, the first", taints: [taint("a")], tolerations: [bear("a", 300), { operator: "Exists", tolerationSeconds: 10 }], expected: 300_000 },
    { name: "less than nothing is at once", taints: [taint("a")], tolerations: [bear("a", -5)], expected: 0 },
  ];
  for (const { name, taints, tolerations, expected } of table) test(name, () => expect(toleratedFor(taints, tolerations)).toBe(expected));
});

test("labels of old follow those of today", () => {
  const labelled = (labels: Record<string, string>): Node => ({ metadata: { name: "n", labels }, spec: {} });
  expect(labelsFor(labelled({ "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "beta.kubernetes.io/arch": "amd64" }))).toEqual({ "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "arm64" });
  expect(labelsFor(labelled({ "kubernetes.io/os": "linux", "beta.kubernetes.io/os": "linux" }))).toBeUndefined();
  expect(labelsFor(labelled({}))).toBeUndefined();
});

test("a node in its zone", () => {
  const of = (labels: Record<string, string>, status: string): object => zonedNode({ metadata: { labels }, spec: {}, status: { conditions: [condition("Ready", status)] } });
  expect(of({}, "True")).toEqual({ zone: "", ready: true, counts: true });
  expect(of({ "topology.kubernetes.io/zone": "a", "topology.kubernetes.io/region": "eu" }, "False")).toEqual({ zone: "eu:a", ready: false, counts: true });
  expect(of({ "topology.kubernetes.io/zone": "a", "failure-domain.beta.kubernetes.io/zone": "b", "node.kubernetes.io/exclude-disruption": "" }, "Unknown")).toEqual({ zone: ":b", ready: false, counts: false });
});
