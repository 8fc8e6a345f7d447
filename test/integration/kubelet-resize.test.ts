import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openCgroups } from "../../agents/kubelet/cgroups/cgroups.ts";
import { nodes, pods } from "../../src/apis/builtins.ts";
import type { Pod, ResourceRequirements } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
const both = (cpu: string, memory: string): ResourceRequirements => ({ requests: { cpu, memory }, limits: { cpu, memory } });
const isV1 = openCgroups().version === 1;

const resize = (name: string, ...resources: [container: string, resources: ResourceRequirements][]): Promise<unknown> => node.client.patch(
  pods, { namespace: "default", name }, { type: "application/strategic-merge-patch+json", body: { spec: { containers: resources.map(([container, each]) => ({ name: container, resources: each })) } } }, { subresource: "resize" },
);

const running = (pod: Pod): boolean => pod.status?.containerStatuses?.every(({ state }) => state?.running) === true && pod.status.containerStatuses.length > 0;
const condition = (pod: Pod, type: string) => pod.status?.conditions?.find((each) => each.type === type);
const settled = (pod: Pod): boolean => running(pod) && pod.status?.observedGeneration === pod.metadata.generation && !condition(pod, "PodResizeInProgress") && !condition(pod, "PodResizePending");
const idOf = (pod: Pod, index = 0): string => pod.status!.containerStatuses![index]!.containerID!.replace("containerd://", "");

/** What the kernel holds a pod, or one of its containers, to. */
function limitsOf(pod: Pod, container = ""): { memory: string; quota: string } {
  const folder = { Guaranteed: "", Burstable: "burstable", BestEffort: "besteffort" }[pod.status!.qosClass!]!;
  const group = join(node.cgroupRoot, folder, `pod${pod.metadata.uid}`, container);
  const read = (...path: string[]): string => readFileSync(join("/sys/fs/cgroup", ...path), "utf8").trim();
  if (isV1) return { memory: read("memory", group, "memory.limit_in_bytes"), quota: read("cpu", group, "cpu.cfs_quota_us") };
  return { memory: read(group, "memory.max"), quota: read(group, "cpu.max").split(" ")[0]! };
}

test("CPU and memory grow and shrink while the container runs", async () => {
  await node.createPod("elastic", { containers: [{ name: "main", command: forever, resources: both("100m", "64Mi") }] });
  const before = await node.podWhen("elastic", running);
  expect(before.status?.containerStatuses?.[0]).toMatchObject({ allocatedResources: { cpu: "100m", memory: "64Mi" }, resources: both("100m", "64Mi") });
  for (const [cpu, memory, quota, bytes] of [["200m", "128Mi", "20000", "134217728"], ["50m", "32Mi", "5000", "33554432"]] as const) {
    await resize("elastic", ["main", both(cpu, memory)]);
    const after = await node.podWhen("elastic", (pod) => settled(pod) && pod.status?.containerStatuses?.[0]?.resources?.limits?.["memory"] === memory);
    expect(after.status?.containerStatuses?.[0]).toMatchObject({ containerID: before.status!.containerStatuses![0]!.containerID, restartCount: 0, allocatedResources: { cpu, memory }, resources: both(cpu, memory) });
    expect(after.status).toMatchObject({ allocatedResources: { cpu, memory }, resources: both(cpu, memory) });
    expect(limitsOf(after)).toEqual({ memory: bytes, quota });
    expect(limitsOf(after, idOf(after))).toEqual({ memory: bytes, quota });
  }
  await eventually(async () => {
    const reasons = (await node.events("elastic")).map(({ reason }) => reason);
    for (const expected of ["ResizeStarted", "ResizeCompleted"]) expect(reasons.filter((reason) => reason === expected)).toHaveLength(2);
  });
});

