import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { nodeIpam } from "../../src/controllers/node-ipam/node-ipam.ts";
import { nodeLifecycle } from "../../src/controllers/node-lifecycle/node-lifecycle.ts";
import { taintEviction } from "../../src/controllers/node-lifecycle/taint-eviction.ts";
import { PodsByNode } from "../../src/controllers/pods-by-node.ts";
import { startRegistry } from "../../src/registry/testing/fixture.ts";
import { configmaps, deployments, events, leases, nodes, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Event, Node, Pod, Taint } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hollowCluster, type HollowCluster } from "../support/hollow-cluster.ts";

const namespace = "default";
const merge = "application/merge-patch+json";
const unreachable = "node.kubernetes.io/unreachable";

const node = (cluster: HollowCluster, name: string): Node => cluster.list<Node>(nodes).find(({ metadata }) => metadata.name === name)!;
const taints = (cluster: HollowCluster, name: string): string[] => (node(cluster, name).spec.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).toSorted();
const both = [`${unreachable}:NoExecute`, `${unreachable}:NoSchedule`];
const ready = (cluster: HollowCluster, name: string): string | undefined => node(cluster, name).status?.conditions?.find(({ type }) => type === "Ready")?.status;
const eventsOf = (cluster: HollowCluster, name: string): string[] => cluster.list<Event>(events).filter(({ involvedObject }) => involvedObject.name === name).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
const evicting = (cluster: HollowCluster): string[] => cluster.list<Node>(nodes).filter(({ spec }) => (spec.taints ?? []).some(({ effect }) => effect === "NoExecute")).map(({ metadata }) => metadata.name!).toSorted();
const living = (cluster: HollowCluster): string[] => cluster.pods(namespace).filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name!);

const pod = (name: string, nodeName: string, seconds?: number, key = unreachable): Pod => ({
  apiVersion: "v1", kind: "Pod", metadata: { name, namespace },
  spec: { nodeName, containers: [{ name: "c", image: "i" }], ...(seconds !== undefined ? { tolerations: [{ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: seconds }] } : {}) },
});

/**
 * A cluster whose time passes in steps, in each of which the nodes that are not stopped renew their leases, and a write is acknowledged:
 * controllers that write meanwhile aren't left behind by the clock. `settles` waits for what is to
 * come about in no time but that of trying again.
 */
async function timedCluster(options: { nodes: number; scheduler?: boolean }): Promise<HollowCluster & { clock: FakeClock; pass(seconds: number, ...stopped: string[]): Promise<void>; settles(check: () => void): Promise<void> }> {
  const clock = new FakeClock();
  const cluster = await hollowCluster({ clock, ...options });
  const renewed = new Map<string, number>();
  cluster.informers.informer(leases).onChange((_, current) => void (current && renewed.set(current.metadata.name!, clock.monotonic())));
  return {
    ...cluster, clock,
    settles: (check) => eventually(async () => {
      await clock.advance(5);
      check();
    }),
    async pass(seconds, ...stopped) {
      for (let left = seconds; left > 0; left -= 2) {
        await clock.advance(Math.min(2, left) * 1000);
        await cluster.client.create(configmaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "step-", namespace } });
        await eventually(() => {
          for (const { metadata: { name } } of cluster.list<Node>(nodes)) if (!stopped.includes(name!)) expect(clock.monotonic() - (renewed.get(name!) ?? 0)).toBeLessThanOrEqual(12_000);
        });
      }
    },
  };
}

async function running(cluster: HollowCluster, ...names: string[]): Promise<void> {
  for (const name of names) await cluster.podWhen(name, ({ status }) => status?.conditions?.some(({ type, status: state }) => type === "Ready" && state === "True"));
}

