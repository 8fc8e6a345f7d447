import { expect, test } from "bun:test";
import type { Node } from "../generated/core/v1.ts";
import { nodes } from "./node.ts";

const node = (heartbeat: string, { status = "True", resourceVersion = "1", labels = {} } = {}): Node => ({
  metadata: { name: "n", resourceVersion, labels, managedFields: [{ manager: "kubelet", operation: "Update", time: heartbeat }] }, spec: {},
  status: { conditions: [{ type: "Ready", status, lastHeartbeatTime: heartbeat, lastTransitionTime: "2026-01-01T00:00:00Z" }], capacity: { cpu: "1" } },
});

test("heartbeats alone are volatile; what else is said of a node is not", () => {
  const { isVolatile } = nodes.strategy, old = node("2026-01-01T00:00:00Z"), later = "2026-01-01T00:05:00Z";
  expect(isVolatile!(node(later, { resourceVersion: "2" }), old)).toBe(true);
  expect(isVolatile!(node(later, { status: "False" }), old)).toBe(false);
  expect(isVolatile!(node(later, { labels: { a: "b" } }), old)).toBe(false);
  expect(isVolatile!({ ...node(later), spec: { unschedulable: true } }, old)).toBe(false);
  expect(isVolatile!(old, undefined)).toBe(false);
  expect(isVolatile!(undefined, old)).toBe(false);
});
