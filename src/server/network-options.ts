import { containsAddress, formatAddress, formatNetwork, networkAddress, parseAddress, parseNetwork, type Address, type Family, type Network } from "../apis/networking/addresses.ts";
import type { SettingValues } from "./options.ts";
import { UsageError } from "./settings.ts";

/** The cluster's networks: one of a family, or one of each, the first family being the one of what says nothing. */
export interface NetworkOptions {
  clusterCidrs: string[];
  /** Of the same families in the same order; so are the addresses of the DNS. */
  serviceCidrs: string[];
  clusterDns: string[];
}

/** The largest prefix that leaves room for a node's pods, and for some Services. */
const smallest = { cluster: { 4: 24, 6: 64 }, service: { 4: 28, 6: 124 } } as const;

/** Checks --cluster-cidr, --service-cidr and --cluster-dns. Throws `UsageError` for the first mistake. */
export function parseNetworkOptions(values: SettingValues): NetworkOptions {
  const cluster = networks(values, "cluster-cidr", smallest.cluster), service = networks(values, "service-cidr", smallest.service);
  const families = (all: readonly Network[]): string => all.map(({ family }) => `IPv${family}`).join(", ");
  if (families(cluster.parsed) !== families(service.parsed)) {
    throw new UsageError(`--cluster-cidr ${cluster.texts} and --service-cidr ${service.texts} must be of the same families in the same order, not ${families(cluster.parsed)} and ${families(service.parsed)}`);
  }
  for (const [i, network] of cluster.parsed.entries()) {
    if (overlap(network, service.parsed[i]!)) throw new UsageError(`--cluster-cidr ${cluster.texts[i]} and --service-cidr ${service.texts[i]} overlap: choose two networks apart`);
  }
  return { clusterCidrs: cluster.texts, serviceCidrs: service.texts, clusterDns: dnsAddresses(values, service.parsed, service.texts) };
}

/** Checks --nodeport-addresses. Throws `UsageError`. */
export function nodePortAddresses(values: SettingValues): "primary" | string[] {
  const texts = listOf(values, "nodeport-addresses");
  if (texts.length === 0 || (texts.length === 1 && texts[0] === "primary")) return "primary";
  return texts.map((text) => {
    const network = parseNetwork(text);
    if (!network || network.mapped) throw new UsageError(`--nodeport-addresses must be networks such as 192.168.0.0/16, or "primary" alone, not ${JSON.stringify(text)}`);
    return formatNetwork(network);
  });
}

/** The `index`-th address of a network. */
export function addressIn(cidr: string, index: number): string {
  const network = parseNetwork(cidr)!;
  return formatAddress({ ...network, value: networkAddress(network) + BigInt(index) });
}

/** The addresses of a list that may be of one family, or one of each. `flag` names it in the error. */
export function oneOfEachFamily(texts: readonly string[], flag: string): Address[] {
  const parsed = texts.map((text) => {
    const address = parseAddress(text);
    if (!address || address.mapped) throw new UsageError(`${flag} must be an IP address, or one of each family, not ${JSON.stringify(text)}`);
    return address;
  });
  if (hasTwoOfOneFamily(parsed)) throw new UsageError(`${flag} ${texts.join(",")} names two of one family: give one IPv4 and one IPv6 address at most`);
  return parsed;
}

function dnsAddresses(values: SettingValues, services: readonly Network[], serviceCidrs: readonly string[]): string[] {
  const given = listOf(values, "cluster-dns");
  if (given.length === 0) return serviceCidrs.map((cidr) => addressIn(cidr, 10));
  for (const [i, address] of oneOfEachFamily(given, "--cluster-dns").entries()) {
    if (!services.some((network) => containsAddress(network, address))) throw new UsageError(`--cluster-dns ${given[i]} must be inside --service-cidr ${serviceCidrs}`);
  }
  return given;
}

function networks(values: SettingValues, name: string, limits: Readonly<Record<Family, number>>): { texts: string[]; parsed: Network[] } {
  const texts = listOf(values, name);
  const parsed = texts.map((text) => {
    const network = parseNetwork(text);
    if (!network || network.mapped) throw new UsageError(`--${name} must be a network such as 10.42.0.0/16, or one of each family, not ${JSON.stringify(text)}`);
    const { family, prefix } = network;
    if (prefix > limits[family]) throw new UsageError(`--${name} ${text} has room for ${2n ** BigInt((family === 4 ? 32 : 128) - prefix)} addresses only: take a /${limits[family]} or larger`);
    return network;
  });
  if (parsed.length === 0) throw new UsageError(`--${name} must be a network such as 10.42.0.0/16, or one of each family`);
  if (hasTwoOfOneFamily(parsed)) throw new UsageError(`--${name} ${texts} names two networks of one family: give one IPv4 and one IPv6 network at most`);
  return { texts, parsed };
}

const listOf = (values: SettingValues, name: string): string[] => (values[name] as string[] | undefined) ?? [];
const hasTwoOfOneFamily = (all: readonly Address[]): boolean => new Set(all.map(({ family }) => family)).size < all.length;

function overlap(a: Network, b: Network): boolean {
  const start = (network: Network): Address => ({ ...network, value: networkAddress(network) });
  return containsAddress(a, start(b)) || containsAddress(b, start(a));
}