test("a node that falls silent is given up after its grace period, and its pods are evicted when their time is up", async () => {
  await using cluster = await timedCluster({ nodes: 4, scheduler: false });
  await cluster.client.create(pods, pod("hasty", "node-0", 0));
  await cluster.client.create(pods, pod("patient", "node-0", 60));
  await cluster.client.create(pods, pod("elsewhere", "node-1", 0));
  await running(cluster, "hasty", "patient", "elsewhere");
  expect(eventsOf(cluster, "node-0")).toContain("Normal RegisteredNode: Node node-0 event: Registered Node node-0 in Controller");
  cluster.hollow.stopNode("node-0");
  await cluster.pass(35, "node-0");
  expect([ready(cluster, "node-0"), taints(cluster, "node-0")]).toEqual(["True", []]);
  await cluster.pass(30, "node-0");
  await cluster.settles(() => {
    expect([ready(cluster, "node-0"), taints(cluster, "node-0")]).toEqual(["Unknown", both]);
    expect(living(cluster)).toEqual(["elsewhere", "patient"]);
    expect(eventsOf(cluster, "node-0")).toContain("Normal NodeNotReady: Node node-0 status is now: NodeNotReady");
    expect(eventsOf(cluster, "patient")).toContain("Warning NodeNotReady: Node is not ready");
    expect(eventsOf(cluster, "hasty")).toContain("Normal TaintManagerEviction: Marking for deletion Pod default/hasty");
    const hasty = cluster.pods(namespace).find(({ metadata }) => metadata.name === "hasty")!;
    expect(hasty.status!.conditions!.find(({ type }) => type === "DisruptionTarget")).toMatchObject({ status: "True", reason: "DeletionByTaintManager", message: "Taint manager: deleting due to NoExecute taint" });
  });
  await cluster.pass(70, "node-0");
  await cluster.settles(() => expect(living(cluster)).toEqual(["elsewhere"]));
});

test("a node that comes back in time keeps its pods", async () => {
  await using cluster = await timedCluster({ nodes: 3, scheduler: false });
  await cluster.client.create(pods, pod("patient", "node-0", 120));
  await running(cluster, "patient");
  cluster.hollow.stopNode("node-0");
  await cluster.pass(70, "node-0");
  await cluster.settles(() => expect(taints(cluster, "node-0")).toEqual(both));
  cluster.hollow.startNode("node-0");
  await cluster.pass(10);
  await cluster.settles(() => {
    expect([ready(cluster, "node-0"), taints(cluster, "node-0")]).toEqual(["True", []]);
    expect(eventsOf(cluster, "patient")).toContain("Normal TaintManagerEviction: Cancelling deletion of Pod default/patient");
  });
  await cluster.pass(200);
  expect(living(cluster)).toEqual(["patient"]);
});

test.each(["labels", "annotations"])("nobody is evicted from an autonomous node (%s) that falls silent; it is shown as unreachable and gets no new pods", async (where) => {
  await using cluster = await timedCluster({ nodes: 4 });
  const autonomy = (value: string | null): Promise<unknown> => cluster.client.patch(nodes, { name: "node-0" }, { type: merge, body: { metadata: { [where]: { "node.skiff.io/autonomy": value } } } });
  await autonomy("true");
  await cluster.client.create(deployments, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace }, spec: { replicas: 8, selector: { matchLabels: { app: "web" } }, template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }], tolerations: [{ key: unreachable, operator: "Exists", effect: "NoExecute", tolerationSeconds: 10 }] } } } });
  await cluster.client.create(pods, pod("hasty", "node-0", 0));
  await running(cluster, "hasty");
  const placed = (): string[] => cluster.pods(namespace).filter(({ metadata, spec }) => !metadata.deletionTimestamp && spec.nodeName === "node-0").map(({ metadata }) => metadata.name!).toSorted();
  await cluster.settles(() => expect(cluster.pods(namespace).filter(({ status }) => status?.phase === "Running")).toHaveLength(9));
  const before = placed();
  expect(before.length).toBeGreaterThan(1);
  cluster.hollow.stopNode("node-0");
  await cluster.pass(400, "node-0");
  await cluster.settles(() => expect([ready(cluster, "node-0"), taints(cluster, "node-0")]).toEqual(["Unknown", [`${unreachable}:NoSchedule`]]));
  expect(placed()).toEqual(before);
  expect(cluster.pods(namespace)).toHaveLength(9);
  expect(cluster.pods(namespace).filter(({ metadata }) => before.includes(metadata.name!)).every(({ status }) => status!.conditions!.some(({ type, status: state }) => type === "Ready" && state === "False"))).toBe(true);

  // Whoever takes the mark away wants the pods elsewhere, and who puts it back wants what is left to stay.
  await autonomy(null);
  await cluster.settles(() => expect(taints(cluster, "node-0")).toEqual(both));
  await autonomy("true");
  await cluster.settles(() => expect(taints(cluster, "node-0")).toEqual([`${unreachable}:NoSchedule`]));
  await cluster.pass(60, "node-0");
  expect(placed()).toEqual(before.filter((name) => name !== "hasty"));
});

