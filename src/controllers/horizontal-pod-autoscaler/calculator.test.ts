import { describe, expect, test } from "bun:test";
import type { Container, Pod } from "../../apis/generated/core/v1.ts";
import { replicasForAverage, replicasForUtilization, replicasForValue, replicasForValuePerPod, sumOf, type Tolerances } from "./calculator.ts";
import { groupPods, requestsOf, type PodMetrics } from "./pod-groups.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const ago = (ms: number): string => new Date(now - ms).toISOString();
const minute = 60_000;
const tolerances: Tolerances = { up: 0.1, down: 0.1 };
const most = 2 ** 31 - 1;

interface Shape { ready?: "True" | "False"; phase?: string; deleting?: boolean; request?: string; started?: number; changed?: number }

/** A pod that has long been running and ready, but for what is said. */
function pod(index: number, { ready = "True", phase = "Running", deleting = false, request = "1", started = 60 * minute, changed = started - 30_000 }: Shape = {}): Pod {
  return {
    metadata: { name: `p${index}`, ...(deleting ? { deletionTimestamp: ago(0) } : {}) }, spec: { containers: [{ name: "c", resources: { requests: { cpu: request } } }] },
    status: { phase, startTime: ago(started), conditions: [{ type: "Ready", status: ready, lastTransitionTime: ago(changed) }] },
  } as unknown as Pod;
}
/** Never ready since it started. */
const unready: Shape = { ready: "False", changed: 60 * minute };
/** Ready, but so short a time that its measure is of its start. */
const hot: Shape = { started: minute, changed: 10_000 };
const measured = (values: readonly (number | undefined)[]): PodMetrics => new Map(values.flatMap((value, i) => (value === undefined ? [] : [[`p${i}`, { value: BigInt(value), timestamp: now, window: minute }] as const])));

type Levels = readonly (number | undefined)[];

describe("replicas by utilization of CPU", () => {
  const table: [name: string, current: number, shapes: Shape[], levels: Levels, target: number, replicas: number, utilization: number, usage: number][] = [
    ["grow", 3, [{}, {}, {}], [300, 500, 700], 30, 5, 50, 500],
    ["shrink", 5, [{}, {}, {}, {}, {}], [100, 300, 500, 250, 250], 50, 3, 28, 280],
    ["stay within the tolerance", 3, [{ request: "0.9" }, { request: "1.0" }, { request: "1.1" }], [1010, 1030, 1020], 100, 3, 102, 1020],
    ["count unready pods as idle when they grow", 3, [unready, {}, {}], [300, 500, 700], 30, 4, 60, 600],
    ["count pods that have just started as idle when they grow", 3, [hot, {}, {}], [300, 500, 700], 30, 4, 60, 600],
    ["stay where the unready would turn the direction", 3, [{}, unready, unready], [400, 500, 700], 30, 3, 40, 400],
    ["leave out failed pods", 2, [{}, {}, { ready: "False", phase: "Failed" }, { ready: "False", phase: "Failed" }], [500, 700], 30, 4, 60, 600],
    ["leave out pods being deleted", 2, [{}, {}, { deleting: true }, { deleting: true }], [500, 700, 900], 30, 4, 60, 600],
    ["shrink without the unready", 5, [{}, {}, {}, unready, unready], [100, 300, 500, 250, 250], 50, 2, 30, 300],
    ["shrink without those that have just started", 5, [{}, {}, {}, hot, hot], [100, 300, 500, 1000, 1000], 50, 2, 30, 300],
    ["shrink without the unscheduled", 5, [{}, { phase: "Pending" }, { phase: "Pending" }, { phase: "Pending" }, { phase: "Pending" }], [100], 50, 1, 10, 100],
    ["leave out metrics of other pods", 4, [{}, {}, {}, {}], [4000, 9500, 3000, 7000, 3200, 2000], 100, 24, 587, 5875],
    ["shrink as if pods without a metric used all they request", 4, [{}, {}, {}, {}], [400, 95], 100, 3, 24, 247],
    ["stay on target, whoever is missing", 2, [{}, {}], [1000], 100, 2, 100, 1000],
    ["stay where the missing would turn a growth", 2, [{}, {}], [1900], 100, 2, 190, 1900],
    ["stay where the missing would turn a shrinkage", 2, [{}, {}], [600], 100, 2, 60, 600],
    ["stay with both missing and unready", 3, [unready, {}, {}], [100, 450], 50, 3, 45, 450],
    ["grow with both missing and unready", 3, [unready, {}, {}], [100, 2000], 50, 4, 200, 2000],
    ["shrink with both missing and unready", 4, [unready, {}, {}, {}], [100, 100, 100], 50, 3, 10, 100],
    ["take the missing at a target beyond 100 %", 4, [unready, {}, { request: "2" }, { request: "2" }], [200, 100, 100], 300, 2, 6, 100],
    ["stay when more pods than replicas would count", 2, [{}, {}, {}], [100, 100], 50, 2, 10, 100],
  ];
  test.each(table)("%s", (_, currentReplicas, shapes, levels, target, replicas, utilization, usage) => {
    const pods = shapes.map((shape, i) => pod(i, shape));
    expect(replicasForUtilization({ currentReplicas, pods, metrics: measured(levels), tolerances, resource: "cpu", now }, target, "")).toEqual({ replicas, utilization, usage: BigInt(usage) });
  });

  test("have a tolerance for each direction", () => {
    const replicas = (level: number, up: number, down: number): number =>
      replicasForUtilization({ currentReplicas: 10, pods: Array.from({ length: 10 }, (_, i) => pod(i)), metrics: measured(Array.from({ length: 10 }, () => level)), tolerances: { up, down }, resource: "cpu", now }, 50, "").replicas;
    expect([replicas(540, 0.1, 0.1), replicas(540, 0.05, 0.1), replicas(460, 0.1, 0.1), replicas(460, 0.1, 0.05), replicas(460, 0, 0.1), replicas(510, 0, 0)]).toEqual([10, 11, 10, 10, 10, 11]);
  });

  test.each<[string, Shape[], Levels, string]>([
    ["no pods", [], [1], "no pods returned by selector while calculating replica count"],
    ["no metrics of these pods", [unready], [1], "did not receive metrics for targeted pods (pods might be unready)"],
    ["no requests", [{ request: "0" }], [1], "no metrics returned matched known pods"],
  ])("can't be known with %s", (_, shapes, levels, message) => {
    const pods = shapes.map((shape, i) => pod(i, shape));
    expect(() => replicasForUtilization({ currentReplicas: 1, pods, metrics: measured(levels), tolerances, resource: "cpu", now }, 50, "")).toThrow(message);
  });
});

