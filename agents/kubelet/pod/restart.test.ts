import { describe, expect, test } from "bun:test";
import type { Container, ContainerRestartRule, PodSpec } from "../../../src/apis/generated/core/v1.ts";
import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";
import { computePodActions } from "./plan.ts";
import type { Pod } from "./pod.ts";
import { containersToReset, mayRestartAll, restartPolicyOf, restartsAfter } from "./restart.ts";

type Policy = PodSpec["restartPolicy"];
const rule = (operator: string, values: number[], action = "Restart"): ContainerRestartRule => ({ action, exitCodes: { operator, values } } as ContainerRestartRule);
const podOf = (restartPolicy: Policy, main: Partial<Container> = {}, more: Partial<PodSpec> = {}): Pod => ({ metadata: { name: "p", namespace: "n", uid: "u" }, spec: { restartPolicy, containers: [{ name: "main", ...main }], ...more } });

describe("after its end a container starts again", () => {
  test.each<[Policy, Partial<Container>, number, boolean]>([
    ["Always", {}, 0, true], ["OnFailure", {}, 0, false], ["OnFailure", {}, 1, true], ["Never", {}, 1, false],
    ["Never", { restartPolicy: "Always" }, 0, true], ["Always", { restartPolicy: "Never" }, 1, false], ["Always", { restartPolicy: "OnFailure" }, 0, false],
    ["Never", { restartPolicy: "Never", restartPolicyRules: [rule("In", [42])] }, 42, true], ["Never", { restartPolicy: "Never", restartPolicyRules: [rule("In", [42])] }, 1, false],
    ["Never", { restartPolicy: "Never", restartPolicyRules: [rule("NotIn", [42])] }, 1, true], ["Never", { restartPolicy: "Never", restartPolicyRules: [rule("NotIn", [42])] }, 42, false],
    ["Always", { restartPolicy: "OnFailure", restartPolicyRules: [rule("In", [0])] }, 0, true],
  ])("pod %s, container %p, exit code %i: %p", (policy, main, exitCode, expected) => {
    const pod = podOf(policy, main);
    expect(restartsAfter(pod, pod.spec.containers[0]!, exitCode)).toBe(expected);
  });
  test("init containers once they have failed, sidecars always, ephemeral ones never", () => {
    const pod = podOf("Always", {}, { initContainers: [{ name: "init" }, { name: "side", restartPolicy: "Always" }, { name: "once", restartPolicy: "Never" }], ephemeralContainers: [{ name: "debug" }] });
    expect([...pod.spec.initContainers!, { name: "debug" }].map((container) => restartPolicyOf(pod, container))).toEqual(["OnFailure", "Always", "Never", "Never"]);
  });
});

describe("one that starts all of them again", () => {
  const pod = podOf("Never", { restartPolicy: "Never", restartPolicyRules: [rule("In", [42], "RestartAllContainers")] }, { initContainers: [{ name: "init" }, { name: "side", restartPolicy: "Always" }], containers: undefined } as Partial<PodSpec>);
  const all: Pod = { ...pod, spec: { ...pod.spec, containers: [{ name: "main", restartPolicy: "Never", restartPolicyRules: [rule("In", [42], "RestartAllContainers")] }, { name: "other" }] } };
  const container = (name: string, state: RuntimeContainer["state"], exitCode = 0): RuntimeContainer =>
    ({ id: name, sandboxId: "s", name, state, createdAt: 0, startedAt: 0, finishedAt: 1000, exitCode, reason: "", message: "", image: "", imageRef: "", logPath: "", hash: "", restartCount: 0 });
  const runtimeOf = (exitCode: number): RuntimePod => ({
    uid: "u", name: "p", namespace: "n", containers: [container("other", "running"), container("main", "exited", exitCode), container("side", "running"), container("init", "exited")],
    sandboxes: [{ id: "s", ready: true, attempt: 0, createdAt: 0, ips: ["10.0.0.2"], hostNetwork: false }],
  });
  const view = (remaining: number) => ({ now: 5000, probes: () => ({}), backOffRemaining: () => remaining });

  test("is told from others", () => expect([mayRestartAll(all), mayRestartAll(podOf("Never"))]).toEqual([true, false]));
  test("goes last, after containers and init containers", () => {
    expect(containersToReset(all, runtimeOf(42)).map(({ name }) => name)).toEqual(["other", "side", "init", "main"]);
    expect(computePodActions(all, runtimeOf(42), view(0))).toMatchObject({ reset: [{ name: "other" }, { name: "side" }, { name: "init" }, { name: "main" }], start: [], kill: [] });
  });
  test("waits for its back-off", () => expect(computePodActions(all, runtimeOf(42), view(3000))).toMatchObject({ reset: [], start: [], backOff: [{ container: { name: "main" }, until: 8000 }] }));
  test("does nothing of the kind with another exit code", () => expect(computePodActions(all, runtimeOf(1), view(0)).reset).toEqual([]));
  test("leaves a pod that begins at its first init container", () => expect(computePodActions(all, { ...runtimeOf(42), containers: [] }, view(0)).start.map(({ name }) => name)).toEqual(["init"]));
});