test("clocks that are set by an hour, forth or back, evict nobody", async () => {
  await using cluster = await timedCluster({ nodes: 3, scheduler: false });
  await cluster.client.create(pods, pod("hasty", "node-0", 0));
  await cluster.client.create(pods, pod("waiting", "node-1", 300, "example.com/drain"));
  await running(cluster, "hasty", "waiting");
  await cluster.client.patch(nodes, { name: "node-1" }, { type: merge, body: { spec: { taints: [{ key: "example.com/drain", effect: "NoExecute" }] } } });
  for (const hours of [1, -2, 1]) {
    cluster.clock.jump(hours * 3600 * 1000);
    await cluster.pass(60);
    expect([cluster.list<Node>(nodes).map(({ metadata }) => ready(cluster, metadata.name!)), living(cluster)]).toEqual([["True", "True", "True"], ["hasty", "waiting"]]);
  }
  await cluster.pass(130);
  await cluster.settles(() => expect(living(cluster)).toEqual(["hasty"]));
});

test("a taint found when the server starts gives pods all the time they tolerate", async () => {
  await using cluster = await timedCluster({ nodes: 2, scheduler: false });
  const old: Taint = { key: "example.com/drain", effect: "NoExecute", timeAdded: new Date(cluster.clock.now() - 3_600_000).toISOString() };
  await cluster.client.create(pods, pod("waiting", "node-0", 100, old.key));
  await running(cluster, "waiting");
  await cluster.client.patch(nodes, { name: "node-0" }, { type: merge, body: { spec: { taints: [old] } } });
  await cluster.pass(90);
  expect(living(cluster)).toEqual(["waiting"]);
  await cluster.pass(15);
  await cluster.settles(() => expect(living(cluster)).toEqual([]));
});

test("where most nodes of a small zone are silent no more are evicted, until some are back", async () => {
  await using cluster = await timedCluster({ nodes: 5, scheduler: false });
  const silent = ["node-0", "node-1", "node-2"];
  for (const name of silent) cluster.hollow.stopNode(name);
  await cluster.pass(70, ...silent);
  await cluster.settles(() => {
    for (const name of silent) expect([ready(cluster, name), taints(cluster, name)]).toEqual(["Unknown", expect.arrayContaining([`${unreachable}:NoSchedule`])]);
  });
  const before = evicting(cluster);
  expect(before.length).toBeLessThan(3);
  await cluster.pass(60, ...silent);
  expect(evicting(cluster)).toEqual(before);
  const back = silent.find((name) => !before.includes(name))!;
  const last = silent.filter((name) => name !== back);
  cluster.hollow.startNode(back);
  await cluster.settles(() => expect(ready(cluster, back)).toBe("True"));
  await eventually(async () => {
    await cluster.pass(10, ...last);
    expect(evicting(cluster)).toEqual(last);
  });
});

test("when no node answers at all, nothing is evicted and what was begun is taken back", async () => {
  await using cluster = await timedCluster({ nodes: 3, scheduler: false });
  await cluster.client.create(pods, pod("patient", "node-0", 100));
  await running(cluster, "patient");
  cluster.hollow.stopNode("node-0");
  await cluster.pass(65, "node-0");
  await cluster.settles(() => expect(evicting(cluster)).toEqual(["node-0"]));
  for (const name of ["node-1", "node-2"]) cluster.hollow.stopNode(name);
  await cluster.pass(65, "node-0", "node-1", "node-2");
  await cluster.settles(() => expect([evicting(cluster), taints(cluster, "node-2")]).toEqual([[], [`${unreachable}:NoSchedule`]]));
  await cluster.pass(300, "node-0", "node-1", "node-2");
  expect(living(cluster)).toEqual(["patient"]);
});

