import { expect, test } from "bun:test";
import type { RuntimeStatus } from "../../cri/generated/messages.ts";
import { nodeConditions, type NodeHealth } from "./node-conditions.ts";
import { RuntimeHealth } from "./runtime-health.ts";

const well: RuntimeStatus = { conditions: [{ type: "RuntimeReady", status: true, reason: "", message: "" }, { type: "NetworkReady", status: true, reason: "", message: "" }] };
const networkless: RuntimeStatus = { conditions: [well.conditions![0]!, { type: "NetworkReady", status: false, reason: "NetworkPluginNotReady", message: "cni plugin not initialized" }] };
const readyOf = (health: Pick<NodeHealth, "runtime" | "runtimeError">, now = 0) => nodeConditions([], { pressures: [], now, ...health }).find(({ type }) => type === "Ready")!;

test("a runtime that never answered makes the node not ready, in Kubernetes' words", () => {
  expect(readyOf(new RuntimeHealth().failed(new Error("refused"), 0))).toMatchObject({ status: "False", reason: "KubeletNotReady", message: "[container runtime is down: refused]" });
  expect(readyOf({ runtime: networkless })).toMatchObject({ status: "False", message: "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized" });
});

test("a runtime that is silent for less than half a minute leaves the node as it was", () => {
  const health = new RuntimeHealth();
  expect(readyOf(health.answered(well, 1000)).status).toBe("True");
  expect(readyOf(health.failed(new Error("restarting"), 11_000)).status).toBe("True");
  expect(readyOf(health.failed(new Error("restarting"), 30_999)).status).toBe("True");
  expect(readyOf(health.failed(new Error("gone"), 31_000))).toMatchObject({ status: "False", message: "[container runtime is down: gone]" });
  expect(readyOf(health.answered(networkless, 40_000)).status).toBe("False");
  expect(readyOf(health.failed(new Error("restarting"), 50_000)).message).toContain("network not ready");
});

test("a node that goes down is not ready, whatever its runtime says", () => {
  expect(nodeConditions([], { pressures: [], goingDown: "node is shutting down", runtime: well, now: 0 }).find(({ type }) => type === "Ready")).toMatchObject({ status: "False", reason: "KubeletNotReady", message: "node is shutting down" });
});

test("transition times stay while nothing changes", () => {
  const before = nodeConditions([], { pressures: [], runtime: well, now: 1000 });
  const after = nodeConditions(before, { pressures: ["DiskPressure"], runtime: well, now: 61_000 });
  expect(after.map(({ type, lastTransitionTime }) => `${type} ${lastTransitionTime}`)).toEqual([
    "MemoryPressure 1970-01-01T00:00:01Z", "DiskPressure 1970-01-01T00:01:01Z", "PIDPressure 1970-01-01T00:00:01Z", "Ready 1970-01-01T00:00:01Z",
  ]);
});
