import { expect, test } from "bun:test";
import { hollowNodes } from "../../agents/hollow/hollow.ts";
import { deployments, events, leases, nodes, pods } from "../../src/apis/builtins.ts";
import type { Deployment } from "../../src/apis/generated/apps/v1.ts";
import type { Event, Node, Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import type { Lease } from "../../src/apis/generated/coordination/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hollowCluster, type HollowCluster } from "../support/hollow-cluster.ts";
import { quiet } from "../support/quiet.ts";

const namespace = "default";
const create = ({ client }: HollowCluster, name: string, spec: Partial<PodSpec> = {}, annotations: Record<string, string> = {}): Promise<unknown> =>
  client.create<Pod>(pods, { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, annotations }, spec: { containers: [{ name: "main", image: "app:1" }], ...spec } });
const isReady = (pod: Pod): boolean => pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
const readyOf = (cluster: HollowCluster, name: string) => cluster.list<Node>(nodes).find(({ metadata }) => metadata.name === name)?.status?.conditions?.find(({ type }) => type === "Ready");

test("nodes are what they were asked to be, and a Deployment runs on them", async () => {
  await using cluster = await hollowCluster({ nodes: [{ name: "big", zone: "north", resources: { cpu: "64", "example.com/foo": "2" }, labels: { disk: "ssd" } }, { name: "small", zone: "south" }] });
  const big = cluster.list<Node>(nodes).find(({ metadata }) => metadata.name === "big")!;
  expect(big.metadata.labels).toMatchObject({ "kubernetes.io/hostname": "big", "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": "north", disk: "ssd" });
  expect(big.status!.allocatable).toMatchObject({ cpu: "64", memory: "8Gi", "example.com/foo": "2", pods: "110" });
  expect(cluster.list<Lease>(leases, "kube-node-lease").map(({ metadata, spec }) => [metadata.name, spec?.holderIdentity]).toSorted()).toEqual([["big", "big"], ["small", "small"]]);
  await cluster.client.create<Deployment>(deployments, {
    apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace },
    spec: { replicas: 30, selector: { matchLabels: { app: "web" } }, template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "app:1" }] } } },
  });
  await eventually(() => expect(cluster.list<Deployment>(deployments)[0]!.status?.availableReplicas).toBe(30));
  expect(new Set(cluster.pods(namespace).map(({ status }) => status!.podIP)).size).toBe(30);
});

test("pods that do not fit a node are rejected by it", async () => {
  await using cluster = await hollowCluster({ nodes: [{ name: "only", resources: { cpu: "1" } }], scheduler: false });
  const asks = (cpu: string, hostPort?: number): Partial<PodSpec> => ({ nodeName: "only", containers: [{ name: "main", image: "app:1", resources: { requests: { cpu } }, ports: hostPort ? [{ containerPort: hostPort, hostPort }] : [] }] });
  await create(cluster, "first", asks("800m", 8080));
  await cluster.podWhen("first", isReady);
  await create(cluster, "large", asks("500m"));
  await create(cluster, "clashing", asks("100m", 8080));
  const large = await cluster.podWhen("large", ({ status }) => status?.phase === "Failed"), clashing = await cluster.podWhen("clashing", ({ status }) => status?.phase === "Failed");
  expect(large.status).toMatchObject({ reason: "OutOfcpu", message: "Pod was rejected: Node didn't have enough resource: cpu, requested: 500, used: 800, capacity: 1000" });
  expect(clashing.status).toMatchObject({ reason: "NodePorts", message: "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" });
  await eventually(() => expect(cluster.list<Event>(events).map(({ reason }) => reason).filter((reason) => /OutOf|NodePorts/.test(reason!)).toSorted()).toEqual(["NodePorts", "OutOfcpu"]));
  // Room is given back when a pod has gone, and those rejected can be deleted.
  for (const name of ["first", "large", "clashing"]) await cluster.client.delete(pods, { namespace, name });
  for (const name of ["first", "large", "clashing"]) await cluster.podGone(name);
  await create(cluster, "second", asks("800m", 8080));
  await cluster.podWhen("second", isReady);
});

test("restarts wait as long as a kubelet would, on a clock of the test's own", async () => {
  const clock = new FakeClock();
  await using cluster = await hollowCluster({ nodes: 1, clock, select: ({ name }) => name === "service-account-controller", scheduler: false });
  await create(cluster, "flaky", { nodeName: "node-0", restartPolicy: "OnFailure" }, { "hollow.skiff/exit": "1, 1, 1, 0" });
  const restarts = async (count: number): Promise<Pod> => {
    await cluster.podWhen("flaky", ({ status }) => status?.containerStatuses?.[0]?.restartCount === count && status.containerStatuses[0].state?.running === undefined);
    await quiet(cluster);
    return cluster.pods(namespace)[0]!;
  };
  await restarts(1);
  await clock.advance(9000);
  expect((await restarts(1)).status!.containerStatuses![0]!.state!.waiting!.message).toStartWith("back-off 10s restarting");
  await clock.advance(1000);
  await restarts(2);
  clock.jump(-3600_000);
  await clock.advance(20_000);
  const pod = await restarts(3);
  expect(pod.status).toMatchObject({ phase: "Succeeded", containerStatuses: [{ state: { terminated: { exitCode: 0 } } }] });
});

