import { describe, expect, test } from "bun:test";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import { finalStatus, planPod, surplusTerminated } from "./plan.ts";

const deleted = "2026-01-01T00:00:00Z";
const pod = (nodeName?: string, deletionTimestamp?: string, status: Pod["status"] = { phase: "Running" }): Pod => ({ metadata: { deletionTimestamp, generation: 3 }, spec: { nodeName, containers: [] }, status });
const node = (ready: string, ...taints: string[]): Node => ({ metadata: { name: "n" }, spec: { taints: taints.map((key) => ({ key, effect: "NoExecute" })) }, status: { conditions: [{ type: "Ready", status: ready }] } });

describe("a pod", () => {
  for (const [name, it, where, expected] of [
    ["that waits for a node stays", pod(), undefined, { action: "keep" }],
    ["deleted before it had a node goes", pod(undefined, deleted), undefined, { action: "delete", reason: "unscheduled" }],
    ["on a node stays", pod("n", deleted), { node: node("True") }, { action: "keep" }],
    ["deleted on a node that is silent stays", pod("n", deleted), { node: node("Unknown") }, { action: "keep" }],
    ["deleted on a node out of service goes", pod("n", deleted), { node: node("Unknown", "node.kubernetes.io/out-of-service") }, { action: "delete", reason: "out-of-service" }],
    ["deleted on a node said to be out of service, and ready, stays", pod("n", deleted), { node: node("True", "node.kubernetes.io/out-of-service") }, { action: "keep" }],
    ["on a node out of service stays", pod("n"), { node: node("Unknown", "node.kubernetes.io/out-of-service") }, { action: "keep" }],
    ["whose node has just gone waits", pod("n"), { missingFor: 10_000 }, { action: "wait", for: 30_000 }],
    ["whose node stays away goes", pod("n"), { missingFor: 40_000 }, { action: "delete", reason: "orphaned" }],
  ] as const) test(name, () => expect(planPod(it, where)).toEqual(expected as never));
});

describe("the last status", () => {
  const target = { type: "DisruptionTarget", status: "True", reason: "DeletionByPodGC", message: "PodGC: node no longer exists", lastTransitionTime: "now", observedGeneration: 3 };
  for (const [name, status, reason, expected] of [
    ["of an orphan", { phase: "Running" }, "orphaned", { phase: "Failed", observedGeneration: 3, conditions: [target] }],
    ["of others", { phase: "Pending" }, "unscheduled", { phase: "Failed", observedGeneration: 3 }],
    ["of one that has ended stays", { phase: "Succeeded" }, "orphaned", undefined],
  ] as const) test(name, () => expect(finalStatus(pod("n", undefined, status as never), reason, "now")).toEqual(expected as never));
});

test("of too many finished pods the evicted go first, then the oldest", () => {
  const finished = [3, 1, 2].map((n): Pod => ({ ...pod("n"), metadata: { name: `p${n}`, creationTimestamp: `2026-01-01T00:00:0${n}Z` } }));
  expect(surplusTerminated(finished, 1).map((p) => p.metadata.name!)).toEqual(["p1", "p2"]);
  finished[0]!.status = { phase: "Failed", reason: "Evicted" };
  expect(surplusTerminated(finished, 1).map((p) => p.metadata.name!)).toEqual(["p3", "p1"]);
  expect(surplusTerminated(finished, 3)).toEqual([]);
  expect(surplusTerminated(finished, 0)).toEqual([]);
});
