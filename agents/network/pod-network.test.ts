import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../test/support/eventually.ts";
import { fakeInformer } from "../../test/support/fake-informer.ts";
import type { Node } from "../../src/apis/generated/core/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import type { PodNetworkMode } from "../../src/base/pod-network.ts";
import type { Client } from "../../src/client/client.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { NetlinkError } from "../netlink/netlink.ts";
import { FakeNetlink } from "../netlink/testing/fake-netlink.ts";
import { ourProtocol } from "./host-network.ts";
import { NodeAddresses } from "./node-addresses.ts";
import { vtepMac } from "./paths.ts";
import { PodNetwork } from "./pod-network.ts";

const log = logger("test");
const networks = { clusterCidrs: ["10.42.0.0/16"], serviceCidrs: ["10.43.0.0/16"] };
const node = (name: string, podCIDR: string, address?: string): Node => ({ metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] }, status: address ? { addresses: [{ type: "InternalIP", address }] } : {} } as Node);

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A node at 192.0.2.7/24 with pods in 10.42.0.0/24, on a fake machine. */
async function start({ mode = "auto", netlink = new FakeNetlink(), directory = mkdtempSync(join(tmpdir(), "skiff-network-")) }: { mode?: PodNetworkMode; netlink?: FakeNetlink; directory?: string } = {}) {
  const card = netlink.links().find(({ name }) => name === "eth0")?.index ?? netlink.addHardware("eth0");
  netlink.addAddress(card, "192.0.2.7", 24);
  netlink.replaceRoute({ destination: "192.0.2.0/24", index: card, protocol: 2 });
  netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "192.0.2.1", index: card, protocol: 3 });
  const nodes = fakeInformer(node("a", "10.42.0.0/24", "192.0.2.7"));
  const addresses = new NodeAddresses({ given: [], ...networks, netlink, clock: systemClock, log }), watch = addresses.component();
  const told: { status: string; message: string }[] = [];
  const client = { patch: async (_card: unknown, _key: unknown, { body }: { body: { status: { conditions: (typeof told)[number][] } } }) => void told.push(...body.status.conditions) } as unknown as Client;
  const network = new PodNetwork({
    informers: { informer: () => nodes } as unknown as InformerFactory, client, nodeName: "a", addresses, mode, instance: "skiff-t", ...networks,
    cniConfDir: join(directory, "cni"), ipamDirectory: join(directory, "ipam"), clock: systemClock, log, netlink, applySysctls: () => undefined,
  });
  const stop = new AbortController();
  await watch.start(stop.signal);
  const running = network.run(stop.signal);
  let stopped = false;
  const end = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await watch.stop!();
    stop.abort();
    await running;
  };
  ends.push(end, async () => rmSync(directory, { recursive: true, force: true }));
  const cni = (): { mtu: number; ipam: { ranges: { subnet: string }[][] } } => JSON.parse(readFileSync(join(directory, "cni/10-skiff.conflist"), "utf8")).plugins[0];
  const ours = () => netlink.routes().filter(({ protocol }) => protocol === ourProtocol).map(({ destination, gateway, index }) => `${destination} ${gateway} ${netlink.links().find((link) => link.index === index)?.name}`).sort();
  const vtep = () => netlink.links().find(({ name }) => name === "skiff-t-vx");
  if (mode !== "none") await eventually(() => cni());
  return { netlink, card, nodes, cni, ours, vtep, told, end, directory };
}

