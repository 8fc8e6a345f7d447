import { describe, expect, test } from "bun:test";
import type { Frozen } from "../apimachinery/meta.ts";
import type { Container, Pod, PodSpec, PodStatus } from "../apis/generated/core/v1.ts";
import { nonZeroRequests, parseResources, podRequests } from "./resources.ts";

const container = (requests: Record<string, string>, more: Partial<Container> = {}): Container => ({ name: "main", image: "i", resources: { requests }, ...more });
const podOf = (spec: Partial<PodSpec>, status?: PodStatus): Frozen<Pod> => ({ metadata: { name: "p", namespace: "default", uid: "u" }, spec: { containers: [container({ cpu: "1" })], ...spec }, ...(status ? { status } : {}) });
const requests = (spec: Partial<PodSpec>, status?: PodStatus): Record<string, number> => Object.fromEntries(podRequests(podOf(spec, status)));

describe("amounts", () => {
  const cases: [name: string, quantity: string | number, amount: number][] = [
    ["cpu", "1", 1000], ["cpu", "250m", 250], ["cpu", "1.5", 1500], ["cpu", 2, 2000], ["cpu", "0.1", 100], ["cpu", "1k", 1_000_000], ["cpu", "100u", 1],
    ["memory", "1Gi", 2 ** 30], ["memory", "128Mi", 2 ** 27], ["memory", "1500M", 1_500_000_000], ["memory", "1.5Gi", 1.5 * 2 ** 30], ["memory", "100m", 1], ["memory", "123456789012", 123456789012], ["pods", "110", 110],
  ];
  test.each(cases)("%s %s", (name, quantity, amount) => expect(parseResources({ [name]: quantity }).get(name)).toBe(amount));
});

describe("a pod that is resized", () => {
  const status = (inUse: Record<string, string>, allocated: Record<string, string>, more: PodStatus = {}): PodStatus => ({
    containerStatuses: [{ name: "main", image: "i", imageID: "", ready: true, restartCount: 0, resources: { requests: inUse }, allocatedResources: allocated }], ...more,
  });
  const pending = (reason: string): PodStatus => ({ conditions: [{ type: "PodResizePending", status: "True", reason }] });
  const cases: [name: string, spec: Partial<PodSpec>, status: PodStatus | undefined, cpu: number][] = [
    ["without a status", {}, undefined, 1000],
    ["a status without resources", {}, { containerStatuses: [{ name: "main", image: "i", imageID: "", ready: true, restartCount: 0 }] }, 1000],
    ["more is asked than is in use", { containers: [container({ cpu: "3" })] }, status({ cpu: "1" }, { cpu: "1" }), 3000],
    ["less is asked than is in use", {}, status({ cpu: "2" }, { cpu: "1" }), 2000],
    ["less is asked than is allocated", {}, status({ cpu: "1" }, { cpu: "2500m" }), 2500],
    ["deferred", { containers: [container({ cpu: "3" })] }, status({ cpu: "1" }, { cpu: "1" }, pending("Deferred")), 3000],
    ["infeasible", { containers: [container({ cpu: "30" })] }, status({ cpu: "1" }, { cpu: "2" }, pending("Infeasible")), 2000],
    ["an init container that isn't a sidecar counts as asked", { initContainers: [container({ cpu: "2" }, { name: "init" })] }, { initContainerStatuses: [{ name: "init", image: "i", imageID: "", ready: false, restartCount: 0, resources: { requests: { cpu: "9" } } }] }, 2000],
    ["a sidecar counts as used", { initContainers: [container({ cpu: "1" }, { name: "side", restartPolicy: "Always" })] }, { initContainerStatuses: [{ name: "side", image: "i", imageID: "", ready: true, restartCount: 0, resources: { requests: { cpu: "4" } } }] }, 5000],
    ["the pod as a whole", { resources: { requests: { cpu: "2" } } }, { resources: { requests: { cpu: "3" } }, allocatedResources: { cpu: "1" } }, 3000],
    ["the pod as a whole, infeasible", { resources: { requests: { cpu: "20" } } }, { resources: { requests: { cpu: "3" } }, allocatedResources: { cpu: "1" }, ...pending("Infeasible") }, 3000],
  ];
  test.each(cases)("%s", (_, spec, of, cpu) => expect(requests(spec, of).cpu).toBe(cpu));
});

describe("what a pod takes up", () => {
  test("pod-level requests stand for their containers', overhead comes on top", () => {
    expect(requests({ containers: [container({ cpu: "1", memory: "1Gi", "example.com/gpu": "1" })], resources: { requests: { cpu: "2" } }, overhead: { cpu: "100m", memory: "1Mi" } })).toEqual({ cpu: 2100, memory: 2 ** 30 + 2 ** 20, "example.com/gpu": 1 });
  });
  const counted: [name: string, spec: Partial<PodSpec>, nonZero: Record<string, number>][] = [
    ["each container without requests counts a little", { containers: [container({}), container({ cpu: "0" })] }, { cpu: 100, memory: 400 * 2 ** 20 }],
    ["one that asks counts as asked", { containers: [container({ cpu: "1m", memory: "1" })] }, { cpu: 1, memory: 1 }],
    ["what is asked for the pod as a whole isn't made up", { containers: [container({}), container({})], resources: { requests: { cpu: "50m" } } }, { cpu: 50, memory: 400 * 2 ** 20 }],
    ["nor what one of its containers asks", { containers: [container({ memory: "1Mi" }), container({})], resources: { requests: { cpu: "50m" } } }, { cpu: 50, memory: 2 ** 20 }],
  ];
  test.each(counted)("in scores: %s", (_, spec, nonZero) => expect(Object.fromEntries(nonZeroRequests(podOf(spec), podRequests(podOf(spec))))).toEqual(nonZero));
});
