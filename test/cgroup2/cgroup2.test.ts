import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openCgroups, PodCgroups } from "../../agents/kubelet/cgroups/cgroups.ts";
import type { Summary } from "../../agents/kubelet/stats/summary-api.ts";
import { pods } from "../../src/apis/builtins.ts";
import type { Pod, ResourceRequirements } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

// Under user-mode-linux a container takes seconds to start.
const patience = 120_000;
setDefaultTimeout(3 * patience);

const mount = "/sys/fs/cgroup";
const read = (...path: string[]): string => readFileSync(join(mount, ...path), "utf8").trim();
const files = (path: string, ...names: string[]): string[] => names.map((name) => read(path, name));
const mebibytes = (count: number): string => String(count * 2 ** 20);

test("this machine has cgroup v2 alone", () => expect(openCgroups().version).toBe(2));

test("groups that are there without controllers get them; one that can't hand them down says why", async () => {
  const root = "/skiff-test-groups";
  for (const path of ["burstable", "busy"]) mkdirSync(join(mount, root, path), { recursive: true });
  expect(read(root, "cgroup.subtree_control")).toBe("");
  const groups = new PodCgroups(openCgroups(), root, 50);
  groups.init();
  expect(read(root, "burstable/cgroup.controllers").split(" ")).toEqual(expect.arrayContaining(["cpu", "memory", "pids"]));
  const path = groups.apply({ metadata: { uid: "u" }, spec: { containers: [{ name: "c", resources: { limits: { cpu: "500m", memory: "8Mi" } } }] } });
  expect(files(path, "cpu.max", "memory.max", "pids.max")).toEqual(["50000 100000", mebibytes(8), "50"]);

  const busy = Bun.spawn(["sh", "-c", `echo $$ > ${mount}${root}/busy/cgroup.procs && exec sleep 1000`], { stdio: ["ignore", "ignore", "ignore"] });
  try {
    await eventually(() => expect(read(root, "busy/cgroup.procs")).not.toBe(""));
    expect(() => groups.tree.apply(`${root}/busy/pod`, {})).toThrow("the memory controller cannot be handed down in /sys/fs/cgroup/skiff-test-groups/busy: processes run in the group itself");
    expect(() => groups.tree.remove(root)).toThrow("EBUSY");
  } finally {
    busy.kill();
    await busy.exited;
  }
  groups.tree.remove(root);
  expect(existsSync(join(mount, root))).toBe(false);
});

let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const sleeping = (resources?: ResourceRequirements) => ({ name: "main", command: ["sleep", "10000"], ...(resources && { resources }) });
const running = (name: string): Promise<Pod> => node.podWhen(name, ({ status }) => status?.phase === "Running", patience);
const containerId = ({ status }: Pod): string => status!.containerStatuses![0]!.containerID!.replace("containerd://", "");
const limits = ["memory.max", "cpu.max", "cpu.weight"];

test.each<[string, ResourceRequirements | undefined, string, string[], string[]]>([
  ["Guaranteed", { limits: { cpu: "500m", memory: "32Mi" } }, "", [mebibytes(32), "50000 100000", "20"], [mebibytes(32), "50000 100000", "20"]],
  ["Burstable", { requests: { cpu: "250m", memory: "16Mi" }, limits: { memory: "64Mi" } }, "burstable", [mebibytes(64), "max 100000", "10"], [mebibytes(64), "max 100000", "10"]],
  ["BestEffort", undefined, "besteffort", ["max", "max 100000", "1"], ["max", "max 100000", "1"]],
])("%s pods: limits of pod and container, which go with the pod", async (qosClass, resources, folder, ofPod, ofContainer) => {
  const name = qosClass.toLowerCase();
  await node.createPod(name, { containers: [sleeping(resources)] });
  const pod = await running(name);
  expect(pod.status?.qosClass).toBe(qosClass as "Guaranteed");
  const group = join(node.cgroupRoot, folder, `pod${pod.metadata.uid}`);
  expect(files(group, ...limits)).toEqual(ofPod);
  const container = join(group, containerId(pod));
  expect(files(container, ...limits)).toEqual(ofContainer);
  expect(files(container, "memory.oom.group", "memory.swap.max")).toEqual(["1", "0"]);
  expect(read(container, "cgroup.procs")).not.toBe("");
  await node.client.delete(pods, { namespace: node.namespace, name });
  await node.gone(name, patience);
  await eventually(() => expect(existsSync(join(mount, group))).toBe(false));
});

