import { describe, expect, test } from "bun:test";
import type { Container, PodSpec } from "../../../src/apis/generated/core/v1.ts";
import { containerHash } from "../runtime/labels.ts";
import type { RuntimeContainer, RuntimePod, RuntimeSandbox } from "../runtime/runtime-status.ts";
import { computePodActions, type PlanView } from "./plan.ts";
import type { Pod } from "./pod.ts";

const now = 1_000_000;
const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: "i", ...more });
const podOf = (spec: Partial<PodSpec>): Pod => ({ metadata: { name: "p", namespace: "n", uid: "u" }, spec: { containers: [container("a")], ...spec } });
const sandbox = (more: Partial<RuntimeSandbox> = {}): RuntimeSandbox => ({ id: "s0", ready: true, attempt: 0, createdAt: 1, ips: ["10.0.0.2"], hostNetwork: false, ...more });
const running = (name: string, more: Partial<RuntimeContainer> = {}): RuntimeContainer => ({
  id: `${name}-0`, sandboxId: "s0", name, state: "running", createdAt: 2, startedAt: 2, finishedAt: 0, exitCode: 0, reason: "", message: "", image: "i", imageRef: "i", logPath: "",
  hash: containerHash(container(name)), restartCount: 0, ...more,
});
const exited = (name: string, exitCode: number, more: Partial<RuntimeContainer> = {}): RuntimeContainer => running(name, { state: "exited", exitCode, finishedAt: now - 5000, ...more });
const runtimeOf = (containers: RuntimeContainer[], sandboxes: RuntimeSandbox[] = [sandbox()]): RuntimePod => ({ uid: "u", name: "p", namespace: "n", sandboxes, containers });

const plan = (pod: Pod, runtime: RuntimePod, view: Partial<PlanView> = {}) => {
  const actions = computePodActions(pod, runtime, { now, probes: () => ({}), backOffRemaining: () => 0, ...view });
  return {
    sandbox: actions.createSandbox ? `new ${actions.attempt}` : actions.killPod ? "kill" : "keep",
    start: actions.start.map(({ name }) => name).join(" "), kill: actions.kill.map(({ container: each, reason }) => `${each.name} ${reason}`).join(" "),
    backOff: actions.backOff.map(({ container: each, until }) => `${each.name} ${until - now}`).join(" "),
  };
};
const keep = { sandbox: "keep", start: "", kill: "", backOff: "" };

describe("sandbox", () => {
  test.each([
    ["nothing there: all containers", podOf({}), runtimeOf([], []), { ...keep, sandbox: "new 0", start: "a" }],
    ["nothing there: the first init container", podOf({ initContainers: [container("i1"), container("i2")] }), runtimeOf([], []), { ...keep, sandbox: "new 0", start: "i1" }],
    ["died: the next attempt", podOf({}), runtimeOf([exited("a", 137)], [sandbox({ ready: false, attempt: 3 })]), { ...keep, sandbox: "new 4", start: "a" }],
    ["died when all had ended for good", podOf({ restartPolicy: "Never" }), runtimeOf([exited("a", 0)], [sandbox({ ready: false })]), { ...keep, sandbox: "kill" }],
    ["died, one may run again", podOf({ restartPolicy: "OnFailure", containers: [container("a"), container("b")] }), runtimeOf([exited("a", 0), exited("b", 1)], [sandbox({ ready: false })]), { ...keep, sandbox: "new 1", start: "b" }],
    ["without an address", podOf({}), runtimeOf([], [sandbox({ ips: [] })]), { ...keep, sandbox: "new 1", start: "a" }],
    ["the host's needs none", podOf({ hostNetwork: true }), runtimeOf([], [sandbox({ ips: [], hostNetwork: true })]), { ...keep, start: "a" }],
    ["of the wrong network", podOf({ hostNetwork: true }), runtimeOf([]), { ...keep, sandbox: "new 1", start: "a" }],
    ["two at once", podOf({}), runtimeOf([], [sandbox({ id: "s1", attempt: 1 }), sandbox()]), { ...keep, sandbox: "new 2", start: "a" }],
  ])("%s", (_, pod, runtime, expected) => expect(plan(pod, runtime)).toEqual(expected));
});

