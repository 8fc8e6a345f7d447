import { expect, test } from "bun:test";
import type { Service } from "../../apis/generated/core/v1.ts";
import type { ServiceCIDR } from "../../apis/generated/networking/v1.ts";
import { ServiceNetworks } from "./service-networks.ts";

const empty = { get: () => undefined, list: () => [], ownedBy: () => [] } as never;
const networks = (serviceCidr: string): ServiceNetworks => new ServiceNetworks({ serviceCidr, services: empty, ipAddresses: empty });
const range = (name: string, ready: boolean, ...cidrs: string[]): ServiceCIDR => ({
  metadata: { name }, spec: { cidrs }, status: { conditions: [{ type: "Ready", status: ready ? "True" : "False", reason: "", message: "", lastTransitionTime: null }] },
});
const outOfRange = "the provided IP (10.99.0.1) is not in the valid range. The range of valid IPs is 10.43.0.0/30";

test("a full network is followed by those that are ready", () => {
  const all = networks("10.43.0.0/30");
  expect([all.allocate("a"), all.allocate("b"), all.allocate("c")].toSorted()).toEqual(["10.43.0.1", "10.43.0.2", undefined]);
  all.observeRange(undefined, range("more", false, "10.99.0.0/30", "2001:db8::/64"));
  expect([all.allocate("c"), all.claim("10.99.0.1", "c")]).toEqual([undefined, outOfRange]);
  all.observeRange(range("more", false, "10.99.0.0/30"), range("more", true, "10.99.0.0/30"));
  expect(all.allocate("c")).toStartWith("10.99.0.");
  all.observeRange(range("more", true, "10.99.0.0/30"), undefined);
  expect(all.claim("10.99.0.1", "d")).toBe(outOfRange);
});

test("a network that two ask for stays until neither does", () => {
  const all = networks("10.43.0.0/30"), [a, b] = [range("a", true, "10.99.0.0/30"), range("b", true, "10.99.0.0/30")];
  all.observeRange(undefined, a);
  all.observeRange(undefined, b);
  all.observeRange(a, undefined);
  expect(all.claim("10.99.0.1", "x")).toBeUndefined();
  all.observeRange(b, undefined);
  expect(all.claim("10.99.0.1", "y")).toBe(outOfRange);
});

test("an address of two networks is given once, and free in both when it is given back", () => {
  const all = networks("10.43.0.0/16");
  all.observeRange(undefined, range("within", true, "10.43.7.0/29"));
  expect(all.claim("10.43.7.1", "a")).toBeUndefined();
  expect(all.claim("10.43.7.1", "b")).toBe("provided IP is already allocated");
  const held = { metadata: { name: "a", namespace: "default", uid: "a" }, spec: { clusterIPs: ["10.43.7.1"] } } as Service;
  all.observeService(undefined, held);
  all.settle("10.43.7.1");
  expect(all.claim("10.43.7.1", "b")).toBe("provided IP is already allocated");
  all.observeService(held, undefined);
  expect(all.claim("10.43.7.1", "b")).toBeUndefined();
});