describe("the pod network", () => {
  test("of a node alone: its configuration, no VXLAN, and the Node says that all is well", async () => {
    const { cni, ours, vtep, told } = await start();
    expect(cni()).toMatchObject({ type: "ptp", mtu: 1500, ipam: { ranges: [[{ subnet: "10.42.0.0/24" }]] } });
    expect([ours(), vtep()]).toEqual([[], undefined]);
    await eventually(() => expect(told).toMatchObject([{ type: "NetworkUnavailable", status: "False", reason: "PodNetworkReady" }]));
  });

  test("nodes come, move and go", async () => {
    const { netlink, nodes, cni, ours, vtep } = await start();
    nodes.put(node("b", "10.42.1.0/24", "192.0.2.8"));
    await eventually(() => expect(ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0"]));
    // It may need VXLAN to come here, for all we know.
    expect(vtep()).toMatchObject({ mtu: 1450, mac: vtepMac("10.42.0.0/24"), vxlan: { id: 83, port: 8472, local: "192.0.2.7" } });
    expect(cni().mtu).toBe(1500);
    nodes.put(node("c", "10.42.2.0/24", "198.51.100.9"));
    await eventually(() => expect(ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0", "10.42.2.0/24 10.42.2.0 skiff-t-vx"]));
    expect(netlink.forwarding(vtep()!.index)).toEqual([{ mac: vtepMac("10.42.2.0/24"), destination: "198.51.100.9" }]);
    expect(netlink.neighbours()).toEqual([{ index: vtep()!.index, address: "10.42.2.0", mac: vtepMac("10.42.2.0/24") }]);
    expect(netlink.addresses().find(({ index }) => index === vtep()!.index)).toMatchObject({ address: "10.42.0.0", prefix: 32 });
    expect(cni().mtu).toBe(1450);
    nodes.put(node("c", "10.42.2.0/24", "192.0.2.9"));
    await eventually(() => expect(ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0", "10.42.2.0/24 192.0.2.9 eth0"]));
    expect([netlink.forwarding(vtep()!.index), netlink.neighbours(), cni().mtu]).toEqual([[], [], 1500]);
    nodes.remove("b");
    nodes.remove("c");
    await eventually(() => expect([ours(), vtep()]).toEqual([[], undefined]));
  });

  test("what a run of before has left and nobody wants goes, and what is wanted is not touched", async () => {
    const netlink = new FakeNetlink(), card = netlink.addHardware("eth0");
    const left = { index: card, protocol: ourProtocol, onlink: true } as const;
    netlink.replaceRoute({ ...left, destination: "10.42.9.0/24", gateway: "192.0.2.99" });
    netlink.replaceRoute({ ...left, destination: "10.99.9.0/24", gateway: "192.0.2.99" });
    const { ours, nodes } = await start({ netlink });
    nodes.put(node("b", "10.42.1.0/24", "192.0.2.8"));
    await eventually(() => expect(ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0", "10.99.9.0/24 192.0.2.99 eth0"]));
  });

  test("a route that somebody removed comes back", async () => {
    const { netlink, ours, nodes } = await start();
    nodes.put(node("b", "10.42.1.0/24", "192.0.2.8"));
    await eventually(() => expect(ours()).toHaveLength(1));
    netlink.removeRoute(netlink.routes().find(({ destination }) => destination === "10.42.1.0/24")!);
    await eventually(() => expect(ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0"]));
  });

  test("a node that is moved to another network takes its ways with it", async () => {
    const { netlink, card, ours, vtep, nodes } = await start();
    nodes.put(node("b", "10.42.1.0/24", "192.0.2.8"));
    nodes.put(node("c", "10.42.2.0/24", "198.51.100.9"));
    await eventually(() => expect(ours()).toHaveLength(2));
    netlink.removeRoute({ destination: "0.0.0.0/0", protocol: 3 });
    netlink.removeRoute({ destination: "192.0.2.0/24", protocol: 2 });
    netlink.removeAddress(card, "192.0.2.7", 24);
    netlink.addAddress(card, "198.51.100.7", 24);
    netlink.replaceRoute({ destination: "198.51.100.0/24", index: card, protocol: 2 });
    netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "198.51.100.1", index: card, protocol: 3 });
    await eventually(() => expect([ours(), vtep()?.vxlan?.local]).toEqual([["10.42.1.0/24 10.42.1.0 skiff-t-vx", "10.42.2.0/24 198.51.100.9 eth0"], "198.51.100.7"]));
    expect(netlink.forwarding(vtep()!.index)).toEqual([{ mac: vtepMac("10.42.1.0/24"), destination: "192.0.2.8" }]);
  });

  test("routes alone, and VXLAN alone", async () => {
    const byRoutes = await start({ mode: "routes" }), byVxlan = await start({ mode: "vxlan" });
    for (const { nodes } of [byRoutes, byVxlan]) for (const one of [node("b", "10.42.1.0/24", "192.0.2.8"), node("c", "10.42.2.0/24", "198.51.100.9")]) nodes.put(one);
    await eventually(() => expect(byRoutes.ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0"]));
    expect([byRoutes.vtep(), byRoutes.cni().mtu]).toEqual([undefined, 1500]);
    await eventually(() => expect(byVxlan.ours()).toEqual(["10.42.1.0/24 10.42.1.0 skiff-t-vx", "10.42.2.0/24 10.42.2.0 skiff-t-vx"]));
    expect(byVxlan.cni().mtu).toBe(1450);
  });

  test("with another program's network nothing of ours is left", async () => {
    const { netlink, nodes, ours, end, directory } = await start();
    nodes.put(node("b", "10.42.1.0/24", "192.0.2.8"));
    await eventually(() => expect(ours()).toHaveLength(1));
    await end();
    const { vtep } = await start({ mode: "none", netlink, directory });
    await eventually(() => expect([ours(), vtep(), existsSync(join(directory, "cni/10-skiff.conflist"))]).toEqual([[], undefined, false]));
  });

  test("a peer whose Node says nonsense, or that the kernel won't have, keeps no other from being reached", async () => {
    const netlink = new FakeNetlink(), replaceRoute = netlink.replaceRoute.bind(netlink);
    netlink.replaceRoute = (route) => {
      if (route.gateway === "192.0.2.66") throw new NetlinkError("EINVAL", "no such route");
      replaceRoute(route);
    };
    const { nodes, ours, told } = await start({ netlink });
    nodes.put(node("bad", "10.42.6.0/24", "192.0.2.66"));
    nodes.put(node("worse", "everything", "not-an-address"));
    nodes.put(node("b", "10.42.1.0/24", "192.0.2.8"));
    await eventually(() => expect(ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0"]));
    nodes.put(node("bad", "10.42.6.0/24", "192.0.2.67"));
    await eventually(() => expect(ours()).toEqual(["10.42.1.0/24 192.0.2.8 eth0", "10.42.6.0/24 192.0.2.67 eth0"]));
    expect(told.every(({ status }) => status === "False")).toBe(true);
  });

  test("a kernel that refuses is told of on the Node, and asked again", async () => {
    const netlink = new FakeNetlink(), addLink = netlink.addLink.bind(netlink);
    let hasVxlan = false;
    netlink.addLink = (link) => {
      if (!hasVxlan) throw new Error("no VXLAN in this kernel");
      return addLink(link);
    };
    const { nodes, told, vtep } = await start({ netlink });
    nodes.put(node("b", "10.42.1.0/24", "198.51.100.8"));
    await eventually(() => expect(told.find(({ status }) => status === "True")?.message).toBe("no VXLAN in this kernel"));
    hasVxlan = true;
    await eventually(() => expect(vtep()?.up).toBe(true));
  });

  test("stopping leaves everything as it is: pods run on", async () => {
    const { nodes, ours, vtep, end } = await start();
    nodes.put(node("b", "10.42.1.0/24", "198.51.100.8"));
    await eventually(() => expect(ours()).toHaveLength(1));
    await end();
    expect([ours().length, vtep()?.up]).toEqual([1, true]);
  });
});
