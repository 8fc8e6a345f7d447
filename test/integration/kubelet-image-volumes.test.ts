import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountsBelow } from "../../agents/kubelet/volumes/mount.ts";
import { pods } from "../../src/apis/builtins.ts";
import { eventually } from "../support/eventually.ts";
import { layeredImage } from "../support/images.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
const one = "localhost/one-layer:1", two = "localhost/two-layers:1";
let node: KubeletNode;

beforeAll(async () => {
  node = await startKubeletNode();
  const images = join(node.containerd.directory, "images");
  writeFileSync(join(images, "one.tar"), await layeredImage(one, [{ "etc/os-release": "one\n", "bin/tool": "tool\n" }]));
  writeFileSync(join(images, "two.tar"), await layeredImage(two, [{ "data/lower": "lower\n", "data/both": "lower\n" }, { "data/both": "upper\n" }]));
  await eventually(async () => {
    if (await node.containerd.importer.importAll() === "settling") throw new Error("the images are not imported");
  });
});
afterAll(() => node?.[Symbol.asyncDispose]());

const logOf = async (pod: string): Promise<string> => (await node.logs(`/containerLogs/default/${pod}/main`)).body;
const read = (script: string, volumeMounts: { name: string; mountPath: string; subPath?: string }[]) => ({ name: "main", command: ["sh", "-c", script], volumeMounts });

test("an image's files are there to read, of one layer and of several, with subPath", async () => {
  await node.createPod("reader", {
    restartPolicy: "Never", volumes: [{ name: "one", image: { reference: one, pullPolicy: "IfNotPresent" } }, { name: "two", image: { reference: two } }],
    containers: [read("cat /one/etc/os-release /one/bin/tool /two/data/lower /two/data/both /sub/lower; ls /sub; touch /one/x 2>&1; touch /two/x 2>&1", [{ name: "one", mountPath: "/one" }, { name: "two", mountPath: "/two" }, { name: "two", mountPath: "/sub", subPath: "data" }])],
  });
  const pod = await node.podWhen("reader", ({ status }) => status?.phase === "Failed");
  expect(await logOf("reader")).toBe("one\ntool\nlower\nupper\nlower\nboth\nlower\ntouch: /one/x: Read-only file system\ntouch: /two/x: Read-only file system\n");
  await node.client.delete(pods, { namespace: "default", name: "reader" });
  await node.gone("reader");
  await eventually(() => {
    expect(existsSync(join(node.rootDir, "pods", pod.metadata.uid!))).toBe(false);
    expect(mountsBelow(join(node.rootDir, "pods", pod.metadata.uid!))).toEqual([]);
  });
});

test("the files stay through a restart of the kubelet and of the container", async () => {
  await node.createPod("stays", { volumes: [{ name: "two", image: { reference: two } }], containers: [read("cat /two/data/both; exec sleep 10000", [{ name: "two", mountPath: "/two" }])] });
  await node.podWhen("stays", ({ status }) => status?.phase === "Running");
  await node.restartKubelet(async () => {
    const { containers = [] } = await node.containerd.runtime.runtime.listContainers({ filter: { labelSelector: { "io.kubernetes.pod.name": "stays" } } });
    await node.containerd.runtime.runtime.stopContainer({ containerId: containers[0]!.id!, timeout: 0 });
  });
  await node.podWhen("stays", ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1 && status.containerStatuses[0].ready);
  await eventually(async () => expect(await logOf("stays")).toBe("upper\n"));
  await node.client.delete(pods, { namespace: "default", name: "stays" });
  await node.gone("stays");
});

test("an image that can't be had holds up the containers that mount it, and those alone", async () => {
  await node.createPod("missing", {
    volumes: [{ name: "none", image: { reference: "localhost/none:1", pullPolicy: "Never" } }],
    containers: [read("sleep 10000", [{ name: "none", mountPath: "/none" }]), { name: "other", command: ["sleep", "10000"] }],
  });
  const pod = await node.podWhen("missing", ({ status }) => status?.containerStatuses?.some(({ name, state }) => name === "main" && state?.waiting?.reason === "ErrImageNeverPull") && status.containerStatuses.some(({ name, ready }) => name === "other" && ready));
  expect(pod.status?.containerStatuses?.find(({ name }) => name === "main")?.state?.waiting?.message).toBe('Container image "localhost/none:1" is not present with pull policy of Never');
});
