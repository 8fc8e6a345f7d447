import type { Logger } from "../../src/base/log.ts";
import { type ForwardingEntry, type Neighbour, type Netlink, NetlinkError, type Route } from "../netlink/netlink.ts";
import { baseOf, isInside, ourProtocol } from "./host-network.ts";
import { type Path, type PathRoute, vxlanOf } from "./paths.ts";

/** This node's end of VXLAN. */
export interface VtepSpec {
  name: string;
  local: string;
  mac: string;
  mtu: number;
  /** Its pod networks, whose first addresses are the link's own: what it sends by VXLAN comes from where answers find back. */
  podCidrs: readonly string[];
}

const nothing: Path = { routes: [], neighbours: [], forwarding: [], problems: [] };

/**
 * Keeps the kernel's routes, neighbours and VXLAN stations at what the paths to the peers say. What it wrote it remembers: a peer that hasn't changed
 * costs nothing. `reload` looks at the kernel again.
 */
export class PathTable {
  readonly #written = new Map<string, Path>();
  #vtep: { index: number; spec: VtepSpec } | undefined;
  constructor(private readonly options: { netlink: Netlink; clusterCidrs: readonly string[]; log: Logger }) {}

  /** Makes the VXLAN link be as it should, or be gone; the kernel is asked when `look` says so, or it should be another now. Returns whether it is a new one, with nothing on it. */
  setVtep(name: string, spec: VtepSpec | undefined, look: boolean): boolean {
    const { netlink } = this.options;
    if (!look && Bun.deepEquals(spec, this.#vtep?.spec)) return false;
    const found = netlink.links().find((link) => link.name === name);
    const vxlan = spec && vxlanOf(spec.local);
    let index = found && vxlan && found.kind === "vxlan" && Bun.deepEquals(found.vxlan, vxlan) ? found.index : undefined;
    const isNew = index === undefined || index !== this.#vtep?.index;
    if (found && index === undefined) netlink.removeLink(found.index);
    if (!spec) {
      this.#vtep = undefined;
      return found !== undefined;
    }
    index ??= netlink.addLink({ name, kind: "vxlan", mtu: spec.mtu, mac: spec.mac, vxlan: vxlan! });
    if (found && (found.mtu !== spec.mtu || found.mac !== spec.mac)) netlink.changeLink(index, { mtu: spec.mtu, mac: spec.mac });
    netlink.changeLink(index, { up: true });
    this.#setAddresses(index, spec.podCidrs);
    this.#vtep = { index, spec };
    return isNew;
  }

  /** Forgets what was written in favour of what the kernel has, and removes there what belongs to none of these paths. Then each is to be `put` again. */
  reload(paths: ReadonlyMap<string, Path>): void {
    const { netlink, clusterCidrs } = this.options;
    this.#written.clear();
    const wanted = new Set([...paths.values()].flatMap(({ routes }) => routes.map(({ destination }) => destination)));
    for (const route of netlink.routes()) {
      if (route.protocol === ourProtocol && !wanted.has(route.destination) && clusterCidrs.some((cidr) => isInside(route.destination, cidr))) this.#unlessGone(() => netlink.removeRoute(route));
    }
    if (!this.#vtep) return;
    const { index } = this.#vtep;
    const neighbours = new Set([...paths.values()].flatMap((path) => path.neighbours.map(({ address, mac }) => `${address} ${mac}`)));
    for (const neighbour of netlink.neighbours()) if (neighbour.index === index && !neighbours.has(`${neighbour.address} ${neighbour.mac}`)) this.#unlessGone(() => netlink.removeNeighbour(neighbour));
    const stations = new Set([...paths.values()].flatMap((path) => path.forwarding.map(({ mac }) => mac)));
    for (const entry of netlink.forwarding(index)) if (!stations.has(entry.mac)) this.#unlessGone(() => netlink.removeForwarding(index, entry));
  }

  /** Writes the path to a peer; undefined for one that has gone. Throws a `NetlinkError` when the kernel refuses, and may be called again then. */
  put(name: string, path: Path = nothing): void {
    const { netlink } = this.options;
    const before = this.#written.get(name) ?? nothing;
    if (Bun.deepEquals(before, path)) return;
    this.#written.delete(name);
    for (const entry of missingIn(path.forwarding, before.forwarding, sameStation)) this.#onVtep((index) => this.#unlessGone(() => netlink.removeForwarding(index, entry)));
    for (const neighbour of missingIn(path.neighbours, before.neighbours, sameNeighbour)) this.#onVtep((index) => this.#unlessGone(() => netlink.removeNeighbour({ index, ...neighbour })));
    for (const route of missingIn(path.routes, before.routes, sameDestination)) this.#unlessGone(() => netlink.removeRoute(this.#route(route)));
    for (const entry of path.forwarding) this.#onVtep((index) => netlink.replaceForwarding(index, entry));
    for (const neighbour of path.neighbours) this.#onVtep((index) => netlink.replaceNeighbour({ index, ...neighbour }));
    for (const route of path.routes) netlink.replaceRoute(this.#route(route));
    if (path !== nothing) this.#written.set(name, path);
  }

  /** A route that is at odds with a destination's old one on another link replaces it: the metric is the same. */
  #route({ destination, gateway, index }: PathRoute): Route {
    const out = index ?? this.#vtep?.index;
    return { destination, gateway, onlink: true, protocol: ourProtocol, ...(out === undefined ? {} : { index: out }) };
  }

  #onVtep(act: (index: number) => void): void {
    if (this.#vtep) act(this.#vtep.index);
  }

  #setAddresses(index: number, podCidrs: readonly string[]): void {
    const { netlink } = this.options;
    const wanted = podCidrs.map(baseOf);
    for (const { address, prefix } of netlink.addresses().filter((each) => each.index === index && !each.linkLocal)) {
      if (!wanted.some((each) => each.address === address && each.bits === prefix)) netlink.removeAddress(index, address, prefix);
    }
    for (const { address, bits } of wanted) netlink.addAddress(index, address, bits);
  }

  /** What another program was faster to remove. */
  #unlessGone(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof NetlinkError && ["ESRCH", "ENOENT", "ENODEV"].includes(error.code))) throw error;
    }
  }
}

const missingIn = <T>(now: readonly T[], before: readonly T[], same: (a: T, b: T) => boolean): T[] => before.filter((old) => !now.some((one) => same(one, old)));
const sameStation = (a: ForwardingEntry, b: ForwardingEntry): boolean => a.mac === b.mac;
const sameNeighbour = (a: Omit<Neighbour, "index">, b: Omit<Neighbour, "index">): boolean => a.address === b.address;
const sameDestination = (a: PathRoute, b: PathRoute): boolean => a.destination === b.destination;