test("pods of a node that is gone, or out of service, are removed by force; a Deployment makes others", async () => {
  await using cluster = await timedCluster({ nodes: 3 });
  await cluster.client.create(deployments, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace }, spec: { replicas: 6, selector: { matchLabels: { app: "web" } }, template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } } } });
  const on = (name: string): Pod[] => cluster.pods(namespace).filter(({ spec }) => spec.nodeName === name);
  await cluster.settles(() => expect(cluster.pods(namespace).filter(({ status }) => status?.phase === "Running").length).toBe(6));
  await cluster.hollow.removeNode("node-0");
  await cluster.client.delete(nodes, { name: "node-0" }).catch(() => undefined);
  await cluster.pass(30);
  expect(on("node-0").length).toBeGreaterThan(0);
  await cluster.pass(20);
  await cluster.settles(() => {
    expect(on("node-0")).toEqual([]);
    expect(cluster.pods(namespace).filter(({ status }) => status?.phase === "Running").length).toBe(6);
  });
  expect(eventsOf(cluster, "node-0")).toContain("Normal RemovingNode: Node node-0 event: Removing Node node-0 from Controller");
  cluster.hollow.stopNode("node-1");
  await cluster.pass(70, "node-1");
  await cluster.settles(() => expect([ready(cluster, "node-1"), taints(cluster, "node-1")]).toEqual(["Unknown", both]));
  await cluster.client.patch(nodes, { name: "node-1" }, { type: merge, body: { spec: { taints: [...node(cluster, "node-1").spec.taints!, { key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" }] } } });
  await cluster.settles(() => {
    expect(on("node-1")).toEqual([]);
    expect(cluster.pods(namespace).filter(({ status }) => status?.phase === "Running").length).toBe(6);
  });
});

test("each node has a part of the pod network of each family, and waits for one while there is none", async () => {
  await using fixture = await startRegistry();
  const { client, informers } = fixture;
  const stop = new AbortController(), told: string[] = [];
  const recorder = { event: (_: unknown, type: string, reason: string, message: string) => void told.push(`${type} ${reason}: ${message}`) };
  const controllers = startControllers([nodeIpam({ clusterCidr: "10.42.0.0/23,fd00:42::/63" })], { clientFor: () => client, recorderFor: () => recorder, informers, clock: systemClock }, stop.signal);
  const cidrs = (): unknown => Object.fromEntries(informers.informer(nodes).lister.list().map(({ metadata, spec }) => [metadata.name, spec.podCIDRs ?? []]));
  await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "a" }, spec: { podCIDR: "10.42.0.0/24", podCIDRs: ["10.42.0.0/24", "fd00:42::/64"] } });
  for (const name of ["b", "c"]) await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec: {} });
  await eventually(() => expect(told).toEqual(["Normal CIDRNotAvailable: Node c status is now: CIDRNotAvailable"]));
  expect(cidrs()).toEqual({ a: ["10.42.0.0/24", "fd00:42::/64"], b: ["10.42.1.0/24", "fd00:42:0:1::/64"], c: [] });
  await client.delete(nodes, { name: "a" });
  await eventually(() => expect(cidrs()).toEqual({ b: ["10.42.1.0/24", "fd00:42:0:1::/64"], c: ["10.42.0.0/24", "fd00:42::/64"] }));
  stop.abort();
  await controllers;
});

test("a server that was away for hours gives every node its grace period, and pods of those given up before all their time", async () => {
  const clock = new FakeClock();
  await using fixture = await startRegistry({ clock });
  const { client, informers } = fixture;
  const ago = new Date(clock.now() - 4 * 3_600_000).toISOString();
  const addNode = async (name: string, status: string, taint?: Taint): Promise<void> => {
    await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec: {} });
    await client.patch(nodes, { name }, { type: merge, body: { status: { conditions: [{ type: "Ready", status, lastHeartbeatTime: ago, lastTransitionTime: ago }] } } }, { subresource: "status" });
    await client.patch(nodes, { name }, { type: merge, body: { spec: { taints: taint ? [taint] : [] } } });
  };
  const renew = (name: string): Promise<unknown> => client.patch(nodes, { name }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: new Date(clock.now()).toISOString() }] } } }, { subresource: "status" });
  await addNode("well", "True");
  await addNode("quiet", "True");
  await addNode("lost", "Unknown", { key: unreachable, effect: "NoExecute", timeAdded: ago });
  await client.create(serviceaccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } });
  await client.create(pods, pod("hasty", "quiet", 0));
  await client.create(pods, pod("patient", "lost", 300));

  const podsByNode = new PodsByNode(), stop = new AbortController();
  const running = startControllers([nodeLifecycle({ podsByNode }), taintEviction({ podsByNode })], { clientFor: () => client, recorderFor: () => ({ event: () => undefined }), informers, clock }, stop.signal);
  const stays = (): string[] => informers.informer(pods).lister.list(namespace).filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name!);
  const passes = async (seconds: number): Promise<void> => {
    for (let left = seconds; left > 0; left -= 10) {
      await clock.advance(Math.min(left, 10) * 1000);
      await renew("well");
    }
  };
  await passes(45);
  expect(stays()).toEqual(["hasty", "patient"]);
  await passes(15);
  await eventually(async () => {
    await clock.advance(5);
    expect(stays()).toEqual(["patient"]);
  });
  await passes(220);
  expect(stays()).toEqual(["patient"]);
  await passes(40);
  await eventually(async () => {
    await clock.advance(5);
    expect(stays()).toEqual([]);
  });
  stop.abort();
  await running;
});
