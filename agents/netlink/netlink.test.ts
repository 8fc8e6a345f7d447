import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../../test/support/eventually.ts";
import { enterNetworkNamespace } from "../../test/support/network-namespace.ts";
import { openNetlink } from "./kernel-netlink.ts";
import { decodeMessages, encodeMessage } from "./message.ts";
import type { Netlink, NetlinkChange, Route } from "./netlink.ts";
import { FakeNetlink } from "./testing/fake-netlink.ts";

/** What both promise. */
function netlinkContract(open: () => Netlink): void {
  let netlink: Netlink, card: number;
  beforeAll(() => {
    netlink = open();
    card = netlink.addLink({ name: "card0", kind: "bridge", mac: "02:00:00:00:00:07" });
    netlink.changeLink(card, { up: true });
    netlink.addAddress(card, "192.0.2.7", 24);
    netlink.addAddress(card, "2001:db8::7", 64);
  });
  afterAll(() => netlink.close());

  test("links have names, sizes and hardware addresses", () => {
    expect(netlink.links().find(({ name }) => name === "card0")).toMatchObject({ index: card, mtu: 1500, up: true, mac: "02:00:00:00:00:07", kind: "bridge" });
    expect(() => netlink.addLink({ name: "card0", kind: "bridge" })).toThrow(expect.objectContaining({ name: "NetlinkError", code: "EEXIST" }));
    netlink.changeLink(card, { mtu: 1400 });
    expect(netlink.links().find(({ index }) => index === card)?.mtu).toBe(1400);
    expect(() => netlink.changeLink(9999, { up: true })).toThrow(expect.objectContaining({ code: "ENODEV" }));
  });

  test("addresses of both families, added twice as once", () => {
    netlink.addAddress(card, "192.0.2.7", 24);
    const own = netlink.addresses().filter(({ index, linkLocal }) => index === card && !linkLocal);
    expect(own).toEqual([{ index: card, address: "192.0.2.7", prefix: 24, linkLocal: false, passing: false }, { index: card, address: "2001:db8::7", prefix: 64, linkLocal: false, passing: false }]);
    netlink.addAddress(card, "192.0.2.8", 32);
    netlink.removeAddress(card, "192.0.2.8", 32);
    expect(() => netlink.removeAddress(card, "192.0.2.8", 32)).toThrow(expect.objectContaining({ code: "EADDRNOTAVAIL" }));
    expect(netlink.addresses().map(({ address }) => address)).not.toContain("192.0.2.8");
  });

  test.each<[string, Route, Partial<Route>]>([
    ["IPv4 by a gateway", { destination: "10.42.1.0/24", gateway: "192.0.2.1", protocol: 83 }, { gateway: "192.0.2.254" }],
    ["IPv6 by a gateway", { destination: "fd00:42:0:1::/64", gateway: "2001:db8::1", protocol: 83, metric: 1024 }, { gateway: "2001:db8::2" }],
    ["a gateway that no address of ours is near, and an MTU", { destination: "10.42.2.0/24", gateway: "10.42.2.0", onlink: true, mtu: 1350, protocol: 83 }, { mtu: 1300 }],
    ["the default", { destination: "0.0.0.0/0", gateway: "192.0.2.1", protocol: 83, metric: 50 }, { protocol: 4 }],
  ])("a route, %s", (_, given, change) => {
    const route = { ...given, index: card }, found = (): Route[] => netlink.routes().filter(({ destination }) => destination === route.destination);
    netlink.replaceRoute(route);
    expect(found()).toEqual([route]);
    netlink.replaceRoute({ ...route, ...change });
    expect(found()).toEqual([{ ...route, ...change }]);
    netlink.removeRoute({ ...route, ...change });
    expect(found()).toEqual([]);
    expect(() => netlink.removeRoute(route)).toThrow(expect.objectContaining({ code: "ESRCH" }));
  });

  test("routes go with their link", () => {
    const link = netlink.addLink({ name: "short", kind: "bridge" });
    expect(() => netlink.replaceRoute({ destination: "10.99.0.0/24", index: link, protocol: 83 })).toThrow(expect.objectContaining({ code: "ENETDOWN" }));
    netlink.changeLink(link, { up: true });
    netlink.replaceRoute({ destination: "10.99.0.0/24", index: link, protocol: 83 });
    netlink.removeLink(link);
    expect(netlink.routes().some(({ destination }) => destination === "10.99.0.0/24")).toBe(false);
  });

  test.each(["192.0.2.7", "2001:db8::7"])("a VXLAN link from %s, and where its stations are", (local) => {
    const link = netlink.addLink({ name: "vx", kind: "vxlan", mtu: 1350, mac: "02:00:00:00:01:01", vxlan: { id: 7, port: 8473, local } });
    netlink.changeLink(link, { up: true });
    expect(netlink.links().find(({ index }) => index === link)).toMatchObject({ name: "vx", kind: "vxlan", mtu: 1350, mac: "02:00:00:00:01:01", up: true, vxlan: { id: 7, port: 8473, local } });
    const near = local.replace("7", "9"), station = { index: link, address: "10.42.9.0", mac: "02:00:00:00:01:09" };
    netlink.replaceForwarding(link, { mac: station.mac, destination: near });
    netlink.replaceForwarding(link, { mac: station.mac, destination: `${near}9` });
    expect(netlink.forwarding(link)).toEqual([{ mac: station.mac, destination: `${near}9` }]);
    netlink.replaceNeighbour({ ...station, mac: "02:00:00:00:01:0a" });
    netlink.replaceNeighbour(station);
    netlink.replaceNeighbour({ ...station, address: "fd00:42:9::" });
    expect(netlink.neighbours().filter(({ index }) => index === link).toSorted((a, b) => a.address.localeCompare(b.address))).toEqual([station, { ...station, address: "fd00:42:9::" }]);
    netlink.removeForwarding(link, { mac: station.mac, destination: `${near}9` });
    netlink.removeNeighbour(station);
    expect([netlink.forwarding(link), netlink.neighbours().filter(({ index }) => index === link).length]).toEqual([[], 1]);
    expect(() => netlink.removeNeighbour(station)).toThrow(expect.objectContaining({ code: "ENOENT" }));
    expect(() => netlink.removeForwarding(link, { mac: station.mac, destination: near })).toThrow(expect.objectContaining({ code: "ENOENT" }));
    netlink.removeLink(link);
    expect(netlink.links().some(({ index }) => index === link)).toBe(false);
  });

  test("changes are told until nobody listens", async () => {
    const seen: NetlinkChange[] = [];
    const stop = netlink.watch((change) => seen.push(change));
    const route = { destination: "10.98.0.0/24", gateway: "192.0.2.1", index: card, protocol: 83 };
    netlink.addAddress(card, "198.51.100.1", 24);
    netlink.replaceRoute(route);
    netlink.removeRoute(route);
    netlink.removeAddress(card, "198.51.100.1", 24);
    const link = netlink.addLink({ name: "passing", kind: "bridge" });
    netlink.removeLink(link);
    await eventually(() => expect(seen.some((change) => change.kind === "link" && change.gone)).toBe(true));
    const told = seen.map((change) => (change.kind === "address" ? `${change.gone ? "-" : "+"}${change.address.address}` : change.kind === "route" && change.route.protocol === 83 ? `${change.gone ? "-" : "+"}${change.route.destination}` : ""));
    expect(told.filter((text) => /198\.51\.100\.1$|10\.98/.test(text))).toEqual(["+198.51.100.1", "+10.98.0.0/24", "-10.98.0.0/24", "-198.51.100.1"]);
    stop();
    const count = seen.length;
    netlink.addAddress(card, "198.51.100.2", 24);
    await Bun.sleep(0);
    expect(seen.length).toBe(count);
  });
}

