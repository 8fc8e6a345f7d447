import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Probe } from "../../../src/apis/generated/core/v1.ts";
import { FakeClock, settle } from "../../../test/support/fake-clock.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { Pod } from "../pod/pod.ts";
import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";
import { ProbeManager } from "./probe-manager.ts";

let clock: FakeClock;
let stop: AbortController;
let running: Promise<void>;
let answers: Record<string, number>;
let calls: string[];
let changes: number;
let messages: string[];
let probes: ProbeManager;

beforeEach(() => {
  clock = new FakeClock();
  stop = new AbortController();
  [answers, calls, changes, messages] = [{}, [], 0, []];
  const execSync = async ({ cmd = [] }: { cmd?: string[] }) => {
    calls.push(cmd[0]!);
    return { exitCode: answers[cmd[0]!] ?? 0, stdout: Buffer.from("told") };
  };
  probes = new ProbeManager({ runtime: { runtime: { execSync } } as unknown as ContainerRuntime, clock, recorder: { event: (_, __, ___, message) => messages.push(message) }, onChange: () => changes++ });
  running = probes.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
});

const probe = (name: string, more: Partial<Probe> = {}): Probe => ({ exec: { command: [name] }, periodSeconds: 1, ...more });
const podOf = (container: Partial<Pod["spec"]["containers"][number]>): Pod => ({ metadata: { name: "p", namespace: "n", uid: "u" }, spec: { containers: [{ name: "c", ...container }] } });
const runtimeOf = (): RuntimePod => ({ uid: "u", name: "p", namespace: "n", sandboxes: [], containers: [{ id: "id", name: "c", state: "running", startedAt: clock.now() } as RuntimeContainer] });

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await settle();
    await clock.advance(1000);
    await settle();
  }
}

test("a failure counts only after its threshold, a success at once", async () => {
  answers["live"] = 1;
  const pod = podOf({ livenessProbe: probe("live", { failureThreshold: 3 }) });
  probes.sync(pod, runtimeOf(), "");
  await pass(1);
  expect(probes.verdict("id").liveness).toBeUndefined();
  await pass(2);
  expect(probes.verdict("id").liveness).toBe("failure");
  expect(changes).toBe(1);
  expect(messages[0]).toBe("Liveness probe failed: told");
});

test("the others wait for the startup probe, which is over once it has succeeded", async () => {
  answers["start"] = 1;
  const pod = podOf({ startupProbe: probe("start", { failureThreshold: 100 }), readinessProbe: probe("ready") });
  probes.sync(pod, runtimeOf(), "");
  await pass(3);
  expect(new Set(calls)).toEqual(new Set(["start"]));
  expect([probes.started(pod.spec.containers[0]!, "id"), probes.ready(pod.spec.containers[0]!, "id")]).toEqual([false, false]);
  answers["start"] = 0;
  await pass(2);
  expect([probes.started(pod.spec.containers[0]!, "id"), probes.ready(pod.spec.containers[0]!, "id")]).toEqual([true, true]);
  calls = [];
  await pass(3);
  expect(new Set(calls)).toEqual(new Set(["ready"]));
});

test("the first probe waits for its delay, and none comes after the container has gone", async () => {
  const pod = podOf({ readinessProbe: probe("ready", { initialDelaySeconds: 5 }) });
  probes.sync(pod, runtimeOf(), "");
  await pass(4);
  expect(calls).toEqual([]);
  await pass(2);
  expect(calls.length).toBeGreaterThan(0);
  probes.sync(pod, { ...runtimeOf(), containers: [] }, "");
  calls = [];
  await pass(3);
  expect(calls).toEqual([]);
});

test("without probes a container is started and ready", () => {
  const { containers: [container] } = podOf({}).spec;
  expect([probes.started(container!, "x"), probes.ready(container!, "x")]).toEqual([true, true]);
});

test("a clock that is set neither puts probes off nor hurries them", async () => {
  probes.sync(podOf({ livenessProbe: probe("live") }), runtimeOf(), "");
  await pass(3);
  for (const jump of [-86_400_000, 56 * 365 * 86_400_000, -3_600_000]) {
    calls.length = 0;
    clock.jump(jump);
    await pass(10);
    expect(calls.length).toBeGreaterThanOrEqual(9);
    expect(calls.length).toBeLessThanOrEqual(11);
  }
  // A container that the runtime says began ahead of the clock is probed now, not then.
  calls.length = 0;
  const ahead: RuntimePod = { ...runtimeOf(), containers: runtimeOf().containers.map((container) => ({ ...container, id: "other", startedAt: clock.now() + 86_400_000 })) };
  probes.sync(podOf({ livenessProbe: probe("live", { initialDelaySeconds: 2 }) }), ahead, "");
  await pass(4);
  expect(calls.length).toBeGreaterThanOrEqual(1);
});
