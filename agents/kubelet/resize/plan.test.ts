import { describe, expect, test } from "bun:test";
import type { Container, ResourceRequirements } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import { containerAmounts } from "../runtime/resources.ts";
import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";
import { byUrgency, type Waiting } from "./order.ts";
import { memoryObjection, orderPodUpdate, planResize, resizeRestarts } from "./plan.ts";

const mib = 2 ** 20;
const both = (cpu: string, memory: string): ResourceRequirements => ({ requests: { cpu, memory }, limits: { cpu, memory } });
const container = (name: string, resources: ResourceRequirements, more: Partial<Container> = {}): Container => ({ name, resources, ...more });
const podOf = (...containers: Container[]): Pod => ({ metadata: { name: "p", namespace: "n", uid: "u" }, spec: { containers } });
const runtimeOf = (pod: Pod, state: RuntimeContainer["state"] = "running"): RuntimePod => ({
  uid: "u", name: "p", namespace: "n", sandboxes: [], containers: pod.spec.containers.map(({ name }) => ({
    id: `id-${name}`, sandboxId: "s", name, state, createdAt: 0, startedAt: 0, finishedAt: 0, exitCode: 0, reason: "", message: "", image: "", imageRef: "", logPath: "", hash: "", restartCount: 0,
  })),
});
const planOf = (before: Pod, after: Pod, runtime = runtimeOf(after)) => planResize(after, runtime, { pod: before, amounts: ({ name }) => containerAmounts(before, before.spec.containers.find((each) => each.name === name)!) });
const names = (updates: readonly { container: { readonly name: string } }[] = []): string[] => updates.map(({ container: { name } }) => name);

describe("planResize", () => {
  test("nothing to do for a pod that has what it was granted", () => expect(planOf(podOf(container("a", both("1", "1Gi"))), podOf(container("a", both("1", "1Gi"))))).toBeUndefined());

  test("what shrinks comes before what grows, by resource", () => {
    const before = podOf(container("a", both("1", "1Gi")), container("b", both("1", "1Gi")), container("c", both("1", "1Gi")));
    const after = podOf(container("a", both("2", "512Mi")), container("b", both("500m", "2Gi")), container("c", both("1", "1Gi")));
    const plan = planOf(before, after)!;
    expect([names(plan.memory), names(plan.cpu)]).toEqual([["a", "b"], ["b", "a"]]);
    expect(plan.pod).toEqual({ current: { cpuShares: 3072, cpuQuota: 300_000, memory: 3072 * mib }, desired: { cpuShares: 3584, cpuQuota: 350_000, memory: 3584 * mib } });
  });

  test("a limit where there was none shrinks", () => {
    const before = podOf(container("a", { requests: { memory: "1Mi" } }), container("b", both("1", "1Gi")));
    expect(names(planOf(before, podOf(container("a", { requests: { memory: "1Mi" }, limits: { memory: "4Gi" } }), container("b", both("1", "2Gi"))))!.memory)).toEqual(["a", "b"]);
  });

  test("containers that don't run get it when they start: only the pod's group is changed", () => {
    const after = podOf(container("a", both("2", "1Gi")));
    expect(planOf(podOf(container("a", both("1", "1Gi"))), after, runtimeOf(after, "exited"))).toMatchObject({ memory: [], cpu: [], pod: { desired: { cpuShares: 2048 } } });
  });

  test("those that must be restarted are left to that", () => {
    const policy = { resizePolicy: [{ resourceName: "memory", restartPolicy: "RestartContainer" as const }] };
    expect(planOf(podOf(container("a", both("1", "1Gi"), policy)), podOf(container("a", both("2", "2Gi"), policy)))).toMatchObject({ memory: [], cpu: [] });
    expect(names(planOf(podOf(container("a", both("1", "1Gi"), policy)), podOf(container("a", both("2", "1Gi"), policy)))!.cpu)).toEqual(["a"]);
  });
});

test.each([["cpu", "1", "1Gi", false], ["memory", "1", "2Gi", true], ["memory", "2", "1Gi", false], ["cpu", "2", "1Gi", true]])("restart on change of %s, to %s and %s: %p", (resourceName, cpu, memory, expected) => {
  const changed = container("a", both(cpu, memory), { resizePolicy: [{ resourceName, restartPolicy: "RestartContainer" }] });
  expect(resizeRestarts(changed, containerAmounts(podOf(changed), container("a", both("1", "1Gi"))), containerAmounts(podOf(changed), changed))).toBe(expected);
});

describe("the pod's group", () => {
  const small = { cpuShares: 512, cpuQuota: 50_000, memory: mib }, large = { cpuShares: 1024, cpuQuota: 100_000, memory: 2 * mib };
  test("grows before its containers: first the limit, then the request", () => {
    expect(orderPodUpdate({ current: small, desired: large }, "cpu")).toEqual({ before: [{ cpuQuota: 100_000 }, { cpuShares: 1024 }], after: [] });
    expect(orderPodUpdate({ current: small, desired: large }, "memory")).toEqual({ before: [{ memory: 2 * mib }], after: [] });
  });
  test("shrinks after them: first the request, then the limit", () => expect(orderPodUpdate({ current: large, desired: small }, "cpu")).toEqual({ before: [], after: [{ cpuShares: 512 }, { cpuQuota: 50_000 }] }));
  test("is limited after them where it was not", () => expect(orderPodUpdate({ current: { cpuShares: 2 }, desired: { cpuShares: 2, memory: mib } }, "memory")).toEqual({ before: [], after: [{ memory: mib }] }));
});

test("memory in use is not taken away", () => {
  const plan = planOf(podOf(container("a", both("1", "100Mi"))), podOf(container("a", both("1", "50Mi"))))!;
  expect(memoryObjection(plan, { pod: () => 40 * mib, container: () => 40 * mib })).toBeUndefined();
  expect(memoryObjection(plan, { pod: () => 60 * mib, container: () => 10 * mib })).toBe("cannot decrease memory limits: attempting to set pod memory limit (52428800) below current usage (62914560)");
  expect(memoryObjection(plan, { pod: () => 60 * mib, container: () => 60 * mib })).toBe('cannot decrease memory limits: [attempting to set pod memory limit (52428800) below current usage (62914560), attempting to set container "a" memory limit (52428800) below current usage (62914560)]');
});

test("who asks for no more is served first, then by priority, guaranteed pods, and waiting time", () => {
  const waiting = (name: string, more: Partial<Waiting>, priority = 0, resources: ResourceRequirements = { requests: { cpu: "1" } }): Waiting => ({ pod: { ...podOf(container("a", resources)), metadata: { name }, spec: { priority, containers: [container("a", resources)] } }, asksMore: true, ...more });
  const list = [waiting("late", { since: 2 }), waiting("early", { since: 1 }), waiting("new", {}), waiting("guaranteed", { since: 9 }, 0, both("1", "1Gi")), waiting("important", { since: 9 }, 10), waiting("less", { asksMore: false, since: 9 })];
  expect(list.sort(byUrgency).map(({ pod }) => pod.metadata.name!)).toEqual(["less", "important", "guaranteed", "early", "late", "new"]);
});
