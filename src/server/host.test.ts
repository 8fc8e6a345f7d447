import { expect, test } from "bun:test";
import type { NetworkInterfaceInfo } from "node:os";
import { hostAddresses } from "./host.ts";

const at = (address: string, internal = false): NetworkInterfaceInfo => ({ address, internal, family: "IPv4", netmask: "", mac: "", cidr: null });

test("the serving certificate names what others reach, not what the cluster brings to the machine", () => {
  const interfaces = { lo: [at("127.0.0.1", true)], eth0: [at("192.0.2.7"), { ...at("192.0.2.8"), address: "2001:db8::1", family: "IPv6" as const, scopeid: 0 }], "skiff-dns": [at("10.43.0.10")], veth1: [at("10.42.0.1")] };
  expect(hostAddresses(["10.42.0.0/16", "10.43.0.0/16"], interfaces)).toEqual(["192.0.2.7"]);
});