describe("replicas by an average", () => {
  const table: [name: string, current: number, shapes: Shape[], levels: Levels, target: number, replicas: number, usage: number][] = [
    ["grow", 3, [{}, {}, {}], [20_000, 10_000, 30_000], 15_000, 4, 20_000],
    ["shrink", 5, [{}, {}, {}, {}, {}], [12_000, 12_000, 12_000, 12_000, 12_000], 20_000, 3, 12_000],
    ["stay within the tolerance", 3, [{}, {}, {}], [20_000, 21_000, 21_000], 20_000, 3, 20_666],
    ["stay on target, whoever is missing", 5, [{}, {}, {}, {}, {}], [20_000, 19_000, 21_000], 20_000, 5, 20_000],
    ["ask no readiness, which is of CPU alone", 3, [{}, {}, { ...unready, ...hot }], [50_000, 10_000, 30_000], 15_000, 6, 30_000],
    ["ask neither of those that would turn it", 3, [unready, {}, hot], [50_000, 15_000, 30_000], 15_000, 7, 31_666],
    ["stay when more pods than replicas would count", 2, [{}, {}, {}], [10_000, 10_000], 17_000, 2, 10_000],
  ];
  test.each(table)("%s", (_, currentReplicas, shapes, levels, target, replicas, usage) => {
    const pods = shapes.map((shape, i) => pod(i, shape));
    expect(replicasForAverage({ currentReplicas, pods, metrics: measured(levels), tolerances, resource: "", now }, BigInt(target))).toEqual({ replicas, usage: BigInt(usage) });
  });

  test("is exact where numbers aren't", () => {
    const byte = 1000n, huge = 9n * 10n ** 15n * byte;
    const metrics: PodMetrics = new Map([["p0", { value: huge, timestamp: now, window: 0 }], ["p1", { value: huge + 2n, timestamp: now, window: 0 }]]);
    expect(replicasForAverage({ currentReplicas: 2, pods: [pod(0), pod(1)], metrics, tolerances, resource: "memory", now }, huge)).toEqual({ replicas: 2, usage: huge + 1n });
  });
});

