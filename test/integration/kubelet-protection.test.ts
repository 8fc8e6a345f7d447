import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountsBelow } from "../../agents/kubelet/volumes/mount.ts";
import { events, nodes, pods } from "../../src/apis/builtins.ts";
import type { Event, Node, Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { startFakeLogind } from "../support/fake-logind.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());
afterEach(async () => {
  for (const { metadata } of (await node.client.list(pods, { namespace: "default" })).items) await node.client.delete(pods, { namespace: "default", name: metadata.name! }, { gracePeriodSeconds: 0 });
});

const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];
const plain = (more: Partial<PodSpec> = {}): Partial<PodSpec> => ({ ...more, containers: [{ name: "main", command: forever, ...more.containers?.[0] }] });
const running = (pod: Pod): boolean => pod.status?.containerStatuses?.every(({ state }) => state?.running) === true;
const failed = (pod: Pod): boolean => pod.status?.phase === "Failed";
const condition = (object: Node | Pod, type: string) => object.status?.conditions?.find((each) => each.type === type);
const nodeWhen = (check: (found: Node) => void): Promise<void> => eventually(async () => check(await node.client.get(nodes, { name: "node-1" }) as Node));
const nodeEvents = async (): Promise<string[]> => ((await node.client.list(events, {})).items as Event[]).filter(({ involvedObject }) => involvedObject.kind === "Node").map(({ reason, message }) => `${reason}: ${message}`);