test("a container sees its own group as the root", async () => {
  await node.createPod("inside", { restartPolicy: "Never", containers: [{ name: "main", command: ["sh", "-c", "cd /sys/fs/cgroup; cat /proc/self/cgroup memory.max cpu.max; touch x 2>&1"], resources: { limits: { cpu: "500m", memory: "32Mi" } } }] });
  await node.podWhen("inside", ({ status }) => status?.phase === "Failed", patience);
  expect((await node.logs(`/containerLogs/${node.namespace}/inside/main`)).body).toBe(`0::/\n${mebibytes(32)}\n50000 100000\ntouch: x: Read-only file system\n`);
});

test("a process out of memory ends the whole container, as OOMKilled", async () => {
  await node.createPod("hungry", { restartPolicy: "Never", containers: [{ name: "main", command: ["sh", "-c", "tail /dev/zero & sleep 10000"], resources: { limits: { memory: "16Mi" } } }, { ...sleeping(), name: "other" }] });
  const pod = await node.podWhen("hungry", ({ status }) => status?.containerStatuses?.some(({ state }) => state?.terminated), patience);
  expect(pod.status?.containerStatuses?.map(({ name, state }) => [name, state?.terminated?.reason, state?.terminated?.exitCode])).toEqual([["main", "OOMKilled", 137], ["other", undefined, undefined]]);
});

test("the kernel slows down a container at its CPU limit", async () => {
  await node.createPod("busy", { containers: [{ name: "main", command: ["sh", "-c", "while :; do :; done"], resources: { limits: { cpu: "100m" } } }] });
  const pod = await running("busy");
  const stat = join(node.cgroupRoot, "burstable", `pod${pod.metadata.uid}`, "cpu.stat");
  await eventually(() => expect(Number(/^nr_throttled (\d+)$/m.exec(read(stat))?.[1])).toBeGreaterThan(2), { timeout: patience });
  expect((await node.logs("/metrics/cadvisor")).body).toMatch(/^container_cpu_cfs_throttled_periods_total\{container="main",.*pod="busy"\} [1-9]/m);
  const { pods: stats } = JSON.parse((await node.logs("/stats/summary?only_cpu_and_memory=true")).body) as Summary;
  const busy = stats.find(({ podRef }) => podRef.name === "busy")!;
  expect(busy.containers).toMatchObject([{ name: "main", cpu: { usageCoreNanoSeconds: expect.any(Number) }, swap: { swapUsageBytes: 0 } }]);
  expect(busy.containers[0]!.memory!.workingSetBytes).toBeGreaterThan(0);
  expect(busy.process_stats!.process_count).toBeGreaterThanOrEqual(2);
  await node.client.delete(pods, { namespace: node.namespace, name: "busy" }, { gracePeriodSeconds: 0 });
});

test("a new kubelet keeps the groups of its pods, and removes others'", async () => {
  await node.createPod("stays", { containers: [sleeping()] });
  const before = await running("stays");
  const leftover = join(mount, node.cgroupRoot, "burstable/pod11111111-2222-3333-4444-555555555555");
  await node.restartKubelet(async () => void mkdirSync(join(leftover, "container"), { recursive: true }));
  await eventually(() => expect(existsSync(leftover)).toBe(false), { timeout: patience });
  const after = await node.pod("stays");
  expect(containerId(after)).toBe(containerId(before));
  expect(read(node.cgroupRoot, "besteffort", `pod${after.metadata.uid}`, containerId(after), "cgroup.procs")).not.toBe("");
});