describe("replicas by one value", () => {
  const table: [name: string, current: number, shapes: Shape[], usage: bigint, target: bigint, replicas: number][] = [
    ["grow", 3, [{}, {}, {}], 20_000n, 15_000n, 4],
    ["shrink", 5, [{}, {}, {}, {}, {}], 8600n, 14_334n, 3],
    ["count ready pods alone", 3, [unready, {}, unready], 50_000n, 10_000n, 5],
    ["stay within the tolerance", 3, [{}, {}, {}], 20_666n, 20_000n, 3],
    ["begin at none", 0, [], 25_000n, 10_000n, 3],
    ["are no more than there can be", 3, [{}, {}, {}], 2n ** 63n - 1n, 1n, most],
  ];
  test.each(table)("%s", (_, currentReplicas, shapes, usage, target, replicas) => {
    expect(replicasForValue({ currentReplicas, pods: shapes.map((shape, i) => pod(i, shape)), tolerances }, usage, target)).toEqual({ replicas, usage });
  });

  test("need pods to know", () => {
    expect(() => replicasForValue({ currentReplicas: 1, pods: [], tolerances }, 10n, 1n)).toThrow("unable to calculate ready pods: no pods returned by selector");
  });

  test.each<[string, number, bigint, bigint, number, bigint]>([
    ["grow", 3, 20_000n, 5000n, 4, 6667n], ["shrink", 5, 6000n, 2000n, 3, 1200n], ["stay within the tolerance", 4, 8600n, 2150n, 4, 2150n],
    ["are no more than there can be", 1, 2n ** 63n - 1n, 1n, most, 2n ** 63n - 1n],
  ])("shared among pods %s", (_, statusReplicas, usage, target, replicas, each) => {
    expect(replicasForValuePerPod({ statusReplicas, tolerances }, usage, target)).toEqual({ replicas, usage: each });
  });

  test("of several series are their sum, which ends where Kubernetes' numbers do", () => {
    expect([sumOf([]), sumOf([1n, 2n]), sumOf([2n ** 63n - 1n, 1n])]).toEqual([0n, 3n, 2n ** 63n - 1n]);
  });
});

describe("a pod's CPU use", () => {
  test.each<[string, Shape, number, "ready" | "unready"]>([
    ["of a long-running ready pod counts", {}, 0, "ready"],
    ["of a pod that turned unready later counts", { ready: "False", changed: minute }, 0, "ready"],
    ["of a pod that was never ready does not", unready, 0, "unready"],
    ["while it starts and is not ready does not", { started: minute, ready: "False" }, 0, "unready"],
    ["while it starts, measured before it was ready, does not", { started: 4 * minute, changed: 50_000 }, 0, "unready"],
    ["while it starts, measured since it is ready, counts", { started: 4 * minute, changed: 70_000 }, 0, "ready"],
    ["measured long ago does not count while it starts", { started: 4 * minute, changed: 70_000 }, 30_000, "unready"],
  ])("%s", (_, shape, age, group) => {
    const groups = groupPods([pod(0, shape)], new Map([["p0", { value: 1n, timestamp: now - age, window: minute }]]), "cpu", now);
    expect(group === "ready" ? groups.ready : groups.unready.size).toBe(1);
  });
});

describe("what a pod requests", () => {
  const of = (containers: Partial<Container>[], more: object = {}): Pod => ({ metadata: { name: "p" }, spec: { containers, ...more } }) as unknown as Pod;
  const requests = (cpu: string): Partial<Container>["resources"] => ({ requests: { cpu } });
  test.each<[string, Pod, string, bigint]>([
    ["is the sum of its containers", of([{ name: "a", resources: requests("100m") }, { name: "b", resources: requests("0.25") }]), "", 350n],
    ["is that of the container asked for", of([{ name: "a", resources: requests("100m") }, { name: "b", resources: requests("0.25") }]), "b", 250n],
    ["has its sidecars in it", of([{ name: "a", resources: requests("1") }], { initContainers: [{ name: "s", restartPolicy: "Always", resources: requests("1") }, { name: "i", resources: requests("9") }] }), "", 2000n],
    ["is the pod's own where it says so", of([{ name: "a", resources: requests("1") }], { resources: requests("3") }), "", 3000n],
    ["is a container's even so", of([{ name: "a", resources: requests("1") }], { resources: requests("3") }), "a", 1000n],
  ])("%s", (_, it, container, milli) => expect(requestsOf([it], "cpu", container).get("p")).toBe(milli));

  test.each<[string, Pod, string, string]>([
    ["a container that does not say", of([{ name: "a", resources: requests("1") }, { name: "b" }]), "", "missing request for cpu in container b of Pod p"],
    ["a container that is not there", of([{ name: "a", resources: requests("1") }]), "z", "container z not found in Pod p"],
  ])("is unknown for %s", (_, it, container, message) => expect(() => requestsOf([it], "cpu", container)).toThrow(message));
});