test("a container whose policy says so is restarted, the others run on", async () => {
  const resizePolicy = [{ resourceName: "memory", restartPolicy: "RestartContainer" as const }];
  await node.createPod("restarting", { containers: [{ name: "a", command: forever, resources: both("50m", "32Mi"), resizePolicy }, { name: "b", command: forever, resources: both("50m", "32Mi") }] });
  const before = await node.podWhen("restarting", running);
  await resize("restarting", ["a", both("50m", "64Mi")], ["b", both("60m", "48Mi")]);
  const after = await node.podWhen("restarting", (pod) => settled(pod) && pod.status?.containerStatuses?.[0]?.restartCount === 1);
  expect(after.status?.containerStatuses).toMatchObject([{ restartCount: 1, resources: both("50m", "64Mi") }, { restartCount: 0, containerID: before.status!.containerStatuses![1]!.containerID, resources: both("60m", "48Mi") }]);
  expect(limitsOf(after, idOf(after, 0)).memory).toBe("67108864");
  expect(limitsOf(after, idOf(after, 1))).toEqual({ memory: "50331648", quota: "6000" });
  expect(limitsOf(after).memory).toBe("117440512");
});

test("memory in use is not taken away: the error is told, the rest waits", async () => {
  await node.createPod("greedy", {
    volumes: [{ name: "ram", emptyDir: { medium: "Memory" } }],
    containers: [{ name: "main", command: ["sh", "-c", "head -c 30000000 /dev/zero > /ram/x; trap 'exit 0' TERM; while :; do sleep 0.1; done"], volumeMounts: [{ name: "ram", mountPath: "/ram" }], resources: both("50m", "64Mi") }],
  });
  const before = await node.podWhen("greedy", running);
  await eventually(() => {
    const path = isV1 ? join("/sys/fs/cgroup/memory", node.cgroupRoot, `pod${before.metadata.uid}`, "memory.usage_in_bytes") : join("/sys/fs/cgroup", node.cgroupRoot, `pod${before.metadata.uid}`, "memory.current");
    expect(Number(readFileSync(path, "utf8"))).toBeGreaterThan(30_000_000);
  });
  await resize("greedy", ["main", both("50m", "16Mi")]);
  const held = await node.podWhen("greedy", (pod) => condition(pod, "PodResizeInProgress")?.reason === "Error");
  expect(condition(held, "PodResizeInProgress")?.message).toStartWith("cannot decrease memory limits: ");
  expect(held.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, allocatedResources: { memory: "16Mi" }, resources: { limits: { memory: "64Mi" } } });
  expect(limitsOf(held, idOf(held)).memory).toBe("67108864");
});

test("without room a resize waits, also over a restart of the kubelet, until another pod goes", async () => {
  const { status } = await node.client.get(nodes, { name: "node-1" });
  const cores = Number(status?.allocatable?.["cpu"]);
  await node.createPod("neighbour", { containers: [{ name: "main", command: forever, resources: { requests: { cpu: `${cores * 1000 - 500}m` } } }] });
  await node.createPod("hopeful", { containers: [{ name: "main", command: forever, resources: { requests: { cpu: "50m" } } }] });
  const before = await node.podWhen("hopeful", running);
  await node.podWhen("neighbour", running);
  await resize("hopeful", ["main", { requests: { cpu: "1" } }]);
  const deferred = (pod: Pod): boolean => condition(pod, "PodResizePending")?.reason === "Deferred";
  const waiting = await node.podWhen("hopeful", deferred);
  expect(condition(waiting, "PodResizePending")?.message).toStartWith("Node didn't have enough resource: cpu, requested: 1000, used: ");
  await node.restartKubelet();
  expect((await node.podWhen("hopeful", deferred)).status?.containerStatuses?.[0]?.allocatedResources).toEqual({ cpu: "50m" });
  await node.client.delete(pods, { namespace: "default", name: "neighbour" });
  await node.gone("neighbour");
  const after = await node.podWhen("hopeful", (pod) => settled(pod) && pod.status?.containerStatuses?.[0]?.allocatedResources?.["cpu"] === "1");
  expect(after.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, containerID: before.status!.containerStatuses![0]!.containerID });
});

test("what was asked for while no kubelet ran is set by the next, in the running container", async () => {
  await node.createPod("meanwhile", { containers: [{ name: "main", command: forever, resources: both("50m", "32Mi") }] });
  const before = await node.podWhen("meanwhile", running);
  await node.restartKubelet(async () => void await resize("meanwhile", ["main", both("60m", "48Mi")]));
  const after = await node.podWhen("meanwhile", (pod) => settled(pod) && pod.status?.containerStatuses?.[0]?.allocatedResources?.["cpu"] === "60m");
  expect(limitsOf(after, idOf(after))).toEqual({ memory: "50331648", quota: "6000" });
  expect(idOf(after)).toBe(idOf(before));
});
