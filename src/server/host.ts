import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { containsAddress, parseAddress, parseNetwork } from "../apis/networking/addresses.ts";

/** The addresses that other machines see, IPv4 before IPv6: of the interface with the default route, else the first that is not loopback. Of each family one, or none. */
export function defaultAddresses(): string[] {
  const interfaces = networkInterfaces();
  return (["IPv4", "IPv6"] as const).flatMap((family) => {
    const addressOf = (name: string | undefined): string | undefined => (name ? interfaces[name]?.find((a) => a.family === family && !a.internal && !isLinkLocal(a.address))?.address : undefined);
    return addressOf(defaultRouteInterface[family]()) ?? Object.keys(interfaces).map(addressOf).find(Boolean) ?? [];
  });
}

/** This machine's addresses, without loopback, those of a single link, and those that the cluster itself brings (pods' gateways, the DNS). */
export function hostAddresses(clusterNetworks: readonly string[], interfaces = networkInterfaces()): string[] {
  const networks = clusterNetworks.flatMap((text) => parseNetwork(text) ?? []);
  return Object.values(interfaces).flatMap((list) => list ?? []).filter(({ internal, address }) => !internal && !isLinkLocal(address)).map(({ address }) => address)
    .filter((address) => !networks.some((network) => containsAddress(network, parseAddress(address)!)));
}

/** As part of a URL. */
export const urlHost = (address: string): string => (address.includes(":") ? `[${address}]` : address);

const isLinkLocal = (address: string): boolean => /^(fe[89ab]|169\.254\.)/.test(address);

const defaultRouteInterface = {
  IPv4(): string | undefined {
    const routes = rows("/proc/net/route").slice(1);
    return routes.filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000").sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
  },
  /** Destination, its prefix, source, its prefix, next hop, metric, references, uses, flags, interface; all in hexadecimal. */
  IPv6(): string | undefined {
    const routes = rows("/proc/net/ipv6_route").filter(([destination, prefix, , , , , , , , name]) => /^0+$/.test(destination!) && prefix === "00" && name !== "lo");
    return routes.sort((a, b) => Number.parseInt(a[5]!, 16) - Number.parseInt(b[5]!, 16))[0]?.[9];
  },
};

const rows = (file: string): string[][] => (existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").map((line) => line.trim().split(/\s+/)) : []);
