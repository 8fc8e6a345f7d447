import { expect, test } from "bun:test";
import { logger } from "../../../src/base/log.ts";
import { leases } from "../../../src/apis/coordination/lease.ts";
import { nodes } from "../../../src/apis/core/node.ts";
import type { Lease } from "../../../src/apis/generated/coordination/v1.ts";
import type { Node } from "../../../src/apis/generated/core/v1.ts";
import { type ControlPlane, startControlPlane } from "../../../test/support/control-plane.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { NodeStatusReporter } from "./node-status.ts";

const runtime = {
  runtime: { status: async () => ({ status: { conditions: [{ type: "RuntimeReady", status: true }, { type: "NetworkReady", status: true }] } }), version: async () => ({ runtimeName: "fake", runtimeVersion: "1" }) },
  images: { listImages: async () => ({ images: [] }) },
} as unknown as ContainerRuntime;

const optionsOf = (plane: ControlPlane, clock: FakeClock): ConstructorParameters<typeof NodeStatusReporter>[0] => ({
  client: plane.client, own: plane.informers.informer(nodes, { fieldSelector: "metadata.name=n" }), runtime, recorder: { event: () => undefined } as never, clock, log: logger("test"), nodeName: "n", nodeIps: () => ["192.0.2.1"],
  labels: {}, taints: [], volumesInUse: () => [], pressures: () => [], goingDown: () => undefined, capacity: { capacity: { cpu: "1" }, allocatable: { cpu: "1" } } as never, kubeletPort: 10250, onReady: () => undefined,
});

test("while heartbeats reach the server nothing is written; when they don't, Lease and status are as ever; a Node that is deleted comes back", async () => {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: () => false });
  const stop = new AbortController();
  let reach = true, beats = 0;
  const reporter = new NodeStatusReporter({ ...optionsOf(plane, clock), heartbeat: () => { beats++; return reach; } });
  const running = reporter.run(stop.signal);
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      await eventually(() => expect(clock.sleeping).toBeGreaterThan(0));
      await clock.advance(10_000);
    }
  };
  const versions = (): (string | undefined)[] => [plane.list<Lease>(leases, "kube-node-lease")[0]?.metadata.resourceVersion, plane.list<Node>(nodes)[0]?.metadata.resourceVersion];
  try {
    await reporter.ready;
    await eventually(() => expect(clock.sleeping).toBeGreaterThan(0));
    const before = versions();
    await pass(600_000);
    expect(versions()).toEqual(before);
    expect(beats).toBeGreaterThanOrEqual(59);
    reach = false;
    await pass(20_000);
    await eventually(() => versions().forEach((version, i) => expect(version).not.toBe(before[i]!)));
    reach = true;
    await plane.client.delete(nodes, { name: "n" });
    await pass(20_000);
    await eventually(() => expect(plane.list<Node>(nodes)[0]?.status?.conditions?.find(({ type }) => type === "Ready")?.status).toBe("True"));
  } finally {
    stop.abort();
    await running;
  }
});

test.each([["back", -3_600_000], ["forward", 3_600_000]])("the lease is renewed every ten seconds, also when the clock is set %s by an hour", async (_, jump) => {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: () => false });
  const stop = new AbortController();
  const reporter = new NodeStatusReporter(optionsOf(plane, clock));
  const running = reporter.run(stop.signal);
  try {
    await reporter.ready;
    const lease = (): Lease | undefined => plane.list<Lease>(leases, "kube-node-lease")[0];
    await eventually(() => expect(lease()).toBeDefined());
    clock.jump(jump);
    for (let renewal = 0; renewal < 3; renewal++) {
      const before = lease()!.metadata.resourceVersion;
      await eventually(() => expect(clock.sleeping).toBeGreaterThan(0));
      await clock.advance(10_000);
      await eventually(() => expect(lease()!.metadata.resourceVersion).not.toBe(before!));
    }
    expect(Date.parse(lease()!.spec!.renewTime!)).toBe(clock.now());
  } finally {
    stop.abort();
    await running;
  }
});
