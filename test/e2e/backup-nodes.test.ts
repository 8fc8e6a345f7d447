import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { startCluster } from "../support/node/cluster.ts";
import { skiffExecutable } from "../support/skiff.ts";
import { pod, shell } from "../support/workloads.ts";

setDefaultTimeout(300_000);

const cluster = await startCluster({ agents: 1 });
afterAll(() => cluster.dispose());
const { kubectl, server } = cluster, { node } = server;
const file = join(node.disk, "cluster.tar");
const skiff = (...args: string[]): Promise<string> => node.run([skiffExecutable(), ...args, "--data-dir", node.layout.dataDir, "--config", join(node.disk, "config.yaml")]);

/** Which container runs in a pod, and how often it was begun anew. */
const lifeOf = (found: KubeJson) => ({ uid: found.metadata.uid, container: found.status.containerStatuses[0].containerID, restarts: found.status.containerStatuses[0].restartCount, phase: found.status.phase });
const nodesOfPods = ["server", "agent-1"];

test("back in its own place, a cluster finds its nodes and the pods that ran all the while, and ends those it knows nothing of", async () => {
  await kubectl.apply(...nodesOfPods.map((name) => pod(`steady-${name}`, shell("exec sleep 1000000"), { nodeName: name })));
  await kubectl("wait", "--for=condition=Ready", ...nodesOfPods.map((name) => `pod/steady-${name}`), "--timeout=90s");
  const before = (await kubectl.items("pods")).map(lifeOf);
  await skiff("backup", "--output", file);

  await kubectl.apply(...nodesOfPods.map((name) => pod(`later-${name}`, shell("exec sleep 1000000"), { nodeName: name })));
  await kubectl("wait", "--for=condition=Ready", ...nodesOfPods.map((name) => `pod/later-${name}`), "--timeout=90s");
  const later = (await kubectl.items("pods")).filter(({ metadata }) => metadata.name.startsWith("later")).map(({ metadata }) => metadata.uid as string);
  const running = async (name: string): Promise<string> => (await cluster.member(name).node.exec(["ctr", "--address", join(cluster.member(name).node.layout.runDir, "containerd.sock"), "--namespace", "k8s.io", "containers", "list"])).stdout;
  const sandboxes = async (): Promise<string> => (await Promise.all(nodesOfPods.map((name) => running(name)))).join("");
  const containers = (await sandboxes()).split("\n").length;

  await server.stop();
  await skiff("restore", file, "--force");
  server.start();
  await cluster.untilApiReady();
  await cluster.untilReady();

  await eventually(async () => {
    const pods = await kubectl.items("pods");
    expect(pods.map(({ metadata }) => metadata.name).sort()).toEqual(nodesOfPods.map((name) => `steady-${name}`).sort());
    expect(pods.map(lifeOf)).toEqual(before);
    // Two pods are two sandboxes and two containers.
    expect((await sandboxes()).split("\n").length).toBe(containers - 2 * later.length);
  }, { timeout: 90_000, interval: 500 });

  await kubectl.apply(...nodesOfPods.map((name) => pod(`after-${name}`, shell("exec sleep 1000000"), { nodeName: name })));
  await kubectl("wait", "--for=condition=Ready", ...nodesOfPods.map((name) => `pod/after-${name}`), "--timeout=90s");
  expect(await kubectl("exec", "steady-agent-1", "--", "echo", "there")).toBe("there\n");
});