test("what a test does to pods: unready, a container that ends, eviction", async () => {
  await using cluster = await hollowCluster({ nodes: 1 });
  await create(cluster, "victim");
  await cluster.podWhen("victim", isReady);
  cluster.hollow.setPodReady(`${namespace}/victim`, false);
  await cluster.podWhen("victim", (pod) => !isReady(pod));
  cluster.hollow.setPodReady(`${namespace}/victim`, undefined);
  await cluster.podWhen("victim", isReady);
  cluster.hollow.exitContainer(`${namespace}/victim`, "main", 137, "OOMKilled");
  const restarted = await cluster.podWhen("victim", ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
  expect(restarted.status!.containerStatuses![0]!.lastState!.terminated).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  await cluster.hollow.evictPod(`${namespace}/victim`, "The node was low on resource: memory.");
  const evicted = await cluster.podWhen("victim", ({ status }) => status?.phase === "Failed");
  expect(evicted.status).toMatchObject({ reason: "Evicted", message: "The node was low on resource: memory." });
  expect(evicted.status!.conditions!.find(({ type }) => type === "DisruptionTarget")).toMatchObject({ status: "True", reason: "TerminationByKubelet" });
  expect(() => cluster.hollow.failPod("default/nobody", { reason: "", message: "" })).toThrow("no hollow node runs a pod default/nobody");
});

test("a stopped node says and does nothing, and then goes on", async () => {
  await using cluster = await hollowCluster({ nodes: 2, select: ({ name }) => name !== "node-controller" });
  await create(cluster, "there", { nodeName: "node-0" });
  await cluster.podWhen("there", isReady);
  cluster.hollow.stopNode("node-0");
  await cluster.client.delete(pods, { namespace, name: "there" });
  await create(cluster, "late", { nodeName: "node-0" });
  await create(cluster, "elsewhere", { nodeName: "node-1" });
  await cluster.podWhen("elsewhere", isReady);
  expect(cluster.pods(namespace).find(({ metadata }) => metadata.name === "late")!.status!.phase).toBe("Pending");
  expect(cluster.pods(namespace).map(({ metadata }) => metadata.name)).toContain("there");
  cluster.hollow.startNode("node-0");
  await cluster.podWhen("late", isReady);
  await cluster.podGone("there");
});

test("a node that was taken for dead says that it is not; troubles are told; a removed one is gone", async () => {
  await using cluster = await hollowCluster({ nodes: 2, select: ({ name }) => name === "service-account-controller", scheduler: false });
  const unknown = { type: "Ready", status: "Unknown", reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." };
  await cluster.client.patch(nodes, { name: "node-0" }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: [unknown] } } }, { subresource: "status" });
  await eventually(() => expect(readyOf(cluster, "node-0")).toMatchObject({ status: "True", reason: "KubeletReady" }));
  cluster.hollow.setTroubles("node-0", { notReady: "it is on fire" });
  await eventually(() => expect(readyOf(cluster, "node-0")).toMatchObject({ status: "False", reason: "KubeletNotReady", message: "[container runtime is down: it is on fire]" }));
  await cluster.hollow.removeNode("node-1");
  expect(cluster.list<Node>(nodes).map(({ metadata }) => metadata.name)).toEqual(["node-0"]);
  cluster.hollow.addNode({ name: "node-2" });
  await eventually(() => expect(readyOf(cluster, "node-2")?.status).toBe("True"));
});

test("resources that an administrator gives a node can be asked for, until they are taken back", async () => {
  await using cluster = await hollowCluster({ nodes: 1 });
  const give = (amount: string | null): Promise<unknown> => cluster.client.patch(nodes, { name: "node-0" }, { type: "application/merge-patch+json", body: { status: { capacity: { "example.com/dongle": amount } } } }, { subresource: "status" });
  const allocatable = () => cluster.list<Node>(nodes)[0]!.status!.allocatable!["example.com/dongle"];
  const resources = { requests: { "example.com/dongle": "2" }, limits: { "example.com/dongle": "2" } };
  await give("2");
  await create(cluster, "plugged", { containers: [{ name: "main", image: "app:1", resources }] });
  await cluster.podWhen("plugged", isReady);
  expect(allocatable()).toBe("2");
  await give(null);
  await eventually(() => expect(allocatable()).toBeUndefined());
});

test("another player takes over where the first has left", async () => {
  await using cluster = await hollowCluster({ nodes: 0, scheduler: false });
  const play = (): { stop(): Promise<void>; ready: Promise<void> } => {
    const stop = new AbortController();
    const hollow = hollowNodes({ client: cluster.client, informers: cluster.informers, clock: systemClock, nodes: [{ name: "node-0" }] });
    const running = hollow.run(stop.signal);
    return { ready: hollow.ready, stop: () => (stop.abort(), running) };
  };
  const first = play();
  await first.ready;
  await create(cluster, "kept", { nodeName: "node-0", initContainers: [{ name: "init", image: "app:1", command: ["true"] }] });
  await create(cluster, "ended", { nodeName: "node-0", restartPolicy: "Never" }, { "hollow.skiff/exit": "4" });
  const before = await cluster.podWhen("kept", isReady);
  const ended = await cluster.podWhen("ended", ({ status }) => status?.phase === "Failed");
  await first.stop();
  const second = play();
  await second.ready;
  await create(cluster, "new", { nodeName: "node-0" });
  const other = await cluster.podWhen("new", isReady);
  expect((await cluster.podWhen("kept", () => true)).status).toEqual(before.status!);
  expect((await cluster.podWhen("ended", () => true)).metadata.resourceVersion).toBe(ended.metadata.resourceVersion!);
  expect(other.status!.podIP).not.toBe(before.status!.podIP);
  await cluster.client.delete(pods, { namespace, name: "kept" });
  await cluster.podGone("kept");
  await second.stop();
});
