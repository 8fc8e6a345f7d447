export interface PodNetwork {
  /** Unique on the machine: names the network in libcni's cache, and the interfaces. */
  name: string;
  /** This node's part of the cluster network, `10.42.0.0/24`. */
  podCidr: string;
  mtu: number;
  /** Where host-local keeps the addresses in use. */
  ipamDirectory: string;
}

/**
 * The pods' network as a CNI configuration list: a veth pair per pod, routed, without a bridge; so Services work between pods of one node
 * without br_netfilter. Host ports are not portmap's (it needs iptables): the service proxy maps them by nftables.
 */
export function cniConfig({ name, podCidr, mtu, ipamDirectory }: PodNetwork): string {
  return `${JSON.stringify({
    cniVersion: "0.4.0",
    name,
    plugins: [{
      type: "ptp",
      ipMasq: false,
      mtu,
      ipam: { type: "host-local", dataDir: ipamDirectory, ranges: [[{ subnet: podCidr }]], routes: [{ dst: "0.0.0.0/0" }] },
    }],
  }, null, 2)}\n`;
}
