import { formatNetwork, networkAddress, parseNetwork, type Network } from "../../apis/networking/addresses.ts";

/** Kubernetes' --node-cidr-mask-size-ipv4 and --node-cidr-mask-size-ipv6. */
const nodePrefix = { 4: 24, 6: 64 } as const;

/** A network that is cut into equal ones for nodes. */
export interface ClusterNetwork {
  base: bigint;
  family: 4 | 6;
  /** How many there are. */
  size: bigint;
}

/** The networks of a cluster, one of each family at most: `10.42.0.0/16,fd00:42::/56`. Throws an Error for anything else. */
export function parseClusterNetworks(text: string): ClusterNetwork[] {
  const networks = text.split(",").map((one) => {
    const network = parseNetwork(one.trim());
    if (!network || network.mapped) throw new Error(`${JSON.stringify(one)} is not a network such as 10.42.0.0/16 or fd00:42::/56`);
    const { family, prefix } = network;
    return { base: networkAddress(network), family, size: prefix > nodePrefix[family] ? 0n : 1n << BigInt(nodePrefix[family] - prefix) };
  });
  if (new Set(networks.map(({ family }) => family)).size < networks.length) throw new Error(`${JSON.stringify(text)} names two networks of one family`);
  return networks;
}

/**
 * The next network for a node that overlaps none of `taken`, and its number; undefined when there is none. The search goes on after
 * number `last` and comes round, so that what was just let go is not used again at once.
 */
export function nextPodCidr({ base, family, size }: ClusterNetwork, taken: readonly string[], last = -1n): { cidr: string; number: bigint } | undefined {
  const prefix = nodePrefix[family];
  const bits = BigInt((family === 4 ? 32 : 128) - prefix);
  const used = new Set<bigint>();
  for (const network of taken.map(parseNetwork)) if (network?.family === family) for (const number of numbersOf(network, { base, size, bits })) used.add(number);
  for (let tried = 0n; tried < size; tried++) {
    const number = (last + 1n + tried) % size;
    if (!used.has(number)) return { cidr: formatNetwork({ family, value: base + (number << bits), mapped: false, prefix }), number };
  }
  return undefined;
}

/** The parts that a network covers or lies in. */
function* numbersOf(network: Network, { base, size, bits }: { base: bigint; size: bigint; bits: bigint }): Iterable<bigint> {
  const start = networkAddress(network), length = 1n << BigInt((network.family === 4 ? 32 : 128) - network.prefix);
  const first = (start - base) >> bits, end = (start + length - 1n - base) >> bits;
  for (let number = first < 0n ? 0n : first; number <= end && number < size; number++) yield number;
}
