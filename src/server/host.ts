import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { cidrContains, parseCidr, parseIpv4 } from "../base/cidr.ts";

/** The IPv4 address that other machines see: of the interface with the default route, else the first that is not loopback. */
export function defaultAddress(): string | undefined {
  const interfaces = networkInterfaces();
  const addressOf = (name: string | undefined): string | undefined => (name ? interfaces[name]?.find((a) => a.family === "IPv4" && !a.internal)?.address : undefined);
  return addressOf(defaultRouteInterface()) ?? Object.keys(interfaces).map(addressOf).find(Boolean);
}

/** This machine's IPv4 addresses, without loopback and without those that the cluster itself brings (pods' gateways, the DNS). */
export function hostAddresses(clusterNetworks: readonly string[], interfaces = networkInterfaces()): string[] {
  const networks = clusterNetworks.flatMap((text) => parseCidr(text) ?? []);
  return Object.values(interfaces).flatMap((list) => list ?? []).filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address)
    .filter((address) => !networks.some((network) => cidrContains(network, parseIpv4(address)!)));
}

function defaultRouteInterface(): string | undefined {
  const routes = readFileSync("/proc/net/route", "utf8").split("\n").slice(1).map((line) => line.split("\t"));
  return routes.filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000").sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}
