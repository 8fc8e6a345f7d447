import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { nodes, pods } from "../../src/apis/builtins.ts";
import { eventually } from "../support/eventually.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(60_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];

test("the node registers itself and is Ready", async () => {
  const found = await node.client.get(nodes, { name: "node-1" });
  expect(found.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({ status: "True", reason: "KubeletReady" });
  expect(found.metadata.labels).toMatchObject({ "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux" });
  expect(found.status?.nodeInfo?.containerRuntimeVersion).toStartWith("containerd://");
});

test("a pod runs, has an address, and leaves nothing behind", async () => {
  await node.createPod("simple", { containers: [{ name: "main", command: forever }] });
  const pod = await node.podWhen("simple", ({ status }) => status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True"));
  expect(pod.status).toMatchObject({ phase: "Running", qosClass: "BestEffort", hostIP: "10.0.0.1" });
  expect(pod.status?.podIP).toMatch(/^10\.97\./);
  expect(pod.status?.containerStatuses?.[0]).toMatchObject({ name: "main", ready: true, started: true, restartCount: 0 });
  expect(pod.status?.containerStatuses?.[0]?.containerID).toStartWith("containerd://");
  const reasons = (await eventually(async () => {
    const all = await node.events("simple");
    if (all.length < 3) throw new Error("too few");
    return all;
  })).map(({ reason }) => reason);
  expect(reasons).toEqual(["Pulled", "Created", "Started"]);

  await node.client.delete(pods, { namespace: "default", name: "simple" });
  await node.gone("simple");
  const uid = pod.metadata.uid!;
  await eventually(() => {
    expect(existsSync(join(node.rootDir, "pods", uid))).toBe(false);
    expect(existsSync(join(node.logDir, `default_simple_${uid}`))).toBe(false);
    expect(existsSync(`/sys/fs/cgroup/memory${node.cgroupRoot}/besteffort/pod${uid}`)).toBe(false);
  });
  const { items = [] } = await node.containerd.runtime.runtime.listPodSandbox({ filter: { labelSelector: { "io.kubernetes.pod.uid": uid } } });
  expect(items).toEqual([]);
});
