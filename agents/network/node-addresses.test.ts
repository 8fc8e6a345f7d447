import { describe, expect, test } from "bun:test";
import { eventually } from "../../test/support/eventually.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { FakeNetlink } from "../netlink/testing/fake-netlink.ts";
import { NodeAddresses } from "./node-addresses.ts";

const networks = { clusterCidrs: ["10.42.0.0/16", "fd00:42::/56"], serviceCidrs: ["10.43.0.0/16", "fd00:43::/112"] };

function machine() {
  const netlink = new FakeNetlink();
  const make = (given: string[] = []): NodeAddresses => new NodeAddresses({ given, ...networks, netlink, clock: systemClock, log: logger("test") });
  return { netlink, make };
}

describe("the addresses of a node", () => {
  test("are those it was given, in the order of the cluster's families", () => {
    expect(machine().make(["2001:db8::7", "192.0.2.7"]).current).toEqual(["192.0.2.7", "2001:db8::7"]);
  });

  test("are those of the default route, without what passes, what is the link's alone and what the cluster brings", () => {
    const { netlink, make } = machine();
    const dns = netlink.addLink({ name: "skiff-dns", kind: "dummy" }), lan = netlink.addHardware("eth0"), wan = netlink.addHardware("wwan0");
    netlink.changeLink(dns, { up: true });
    const docker = netlink.addLink({ name: "docker0", kind: "bridge" });
    netlink.changeLink(docker, { up: true });
    for (const [index, address] of [[dns, "10.43.0.10"], [docker, "172.17.0.1"], [lan, "192.0.2.7"], [lan, "fe80::7"], [lan, "2001:db8::7"], [wan, "198.51.100.7"]] as const) netlink.addAddress(index, address, 24);
    expect(make().current).toEqual(["192.0.2.7", "2001:db8::7"]);
    netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "198.51.100.1", index: wan, protocol: 3, metric: 700 });
    expect(make().current).toEqual(["198.51.100.7", "2001:db8::7"]);
    netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "192.0.2.1", index: lan, protocol: 3, metric: 100 });
    expect(make().current).toEqual(["192.0.2.7", "2001:db8::7"]);
  });

  test("are none before the machine has any; then what comes; and the last ones while it has none again", async () => {
    const { netlink, make } = machine();
    const lan = netlink.addHardware("eth0"), addresses = make(), seen: string[][] = [];
    addresses.onChange(() => seen.push([...addresses.current]));
    const component = addresses.component();
    await component.start(new AbortController().signal);
    expect(addresses.current).toEqual([]);
    netlink.addAddress(lan, "192.0.2.7", 24);
    await eventually(() => expect(seen).toEqual([["192.0.2.7"]]));
    netlink.removeAddress(lan, "192.0.2.7", 24);
    netlink.addAddress(lan, "2001:db8::7", 64);
    await eventually(() => expect(seen.at(-1)).toEqual(["192.0.2.7", "2001:db8::7"]));
    netlink.addAddress(lan, "192.0.2.99", 24);
    await eventually(() => expect(seen.at(-1)).toEqual(["192.0.2.99", "2001:db8::7"]));
    await component.stop!();
  });

  test("stay while they are as good as others", async () => {
    const { netlink, make } = machine();
    const lan = netlink.addHardware("eth0"), wlan = netlink.addHardware("wlan0");
    netlink.addAddress(wlan, "198.51.100.7", 24);
    netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "198.51.100.1", index: wlan, protocol: 3, metric: 600 });
    const addresses = make(), component = addresses.component();
    await component.start(new AbortController().signal);
    let changes = 0;
    addresses.onChange(() => changes++);
    netlink.addAddress(lan, "192.0.2.7", 24);
    netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "192.0.2.1", index: lan, protocol: 3, metric: 100 });
    netlink.addAddress(lan, "2001:db8::7", 64);
    await eventually(() => expect(addresses.current).toEqual(["198.51.100.7", "2001:db8::7"]));
    // Its way out is gone: the other's is better now.
    netlink.removeRoute({ destination: "0.0.0.0/0", protocol: 3, metric: 600 });
    await eventually(() => expect(addresses.current).toEqual(["192.0.2.7", "2001:db8::7"]));
    expect(changes).toBe(2);
    await component.stop!();
  });
});
