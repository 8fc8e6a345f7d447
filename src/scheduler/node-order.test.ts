import { expect, test } from "bun:test";
import { zoneByZone } from "./node-order.ts";
import { cluster, node } from "./testing/cluster.ts";

const zone = "topology.kubernetes.io/zone", region = "topology.kubernetes.io/region";
const names = (nodes: readonly { name: string }[]): string => nodes.map(({ name }) => name).join(" ");

test("nodes are looked at zone by zone", () => {
  const of = (name: string, labels: Record<string, string>) => ({ name, labels });
  expect(names(zoneByZone([of("a1", { [zone]: "a" }), of("a2", { [zone]: "a" }), of("a3", { [zone]: "a" }), of("b1", { [zone]: "b" }), of("none", {}), of("b2", { [zone]: "b" })]))).toBe("a1 b1 none a2 b2 a3");
  expect(names(zoneByZone([of("x", { [region]: "1", [zone]: "a" }), of("y", { [region]: "1", [zone]: "a" }), of("z", { [region]: "2", [zone]: "a" })]))).toBe("x z y");
  expect(zoneByZone([])).toEqual([]);
});

test("also when one moves to another zone, or goes", () => {
  const state = cluster([node("a1", { labels: { [zone]: "a" } }), node("a2", { labels: { [zone]: "a" } }), node("b1", { labels: { [zone]: "b" } })]);
  expect(names(state.nodes)).toBe("a1 b1 a2");
  state.setNode(node("b1", { labels: { [zone]: "a" } }));
  expect(names(state.nodes)).toBe("a1 a2 b1");
  state.removeNode("a1");
  expect(names(state.nodes)).toBe("a2 b1");
});
