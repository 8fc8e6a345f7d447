import { describe, expect, test } from "bun:test";
import type { Container } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import { containerAmounts, containerResources, milliCpuToQuota, milliCpuToShares, oomScoreAdjust, podLimits, podResources, sharesToWeight } from "./resources.ts";

const gib = 2 ** 30;
const container = (requests: Record<string, string>, limits: Record<string, string> = {}, more: Partial<Container> = {}): Container => ({ name: "c", resources: { requests, limits }, ...more });
const podOf = (containers: Container[], initContainers: Container[] = [], priority?: number): Pod => ({ metadata: { uid: "u" }, spec: { containers, initContainers, priority } });

test.each([[0, 2], [1, 2], [100, 102], [1000, 1024], [300_000, 262_144]])("%i millicores are %i shares", (milli, shares) => expect(milliCpuToShares(milli)).toBe(shares));
test.each([[0, undefined], [1, 1000], [200, 20_000], [1500, 150_000]])("%i millicores are a quota of %p", (milli, quota) => expect(milliCpuToQuota(milli)).toBe(quota));
test.each([[2, 1], [204, 8], [1024, 39], [262_144, 10_000]])("%i shares weigh %i", (shares, weight) => expect(sharesToWeight(shares)).toBe(weight));

test.each<[string, Pod, number]>([
  ["guaranteed", podOf([container({}, { cpu: "1", memory: "1Gi" })]), -997],
  ["best effort", podOf([container({})]), 1000],
  ["burstable, a quarter of the node", podOf([container({ memory: "1Gi" })]), 750],
  ["burstable, tiny", podOf([container({ memory: "1Ki" })]), 999],
  ["burstable, all of the node", podOf([container({ memory: "4Gi" })]), 3],
  ["critical", podOf([container({})], [], 2_000_001_000), -997],
])("oom_score_adj: %s", (_, pod, expected) => expect(oomScoreAdjust(pod, pod.spec.containers[0]!, 4 * gib)).toBe(expected));

test("a container's limits become the kernel's", () => {
  const limited = container({ cpu: "100m" }, { cpu: "500m", memory: "64Mi" });
  const common = { cpuShares: 102, cpuPeriod: 100_000, cpuQuota: 50_000, memoryLimitInBytes: 64 * 2 ** 20, oomScoreAdj: 985 };
  expect(containerResources(podOf([limited]), limited, { memoryBytes: 4 * gib, cgroupVersion: 1, limitsSwap: false })).toEqual(common);
  expect(containerResources(podOf([limited]), limited, { memoryBytes: 4 * gib, cgroupVersion: 2, limitsSwap: false })).toEqual({ ...common, memorySwapLimitInBytes: 64 * 2 ** 20, unified: { "memory.oom.group": "1" } });
  expect(containerResources(podOf([container({})]), container({}), { memoryBytes: 4 * gib, cgroupVersion: 2, limitsSwap: true }).unified).toEqual({ "memory.oom.group": "1", "memory.swap.max": "0" });
});

test("a pod's group holds what runs at once, limited only when all containers are", () => {
  const limits = { cpu: "500m", memory: "100Mi" };
  const side = container(limits, limits, { restartPolicy: "Always" });
  const heavy = container({ cpu: "2" }, { cpu: "2", memory: "50Mi" });
  expect(podResources(podOf([container(limits, limits), container(limits, limits)]), 100)).toEqual({ cpuShares: 1024, cpuQuota: 100_000, memory: 200 * 2 ** 20, pids: 100 });
  expect(podResources(podOf([container(limits, limits), container({ cpu: "1" })]))).toEqual({ cpuShares: 1536 });
  expect(podResources(podOf([container(limits, limits)], [heavy])).memory).toBe(100 * 2 ** 20);
  expect(podResources(podOf([container(limits, limits)], [side, heavy]))).toEqual({ cpuShares: 2560, cpuQuota: 250_000, memory: 200 * 2 ** 20 });
});

describe("resources of the pod as a whole", () => {
  const whole = { requests: { cpu: "500m", memory: "2Gi" }, limits: { cpu: "1", memory: "3Gi" } };
  const pod: Pod = { metadata: { uid: "u" }, spec: { containers: [container({ memory: "1Gi" }), container({})], resources: whole } };
  test("limit its group, and containers without a limit of their own", () => {
    expect(podResources(pod)).toEqual({ cpuShares: 512, cpuQuota: 100_000, memory: 3 * gib });
    expect(containerAmounts(pod, pod.spec.containers[1]!)).toEqual({ cpuRequest: 0, cpuLimit: 1000, memoryRequest: 0, memoryLimit: 3 * gib });
    expect(podLimits({ ...pod, spec: { ...pod.spec, overhead: { memory: "1Gi" } } })).toEqual({ cpu: "1", memory: "4Gi" });
  });
  test("memory that no container asks for protects them all", () => {
    expect(oomScoreAdjust(pod, pod.spec.containers[0]!, 4 * gib)).toBe(625);
    expect(oomScoreAdjust(pod, pod.spec.containers[1]!, 4 * gib)).toBe(875);
  });
});

test("a sidecar is not killed before the containers it serves", () => {
  const side = container({ memory: "1Mi" }, {}, { restartPolicy: "Always" });
  expect(oomScoreAdjust(podOf([container({ memory: "1Gi" }), container({ memory: "2Gi" })], [side]), side, 4 * gib)).toBe(750);
});
