import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { memoryTotal } from "../../agents/kubelet/node/capacity.ts";
import type { PodList } from "../../src/apis/generated/core/v1.ts";
import type { PodStats, Summary } from "../../agents/kubelet/stats/summary-api.ts";
import { eventually } from "../support/eventually.ts";
import { call, startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);

/** What node and pods use, told by a kubelet with real containers. */
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
  await node.createPod("busy", {
    containers: [
      { name: "worker", command: ["sh", "-c", "dd if=/dev/zero of=/data/file bs=1M count=3; dd if=/dev/zero of=/layer bs=1M count=2; echo ready; while :; do :; done"], resources: { limits: { cpu: "200m", memory: "64Mi" } }, volumeMounts: [{ name: "data", mountPath: "/data" }] },
      { name: "idle", command: ["sleep", "1000"], livenessProbe: { exec: { command: ["true"] }, timeoutSeconds: 20, periodSeconds: 1 } },
    ],
    volumes: [{ name: "data", emptyDir: {} }],
  });
  await node.podWhen("busy", ({ status }) => status?.containerStatuses?.every(({ ready }) => ready));
});
afterAll(async () => node?.[Symbol.asyncDispose]());

const get = async (path: string): Promise<string> => {
  const { status, body } = await call(node.kubelet, path);
  expect(status).toBe(200);
  return body;
};

async function summary(query = ""): Promise<{ whole: Summary; busy: PodStats }> {
  const whole = JSON.parse(await get(`/stats/summary${query}`)) as Summary;
  const busy = whole.pods.find(({ podRef }) => podRef.name === "busy")!;
  expect(busy).toBeDefined();
  return { whole, busy };
}

describe("/stats/summary", () => {
  test("tells of the machine, the pod and its containers", async () => {
    const { whole, busy } = await summary();
    expect(whole.node).toMatchObject({ nodeName: "node-1", network: { interfaces: expect.any(Array) } });
    expect(whole.node.memory!.workingSetBytes + whole.node.memory!.availableBytes!).toBe(memoryTotal());
    expect(whole.node.fs!.capacityBytes).toBeGreaterThan(whole.node.fs!.availableBytes!);
    expect(whole.node.runtime!.imageFs!.capacityBytes).toBeGreaterThan(0);
    expect(whole.node.rlimit!.maxpid).toBeGreaterThan(whole.node.rlimit!.curproc);
    expect(whole.node.systemContainers!.map(({ name }) => name)).toEqual(["kubelet", "pods"]);
    expect(busy.containers.map(({ name }) => name)).toEqual(["idle", "worker"]);
    const worker = busy.containers[1]!;
    expect(worker.memory!.workingSetBytes).toBeGreaterThan(0);
    expect(worker.memory!.workingSetBytes + worker.memory!.availableBytes!).toBe(64 * 2 ** 20);
    expect(busy.containers[0]!.memory!.availableBytes).toBeUndefined();
    expect(busy.cpu!.usageCoreNanoSeconds).toBeGreaterThanOrEqual(worker.cpu!.usageCoreNanoSeconds);
    expect(busy.process_stats!.process_count).toBeGreaterThanOrEqual(3);
    expect(busy.network).toMatchObject({ name: "eth0", interfaces: [{ name: "eth0" }] });
  });

  test("tells how much CPU is used now, once there are two looks to compare", async () => {
    await summary("?only_cpu_and_memory=true");
    const rate = await eventually(async () => {
      const { busy } = await summary("?only_cpu_and_memory=true");
      if (busy.containers[1]!.cpu!.usageNanoCores === undefined) throw new Error("no rate yet");
      return busy.containers[1]!.cpu!.usageNanoCores;
    });
    // Held to a fifth of a core; others may leave it less.
    expect(rate).toBeGreaterThan(5_000_000);
    expect(rate).toBeLessThan(400_000_000);
  });

  test("counts volumes, logs and writable layers", async () => {
    const { busy } = await eventually(async () => {
      const found = await summary();
      // The runtime counts layers now and then by itself.
      if ((found.busy.containers[1]!.rootfs!.usedBytes ?? 0) < 2 ** 21) throw new Error("layer not counted yet");
      return found;
    }, { timeout: 120_000, interval: 500 });
    const data = busy.volume!.find(({ name }) => name === "data")!;
    expect(data.usedBytes).toBeGreaterThanOrEqual(3 * 2 ** 20);
    expect(data.usedBytes).toBeLessThan(4 * 2 ** 20);
    expect(busy.containers[1]!.logs!.usedBytes).toBeGreaterThan(0);
    expect(busy["ephemeral-storage"]!.usedBytes).toBeGreaterThanOrEqual(data.usedBytes! + 2 ** 21);
  });

  test("without disks where asked", async () => {
    const { whole, busy } = await summary("?only_cpu_and_memory=true");
    expect([whole.node.fs, busy.volume, busy.containers[0]!.rootfs]).toEqual([undefined, undefined, undefined]);
  });
});

