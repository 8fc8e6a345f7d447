import { expect, test } from "bun:test";
import { logger } from "../../../src/base/log.ts";
import { leases } from "../../../src/apis/coordination/lease.ts";
import { nodes } from "../../../src/apis/core/node.ts";
import type { Lease } from "../../../src/apis/generated/coordination/v1.ts";
import { startControlPlane } from "../../../test/support/control-plane.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { NodeStatusReporter } from "./node-status.ts";

const runtime = {
  runtime: { status: async () => ({ status: { conditions: [{ type: "RuntimeReady", status: true }, { type: "NetworkReady", status: true }] } }), version: async () => ({ runtimeName: "fake", runtimeVersion: "1" }) },
  images: { listImages: async () => ({ images: [] }) },
} as unknown as ContainerRuntime;

test.each([["back", -3_600_000], ["forward", 3_600_000]])("the lease is renewed every ten seconds, also when the clock is set %s by an hour", async (_, jump) => {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: () => false });
  const stop = new AbortController();
  const reporter = new NodeStatusReporter({
    client: plane.client, own: plane.informers.informer(nodes, { fieldSelector: "metadata.name=n" }), runtime, recorder: { event: () => undefined } as never, clock, log: logger("test"), nodeName: "n", nodeIps: () => ["192.0.2.1"],
    labels: {}, taints: [], volumesInUse: () => [], pressures: () => [], goingDown: () => undefined, capacity: { capacity: { cpu: "1" }, allocatable: { cpu: "1" } } as never, kubeletPort: 10250, onReady: () => undefined,
  });
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
