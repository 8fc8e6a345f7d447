import { expect, test } from "bun:test";
import type { Container, ContainerStatus, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";
import { podPhase } from "./phase.ts";
import { podStatus, type StatusView } from "./pod-status.ts";

const status = (state: ContainerStatus["state"], more: Partial<ContainerStatus> = {}): ContainerStatus => ({ name: "a", image: "", imageID: "", ready: false, restartCount: 0, state, ...more });
const ran = (exitCode: number): NonNullable<ContainerStatus["state"]> => ({ terminated: { exitCode } });
const podOf = (restartPolicy: Pod["spec"]["restartPolicy"], initContainers: Container[] = []): Pod => ({ metadata: { name: "p", namespace: "n", uid: "u", generation: 1 }, spec: { restartPolicy, containers: [{ name: "a" }], initContainers } });
const runs = { running: {} }, waits = { waiting: {} };

test.each<[string, Pod, ContainerStatus[], ContainerStatus[], boolean, string]>([
  ["waiting", podOf("Always"), [], [status(waits)], false, "Pending"],
  ["running", podOf("Always"), [], [status(runs)], false, "Running"],
  ["one still waiting", podOf("Always"), [], [status(runs), status(waits)], false, "Pending"],
  ["in back-off after a run", podOf("Always"), [], [status(waits, { lastState: ran(1) })], false, "Running"],
  ["ended well, Always", podOf("Always"), [], [status(ran(0))], false, "Running"],
  ["ended well, Never", podOf("Never"), [], [status(ran(0))], false, "Succeeded"],
  ["failed, OnFailure", podOf("OnFailure"), [], [status(ran(1))], false, "Running"],
  ["failed, Never", podOf("Never"), [], [status(ran(0)), status(ran(1))], false, "Failed"],
  ["ended by deletion", podOf("Always"), [], [status(ran(0))], true, "Succeeded"],
  ["killed by deletion", podOf("Always"), [], [status(ran(137))], true, "Failed"],
  ["initialising", podOf("Always", [{ name: "i" }]), [status(runs)], [status(waits)], false, "Pending"],
  ["init failed, Always", podOf("Always", [{ name: "i" }]), [status(ran(1))], [status(waits)], false, "Pending"],
  ["init failed, Never", podOf("Never", [{ name: "i" }]), [status(ran(1))], [status(waits)], false, "Failed"],
  ["a sidecar runs on after the others", podOf("Never", [{ name: "i", restartPolicy: "Always" }]), [status(runs, { started: true })], [status(ran(0))], false, "Succeeded"],
])("phase: %s", (_, pod, init, main, finished, expected) => expect(podPhase(pod, init, main, finished)).toBe(expected as NonNullable<PodStatus["phase"]>));

const view: StatusView = { now: 60_000, hostIps: ["192.0.2.1"], podIps: [], waiting: () => undefined, started: () => true, ready: () => true, terminationMessage: () => "", finished: false };
const container = (more: Partial<RuntimeContainer>): RuntimeContainer => ({
  id: "c1", sandboxId: "s", name: "a", state: "running", createdAt: 1000, startedAt: 2000, finishedAt: 0, exitCode: 0, reason: "", message: "", image: "docker.io/library/x:1", imageRef: "x@sha256:1", logPath: "", hash: "", restartCount: 0, ...more,
});
const runtimeOf = (...containers: RuntimeContainer[]): RuntimePod => ({ uid: "u", name: "p", namespace: "n", containers, sandboxes: [{ id: "s", ready: true, attempt: 0, createdAt: 0, ips: ["10.0.0.2"], hostNetwork: false }] });

test("a pod that ended before its address was told shows it all the same", () => {
  const ended = runtimeOf(container({ state: "exited", exitCode: 0 }));
  const gone: RuntimePod = { ...ended, sandboxes: [{ ...ended.sandboxes[0]!, ready: false, ips: [] }] };
  expect(podStatus(podOf("Never"), gone, { ...view, podIps: ["10.0.0.2"], finished: true })).toMatchObject({ phase: "Succeeded", podIP: "10.0.0.2", podIPs: [{ ip: "10.0.0.2" }] });
});

test("a running pod in full", () => {
  const condition = (type: string) => ({ type, status: "True", lastProbeTime: null, lastTransitionTime: "1970-01-01T00:01:00Z", observedGeneration: 1 });
  expect(podStatus(podOf("Always"), runtimeOf(container({})), view)).toEqual({
    phase: "Running", startTime: "1970-01-01T00:01:00Z", qosClass: "BestEffort", hostIP: "192.0.2.1", hostIPs: [{ ip: "192.0.2.1" }], podIP: "10.0.0.2", podIPs: [{ ip: "10.0.0.2" }], observedGeneration: 1,
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition),
    containerStatuses: [{
      name: "a", image: "docker.io/library/x:1", imageID: "x@sha256:1", containerID: "containerd://c1", restartCount: 0, ready: true, started: true, state: { running: { startedAt: "1970-01-01T00:00:02Z" } }, lastState: {}, resources: {},
    }],
  });
});