test("/metrics/resource has counters with the times of their reading", async () => {
  const text = await get("/metrics/resource");
  expect(text).toMatch(/^container_cpu_usage_seconds_total\{container="worker",namespace="default",pod="busy"\} [\d.e-]+ \d{13}$/m);
  expect(text).toMatch(/^pod_memory_working_set_bytes\{namespace="default",pod="busy"\} \d+ \d{13}$/m);
  expect(text).toMatch(/^node_cpu_usage_seconds_total [\d.]+ \d{13}$/m);
  expect(text).toMatch(/^resource_scrape_error 0$/m);
});

test("/metrics/cadvisor has containers, pods and their interfaces", async () => {
  // A container is throttled only where others leave it more than it may have.
  const { text, busy } = await eventually(async () => {
    const all = await get("/metrics/cadvisor"), own = all.split("\n").filter((line) => line.includes('pod="busy"'));
    expect(own.some((line) => line.startsWith('container_cpu_cfs_throttled_periods_total{container="worker",') && !/ 0 \d+$/.test(line))).toBeTrue();
    return { text: all, busy: own };
  });
  expect(busy.some((line) => line.startsWith('container_memory_working_set_bytes{container="worker",'))).toBeTrue();
  expect(busy.some((line) => line.startsWith('container_memory_working_set_bytes{container="",'))).toBeTrue();
  expect(busy.some((line) => line.startsWith("container_network_receive_bytes_total{") && line.includes('interface="eth0"'))).toBeTrue();
  expect(text).toContain(`machine_memory_bytes ${memoryTotal()}\n`);
});

test("/metrics/probes counts probes, /metrics pods and containers", async () => {
  await eventually(async () => {
    expect(await get("/metrics/probes")).toMatch(/^prober_probe_total\{container="idle",namespace="default",pod="busy",pod_uid="[^"]+",probe_type="Liveness",result="successful"\} [1-9]/m);
  });
  const own = await get("/metrics");
  expect(own).toContain("kubelet_running_pods 1\n");
  expect(own).toContain('kubelet_running_containers{container_state="running"} 2\n');
  const running = JSON.parse(await get("/runningpods/")) as PodList;
  expect(running.items.map(({ metadata, spec }) => [metadata.name, spec.containers.map(({ name }) => name).sort()])).toEqual([["busy", ["idle", "worker"]]]);
  expect(own).toMatch(/^process_resident_memory_bytes \d/m);
});

test("/metrics counts containers that ended", async () => {
  await node.createPod("ends", { restartPolicy: "Never", containers: [{ name: "c", command: ["sh", "-c", "exit 9"] }] });
  await node.podWhen("ends", ({ status }) => status?.phase === "Failed");
  await eventually(async () => expect(await get("/metrics")).toContain('kubelet_terminated_containers_total{container_type="container",exit_code="9",reason="Error"} 1\n'));
  // Still running, as the runtime has it, are those that run.
  const running = JSON.parse(await get("/runningpods/")) as PodList;
  expect(running.items.flatMap(({ spec }) => spec.containers.map(({ name }) => name)).sort()).toEqual(["idle", "worker"]);
});

test("other paths are nobody's", async () => {
  expect([(await call(node.kubelet, "/metrics/other")).status, (await call(node.kubelet, "/stats/other")).status]).toEqual([404, 404]);
});
