import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GrpcChannel } from "../../src/base/grpc/channel.ts";
import { podResourcesCodec, podResourcesPath } from "../../agents/kubelet/devices/pod-resources.ts";
import { nodes, pods } from "../../src/apis/builtins.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { startDevicePlugin, type TestDevicePlugin } from "../support/device-plugin.ts";
import { eventually } from "../support/eventually.ts";
import { nodeName, startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);

/** Device plugins over the real protocol, with real containers. */
const resource = "example.com/null";
const shared = mkdtempSync(join(tmpdir(), "skiff-device-"));
let node: KubeletNode, directory = "";
const running: TestDevicePlugin[] = [];

const healthy = (...ids: string[]) => ids.map((id) => ({ id, health: "Healthy" }));
const plugin = async (...ids: string[]): Promise<TestDevicePlugin> => {
  const started = await startDevicePlugin({
    directory, resource, options: { preStartRequired: true, getPreferredAllocationAvailable: true }, preferred: (available, size) => available.toReversed().slice(0, size),
    grant: (granted) => ({
      envs: { GIVEN: granted.join(), OWN: "the plugin's" }, annotations: { "example.com/given": granted.join() }, devices: [{ hostPath: "/dev/null", containerPath: "/dev/given", permissions: "rw" }],
      mounts: [{ hostPath: shared, containerPath: "/given", readOnly: true }],
    }),
  }, ...healthy(...ids));
  running.push(started);
  return started;
};

beforeAll(async () => {
  writeFileSync(join(shared, "file"), "from the host");
  node = await startKubeletNode();
  directory = join(node.rootDir, "device-plugins");
});
afterAll(async () => {
  for (const each of running) each.stop();
  await node?.[Symbol.asyncDispose]();
  rmSync(shared, { recursive: true });
});

const counts = async (): Promise<[capacity: unknown, allocatable: unknown]> => {
  const { status } = await node.client.get(nodes, { name: nodeName });
  return [status?.capacity?.[resource], status?.allocatable?.[resource]];
};
const untilCounts = (capacity: string, allocatable: string): Promise<void> => eventually(async () => expect(await counts()).toEqual([capacity, allocatable]));

const wanting = (name: string, count: string, command: string): Promise<Pod> =>
  node.createPod(name, { restartPolicy: "Never", containers: [{ name: "c", command: ["sh", "-c", command], env: [{ name: "OWN", value: "its own" }], resources: { limits: { [resource]: count } } }] });
const remove = async (name: string): Promise<void> => {
  await node.client.delete(pods, { namespace: node.namespace, name });
  await node.gone(name);
};

