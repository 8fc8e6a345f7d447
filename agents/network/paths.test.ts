import { describe, expect, test } from "bun:test";
import { parseNetwork } from "../../src/base/ip.ts";
import type { Route } from "../netlink/netlink.ts";
import { type HostRoute, isInside, routeTo } from "./host-network.ts";
import { type Peer, planPath, type Vantage, vtepMac } from "./paths.ts";

const route = (destination: string, rest: Partial<Route> = {}): HostRoute => ({ destination, protocol: 2, index: 2, network: parseNetwork(destination)!, ...rest });
const lan = [route("0.0.0.0/0", { gateway: "192.0.2.1" }), route("192.0.2.0/24"), route("2001:db8::/64"), route("::/0", { gateway: "2001:db8::1" })];
const vantage = (rest: Partial<Vantage> = {}): Vantage => ({ mode: "auto", routes: lan, clusterCidrs: ["10.42.0.0/16", "fd00:42::/56"], podCidrs: ["10.42.0.0/24", "fd00:42::/64"], outerFamily: 4, ...rest });
const peer = (rest: Partial<Peer> = {}): Peer => ({ name: "b", podCidrs: ["10.42.1.0/24"], addresses: ["192.0.2.8"], ...rest });
const mac = vtepMac("10.42.1.0/24");
const nothing = { routes: [], neighbours: [], forwarding: [], problems: [] };

test("the VXLAN end of a node has a hardware address of its own, for one station and known to all", () => {
  expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  expect(vtepMac("10.42.1.0/24")).toBe(mac);
  expect(vtepMac("10.42.2.0/24")).not.toBe(mac);
});

describe("a path to a peer's pods", () => {
  test.each<[string, Peer, Vantage, object]>([
    ["on the same link: a route", peer(), vantage(), { ...nothing, routes: [{ destination: "10.42.1.0/24", gateway: "192.0.2.8", index: 2 }] }],
    ["behind a router: VXLAN", peer({ addresses: ["198.51.100.8"] }), vantage(), { ...nothing, routes: [{ destination: "10.42.1.0/24", gateway: "10.42.1.0" }], neighbours: [{ address: "10.42.1.0", mac }], forwarding: [{ mac, destination: "198.51.100.8" }] }],
    ["VXLAN by choice", peer(), vantage({ mode: "vxlan" }), { ...nothing, routes: [{ destination: "10.42.1.0/24", gateway: "10.42.1.0" }], neighbours: [{ address: "10.42.1.0", mac }], forwarding: [{ mac, destination: "192.0.2.8" }] }],
    ["routes by choice, behind a router: none, and a word", peer({ addresses: ["198.51.100.8"] }), vantage({ mode: "routes" }), { ...nothing, problems: ["10.42.1.0/24 is behind no address on a link of this node"] }],
    ["no way to it at all: VXLAN waits for one", peer({ addresses: ["198.51.100.8"] }), vantage({ routes: [] }), { routes: [{ destination: "10.42.1.0/24", gateway: "10.42.1.0" }], neighbours: [{ address: "10.42.1.0", mac }], forwarding: [{ mac, destination: "198.51.100.8" }] }],
    ["the peer has not said where it is", peer({ addresses: [] }), vantage(), nothing],
    ["the peer has no pods' network", peer({ podCidrs: [] }), vantage(), nothing],
    ["this node has no address to send VXLAN from: it waits for one", peer({ addresses: ["198.51.100.8"] }), vantage({ outerFamily: undefined }), nothing],
    ["the peer has no address of the family that this node sends VXLAN by", peer({ addresses: ["198.51.100.8"] }), vantage({ outerFamily: 6 }), { ...nothing, problems: ["10.42.1.0/24 is on a node without an address that VXLAN from here could be sent to"] }],
    ["more than the cluster's networks, or of another node's", peer({ podCidrs: ["0.0.0.0/0", "10.42.0.0/16", "10.42.0.128/25", "10.43.0.0/24", "10.42.1.0/24"] }), vantage(), {
      ...nothing, routes: [{ destination: "10.42.1.0/24", gateway: "192.0.2.8", index: 2 }],
      problems: ["0.0.0.0/0", "10.42.0.0/16", "10.42.0.128/25", "10.43.0.0/24"].map((cidr) => `${cidr} is no part of the cluster's pod networks that another node may have`),
    }],
    ["both families on the link", peer({ podCidrs: ["10.42.1.0/24", "fd00:42:0:1::/64"], addresses: ["192.0.2.8", "2001:db8::8"] }), vantage(), { ...nothing, routes: [{ destination: "10.42.1.0/24", gateway: "192.0.2.8", index: 2 }, { destination: "fd00:42:0:1::/64", gateway: "2001:db8::8", index: 2 }] }],
    ["IPv6 pods on a node of IPv4 alone: in IPv4's VXLAN", peer({ podCidrs: ["10.42.1.0/24", "fd00:42:0:1::/64"] }), vantage(), {
      ...nothing, routes: [{ destination: "10.42.1.0/24", gateway: "192.0.2.8", index: 2 }, { destination: "fd00:42:0:1::/64", gateway: "fd00:42:0:1::" }],
      neighbours: [{ address: "fd00:42:0:1::", mac }], forwarding: [{ mac, destination: "192.0.2.8" }],
    }],
    ["VXLAN over IPv6 where that is the main family", peer({ podCidrs: ["fd00:42:0:1::/64"], addresses: ["192.0.2.8", "2001:db8:9::8"] }), vantage({ outerFamily: 6 }), {
      ...nothing, routes: [{ destination: "fd00:42:0:1::/64", gateway: "fd00:42:0:1::" }], neighbours: [{ address: "fd00:42:0:1::", mac: vtepMac("fd00:42:0:1::/64") }], forwarding: [{ mac: vtepMac("fd00:42:0:1::/64"), destination: "2001:db8:9::8" }],
    }],
  ])("%s", (_, one, from, expected) => expect(planPath(one, from)).toEqual({ ...nothing, ...expected }));
});

test("the route to an address is the one of the longest prefix, and among those of the least metric", () => {
  const routes = [...lan, route("192.0.2.128/25", { index: 3, metric: 600 }), route("192.0.2.128/25", { index: 4, metric: 100 })];
  expect(routeTo("192.0.2.200", routes)?.index).toBe(4);
  expect(routeTo("192.0.2.7", routes)?.index).toBe(2);
  expect(routeTo("203.0.113.1", routes)?.gateway).toBe("192.0.2.1");
  expect(routeTo("203.0.113.1", [])).toBeUndefined();
});

test("networks inside networks", () => {
  expect([isInside("10.42.1.0/24", "10.42.0.0/16"), isInside("10.0.0.0/8", "10.42.0.0/16"), isInside("fd00:42::/64", "10.42.0.0/16"), isInside("10.43.0.0/24", "10.42.0.0/16")]).toEqual([true, false, false, false]);
});
