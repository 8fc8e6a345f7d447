import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, existsSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ContainerStatus } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { deployment, pod, shell, webServer } from "../support/workloads.ts";

setDefaultTimeout(300_000);

const mib = 2 ** 20;
let cluster: TestCluster;
let edge: ClusterMember;
beforeAll(async () => {
  cluster = await startCluster({ server: { machine: { diskBytes: 250 * mib } }, agents: [{ name: "edge", machine: { diskBytes: 200 * mib } }] });
  edge = cluster.member("edge");
  await cluster.kubectl("create", "configmap", "greeting", "--from-literal=text=hello");
  const env = [{ name: "TEXT", valueFrom: { configMapKeyRef: { name: "greeting", key: "text" } } }];
  const onEdge = { nodeSelector: { "kubernetes.io/hostname": "edge" } };
  await cluster.kubectl.apply(deployment("web", 2, webServer("mkdir /www; echo $TEXT > /www/index.html", { env }), onEdge), pod("clock", shell("while date; do sleep 1; done"), onEdge));
  await eventually(async () => expect((await containers()).map(({ ready }) => ready)).toEqual([true, true, true]), { timeout: 90_000, interval: 200 });
  // Set aside soon after the start, for there is plenty of room.
  for (const { node } of [edge, cluster.server]) await eventually(() => expect(statSync(node.layout.reserveFile).size).toBeGreaterThan(mib), { timeout: 60_000, interval: 100 });
});
afterAll(() => cluster.dispose());

const containers = async (): Promise<ContainerStatus[]> => (await cluster.kubectl.items("pods")).flatMap(({ status }) => (status.containerStatuses ?? []) as ContainerStatus[]);
const ids = async (): Promise<string[]> => (await containers()).map(({ containerID }) => containerID!).sort();
function fillDisk({ node: { disk } }: ClusterMember = edge): void {
  const free = (): number => statfsSync(disk).bavail;
  // What runs there may give some back meanwhile.
  for (let round = 0; round < 100 && free() > 0; round++) {
    for (const bytes of [mib, 4096, 1]) {
      try {
        for (;;) appendFileSync(join(disk, "filler"), Buffer.alloc(bytes));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
      }
    }
  }
  expect(free()).toBe(0);
}
async function untilPressed(): Promise<void> {
  await eventually(async () => {
    const node = (await cluster.kubectl.items("nodes")).find(({ metadata }) => metadata.name === "edge")!;
    expect(node.status.conditions).toContainEqual(expect.objectContaining({ type: "DiskPressure", status: "True" }));
    expect(node.status.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
  }, { timeout: 60_000, interval: 200 }).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}\n${edge.log(60)}`, { cause: error });
  });
}

test("an agent that starts with a full disk finds its pods as they are, and ends none of them, for they have not filled it", async () => {
  const before = await ids();
  fillDisk();
  await untilPressed();
  await edge.kill9();
  fillDisk();
  const told = edge.log().length;
  edge.start();
  await eventually(() => expect(edge.log().slice(told)).toContain("no pod can be ended for it"), { timeout: 60_000, interval: 100 });
  await untilPressed();
  expect(await ids()).toEqual(before);
  expect((await containers()).map(({ ready, restartCount }) => [ready, restartCount])).toEqual([[true, 0], [true, 0], [true, 0]]);
});

test("after a power cut, all that ran runs again, though the disk is as full as before", async () => {
  await edge.node.powerCut();
  fillDisk();
  await edge.boot();
  await eventually(async () => expect((await containers()).map(({ ready, restartCount }) => [ready, restartCount])).toEqual([[true, 1], [true, 1], [true, 1]]), { timeout: 120_000, interval: 200 })
    .catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\n${edge.log(60)}`, { cause: error });
    });
});

test("with room again, new pods are made, and a start sets aside anew what was given", async () => {
  const given = statSync(edge.node.layout.reserveFile).size;
  rmSync(join(edge.node.disk, "filler"));
  await edge.kill9();
  edge.start();
  await eventually(() => expect(statSync(edge.node.layout.reserveFile).size).toBeGreaterThan(given), { timeout: 60_000, interval: 100 });
  // Told of for five minutes by a kubelet that has seen it; this one has not.
  await cluster.kubectl("scale", "deployment", "web", "--replicas=3");
  await cluster.kubectl("rollout", "status", "deployment", "web", "--timeout=120s");
});

test("a server that starts with a full disk serves and deletes, says why it takes nothing new, and does again when there is room", async () => {
  await cluster.kubectl("create", "configmap", "before", "--from-literal=a=b");
  fillDisk(cluster.server);
  await cluster.server.kill9();
  fillDisk(cluster.server);
  cluster.server.start();
  await cluster.untilApiReady();
  await cluster.untilReady();
  expect((await cluster.kubectl.get("configmap", "before")).data).toEqual({ a: "b" });
  const create = (): Promise<string> => cluster.kubectl("create", "configmap", "after", "--from-literal=a=b");
  expect(await create().catch((error: Error) => error.message)).toMatch(/the server can't store more: the disk of \S+ is full, .*free some space/);
  await cluster.kubectl("delete", "configmap", "before");
  rmSync(join(cluster.server.node.disk, "filler"));
  await eventually(create, { timeout: 60_000, interval: 500 });
});

test("what an evicted pod has written is gone at once, also while no server is in reach; the server hears of it later", async () => {
  const volume = { volumes: [{ name: "scratch", emptyDir: { sizeLimit: "1Mi" } }], nodeSelector: { "kubernetes.io/hostname": "edge" } };
  // Writes when it is told to.
  const script = "until [ -e /scratch/now ]; do sleep 0.1; done; head -c 3000000 /dev/zero > /scratch/x; sleep 10000";
  await cluster.kubectl.apply(pod("hoarder", shell(script, { volumeMounts: [{ name: "scratch", mountPath: "/scratch" }] }), volume));
  await cluster.kubectl.untilPod("hoarder", ({ phase }) => expect(phase).toBe("Running"));
  const { uid } = (await cluster.kubectl.get("pod", "hoarder")).metadata;
  const scratch = join(edge.node.layout.agentDir, "kubelet/pods", uid, "volumes/kubernetes.io~empty-dir/scratch");
  edge.node.unplug();
  appendFileSync(join(scratch, "now"), "");
  await eventually(() => expect(existsSync(join(scratch, "x")) || !existsSync(scratch)).toBe(true));
  await eventually(() => expect(existsSync(scratch)).toBe(false), { timeout: 90_000, interval: 100 });
  edge.node.plug();
  await cluster.kubectl.untilPod("hoarder", ({ phase, reason }) => expect([phase, reason]).toEqual(["Failed", "Evicted"]), 90_000);
});
