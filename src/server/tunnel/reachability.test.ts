import { expect, test } from "bun:test";
import type { Node } from "../../apis/generated/core/v1.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { fakeInformer } from "../../../test/support/fake-informer.ts";
import { createReachability } from "./reachability.ts";

const node = (...addresses: [type: string, address: string][]): Node => ({
  metadata: { name: "n" }, spec: {}, status: { addresses: addresses.map(([type, address]) => ({ type, address })), daemonEndpoints: { kubeletEndpoint: { Port: 10250 } } },
});

function start(object?: Node, answers = false) {
  const clock = new FakeClock(), nodes = fakeInformer(...(object ? [object] : [])), told: string[] = [], dialled: string[] = [];
  const world = { answers };
  const look = createReachability({
    clock, nodes: nodes.lister, recorder: { event: (_, type, reason, message) => void told.push(`${type} ${reason} ${message}`) },
    dial: async (host, port) => {
      dialled.push(`${host}:${port}`);
      if (!world.answers) throw new Error("no route");
    },
  });
  const connects = async (from: string): Promise<void> => {
    look("n", from);
    await clock.advance(15_000);
  };
  return { told, dialled, connects, world, nodes };
}

test("a node behind NAT is told of, with what to do; once", async () => {
  const { told, dialled, connects } = start(node(["InternalIP", "192.168.1.5"]));
  for (let i = 0; i < 3; i++) await connects("203.0.113.9");
  expect(told).toHaveLength(1);
  expect(told[0]).toStartWith("Warning NodeNotReachable The node says that its address is 192.168.1.5, but it connects from 203.0.113.9, and nothing answers the server at 192.168.1.5:10250");
  expect(told[0]).toContain("--node-ip");
  expect(dialled[0]).toBe("192.168.1.5:10250");
});

test.each<[string, Node | undefined, from: string, answers: boolean]>([
  ["one that connects from its address", node(["InternalIP", "192.168.1.5"]), "192.168.1.5", false],
  ["one that connects from another of its addresses", node(["InternalIP", "192.168.1.5"], ["ExternalIP", "203.0.113.9"]), "203.0.113.9", false],
  ["one whose address is written in another way", node(["InternalIP", "fd00:0:0::5"]), "fd00::5", false],
  ["one of IPv4 at a port of both families", node(["InternalIP", "192.168.1.5"]), "::ffff:192.168.1.5", false],
  ["one that is reached all the same, as behind a load balancer for the API", node(["InternalIP", "192.168.1.5"]), "10.0.0.1", true],
  ["one that has not said where it is", node(), "10.0.0.1", false], ["one that has gone", undefined, "10.0.0.1", false],
])("%s is not", async (_, object, from, answers) => {
  const { told, connects } = start(object, answers);
  await connects(from);
  expect(told).toEqual([]);
});

test("one that was mended and is behind NAT again is told of again", async () => {
  const { told, connects, world } = start(node(["InternalIP", "192.168.1.5"]));
  for (const answers of [false, true, false]) {
    world.answers = answers;
    await connects("203.0.113.9");
  }
  expect(told).toHaveLength(2);
});
