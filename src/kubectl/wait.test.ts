import { describe, expect, test } from "bun:test";
import type { PlainObject } from "./objects.ts";
import { rolloutStatus } from "./rollout-status.ts";
import { conditionOf } from "./wait.ts";

const pod: PlainObject = { metadata: { name: "a", generation: 2 }, status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }, { type: "Old", status: "True", observedGeneration: 1 }, { type: "Bad", status: "False" }] } };

describe("what --for asks", () => {
  for (const [condition, met] of [
    ["condition=Ready", true], ["condition=ready=true", true], ["condition=Ready=False", false], ["condition=Bad=false", true], ["condition=Old", false], ["condition=Nope", false], ["create", true], ["delete", false],
    ["jsonpath={.status.phase}=Running", true], ["jsonpath='{.status.phase}'=Running", true], ["jsonpath={.status.phase}=Pending", false], ["jsonpath={.status.phase}", true], ["jsonpath={.status.nope}", false], ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', true],
  ] as [string, boolean][]) test(condition, () => expect(conditionOf(condition)(pod)).toBe(met));

  test("an object that is gone", () => expect(["delete", "create", "condition=Ready", "jsonpath={.a}"].map((condition) => conditionOf(condition)(undefined))).toEqual([true, false, false, false]));
  test("nothing known", () => expect(() => conditionOf("ready")).toThrow('unrecognized condition: "ready"'));
});

describe("rollouts", () => {
  const deployment = (status: object, spec: object = {}): PlainObject => ({ kind: "Deployment", metadata: { name: "web", generation: 2 }, spec: { replicas: 3, ...spec }, status: { observedGeneration: 2, ...status } });
  for (const [object, message, done] of [
    [deployment({ observedGeneration: 1 }), "Waiting for deployment spec update to be observed...", false],
    [deployment({ updatedReplicas: 1 }), 'Waiting for deployment "web" rollout to finish: 1 out of 3 new replicas have been updated...', false],
    [deployment({ updatedReplicas: 3, replicas: 4 }), 'Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...', false],
    [deployment({ updatedReplicas: 3, replicas: 3, availableReplicas: 2 }), 'Waiting for deployment "web" rollout to finish: 2 of 3 updated replicas are available...', false],
    [deployment({ updatedReplicas: 3, replicas: 3, availableReplicas: 3 }), 'deployment "web" successfully rolled out', true],
    [{ kind: "DaemonSet", metadata: { name: "d", generation: 1 }, spec: { updateStrategy: { type: "RollingUpdate" } }, status: { observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 } }, 'Waiting for daemon set "d" rollout to finish: 1 of 2 updated pods are available...', false],
    [{ kind: "StatefulSet", metadata: { name: "s", generation: 1 }, spec: { replicas: 2, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } } }, status: { observedGeneration: 1, readyReplicas: 2, updatedReplicas: 1 } }, "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...", false],
    [{ kind: "StatefulSet", metadata: { name: "s", generation: 1 }, spec: { replicas: 2, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } } }, status: { observedGeneration: 1, readyReplicas: 2, updatedReplicas: 2, updateRevision: "s-2", currentRevision: "s-2" } }, "partitioned roll out complete: 2 new pods have been updated...", true],
    [{ kind: "StatefulSet", metadata: { name: "s", generation: 1 }, spec: { replicas: 3, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } }, status: { observedGeneration: 1, readyReplicas: 3, updatedReplicas: 1 } }, "partitioned roll out complete: 1 new pods have been updated...", true],
    [{ kind: "StatefulSet", metadata: { name: "s", generation: 1 }, spec: { replicas: 2, updateStrategy: { type: "RollingUpdate" } }, status: { observedGeneration: 1, readyReplicas: 2, updatedReplicas: 1, updateRevision: "s-2", currentRevision: "s-1" } }, "waiting for statefulset rolling update to complete 1 pods at revision s-2...", false],
  ] as [PlainObject, string, boolean][]) test(message, () => expect(rolloutStatus(object)).toEqual({ message: `${message}\n`, done }));

  test("too late", () => expect(() => rolloutStatus(deployment({ conditions: [{ type: "Progressing", reason: "ProgressDeadlineExceeded" }] }))).toThrow('deployment "web" exceeded its progress deadline'));
});
