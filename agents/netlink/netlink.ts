/**
 * What Skiff asks of the kernel's network configuration (rtnetlink, of the network namespace that the thread is in when it is opened). Calls take effect before they return:
 * one costs some ten microseconds. What they throw is a `NetlinkError`.
 */
export interface Netlink {
  links(): Link[];
  addresses(): LinkAddress[];
  /** The main table's, without what the kernel keeps for itself (local, broadcast, multicast). */
  routes(): Route[];
  /** The permanent ones: who has put them there also takes them away. */
  neighbours(): Neighbour[];
  /** Where each of a VXLAN link's stations is. */
  forwarding(index: number): ForwardingEntry[];

  /** Returns the link's index. EEXIST when the name is taken. */
  addLink(link: NewLink): number;
  changeLink(index: number, change: { up?: boolean; mtu?: number; mac?: string }): void;
  removeLink(index: number): void;
  /** Adds the address; one that is there is left alone. IPv6 without duplicate detection: it can be used at once. */
  addAddress(index: number, address: string, prefix: number): void;
  removeAddress(index: number, address: string, prefix: number): void;
  /** Puts a route in the place of any other to the same destination with the same metric. */
  replaceRoute(route: Route): void;
  /** ESRCH when there is none. */
  removeRoute(route: Route): void;
  replaceNeighbour(neighbour: Neighbour): void;
  removeNeighbour(neighbour: Neighbour): void;
  replaceForwarding(index: number, entry: ForwardingEntry): void;
  removeForwarding(index: number, entry: ForwardingEntry): void;

  /** Calls `listener` for each change from now on until the returned function is called. After "lost", anything may have changed. */
  watch(listener: (change: NetlinkChange) => void): () => void;
  close(): void;
}

export interface Link {
  index: number;
  name: string;
  mtu: number;
  up: boolean;
  /** The cable is in, as it were. */
  carrier: boolean;
  mac: string;
  /** `vxlan`, `veth`, `bridge`; undefined for real hardware. */
  kind?: string;
  vxlan?: Vxlan;
}

export interface Vxlan {
  id: number;
  port: number;
  /** The source of what it sends; its family is that of the outer packets. */
  local: string;
}

export type NewLink = { name: string; mtu?: number; mac?: string } & ({ kind: "dummy" | "bridge" } | { kind: "vxlan"; vxlan: Vxlan });

export interface LinkAddress {
  index: number;
  address: string;
  prefix: number;
  /** Only on its link, as fe80::1. */
  linkLocal: boolean;
  /** IPv6 that others can't rely on: for privacy's sake, running out, not yet checked, or a duplicate. */
  passing: boolean;
}

export interface Route {
  /** As `parseNetwork` reads it; `0.0.0.0/0` and `::/0` are the default routes. */
  destination: string;
  gateway?: string;
  /** The link it goes out by. Several paths: that of the first. */
  index?: number;
  metric?: number;
  /** Who made it: 2 the kernel, 3 at boot, 4 an administrator. */
  protocol: number;
  mtu?: number;
  /** The gateway is reached on the link, whatever addresses that has. */
  onlink?: boolean;
}

export interface Neighbour {
  index: number;
  address: string;
  mac: string;
}

export interface ForwardingEntry {
  mac: string;
  /** Where packets for that station are sent. */
  destination: string;
}

export type NetlinkChange =
  | { kind: "link"; gone: boolean; link: Link }
  | { kind: "address"; gone: boolean; address: LinkAddress }
  | { kind: "route"; gone: boolean; route: Route }
  | { kind: "lost" };

/** The kernel said no. `code` is errno's name, `EEXIST`. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  constructor(readonly code: string, what: string) {
    super(`${what}: ${code}`);
  }
}
