import { describe, expect, test } from "bun:test";
import type { ReplicaSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { slowStart } from "../slow-start.ts";
import { deletionOrder } from "./deletion-order.ts";
import { conditionsAfter, planReplicaSet, sameStatus } from "./plan.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const before = (seconds: number): string => new Date(now - seconds * 1000).toISOString();

interface PodFacts {
  node?: string;
  phase?: "Pending" | "Running" | "Succeeded" | "Failed";
  readyFor?: number;
  age?: number;
  cost?: string;
  restarts?: number;
  sidecarRestarts?: number;
  deleting?: boolean;
  labels?: Record<string, string>;
}

function pod(name: string, { node = "n1", phase = "Running", readyFor, age = 1000, cost, restarts = 0, sidecarRestarts = 0, deleting, labels = { app: "web" } }: PodFacts = {}): Pod {
  return {
    metadata: {
      name, uid: name, labels, creationTimestamp: before(age),
      ...(deleting ? { deletionTimestamp: before(1) } : {}), ...(cost ? { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } } : {}),
    },
    spec: { containers: [], initContainers: [{ name: "s", restartPolicy: "Always" }, { name: "i" }], ...(node ? { nodeName: node } : {}) },
    status: {
      phase,
      conditions: [{ type: "Ready", status: readyFor === undefined ? "False" : "True", lastTransitionTime: before(readyFor ?? 0) }],
      containerStatuses: [{ name: "c", image: "", imageID: "", ready: readyFor !== undefined, restartCount: restarts }],
      initContainerStatuses: [{ name: "s", image: "", imageID: "", ready: true, restartCount: sidecarRestarts }, { name: "i", image: "", imageID: "", ready: true, restartCount: 9 }],
    },
  };
}

function rs(replicas: number, spec: Partial<ReplicaSet["spec"]> = {}, metadata: Partial<ReplicaSet["metadata"]> = {}): ReplicaSet {
  return {
    metadata: { name: "web", uid: "rs", generation: 3, ...metadata },
    spec: { replicas, selector: { matchLabels: { app: "web" } }, template: { metadata: { labels: { app: "web" } }, spec: { containers: [] } }, ...spec },
    status: { replicas: 0 },
  };
}

describe("replicas", () => {
  const table: { name: string; rs: ReplicaSet; pods: Pod[]; create: number; deletes: string[] }[] = [
    { name: "creates what is missing", rs: rs(3), pods: [pod("a")], create: 2, deletes: [] },
    { name: "leaves what is right", rs: rs(1), pods: [pod("a")], create: 0, deletes: [] },
    { name: "replaces finished and terminating pods", rs: rs(2), pods: [pod("a", { phase: "Failed" }), pod("b", { deleting: true }), pod("c")], create: 1, deletes: [] },
    { name: "deletes the surplus, unready first", rs: rs(1), pods: [pod("a", { readyFor: 10 }), pod("b")], create: 0, deletes: ["b"] },
    { name: "never more than a burst", rs: rs(2000), pods: [], create: 500, deletes: [] },
    { name: "does nothing while it is deleted", rs: rs(3, {}, { deletionTimestamp: before(1) }), pods: [], create: 0, deletes: [] },
  ];
  for (const { name, rs, pods, create, deletes } of table) {
    test(name, () => {
      const plan = planReplicaSet(rs, pods, () => pods, now);
      expect({ create: plan.create, deletes: plan.delete.map((p) => p.metadata.name!) }).toEqual({ create, deletes });
    });
  }
});

test("status counts what the pods show, and waits for minReadySeconds", () => {
  const pods = [pod("new", { readyFor: 4 }), pod("old", { readyFor: 60, labels: { app: "web", extra: "yes" } }), pod("unready"), pod("gone", { deleting: true, readyFor: 60 }), pod("bare", { labels: {} })];
  const plan = planReplicaSet(rs(4, { minReadySeconds: 10 }), pods, () => pods, now);
  expect(plan.status).toEqual({ replicas: 4, fullyLabeledReplicas: 3, readyReplicas: 2, availableReplicas: 1, terminatingReplicas: 1, observedGeneration: 3 });
  expect(plan.requeueAfter).toBe(6000);
});

describe("the pod to delete first", () => {
  const table: { name: string; first: [string, PodFacts]; last: [string, PodFacts]; neighbours?: Pod[] }[] = [
    { name: "unscheduled", first: ["a", { node: "", phase: "Pending" }], last: ["b", { phase: "Pending" }] },
    { name: "pending", first: ["a", { phase: "Pending" }], last: ["b", {}] },
    { name: "not ready", first: ["a", {}], last: ["b", { readyFor: 5 }] },
    { name: "cheaper", first: ["a", { readyFor: 500, cost: "-5" }], last: ["b", { readyFor: 5 }] },
    { name: "cheaper by a number, not by what looks like one", first: ["a", { readyFor: 5, cost: "-1" }], last: ["b", { readyFor: 500, cost: "-1e3" }] },
    { name: "on the fuller node", first: ["a", { readyFor: 500, node: "full" }], last: ["b", { readyFor: 5, node: "free" }], neighbours: [pod("x", { node: "full" }), pod("y", { node: "full" })] },
    { name: "ready for less long", first: ["a", { readyFor: 5 }], last: ["b", { readyFor: 500 }] },
    { name: "restarted more often", first: ["a", { restarts: 3 }], last: ["b", { restarts: 1 }] },
    { name: "whose sidecar restarted more often", first: ["a", { sidecarRestarts: 2 }], last: ["b", { sidecarRestarts: 1 }] },
    { name: "younger", first: ["a", { age: 10 }], last: ["b", { age: 1000 }] },
  ];
  for (const { name, first, last, neighbours = [] } of table) {
    test(name, () => {
      const [a, b] = [pod(...first), pod(...last)];
      const related = [a, b, ...neighbours];
      for (const pods of [[a, b], [b, a]]) expect(deletionOrder(pods, related, now).map((p) => p.metadata.name!)).toEqual(["a", "b"]);
    });
  }
});

test("ReplicaFailure comes with a failed write, stays as it was, and goes with a good one", () => {
  const failure = { reason: "FailedCreate", message: "quota" } as const;
  const failed = conditionsAfter(rs(1), failure, now)!;
  expect(failed).toEqual([{ type: "ReplicaFailure", status: "True", lastTransitionTime: "2026-01-01T12:00:00Z", reason: "FailedCreate", message: "quota" }]);
  const again = { ...rs(1), status: { replicas: 0, conditions: failed } };
  expect(conditionsAfter(again, { ...failure, message: "other" }, now + 1000)).toEqual(failed);
  expect(conditionsAfter(again, undefined, now)).toBeUndefined();
});

test("a status with absent zeros is the same status", () => {
  expect(sameStatus({ replicas: 0 }, { replicas: 0, readyReplicas: 0, availableReplicas: 0 })).toBe(true);
  expect(sameStatus({ replicas: 0 }, { replicas: 0, readyReplicas: 1 })).toBe(false);
  expect(sameStatus({ replicas: 0 }, { replicas: 0, conditions: [{ type: "ReplicaFailure", status: "True" }] })).toBe(false);
});

test("slow start stops growing at the first failing batch", async () => {
  let calls = 0;
  const result = await slowStart(100, async () => {
    if (++calls > 4) throw new Error(`no ${calls}`);
  });
  expect({ calls, succeeded: result.succeeded, error: String(result.error) }).toEqual({ calls: 7, succeeded: 4, error: "Error: no 5" });
  expect(await slowStart(5, async () => {})).toEqual({ succeeded: 5 });
});