describe("containers", () => {
  test.each([
    ["running as they should", podOf({}), runtimeOf([running("a")]), keep],
    ["one not started yet", podOf({ containers: [container("a"), container("b")] }), runtimeOf([running("a")]), { ...keep, start: "b" }],
    ["ended well, Always", podOf({ restartPolicy: "Always" }), runtimeOf([exited("a", 0)]), { ...keep, start: "a" }],
    ["ended well, OnFailure", podOf({ restartPolicy: "OnFailure" }), runtimeOf([exited("a", 0)]), keep],
    ["failed, OnFailure", podOf({ restartPolicy: "OnFailure" }), runtimeOf([exited("a", 2)]), { ...keep, start: "a" }],
    ["failed, Never", podOf({ restartPolicy: "Never" }), runtimeOf([exited("a", 2)]), keep],
    ["created only", podOf({ restartPolicy: "Never" }), runtimeOf([running("a", { state: "created" })]), { ...keep, start: "a" }],
    ["another image", podOf({ restartPolicy: "Never", containers: [container("a", { image: "j" })] }), runtimeOf([running("a")]), { ...keep, start: "a", kill: "a ContainerChanged" }],
    ["in a state unknown", podOf({}), runtimeOf([running("a", { state: "unknown" })]), { ...keep, start: "a", kill: "a Unknown" }],
    ["of an older sandbox don't count", podOf({}), runtimeOf([exited("a", 0, { sandboxId: "old" })]), { ...keep, start: "a" }],
    ["an ephemeral one starts once", podOf({ ephemeralContainers: [{ name: "e" }] }), runtimeOf([running("a"), exited("e", 1)]), keep],
  ])("%s", (_, pod, runtime, expected) => expect(plan(pod, runtime)).toEqual(expected));

  test("back-off delays a restart", () => {
    expect(plan(podOf({}), runtimeOf([exited("a", 1)]), { backOffRemaining: () => 5000 })).toEqual({ ...keep, backOff: "a 5000" });
  });

  test.each([
    ["liveness, Always", "Always", { liveness: "failure" }, { start: "a", kill: "a LivenessProbeFailed" }],
    ["liveness, Never", "Never", { liveness: "failure" }, { start: "", kill: "a LivenessProbeFailed" }],
    ["startup, OnFailure", "OnFailure", { startup: "failure" }, { start: "a", kill: "a StartupProbeFailed" }],
    ["success", "Always", { liveness: "success", startup: "success" }, { start: "", kill: "" }],
  ] as const)("a failed probe: %s", (_, restartPolicy, verdict, expected) => {
    expect(plan(podOf({ restartPolicy }), runtimeOf([running("a")]), { probes: () => verdict })).toEqual({ ...keep, ...expected });
  });
});

test("a container that fails its probe soon after a restart waits for its back-off", () => {
  const runtime = runtimeOf([running("a", { id: "a-1" }), exited("a", 137)]);
  const view = { probes: () => ({ liveness: "failure" as const }) };
  expect(plan(podOf({}), runtime, { ...view, backOffRemaining: (_, finishedAt) => finishedAt + 10_000 - now })).toEqual({ ...keep, kill: "a LivenessProbeFailed" });
  expect(plan(podOf({}), runtime, { ...view, backOffRemaining: (_, finishedAt) => Math.max(0, finishedAt + 4000 - now) })).toEqual({ ...keep, kill: "a LivenessProbeFailed", start: "a" });
});

describe("init containers", () => {
  const two = podOf({ initContainers: [container("i1"), container("i2")] });
  const withSidecar = podOf({ initContainers: [container("side", { restartPolicy: "Always", startupProbe: {} }), container("i2")] });
  const started = { probes: () => ({ startup: "success" as const }) };
  test.each([
    ["the first runs: wait", two, runtimeOf([running("i1")]), {}, keep],
    ["the first is done: the second", two, runtimeOf([exited("i1", 0)]), {}, { ...keep, start: "i2" }],
    ["all done: the others", two, runtimeOf([exited("i2", 0), exited("i1", 0)]), {}, { ...keep, start: "a" }],
    ["a failed one again", two, runtimeOf([exited("i1", 1)]), {}, { ...keep, start: "i1" }],
    ["a failed one, Never", podOf({ restartPolicy: "Never", initContainers: [container("i1")] }), runtimeOf([exited("i1", 1)]), {}, keep],
    ["not again once the others have begun", two, runtimeOf([exited("a", 1)]), {}, { ...keep, start: "a" }],
    ["a sidecar that has not started holds the rest", withSidecar, runtimeOf([running("side")]), {}, keep],
    ["a started sidecar lets the next begin", withSidecar, runtimeOf([running("side")]), started, { ...keep, start: "i2" }],
    ["a sidecar comes back whenever it ends", withSidecar, runtimeOf([running("a"), exited("i2", 0), exited("side", 0)]), {}, { ...keep, start: "side" }],
  ])("%s", (_, pod, runtime, view, expected) => expect(plan(pod, runtime, view)).toEqual(expected));
});