describe("a device plugin", () => {
  test("registers, and the node has what it offers", async () => {
    const first = await plugin("a", "b", "c");
    await untilCounts("3", "3");
    first.tell(...healthy("a", "b"), { id: "c", health: "Unhealthy" });
    await untilCounts("3", "2");
    first.tell(...healthy("a", "b", "c"));
    await untilCounts("3", "3");
  });

  test("is refused with words when it can't be used", async () => {
    await expect(startDevicePlugin({ directory, resource, version: "v1" })).rejects.toThrow("requested API version \"v1\" is not supported by kubelet");
    await expect(startDevicePlugin({ directory, resource: "kubernetes.io/none" })).rejects.toThrow('the ResourceName "kubernetes.io/none" is invalid');
  });

  test("gives containers devices, files and variables, as it prefers", async () => {
    const [first] = running;
    first!.asked.length = 0;
    await wanting("taker", "2", 'echo "$GIVEN, $OWN, $(cat /given/file)"; test -c /dev/given && echo x > /dev/given && echo written; sleep 1000');
    const taker = await node.podWhen("taker", ({ status }) => status?.phase === "Running");
    expect(first!.asked).toEqual(["GetPreferredAllocation a,b,c 2", "Allocate c,b", "PreStartContainer c,b"]);
    await eventually(async () => expect((await node.logs(`/containerLogs/default/taker/c`)).body).toBe("c,b, its own, from the host\nwritten\n"));
    expect(taker.status!.containerStatuses![0]!.allocatedResourcesStatus).toEqual([{ name: resource, resources: [{ resourceID: "c", health: "Healthy" }, { resourceID: "b", health: "Healthy" }] }]);
  });

  test("is told of, with who has what, to whoever asks on the machine", async () => {
    const channel = new GrpcChannel(join(node.rootDir, "pod-resources/kubelet.sock"));
    const ask = async (method: string, request: string, response: string, body = {}): Promise<any> => podResourcesCodec.decode(response, await channel.unary(podResourcesPath(method), podResourcesCodec.encode(request, body), { timeoutMs: 30_000 }));
    const taker = { name: "taker", namespace: "default", containers: [{ name: "c", devices: [{ resourceName: resource, deviceIds: ["c", "b"] }] }] };
    expect(await ask("List", "ListPodResourcesRequest", "ListPodResourcesResponse")).toEqual({ podResources: [taker] });
    expect(await ask("Get", "GetPodResourcesRequest", "GetPodResourcesResponse", { podName: "taker", podNamespace: "default" })).toEqual({ podResources: taker });
    const unknown = await ask("Get", "GetPodResourcesRequest", "GetPodResourcesResponse", { podName: "nobody", podNamespace: "default" }).catch((error: Error) => error.message);
    expect(unknown).toBe("pod nobody in namespace default not found");
    expect(await ask("GetAllocatableResources", "AllocatableResourcesRequest", "AllocatableResourcesResponse")).toEqual({ devices: [{ resourceName: resource, deviceIds: ["a", "b", "c"] }] });
    channel.close();
  });

  test("has fewer than a pod wants: the pod fails, and says why", async () => {
    await wanting("greedy", "2", "true");
    const greedy = await node.podWhen("greedy", ({ status }) => status?.phase === "Failed");
    expect(greedy.status).toMatchObject({ reason: "UnexpectedAdmissionError", message: expect.stringContaining(`Allocate failed due to requested number of devices unavailable for ${resource}. Requested: 2, Available: 1, which is unexpected`) });
    await remove("greedy");
  });

  test("says that a device is broken: its pod says so too", async () => {
    running[0]!.tell(...healthy("a", "b"), { id: "c", health: "Unhealthy" });
    await node.podWhen("taker", ({ status }) => status?.containerStatuses?.[0]?.allocatedResourcesStatus?.[0]?.resources?.[0]?.health === "Unhealthy");
    running[0]!.tell(...healthy("a", "b", "c"));
    await node.podWhen("taker", ({ status }) => status?.containerStatuses?.[0]?.allocatedResourcesStatus?.[0]?.resources?.[0]?.health === "Healthy");
  });

  test("a kubelet that restarts knows who has what, and waits for plugins to register again", async () => {
    await node.restartKubelet();
    await untilCounts("0", "0");
    const again = await plugin("a", "b", "c");
    await untilCounts("3", "3");
    await wanting("other", "1", "echo $GIVEN; sleep 1000");
    await node.podWhen("other", ({ status }) => status?.phase === "Running");
    expect(again.asked).toContain("Allocate a");
    expect((await node.pod("taker")).status!.containerStatuses![0]).toMatchObject({ restartCount: 0, allocatedResourcesStatus: [{ resources: [{ resourceID: "c" }, { resourceID: "b" }] }] });
  });

  test("gets devices back from pods that have ended", async () => {
    await Promise.all([remove("taker"), remove("other")]);
    await wanting("all", "3", "echo $GIVEN");
    await node.podWhen("all", ({ status }) => status?.phase === "Succeeded");
    await wanting("all-again", "3", "true");
    await node.podWhen("all-again", ({ status }) => status?.phase === "Succeeded");
  });

  test("that goes away takes its devices along", async () => {
    running.at(-1)!.stop();
    await untilCounts("3", "0");
    await wanting("late", "1", "true");
    await node.podWhen("late", ({ status }) => status?.reason === "UnexpectedAdmissionError" && status.message?.includes("no healthy devices present"));
  });
});

test("resources that an administrator wrote stay the administrator's", async () => {
  await node.client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { status: { capacity: { "example.com/dongle": "2" } } } }, { subresource: "status" });
  await eventually(async () => expect((await node.client.get(nodes, { name: nodeName })).status!.allocatable!["example.com/dongle"]).toBe("2"));
});
