import { isIPv6 } from "node:net";
import type { Table } from "nftables-js";

export type IpFamily = "IPv4" | "IPv6";

/** What the rules of one address family are made for. It stays for the life of the process; node addresses don't, and are elements. */
export interface FamilyConfig {
  family: IpFamily;
  /** Ours alone; of family `ip` or `ip6`. */
  table: Table;
  /** Where pods have their addresses, and Services theirs. */
  clusterCidrs: readonly string[];
  serviceCidrs: readonly string[];
  /** Addresses of the service network that this node answers itself, such as the cluster's DNS. */
  localServiceIps: readonly string[];
  /** Node ports answer on every address of the node, not on chosen ones alone. */
  nodePortsEverywhere: boolean;
}

/** How the parts of a rule are spelled for a family. */
export interface Words {
  /** Type of an address. */
  address: "ipv4_addr" | "ipv6_addr";
  ip: "ip" | "ip6";
  loopback: string;
  /** Destinations that have no use for another source address: multicast, and what does not leave the link. */
  linkOnly: readonly string[];
}

const words: Record<IpFamily, Words> = {
  IPv4: { address: "ipv4_addr", ip: "ip", loopback: "127.0.0.0/8", linkOnly: ["224.0.0.0/4"] },
  IPv6: { address: "ipv6_addr", ip: "ip6", loopback: "::1", linkOnly: ["ff00::/8", "fe80::/10"] },
};

export const wordsOf = (family: IpFamily): Words => words[family];
export const familyOf = (address: string): IpFamily => (address.includes(":") ? "IPv6" : "IPv4");
export const ofFamily = (family: IpFamily, addresses: readonly string[]): string[] => addresses.filter((address) => familyOf(address) === family);

/** An address as nftables prints it: one key for one address, however it was written. */
export const canonical = (address: string): string => (isIPv6(address) && !address.includes(".") ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address);