test("back-off shows as waiting, the last run as lastState", () => {
  const dead = container({ state: "exited", exitCode: 1, reason: "Error", finishedAt: 5000, restartCount: 4 });
  const shown = podStatus(podOf("Always"), runtimeOf(dead), { ...view, waiting: () => ({ reason: "CrashLoopBackOff", message: "m" }), terminationMessage: () => "bye" }).containerStatuses![0]!;
  expect(shown).toMatchObject({ ready: false, restartCount: 4, state: { waiting: { reason: "CrashLoopBackOff", message: "m" } }, lastState: { terminated: { exitCode: 1, reason: "Error", message: "bye", finishedAt: "1970-01-01T00:00:05Z", containerID: "containerd://c1" } } });
});

test("transition times are kept while the verdict is, also before the API shows it; others' conditions stay", () => {
  const pod: Pod = { ...podOf("Always"), status: { conditions: [{ type: "example.com/gate", status: "True" }] } };
  const first = podStatus(pod, runtimeOf(container({})), view);
  const second = podStatus(pod, runtimeOf(container({})), { ...view, now: 120_000, told: first, ready: () => false });
  const times = Object.fromEntries(second.conditions!.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]));
  expect(times).toMatchObject({ PodScheduled: "1970-01-01T00:01:00Z", Ready: "1970-01-01T00:02:00Z" });
  expect(second.startTime).toBe("1970-01-01T00:01:00Z");
  expect(second.conditions!.filter(({ type }) => type === "example.com/gate")).toHaveLength(1);
});

test("a pod whose init container failed for good says which; one that has been initialized stays that", () => {
  const pod = podOf("Never");
  const withInit: Pod = { ...pod, spec: { ...pod.spec, initContainers: [{ name: "first", image: "i" }] } };
  const failed = container({ name: "first", id: "i1", state: "exited", exitCode: 1 });
  const initialized = (told?: ReturnType<typeof podStatus>) => podStatus(withInit, runtimeOf(failed), { ...view, ...(told ? { told } : {}) });
  const first = initialized();
  const of = ({ conditions }: ReturnType<typeof podStatus>) => conditions!.find(({ type }) => type === "Initialized");
  expect([first.phase, of(first)]).toMatchObject(["Failed", { status: "False", reason: "ContainersNotInitialized", message: "containers with incomplete status: [first]" }]);
  expect(of(initialized({ ...first, phase: "Running", conditions: [{ type: "Initialized", status: "True" }] }))).toMatchObject({ status: "True" });
});

test("readiness gates", () => {
  const pod = podOf("Always");
  const gated: Pod = { ...pod, spec: { ...pod.spec, readinessGates: [{ conditionType: "example.com/gate" }] } };
  expect(podStatus(gated, runtimeOf(container({})), view).conditions!.find(({ type }) => type === "Ready")).toMatchObject({
    status: "False", reason: "ReadinessGatesNotReady", message: 'corresponding condition of pod readiness gate "example.com/gate" does not exist.',
  });
});

test("a terminal phase never changes, and a verdict fails the pod", () => {
  expect(podStatus({ ...podOf("Always"), status: { phase: "Failed" } }, runtimeOf(container({})), view).phase).toBe("Failed");
  expect(podStatus(podOf("Always"), runtimeOf(container({})), { ...view, verdict: { reason: "Evicted", message: "m" } })).toMatchObject({ phase: "Failed", reason: "Evicted", message: "m" });
});

test("a pod that has ended shows containers that nobody found as failed, and those that could not have begun as waiting", () => {
  const lost = { terminated: { exitCode: 137, reason: "ContainerStatusUnknown" } }, waiting = { waiting: { reason: "PodInitializing" } };
  const states = (pod: Pod, ...containers: RuntimeContainer[]) => {
    const { phase, initContainerStatuses = [], containerStatuses = [] } = podStatus(pod, runtimeOf(...containers), { ...view, finished: true, waiting: () => undefined });
    return [phase, ...[...initContainerStatuses, ...containerStatuses].map(({ state }) => state)];
  };
  const withInit = podOf("Always", [{ name: "first" }, { name: "second" }]);
  const first = container({ name: "first", id: "i1", state: "exited" }), second = container({ name: "second", id: "i2", state: "exited" });
  expect(states(podOf("Always"))).toMatchObject(["Failed", lost]);
  expect(states(podOf("Always"), container({ state: "created" }))).toMatchObject(["Failed", lost]);
  expect(states(withInit)).toMatchObject(["Failed", lost, waiting, waiting]);
  expect(states(withInit, first)).toMatchObject(["Failed", { terminated: { exitCode: 0 } }, waiting, waiting]);
  expect(states(withInit, first, second)).toMatchObject(["Failed", { terminated: { exitCode: 0 } }, { terminated: { exitCode: 0 } }, lost]);
});
