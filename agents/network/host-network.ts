import { bitsOf, containsAddress, networkAddress, parseAddress, parseNetwork, type Family, type Network } from "../../src/base/ip.ts";
import type { Link, LinkAddress, Netlink, NetlinkChange, Route } from "../netlink/netlink.ts";

/** The routes that Skiff makes, so that it knows them again: a number that https://github.com/iproute2/iproute2/blob/main/etc/iproute2/rt_protos has for nobody. */
export const ourProtocol = 83;

/** What the machine's network is like, without what the cluster itself brings: pods' links and addresses, Skiff's own routes. */
export interface HostState {
  links: readonly Link[];
  addresses: readonly LinkAddress[];
  routes: readonly HostRoute[];
}
export interface HostRoute extends Route {
  network: Network;
}

/** A look at the machine's network, and word of each change to it that isn't the coming and going of pods. */
export class HostNetwork {
  readonly #clusterNetworks: readonly Network[];
  constructor(private readonly netlink: Netlink, clusterNetworks: readonly string[]) {
    this.#clusterNetworks = clusterNetworks.map((text) => parseNetwork(text)!);
  }

  state(): HostState {
    const links = this.netlink.links();
    return {
      links, addresses: this.netlink.addresses().filter(({ address }) => !this.#isOfCluster(address)),
      routes: this.netlink.routes().filter((route) => route.protocol !== ourProtocol && !this.#isOfCluster(route.destination.split("/")[0]!))
        .map((route) => ({ ...route, network: parseNetwork(route.destination)! })),
    };
  }

  /**
   * `listener` may be called many times for one event. It hears whether what Skiff has set up may be gone: the kernel drops routes with a link, and with a
   * link's last address, and doesn't always say so.
   */
  onChange(listener: (mayBeGone: boolean) => void): () => void {
    return this.netlink.watch((change) => {
      if (this.#concerns(change)) listener(change.kind !== "route" || change.route.protocol === ourProtocol);
    });
  }

  /** A route of ours that goes is of concern too: it is to be put back. */
  #concerns(change: NetlinkChange): boolean {
    switch (change.kind) {
      case "link": return !podLinkName.test(change.link.name);
      case "address": return !this.#isOfCluster(change.address.address) && !change.address.linkLocal;
      case "route": return change.route.protocol === ourProtocol ? change.gone : !this.#isOfCluster(change.route.destination.split("/")[0]!) && !isLinkLocal(change.route.destination);
      case "lost": return true;
    }
  }

  #isOfCluster(text: string): boolean {
    const address = parseAddress(text);
    return address !== undefined && this.#clusterNetworks.some((network) => containsAddress(network, address));
  }
}

/** As the plugin ptp names the host's ends of pods' links. */
const podLinkName = /^veth[0-9a-f]{8}$/;
const isLinkLocal = (destination: string): boolean => destination.startsWith("fe80:") || destination.startsWith("ff");

/** The route that packets to `text` take; undefined when there is none. */
export function routeTo(text: string, routes: readonly HostRoute[]): HostRoute | undefined {
  const address = parseAddress(text)!;
  return routes.filter(({ network }) => containsAddress(network, address)).toSorted((a, b) => b.network.prefix - a.network.prefix || (a.metric ?? 0) - (b.metric ?? 0))[0];
}

export const defaultRoutes = (family: Family, routes: readonly HostRoute[]): HostRoute[] =>
  routes.filter(({ network }) => network.family === family && network.prefix === 0).toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0));

/** The first address of a network, alone: `10.42.1.0` and `10.42.1.0/32`. */
export function baseOf(cidr: string): { family: Family; address: string; bits: number } {
  const network = parseNetwork(cidr)!;
  return { family: network.family, address: cidr.split("/")[0]!, bits: bitsOf(network.family) };
}

/** Whether a network lies inside another. */
export const isInside = (inner: string, outer: string): boolean => {
  const a = parseNetwork(inner), b = parseNetwork(outer);
  return a !== undefined && b !== undefined && a.prefix >= b.prefix && containsAddress(b, { ...a, value: networkAddress(a) });
};
