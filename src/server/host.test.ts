import { expect, test } from "bun:test";
import type { NetworkInterfaceInfo } from "node:os";
import { hostAddresses } from "./host.ts";

const at = (address: string, internal = false): NetworkInterfaceInfo => (address.includes(":")
  ? { address, internal, family: "IPv6", netmask: "", mac: "", cidr: null, scopeid: 0 }
  : { address, internal, family: "IPv4", netmask: "", mac: "", cidr: null });

test("the serving certificate names what others reach, not what the cluster brings to the machine", () => {
  const interfaces = { lo: [at("127.0.0.1", true), at("::1", true)], eth0: [at("192.0.2.7"), at("2001:db8::1"), at("fe80::1")], "skiff-dns": [at("10.43.0.10"), at("fd00:43::a")], veth1: [at("10.42.0.1"), at("fe80::2")] };
  expect(hostAddresses(["10.42.0.0/16", "10.43.0.0/16", "fd00:43::/112"], interfaces)).toEqual(["192.0.2.7", "2001:db8::1"]);
});
