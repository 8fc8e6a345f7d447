import { parseNetwork } from "../../src/base/ip.ts";

export interface PodNetworkConfig {
  /** Unique on the machine: names the network in libcni's cache, and the interfaces. */
  name: string;
  /** This node's part of the cluster's networks, `10.42.0.0/24`, of one family or of each. */
  podCidrs: readonly string[];
  mtu: number;
  /** Where host-local keeps the addresses in use. */
  ipamDirectory: string;
  /** A plugin to be run before the others. */
  first?: string;
}

/**
 * The pods' network as a CNI configuration list: a veth pair per pod, routed, without a bridge; so Services work between pods of one node
 * without br_netfilter. Host ports are not portmap's (it needs iptables): the service proxy maps them by nftables.
 */
export function cniConfig({ name, podCidrs, mtu, ipamDirectory, first }: PodNetworkConfig): string {
  return `${JSON.stringify({
    cniVersion: "0.4.0",
    name,
    plugins: [
      ...(first ? [{ type: first }] : []),
      {
        type: "ptp",
        ipMasq: false,
        mtu,
        ipam: { type: "host-local", dataDir: ipamDirectory, ranges: podCidrs.map((subnet) => [{ subnet }]), routes: podCidrs.map((cidr) => ({ dst: parseNetwork(cidr)?.family === 6 ? "::/0" : "0.0.0.0/0" })) },
      },
    ],
  }, null, 2)}\n`;
}
