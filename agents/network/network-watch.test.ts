import { expect, test } from "bun:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { logger } from "../../src/base/log.ts";
import { FakeNetlink } from "../netlink/testing/fake-netlink.ts";
import { networkWatch } from "./network-watch.ts";

async function machine() {
  const netlink = new FakeNetlink(), clock = new FakeClock(), lan = netlink.addHardware("eth0");
  netlink.addAddress(lan, "192.0.2.7", 24);
  let told = 0;
  const watch = networkWatch({ clusterNetworks: ["10.42.0.0/16", "10.43.0.0/16"], netlink, clock, log: logger("test"), onChange: () => void told++ });
  await watch.start(new AbortController().signal);
  const toldOf = async (change: () => void): Promise<number> => {
    const before = told;
    change();
    await clock.advance(50);
    return told - before;
  };
  return { netlink, lan, watch, toldOf };
}

test("a cable that goes and comes, an address and a route are told of, each once", async () => {
  const { netlink, lan, toldOf } = await machine();
  expect(await toldOf(() => netlink.changeLink(lan, { up: false }))).toBe(1);
  expect(await toldOf(() => netlink.changeLink(lan, { up: true }))).toBe(1);
  expect(await toldOf(() => {
    netlink.addAddress(lan, "192.0.2.99", 24);
    netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "192.0.2.1", index: lan, protocol: 3 });
  })).toBe(1);
  expect(await toldOf(() => netlink.replaceRoute({ destination: "0.0.0.0/0", gateway: "192.0.2.1", index: lan, protocol: 3 }))).toBe(0);
});

test("pods, their routes and what is no way to anywhere are not, nor anything after the end", async () => {
  const { netlink, lan, watch, toldOf } = await machine();
  expect(await toldOf(() => {
    const veth = netlink.addHardware("veth0a1b2c3d");
    netlink.replaceRoute({ destination: "10.42.0.9/32", index: veth, protocol: 3 });
    netlink.addAddress(lan, "10.42.0.1", 32);
    netlink.addAddress(lan, "fe80::7", 64);
  })).toBe(0);
  await watch.stop!();
  expect(await toldOf(() => netlink.addAddress(lan, "192.0.2.50", 24))).toBe(0);
});