describe("the kernel", () => {
  let leave: () => void;
  beforeAll(() => { leave = enterNetworkNamespace(); });
  afterAll(() => leave());
  netlinkContract(openNetlink);

  test("a flood of changes is told as lost, and later changes again", async () => {
    const netlink = openNetlink();
    const lo = netlink.links().find(({ name }) => name === "lo")!.index;
    const seen: NetlinkChange[] = [];
    const stop = netlink.watch((change) => seen.push(change));
    await Bun.sleep(0);
    for (let i = 0; i < 6000; i++) netlink.addAddress(lo, `10.${100 + (i >> 12)}.${(i >> 6) & 63}.${(i & 63) + 1}`, 32);
    await eventually(() => expect(seen.some(({ kind }) => kind === "lost")).toBe(true));
    expect(netlink.addresses().length).toBeGreaterThanOrEqual(6000);
    netlink.addAddress(lo, "198.51.100.99", 32);
    await eventually(() => expect(seen.some((change) => change.kind === "address" && change.address.address === "198.51.100.99")).toBe(true));
    stop();
    netlink.close();
  });
});

describe("the fake", () => netlinkContract(() => new FakeNetlink()));

test("what is cut off is noticed", () => {
  const message = encodeMessage(20, 0, 1, new Uint8Array(8), []);
  expect(decodeMessages(message)).toMatchObject({ whole: true, messages: [{ type: 20 }] });
  expect(decodeMessages(message.slice(0, 20))).toMatchObject({ whole: false, messages: [] });
  expect(decodeMessages(new Uint8Array(16)).whole).toBe(false);
});
