import { NetlinkError, type ForwardingEntry, type Link, type LinkAddress, type Neighbour, type Netlink, type NetlinkChange, type NewLink, type Route } from "../netlink.ts";

/** Behaves as the kernel does, as far as netlink.test.ts asks the same of both. It starts with `lo` and what `addHardware` puts in. */
export class FakeNetlink implements Netlink {
  readonly #links = new Map<number, Link>();
  readonly #addresses: LinkAddress[] = [];
  readonly #routes: Route[] = [];
  readonly #neighbours: Neighbour[] = [];
  readonly #forwarding = new Map<number, ForwardingEntry[]>();
  readonly #listeners = new Set<(change: NetlinkChange) => void>();
  #lastIndex = 0;

  constructor() {
    this.addHardware("lo", { mtu: 65536, mac: "00:00:00:00:00:00" });
  }

  /** A network card, up and with its cable in. */
  addHardware(name: string, { mtu = 1500, mac = "02:00:00:00:00:01" }: { mtu?: number; mac?: string } = {}): number {
    return this.#add({ index: ++this.#lastIndex, name, mtu, mac, up: true, carrier: true });
  }

  links = (): Link[] => [...this.#links.values()].map((link) => ({ ...link }));
  addresses = (): LinkAddress[] => this.#addresses.map((address) => ({ ...address }));
  routes = (): Route[] => this.#routes.map((route) => ({ ...route }));
  neighbours = (): Neighbour[] => this.#neighbours.map((neighbour) => ({ ...neighbour }));
  forwarding = (index: number): ForwardingEntry[] => (this.#forwarding.get(index) ?? []).map((entry) => ({ ...entry }));

  addLink(link: NewLink): number {
    if (this.links().some(({ name }) => name === link.name)) throw new NetlinkError("EEXIST", `the link ${link.name} could not be made`);
    const index = ++this.#lastIndex;
    return this.#add({ index, name: link.name, mtu: link.mtu ?? 1500, mac: link.mac ?? `02:fa:ce:00:00:${index.toString(16).padStart(2, "0")}`, up: false, carrier: false, kind: link.kind, ...(link.kind === "vxlan" ? { vxlan: { ...link.vxlan } } : {}) });
  }

  changeLink(index: number, { up, mtu, mac }: { up?: boolean; mtu?: number; mac?: string }): void {
    const link = this.#link(index);
    Object.assign(link, up === undefined ? {} : { up, carrier: up }, mtu ? { mtu } : {}, mac ? { mac } : {});
    if (up === false) this.#dropRoutes((route) => route.index === index);
    this.#tell({ kind: "link", gone: false, link: { ...link } });
  }

  removeLink(index: number): void {
    const link = this.#link(index);
    this.#links.delete(index);
    this.#forwarding.delete(index);
    remove(this.#neighbours, (neighbour) => neighbour.index === index);
    remove(this.#addresses, (address) => address.index === index);
    this.#dropRoutes((route) => route.index === index);
    this.#tell({ kind: "link", gone: true, link });
  }

  addAddress(index: number, address: string, prefix: number): void {
    this.#link(index);
    if (this.#addresses.some((each) => each.index === index && each.address === address && each.prefix === prefix)) return;
    const added: LinkAddress = { index, address, prefix, linkLocal: address.startsWith("fe80:"), passing: false };
    this.#addresses.push(added);
    this.#tell({ kind: "address", gone: false, address: { ...added } });
  }

  removeAddress(index: number, address: string, prefix: number): void {
    const gone = remove(this.#addresses, (each) => each.index === index && each.address === address && each.prefix === prefix)[0];
    if (!gone) throw new NetlinkError("EADDRNOTAVAIL", `the address ${address} could not be removed`);
    this.#tell({ kind: "address", gone: true, address: gone });
  }

  replaceRoute(route: Route): void {
    if (route.index !== undefined && !this.#link(route.index).up) throw new NetlinkError("ENETDOWN", `the route to ${route.destination} could not be set`);
    remove(this.#routes, (each) => sameRoute(each, route));
    this.#routes.push({ ...route });
    this.#tell({ kind: "route", gone: false, route: { ...route } });
  }

  removeRoute(route: Route): void {
    if (!this.#dropRoutes((each) => sameRoute(each, route))) throw new NetlinkError("ESRCH", `the route to ${route.destination} could not be removed`);
  }

  replaceNeighbour(neighbour: Neighbour): void {
    this.#link(neighbour.index);
    remove(this.#neighbours, (each) => each.index === neighbour.index && each.address === neighbour.address);
    this.#neighbours.push({ ...neighbour });
  }

  removeNeighbour({ index, address }: Neighbour): void {
    if (!remove(this.#neighbours, (each) => each.index === index && each.address === address).length) throw new NetlinkError("ENOENT", `the neighbour ${address} could not be removed`);
  }

  replaceForwarding(index: number, entry: ForwardingEntry): void {
    this.#link(index);
    this.#forwarding.set(index, [...this.forwarding(index).filter(({ mac }) => mac !== entry.mac), { ...entry }]);
  }

  removeForwarding(index: number, { mac, destination }: ForwardingEntry): void {
    const entries = this.forwarding(index), left = entries.filter((each) => each.mac !== mac || each.destination !== destination);
    if (left.length === entries.length) throw new NetlinkError("ENOENT", `the forwarding to ${destination} could not be removed`);
    this.#forwarding.set(index, left);
  }

  watch(listener: (change: NetlinkChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
  }

  #add(link: Link): number {
    this.#links.set(link.index, link);
    this.#tell({ kind: "link", gone: false, link: { ...link } });
    return link.index;
  }

  #link(index: number): Link {
    const link = this.#links.get(index);
    if (!link) throw new NetlinkError("ENODEV", `there is no link ${index}`);
    return link;
  }

  #dropRoutes(test: (route: Route) => boolean): number {
    const gone = remove(this.#routes, test);
    for (const route of gone) this.#tell({ kind: "route", gone: true, route });
    return gone.length;
  }

  #tell(change: NetlinkChange): void {
    for (const listener of this.#listeners) queueMicrotask(() => listener(change));
  }
}

const sameRoute = (a: Route, b: Route): boolean => a.destination === b.destination && (a.metric ?? 0) === (b.metric ?? 0);

function remove<T>(list: T[], test: (item: T) => boolean): T[] {
  const gone = list.filter(test);
  for (const item of gone) list.splice(list.indexOf(item), 1);
  return gone;
}