test("a pod that writes more into its emptyDir than it may is evicted", async () => {
  await node.createPod("hoarder", plain({ volumes: [{ name: "scratch", emptyDir: { sizeLimit: "1Mi" } }], containers: [{ name: "main", command: ["sh", "-c", `head -c 3000000 /dev/zero > /scratch/x; ${forever[2]}`], volumeMounts: [{ name: "scratch", mountPath: "/scratch" }] }] }));
  await node.createPod("modest", plain({ volumes: [{ name: "scratch", emptyDir: { sizeLimit: "1Mi" } }] }));
  const pod = await node.podWhen("hoarder", failed);
  expect(pod.status).toMatchObject({ phase: "Failed", reason: "Evicted", message: 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ' });
  expect(running(await node.pod("modest"))).toBe(true);
  await eventually(async () => expect((await node.events("hoarder")).map(({ reason }) => reason)).toContain("Evicted"));
});

test("a container that fills its own layer beyond its limit is evicted with its pod", async () => {
  const resources = { limits: { "ephemeral-storage": "1Mi" } };
  await node.createPod("scribbler", plain({ containers: [{ name: "main", command: ["sh", "-c", `head -c 3000000 /dev/zero > /x; ${forever[2]}`], resources }] }));
  const pod = await node.podWhen("scribbler", failed);
  expect(pod.status).toMatchObject({ reason: "Evicted", message: "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. " });
});

test("under memory pressure pods go, critical ones stay; the next kubelet, killed or not, goes on with it", async () => {
  await node.createPod("first", plain());
  await node.createPod("second", plain());
  await node.createPod("critical", plain({ priority: 2_000_000_000, priorityClassName: "system-cluster-critical" }));
  await node.podWhen("first", running);
  await node.podWhen("second", running);
  await node.podWhen("critical", running);
  node.next.settings = { evictionHard: ["memory.available<1000Ti"], evictionPressureTransitionPeriod: 0 };
  await node.restartKubelet();
  await nodeWhen((found) => expect(condition(found, "MemoryPressure")).toMatchObject({ status: "True", reason: "KubeletHasInsufficientMemory" }));
  const evicted = async (): Promise<number> => (await Promise.all(["first", "second"].map((name) => node.pod(name)))).filter(failed).length;
  await eventually(async () => expect(await evicted()).toBeGreaterThan(0));
  await node.restartKubelet();
  await eventually(async () => expect(await evicted()).toBe(2));
  expect(running(await node.pod("critical"))).toBe(true);
  const pod = await node.pod("first");
  expect(pod.status?.reason).toBe("Evicted");
  expect(pod.status?.message).toStartWith("The node was low on resource: memory. Threshold quantity: 1000Ti, available: ");
  expect(condition(pod, "DisruptionTarget")).toMatchObject({ status: "True", reason: "TerminationByKubelet", message: pod.status!.message! });
  await eventually(async () => expect(await nodeEvents()).toContain("EvictionThresholdMet: Attempting to reclaim memory"));

  await node.createPod("late", plain());
  expect((await node.podWhen("late", failed)).status).toMatchObject({ reason: "Evicted", message: "Pod was rejected: The node had condition: [MemoryPressure]. " });

  node.next.settings = {};
  await node.restartKubelet();
  await nodeWhen((found) => expect(condition(found, "MemoryPressure")?.status).toBe("False"));
});

test("what an evicted pod had in memory is free before the next one is chosen, though the API hears nothing of the first", async () => {
  const memory = plain({ volumes: [{ name: "scratch", emptyDir: { medium: "Memory" } }], containers: [{ name: "main", volumeMounts: [{ name: "scratch", mountPath: "/scratch" }] }] });
  const uids = await Promise.all(["first", "second"].map(async (name) => (await node.createPod(name, memory)).metadata.uid!));
  await node.podWhen("first", running);
  await node.podWhen("second", running);
  const mounted = (uid: string): boolean => mountsBelow(join(node.rootDir, "pods", uid)).length > 0;
  expect(uids.map(mounted)).toEqual([true, true]);

  const evicted: string[] = [], kept: string[] = [];
  const release = Promise.withResolvers<void>();
  node.next = {
    settings: { evictionHard: ["memory.available<1000Ti"], evictionPressureTransitionPeriod: 0 },
    recorder: {
      // Told at the moment in which a pod is chosen.
      event({ uid = "" }: { uid?: string }, _, reason) {
        if (reason !== "Evicted") return;
        kept.push(...evicted.filter(mounted));
        evicted.push(uid);
      },
    },
    client: {
      ...node.client,
      async patch(resource, key, patch, options) {
        if (options?.subresource === "status" && resource.resource === pods.resource && evicted.length > 0) await release.promise;
        return node.client.patch(resource, key, patch, options);
      },
    },
  };
  try {
    await node.restartKubelet();
    // The next is chosen without the API; were it chosen after thirty seconds, the first would have kept what it had.
    await eventually(() => expect(evicted).toHaveLength(2));
    expect(evicted.toSorted()).toEqual(uids.toSorted());
    expect(kept).toEqual([]);
  } finally {
    release.resolve();
    node.next = {};
    await node.restartKubelet();
  }
});

test("when the machine goes down pods end in time, the node says so, and takes no more until it stays up after all", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-logind-"));
  const logind = await startFakeLogind(directory);
  try {
    node.next = { settings: { shutdownGracePeriod: 20_000, shutdownGracePeriodCriticalPods: 5000 }, logind: { socket: logind.socket, configDirectory: logind.configDirectory, inhibit: () => logind.inhibit() } };
    await node.restartKubelet();
    await node.createPod("worker", plain({ terminationGracePeriodSeconds: 10 }));
    await node.podWhen("worker", running);
    await eventually(() => expect([logind.locks, logind.delay]).toEqual([1, 20]));

    logind.announce(true);
    const ended = await node.podWhen("worker", failed);
    expect(ended.status).toMatchObject({ reason: "Terminated", message: "Pod was terminated in response to imminent node shutdown." });
    expect(condition(ended, "DisruptionTarget")?.reason).toBe("TerminationByKubelet");
    expect(ended.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(0);
    await eventually(() => expect(logind.locks).toBe(0));
    await nodeWhen((found) => expect(condition(found, "Ready")).toMatchObject({ status: "False", reason: "KubeletNotReady", message: "node is shutting down" }));
    await node.createPod("late", plain());
    expect((await node.podWhen("late", failed)).status).toMatchObject({ reason: "NodeShutdown", message: "Pod was rejected: Pod was rejected as the node is shutting down." });

    logind.announce(false);
    await nodeWhen((found) => expect(condition(found, "Ready")?.status).toBe("True"));
    await eventually(() => expect(logind.locks).toBe(1));
    await node.createPod("again", plain());
    await node.podWhen("again", running);
  } finally {
    node.next = {};
    await node.restartKubelet();
    await logind[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  }
});
