import { expect, test } from "bun:test";
import type { ContainerState, ContainerStatus, Pod, PodSpec, PodStatus } from "../../generated/core/v1.ts";
import { podColumns } from "./columns.ts";

const now = Date.parse("2026-01-01T01:00:00Z");
const status = (name: string, state: ContainerState, more: Partial<ContainerStatus> = {}): ContainerStatus => ({ name, state, ready: false, restartCount: 0, image: "i", imageID: "", ...more });
const running = { running: { startedAt: "2026-01-01T00:00:00Z" } };
const ended = (exitCode: number, reason?: string): ContainerState => ({ terminated: { exitCode, ...(reason ? { reason } : {}), finishedAt: "2026-01-01T00:59:55Z" } });

function row(podStatus: PodStatus, spec: Partial<PodSpec> = {}, metadata: Pod["metadata"] = {}): unknown[] {
  const pod: Pod = { metadata: { name: "web", creationTimestamp: "2026-01-01T00:00:00Z", ...metadata }, spec: { containers: [{ name: "a" }], ...spec }, status: podStatus };
  return podColumns.map((column) => column.value(pod, now));
}
const cells = (...args: Parameters<typeof row>): string => row(...args).slice(1, 4).join(" ");
const two = { containers: [{ name: "a" }, { name: "b" }] };
const init = { initContainers: [{ name: "i" }, { name: "j" }] };
const sidecar = { initContainers: [{ name: "i", restartPolicy: "Always" }] };
const initialized = [{ type: "Initialized", status: "True" }];

test.each([
  ["pending", { phase: "Pending" }, {}, {}, "0/1 Pending 0"],
  ["gated", { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] }, {}, {}, "0/1 SchedulingGated 0"],
  ["creating", { phase: "Pending", containerStatuses: [status("a", { waiting: { reason: "ContainerCreating" } })] }, {}, {}, "0/1 ContainerCreating 0"],
  ["running", { phase: "Running", containerStatuses: [status("a", running, { ready: true })] }, {}, {}, "1/1 Running 0"],
  ["not ready", { phase: "Running", containerStatuses: [status("a", running)] }, {}, {}, "0/1 Running 0"],
  ["crash loop", { phase: "Running", containerStatuses: [status("a", { waiting: { reason: "CrashLoopBackOff" } }, { restartCount: 3, lastState: ended(1, "Error") })] }, {}, {}, "0/1 CrashLoopBackOff 3 (5s ago)"],
  ["out of memory", { phase: "Running", containerStatuses: [status("a", ended(137, "OOMKilled"))] }, {}, {}, "0/1 OOMKilled 0"],
  ["failed without reason", { phase: "Failed", containerStatuses: [status("a", ended(3))] }, {}, {}, "0/1 ExitCode:3 0"],
  ["killed by a signal", { phase: "Failed", containerStatuses: [status("a", { terminated: { exitCode: 137, signal: 9 } })] }, {}, {}, "0/1 Signal:9 0"],
  ["completed", { phase: "Succeeded", containerStatuses: [status("a", ended(0, "Completed"))] }, {}, {}, "0/1 Completed 0"],
  ["evicted", { phase: "Failed", reason: "Evicted" }, {}, {}, "0/1 Evicted 0"],
  ["one of two done, ready", { phase: "Running", conditions: [{ type: "Ready", status: "True" }], containerStatuses: [status("a", ended(0, "Completed")), status("b", running, { ready: true })] }, two, {}, "1/2 Running 0"],
  ["one of two done, not ready", { phase: "Running", containerStatuses: [status("a", ended(0, "Completed")), status("b", running, { ready: true })] }, two, {}, "1/2 NotReady 0"],
  ["one done, one failed", { phase: "Failed", containerStatuses: [status("a", ended(0, "Completed")), status("b", ended(1, "Error"))] }, two, {}, "0/2 Error 0"],
  ["initialising", { phase: "Pending", initContainerStatuses: [status("i", ended(0, "Completed")), status("j", running)] }, init, {}, "0/1 Init:1/2 0"],
  ["init waits its turn", { phase: "Pending", initContainerStatuses: [status("i", { waiting: { reason: "PodInitializing" } }), status("j", { waiting: { reason: "PodInitializing" } })] }, init, {}, "0/1 Init:0/2 0"],
  ["init fails", { phase: "Pending", initContainerStatuses: [status("i", ended(1, "Error"), { restartCount: 2, lastState: ended(1) }), status("j", { waiting: {} })] }, init, {}, "0/1 Init:Error 2 (5s ago)"],
  ["init crash loop", { phase: "Pending", initContainerStatuses: [status("i", { waiting: { reason: "CrashLoopBackOff" } }, { restartCount: 4 })] }, init, {}, "0/1 Init:CrashLoopBackOff 4"],
  ["restarts of init containers are forgotten after", { phase: "Running", initContainerStatuses: [status("i", ended(0, "Completed"), { restartCount: 5 }), status("j", ended(0, "Completed"))], containerStatuses: [status("a", running, { ready: true, restartCount: 1 })] }, init, {}, "1/1 Running 1"],
  ["a sidecar counts", { phase: "Running", conditions: initialized, initContainerStatuses: [status("i", running, { started: true, ready: true, restartCount: 2 })], containerStatuses: [status("a", running, { ready: true })] }, sidecar, {}, "2/2 Running 2"],
  ["terminating", { phase: "Running", containerStatuses: [status("a", running, { ready: true })] }, {}, { deletionTimestamp: "2026-01-01T00:59:00Z" }, "1/1 Terminating 0"],
  ["ended, with a finalizer", { phase: "Succeeded", containerStatuses: [status("a", ended(0, "Completed"))] }, {}, { deletionTimestamp: "2026-01-01T00:59:00Z" }, "0/1 Completed 0"],
  ["node lost", { phase: "Running", reason: "NodeLost" }, {}, { deletionTimestamp: "2026-01-01T00:59:00Z" }, "0/1 Unknown 0"],
] as [string, PodStatus, Partial<PodSpec>, Pod["metadata"], string][])("%s", (_, podStatus, spec, metadata, expected) => expect(cells(podStatus, spec, metadata)).toBe(expected));

test("wide columns", () => {
  expect(podColumns.map(({ name, priority }) => (priority ? `(${name})` : name)).join(" ")).toBe("Name Ready Status Restarts Age (IP) (Node) (Nominated Node) (Readiness Gates)");
  expect(row({ podIPs: [{ ip: "10.42.0.5" }], conditions: [{ type: "x", status: "True" }] }, { nodeName: "n1", readinessGates: [{ conditionType: "x" }, { conditionType: "y" }] }).slice(4)).toEqual(["60m", "10.42.0.5", "n1", "<none>", "1/2"]);
  expect(row({}).slice(5)).toEqual(["<none>", "<none>", "<none>", "<none>"]);
});
