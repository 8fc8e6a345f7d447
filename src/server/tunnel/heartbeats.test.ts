import { expect, test } from "bun:test";
import { leases } from "../../apis/coordination/lease.ts";
import { nodes } from "../../apis/core/node.ts";
import type { Lease } from "../../apis/generated/coordination/v1.ts";
import type { Node } from "../../apis/generated/core/v1.ts";
import { startControlPlane, type ControlPlane } from "../../../test/support/control-plane.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { createHeartbeats } from "./heartbeats.ts";

interface Fixture {
  clock: FakeClock;
  plane: ControlPlane;
  beat(): void;
  lease(): Lease | undefined;
  node(): Node;
}

async function start(): Promise<Fixture & AsyncDisposable> {
  const clock = new FakeClock();
  const plane = await startControlPlane({ clock, select: () => false });
  const beat = createHeartbeats({ clientAs: () => plane.client, nodes: plane.informers.informer(nodes).lister, leases: plane.informers.informer(leases).lister, clock });
  return {
    clock, plane, beat: () => beat("n"), lease: () => plane.list<Lease>(leases, "kube-node-lease")[0], node: () => plane.list<Node>(nodes)[0]!,
    [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
  };
}

const old = "2025-12-31T00:00:00Z";
const conditions = [
  { type: "Ready", status: "True", lastHeartbeatTime: old, lastTransitionTime: old, reason: "KubeletReady" },
  { type: "NetworkUnavailable", status: "False", lastHeartbeatTime: old, lastTransitionTime: old, reason: "RouteCreated" },
];

async function addNode({ plane }: Fixture, status = "True"): Promise<void> {
  await plane.client.create(nodes, { metadata: { name: "n" }, spec: {} });
  await plane.client.patch(nodes, { name: "n" }, { type: "application/merge-patch+json", body: { status: { conditions: conditions.map((condition) => (condition.type === "Ready" ? { ...condition, status } : condition)) } } }, { subresource: "status" });
}

test("the Lease is made for a Node, which owns it, and renewed at each heartbeat", async () => {
  await using f = await start();
  f.beat();
  await addNode(f);
  expect(f.lease()).toBeUndefined();
  f.beat();
  await eventually(() => expect(f.lease()).toMatchObject({ metadata: { name: "n", ownerReferences: [{ kind: "Node", name: "n", uid: f.node().metadata.uid }] }, spec: { holderIdentity: "n", leaseDurationSeconds: 40 } }));
  for (let i = 0; i < 3; i++) {
    await f.clock.advance(10_000);
    f.beat();
    await eventually(() => expect(Date.parse(f.lease()!.spec!.renewTime!)).toBe(f.clock.now()));
  }
});

test("what the kubelet said of the node is confirmed every five minutes, and nothing that others said", async () => {
  await using f = await start();
  await addNode(f);
  const heartbeat = (type: string): string => f.node().status!.conditions!.find((condition) => condition.type === type)!.lastHeartbeatTime!;
  for (let i = 0; i < 30; i++) {
    f.beat();
    await eventually(() => expect(Date.parse(f.lease()?.spec?.renewTime ?? "")).toBe(f.clock.now()));
    await f.clock.advance(10_000);
  }
  expect(heartbeat("Ready")).toBe(old);
  f.beat();
  await eventually(() => expect(Date.parse(heartbeat("Ready"))).toBe(f.clock.now()));
  expect(heartbeat("NetworkUnavailable")).toBe(old);
  expect(f.node().status!.conditions!.find(({ type }) => type === "Ready")).toMatchObject({ status: "True", lastTransitionTime: old, reason: "KubeletReady" });
});

test("a node that was found dead is not brought back to life by a heartbeat: its kubelet has to say how it is", async () => {
  await using f = await start();
  await addNode(f, "Unknown");
  f.beat();
  await eventually(() => expect(f.lease()).toBeDefined());
  await f.clock.advance(600_000);
  f.beat();
  await eventually(() => expect(Date.parse(f.lease()!.spec!.renewTime!)).toBe(f.clock.now()));
  expect(f.node().status!.conditions!.find(({ type }) => type === "Ready")).toMatchObject({ status: "Unknown", lastHeartbeatTime: old });
});
