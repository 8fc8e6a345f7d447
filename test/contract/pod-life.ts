import { describe, expect, test } from "bun:test";
import { events, pods } from "../../src/apis/builtins.ts";
import type { Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import type { Client } from "../../src/client/client.ts";
import { eventually } from "../support/eventually.ts";

/** A node with pods bound to it: a kubelet with a runtime, or what plays one. */
export interface NodeUnderTest {
  client: Client;
  /** A pod bound to the node, of busybox, in the namespace `default`, with a second of grace unless it says otherwise. */
  createPod(name: string, spec: Partial<PodSpec>, metadata?: Pod["metadata"]): Promise<Pod>;
  /** The pod, as soon as `check` holds. */
  podWhen(name: string, check: (pod: Pod) => boolean | undefined, timeout?: number): Promise<Pod>;
  gone(name: string, timeout?: number): Promise<void>;
}

const namespace = "default";
const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
/** Heeds SIGTERM from the moment its probe passes: before that a shell that is process 1 doesn't hear of it. */
const heeding = { command: ["sh", "-c", "trap 'exit 0' TERM; touch /heeding; while :; do sleep 0.1; done"] };
const heeds = { exec: { command: ["test", "-e", "/heeding"] }, periodSeconds: 1, timeoutSeconds: 30, failureThreshold: 60 };
const conditionOf = (pod: Pod, type: string) => pod.status?.conditions?.find((condition) => condition.type === type);
const isReady = (pod: Pod): boolean => conditionOf(pod, "Ready")?.status === "True";
const inPhase = (phase: string) => (pod: Pod): boolean => pod.status?.phase === phase;

/** What every node does with its pods. Whatever a container does by its command alone must be known to a hollow node, or said by annotations. */
export function podLifeSuite(node: () => NodeUnderTest): void {
  const remove = (name: string): Promise<void> => node().client.delete(pods, { namespace, name });

  test("a pod runs and is Ready", async () => {
    await node().createPod("life-simple", { containers: [{ name: "main", command: forever }] });
    const pod = await node().podWhen("life-simple", isReady);
    expect(pod.status).toMatchObject({ phase: "Running", qosClass: "BestEffort" });
    expect(pod.status!.hostIP).toBeString();
    expect(pod.status!.podIPs).toEqual([{ ip: pod.status!.podIP! }]);
    expect(Date.parse(pod.status!.startTime!)).toBeGreaterThan(0);
    expect(pod.status!.containerStatuses).toMatchObject([{ name: "main", ready: true, started: true, restartCount: 0 }]);
    expect(pod.status!.containerStatuses![0]!.state!.running!.startedAt).toBeString();
    expect(pod.status!.containerStatuses![0]!.containerID).toMatch(/^containerd:\/\/[0-9a-f]{64}$/);
    for (const type of ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]) expect(conditionOf(pod, type)).toMatchObject({ status: "True" });
    await remove("life-simple");
    await node().gone("life-simple");
  });

  test("init containers in order, then the others, until all have ended well", async () => {
    await node().createPod("life-done", {
      restartPolicy: "Never", initContainers: [{ name: "first", command: ["true"] }, { name: "second", command: ["sh", "-c", "exit 0"] }], containers: [{ name: "main", command: ["true"] }],
    });
    const pod = await node().podWhen("life-done", inPhase("Succeeded"));
    expect(pod.status!.initContainerStatuses!.map(({ name, ready, state }) => [name, ready, state?.terminated?.exitCode, state?.terminated?.reason])).toEqual([["first", true, 0, "Completed"], ["second", true, 0, "Completed"]]);
    expect(pod.status!.containerStatuses).toMatchObject([{ ready: false, state: { terminated: { exitCode: 0, reason: "Completed" } } }]);
    expect(conditionOf(pod, "Initialized")).toMatchObject({ status: "True", reason: "PodCompleted" });
    expect(conditionOf(pod, "Ready")).toMatchObject({ status: "False", reason: "PodCompleted" });
  });

  test("a failed init container holds the others back, and fails a pod that never restarts", async () => {
    await node().createPod("life-init-fails", { restartPolicy: "Never", initContainers: [{ name: "bad", command: ["sh", "-c", "exit 3"] }], containers: [{ name: "main", command: ["true"] }] });
    const pod = await node().podWhen("life-init-fails", inPhase("Failed"));
    expect(pod.status!.initContainerStatuses![0]!.state!.terminated).toMatchObject({ exitCode: 3, reason: "Error" });
    expect(pod.status!.containerStatuses![0]!.state).toEqual({ waiting: { reason: "PodInitializing" } });
  });

  test("what fails comes back, after a while that grows", async () => {
    await node().createPod("life-crashes", { restartPolicy: "OnFailure", containers: [{ name: "main", command: ["sh", "-c", "exit 1"] }] });
    const pod = await node().podWhen("life-crashes", ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "CrashLoopBackOff");
    expect(pod.status!.phase).toBe("Running");
    expect(pod.status!.containerStatuses![0]).toMatchObject({ restartCount: 1, ready: false, lastState: { terminated: { exitCode: 1, reason: "Error" } } });
    expect(pod.status!.containerStatuses![0]!.state!.waiting!.message).toBe(`back-off 10s restarting failed container=main pod=life-crashes_default(${pod.metadata.uid})`);
    expect(conditionOf(pod, "ContainersReady")).toMatchObject({ status: "False", reason: "ContainersNotReady", message: "containers with unready status: [main]" });
    await remove("life-crashes");
    await node().gone("life-crashes");
  });

  test("a sidecar runs beside the others and ends after them", async () => {
    await node().createPod("life-sidecar", {
      restartPolicy: "Never", terminationGracePeriodSeconds: 60, initContainers: [{ name: "side", restartPolicy: "Always", ...heeding, startupProbe: heeds }, { name: "setup", command: ["true"] }], containers: [{ name: "main", command: ["true"] }],
    });
    const pod = await node().podWhen("life-sidecar", inPhase("Succeeded"));
    expect(pod.status!.initContainerStatuses!.map(({ name, state }) => [name, state?.terminated?.exitCode])).toEqual([["side", 0], ["setup", 0]]);
  });

  test("a deleted pod goes as soon as it has ended", async () => {
    await node().createPod("life-heeds", { terminationGracePeriodSeconds: 120, containers: [{ name: "main", ...heeding, readinessProbe: heeds }] });
    await node().podWhen("life-heeds", isReady);
    await remove("life-heeds");
    await node().gone("life-heeds", 60_000);
  });

  test("one that does not heed SIGTERM is killed when its grace is over", async () => {
    await node().createPod("life-stubborn", { terminationGracePeriodSeconds: 2, containers: [{ name: "main", command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"] }] }, { annotations: { "hollow.skiff/stop": "ignored" }, finalizers: ["example.com/held"] });
    await node().podWhen("life-stubborn", isReady);
    const asked = performance.now();
    await remove("life-stubborn");
    const ended = await node().podWhen("life-stubborn", ({ status }) => status?.containerStatuses?.[0]?.state?.terminated !== undefined);
    expect(performance.now() - asked).toBeGreaterThan(1900);
    expect(ended.status).toMatchObject({ phase: "Failed", containerStatuses: [{ ready: false, state: { terminated: { exitCode: 137 } } }] });
    // What it leaves is told, and a finalizer is its owner's affair.
    expect(ended.metadata.finalizers).toEqual(["example.com/held"]);
    await node().client.patch(pods, { namespace, name: "life-stubborn" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
    await node().gone("life-stubborn");
  });

  test("an image that can't be pulled keeps its container waiting", async () => {
    await node().createPod("life-imageless", { restartPolicy: "Never", containers: [{ name: "main", image: "localhost/nonexistent:1" }, { name: "never", image: "localhost/nonexistent:1", imagePullPolicy: "Never" }] });
    const waitingOf = (pod: Pod, index: number) => pod.status?.containerStatuses?.[index]?.state?.waiting;
    await node().podWhen("life-imageless", (pod) => /^(ErrImagePull|ImagePullBackOff)$/.test(waitingOf(pod, 0)?.reason ?? ""));
    const pod = await node().podWhen("life-imageless", (each) => waitingOf(each, 0)?.reason === "ImagePullBackOff");
    expect(pod.status!.phase).toBe("Pending");
    expect(waitingOf(pod, 0)!.message).toStartWith('Back-off pulling image "localhost/nonexistent:1": ErrImagePull: ');
    expect(waitingOf(pod, 1)).toEqual({ reason: "ErrImageNeverPull", message: 'Container image "localhost/nonexistent:1" is not present with pull policy of Never' });
    await remove("life-imageless");
    await node().gone("life-imageless");
  });

  test("readiness gates hold readiness back", async () => {
    await node().createPod("life-gated", { readinessGates: [{ conditionType: "example.com/open" }], containers: [{ name: "main", command: forever }] });
    const held = await node().podWhen("life-gated", (pod) => conditionOf(pod, "ContainersReady")?.status === "True");
    expect(conditionOf(held, "Ready")).toMatchObject({ status: "False", reason: "ReadinessGatesNotReady", message: 'corresponding condition of pod readiness gate "example.com/open" does not exist.' });
    const open = { type: "example.com/open", status: "True" };
    await node().client.patch(pods, { namespace, name: "life-gated" }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: [open] } } }, { subresource: "status" });
    const pod = await node().podWhen("life-gated", isReady);
    expect(conditionOf(pod, "example.com/open")).toMatchObject(open);
    await remove("life-gated");
    await node().gone("life-gated");
  });

  test("a deadline ends the pod", async () => {
    await node().createPod("life-late", { activeDeadlineSeconds: 1, containers: [{ name: "main", command: forever }] });
    const pod = await node().podWhen("life-late", inPhase("Failed"));
    expect(pod.status).toMatchObject({ reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" });
    expect(conditionOf(pod, "Ready")).toMatchObject({ status: "False", reason: "PodFailed" });
  });

  describe("a pod that the node has no room for is rejected", () => {
    const reasonsOf = async (pod: Pod): Promise<(string | undefined)[]> =>
      (await node().client.list(events, { namespace })).items.filter(({ involvedObject }) => involvedObject.uid === pod.metadata.uid).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
    const rejected = async (name: string): Promise<Pod> => {
      const pod = await node().podWhen(name, inPhase("Failed"));
      expect(Date.parse(pod.status!.startTime!)).toBeGreaterThan(0);
      expect(pod.status!.containerStatuses).toBeUndefined();
      expect(conditionOf(pod, "PodScheduled")).toBeUndefined();
      const { reason, message } = pod.status!;
      await eventually(async () => expect(await reasonsOf(pod)).toEqual([`Warning ${reason}: ${message!.replace("Pod was rejected: ", "")}`]));
      return pod;
    };

    test("for want of CPU", async () => {
      await node().createPod("life-huge", { containers: [{ name: "main", command: forever, resources: { requests: { cpu: "4k" } } }] });
      const pod = await rejected("life-huge");
      expect(pod.status).toMatchObject({ reason: "OutOfcpu", message: expect.stringMatching(/^Pod was rejected: Node didn't have enough resource: cpu, requested: 4000000, used: \d+, capacity: \d+$/), qosClass: "Burstable" });
      await remove("life-huge");
      await node().gone("life-huge");
    });

    test("because of another's port, until that is free", async () => {
      const withPort: Partial<PodSpec> = { containers: [{ name: "main", command: forever, ports: [{ containerPort: 21017, hostPort: 21017 }] }] };
      await node().createPod("life-port", withPort);
      await node().podWhen("life-port", isReady);
      await node().createPod("life-clash", withPort);
      expect((await rejected("life-clash")).status).toMatchObject({ reason: "NodePorts", message: "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" });
      for (const name of ["life-port", "life-clash"]) await remove(name);
      for (const name of ["life-port", "life-clash"]) await node().gone(name);
      await node().createPod("life-clash", { ...withPort, restartPolicy: "Never", containers: withPort.containers!.map((container) => ({ ...container, command: ["true"] })) });
      await node().podWhen("life-clash", inPhase("Succeeded"));
      // One that has ended takes nothing, though it is still there.
      await node().createPod("life-port", withPort);
      await node().podWhen("life-port", isReady);
      for (const name of ["life-port", "life-clash"]) await remove(name);
      for (const name of ["life-port", "life-clash"]) await node().gone(name);
    });
  });

  test("a container whose image changes is replaced", async () => {
    await node().createPod("life-image", { terminationGracePeriodSeconds: 60, containers: [{ name: "main", ...heeding, readinessProbe: heeds }] });
    await node().podWhen("life-image", isReady);
    await node().client.patch(pods, { namespace, name: "life-image" }, { type: "application/strategic-merge-patch+json", body: { spec: { containers: [{ name: "main", image: "localhost/nonexistent:2" }] } } });
    const pod = await node().podWhen("life-image", ({ status }) => /^(ErrImagePull|ImagePullBackOff)$/.test(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ""));
    expect(pod.status!.containerStatuses![0]).toMatchObject({ ready: false, restartCount: 0, lastState: { terminated: { exitCode: 0, reason: "Completed" } } });
    await remove("life-image");
    await node().gone("life-image");
  });
}
