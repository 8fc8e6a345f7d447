import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodes, pods } from "../../src/apis/builtins.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { busyboxReference } from "../support/images.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

const put = (file: string, name: string, word = "one"): void => {
  mkdirSync(node.staticPodPath, { recursive: true });
  const command = ["sh", "-c", `echo ${word}; trap 'exit 0' TERM; while :; do sleep 0.1; done`];
  const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: name } }, spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image: busyboxReference, imagePullPolicy: "IfNotPresent", command }] } };
  writeFileSync(join(node.staticPodPath, file), JSON.stringify(pod));
};
const remove = (file: string): void => rmSync(join(node.staticPodPath, file));
const ready = (pod: Pod): boolean => pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
const idOf = (pod: Pod): string => pod.status!.containerStatuses![0]!.containerID!;
/** Of running sandboxes, by the pods' names. */
const running = async (): Promise<string[]> => ((await node.containerd.runtime.runtime.listPodSandbox({ filter: { state: { state: 0 } } })).items ?? []).map(({ metadata }) => metadata!.name!);
const logOf = async (pod: string): Promise<string> => (await node.logs(`/containerLogs/default/${pod}/main`)).body;

test("a file's pod runs, and the API shows it as the node's own", async () => {
  put("web.yaml", "web");
  const mirror = await node.podWhen("web-node-1", ready);
  const owner = await node.client.get(nodes, { name: "node-1" });
  expect(mirror.metadata).toMatchObject({ labels: { app: "web" }, ownerReferences: [{ kind: "Node", name: "node-1", uid: owner.metadata.uid!, controller: true }] });
  expect(mirror.metadata.annotations?.["kubernetes.io/config.mirror"]).toBe(mirror.metadata.annotations!["kubernetes.io/config.hash"]!);
  expect(mirror.status).toMatchObject({ phase: "Running", hostIP: "10.0.0.1" });
  await eventually(async () => expect(await logOf("web-node-1")).toBe("one\n"));
});

test("deleting it in the API only deletes what is shown: the container runs on, and is shown again", async () => {
  const before = await node.pod("web-node-1");
  await node.client.delete(pods, { namespace: "default", name: "web-node-1" });
  const after = await node.podWhen("web-node-1", (pod) => pod.metadata.uid !== before.metadata.uid && ready(pod));
  expect(idOf(after)).toBe(idOf(before));
});

test("a restart of the kubelet changes nothing", async () => {
  const before = await node.pod("web-node-1");
  await node.restartKubelet();
  const after = await node.podWhen("web-node-1", ready);
  expect([after.metadata.uid, idOf(after), after.status?.containerStatuses?.[0]?.restartCount]).toEqual([before.metadata.uid, idOf(before), 0]);
});

test("a file that makes no sense for a while leaves the pod alone; changed, it is another pod, after the old one has ended", async () => {
  const before = await node.pod("web-node-1");
  writeFileSync(join(node.staticPodPath, "web.yaml"), "kind: [");
  put("other.yaml", "other");
  await eventually(async () => expect(await running()).toContain("other-node-1"));
  expect(idOf(await node.pod("web-node-1"))).toBe(idOf(before));
  put("web.yaml", "web", "two");
  const after = await node.podWhen("web-node-1", (pod) => pod.metadata.uid !== before.metadata.uid && ready(pod));
  expect(idOf(after)).not.toBe(idOf(before));
  await eventually(async () => expect(await logOf("web-node-1")).toBe("two\n"));
  expect((await running()).filter((name) => name === "web-node-1")).toHaveLength(1);
});

test("files that came and went while no kubelet ran", async () => {
  await node.restartKubelet(async () => {
    remove("other.yaml");
    put("third.yaml", "third");
  });
  await node.podWhen("third-node-1", ready);
  await node.gone("other-node-1");
  await eventually(async () => expect((await running()).sort()).toEqual(["third-node-1", "web-node-1"]));
});

test("without its file the pod ends, and is shown no more", async () => {
  remove("web.yaml");
  remove("third.yaml");
  await node.gone("web-node-1");
  await node.gone("third-node-1");
  await eventually(async () => expect(await running()).toEqual([]));
});
