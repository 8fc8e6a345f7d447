import { createHash } from "node:crypto";
import { parseAddress, type Family } from "../../src/base/ip.ts";
import type { PodNetworkMode } from "../../src/base/pod-network.ts";
import type { ForwardingEntry, Vxlan } from "../netlink/netlink.ts";
import { baseOf, type HostRoute, isInside, routeTo } from "./host-network.ts";

/** Another node, as its Node object tells. */
export interface Peer {
  name: string;
  /** One of each of the cluster's families at most. */
  podCidrs: readonly string[];
  addresses: readonly string[];
}

/** A route by which a peer's pods are reached. */
export interface PathRoute {
  destination: string;
  gateway: string;
  /** A link of the machine; undefined for the VXLAN link. */
  index?: number;
}

/** All that the kernel must know of a peer. */
export interface Path {
  routes: PathRoute[];
  /** On the VXLAN link: the peer's end of it, by the addresses its routes name. */
  neighbours: { address: string; mac: string }[];
  forwarding: ForwardingEntry[];
  /** Pods' networks that can't be reached, and why. */
  problems: string[];
}

export interface Vantage {
  mode: PodNetworkMode;
  /** The machine's own routes, none of ours. */
  routes: readonly HostRoute[];
  clusterCidrs: readonly string[];
  /** This node's own. */
  podCidrs: readonly string[];
  /** The family of the packets that carry VXLAN: that of the node's main address. Undefined while it has none. */
  outerFamily: Family | undefined;
}

/** The same on all nodes. The port is what Linux and other Kubernetes networks use, so that firewalls know it; the id differs from theirs. */
const vxlanId = 83;
const vxlanPort = 8472;

/** What VXLAN adds to each packet. */
export const vxlanOverhead = { 4: 50, 6: 70 } as const;

/** The hardware address of a node's end of VXLAN: a function of its first pod network, so that nobody needs to be told. */
export function vtepMac(podCidr: string): string {
  const digest = createHash("sha256").update(podCidr).digest();
  return ["02", ...[...digest.subarray(0, 5)].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

export const vxlanOf = (local: string): Vxlan => ({ id: vxlanId, port: vxlanPort, local });

/** The path to a peer's pods; none as long as it has not said where it is. Pure. */
export function planPath({ podCidrs, addresses }: Peer, vantage: Vantage): Path {
  const path: Path = { routes: [], neighbours: [], forwarding: [], problems: [] };
  if (addresses.length === 0) return path;
  const mac = podCidrs[0] ? vtepMac(podCidrs[0]) : "";
  for (const destination of podCidrs) {
    // A node that makes its own Node object could ask for traffic that is none of its business.
    if (!vantage.clusterCidrs.some((cidr) => isInside(destination, cidr)) || vantage.podCidrs.some((own) => isInside(destination, own) || isInside(own, destination))) {
      path.problems.push(`${destination} is no part of the cluster's pod networks that another node may have`);
      continue;
    }
    const { family, address: base } = baseOf(destination);
    const direct = vantage.mode === "vxlan" ? undefined : directRoute(addresses.find((each) => familyOf(each) === family), vantage.routes);
    if (direct) path.routes.push({ destination, ...direct });
    else if (vantage.mode === "routes") path.problems.push(`${destination} is behind no address on a link of this node`);
    else {
      const end = addresses.find((each) => familyOf(each) === vantage.outerFamily);
      if (!end) {
        // Without an address of its own this node only waits.
        if (vantage.outerFamily) path.problems.push(`${destination} is on a node without an address that VXLAN from here could be sent to`);
        continue;
      }
      path.routes.push({ destination, gateway: base });
      path.neighbours.push({ address: base, mac });
      path.forwarding = [{ mac, destination: end }];
    }
  }
  return path;
}

export const isByVxlan = ({ forwarding }: Path): boolean => forwarding.length > 0;

/** Where the address is on a link: no router in between. */
function directRoute(address: string | undefined, routes: readonly HostRoute[]): { gateway: string; index: number } | undefined {
  const route = address ? routeTo(address, routes) : undefined;
  return address && route?.index !== undefined && !route.gateway ? { gateway: address, index: route.index } : undefined;
}

const familyOf = (address: string): Family => parseAddress(address)!.family;
