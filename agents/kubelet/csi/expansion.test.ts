import { expect, test } from "bun:test";
import type { PersistentVolumeClaim } from "../../../src/apis/generated/core/v1.ts";
import { wantedOf } from "./expansion.ts";

const claim = (status: PersistentVolumeClaim["status"], accessModes: string[] = ["ReadWriteOnce"], annotations?: Record<string, string>): PersistentVolumeClaim =>
  ({ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "data", ...(annotations ? { annotations } : {}) }, spec: { accessModes } as never, status });

const states = (storage: string) => ({ capacity: { storage: "1Gi" }, allocatedResources: { storage: "2Gi" }, allocatedResourceStatuses: { storage } }) as PersistentVolumeClaim["status"];
const grown = { capacity: { storage: "2Gi" }, allocatedResources: { storage: "2Gi" } };

test.each([
  ["a controller that keeps no status", claim({ capacity: { storage: "1Gi" } }), { size: "2Gi", told: false, recovers: false }],
  ["the controller is at it", claim(states("ControllerResizeInProgress")), undefined],
  ["it is the node's turn", claim(states("NodeResizePending")), { size: "2Gi", told: false, recovers: true }],
  ["the node was at it when it was killed", claim(states("NodeResizeInProgress")), { size: "2Gi", told: false, recovers: true }],
  ["it can't be", claim(states("NodeResizeInfeasible")), undefined],
  ["nothing to do for a node", claim(grown), "done"],
  ["another node has done it, and this one has the volume too", claim(grown, ["ReadWriteMany"]), { size: "2Gi", told: true, recovers: true }],
  ["no node has to", claim(grown, ["ReadWriteMany"], { "volume.kubernetes.io/node-expansion-not-required": "true" }), "done"],
] as const)("what a claim asks of the node: %s", (_, given, wanted) => {
  expect(wantedOf(given as PersistentVolumeClaim, "2Gi")).toEqual(wanted as never);
});
