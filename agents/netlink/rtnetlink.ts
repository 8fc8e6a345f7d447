import { type Address, type Family, formatAddress, parseAddress, parseNetwork } from "../../src/base/ip.ts";
import { attribute, attributesOf, bytesOf, cstring, type Message, nested, textOf, u16be, u32, u8 } from "./message.ts";
import type { ForwardingEntry, Link, LinkAddress, Neighbour, NetlinkChange, NewLink, Route } from "./netlink.ts";

/**
 * The messages of rtnetlink as Skiff needs them. Source: the kernel's include/uapi/linux/{rtnetlink,if_link,if_addr,neighbour}.h;
 * https://docs.kernel.org/networking/netlink_spec/index.html.
 */
export const rtm = { newLink: 16, delLink: 17, getLink: 18, newAddr: 20, delAddr: 21, getAddr: 22, newRoute: 24, delRoute: 25, getRoute: 26, newNeigh: 28, delNeigh: 29, getNeigh: 30 } as const;

/** As a mask for bind(2): links, addresses and routes. */
export const watchedGroups = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

export const familyNumber = { 4: 2, 6: 10, bridge: 7, any: 0 } as const;
const familyOf = (number: number): Family | undefined => (number === familyNumber[4] ? 4 : number === familyNumber[6] ? 6 : undefined);

const ifla = { address: 1, ifname: 3, mtu: 4, linkInfo: 18, afSpec: 26 } as const;
const vxlan = { id: 1, local: 4, learning: 7, port: 15, local6: 17, udpChecksum: 18 } as const;
const ifa = { address: 1, local: 2, flags: 8 } as const;
const rta = { dst: 1, oif: 4, gateway: 5, priority: 6, metrics: 8, table: 15, multipath: 9 } as const;
const nda = { dst: 1, lladdr: 2 } as const;
const infoKind = 1, infoData = 2, routeMetricMtu = 2, genMode = 8, genModeNone = 1;
const mainTable = 254, unicast = 1, linkScope = 253, clonedRoute = 0x200, onlinkHop = 4;
const up = 0x1, lowerUp = 0x10000;
const noDad = 0x2, passingFlags = 0x01 | 0x08 | 0x20 | 0x40;
const permanent = 0x80, ofTheLinkItself = 0x2;

export interface Request {
  fixed: Uint8Array;
  attributes: Uint8Array[];
}

// --- links ---

export const linkHeader = (index = 0, flags = 0, change = 0): Uint8Array => packed(16, (view) => {
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
});

/** VXLAN without learning, for stations are told, and without a checksum of what has its own (RFC 7348: it should be zero; over IPv6 there is one nevertheless). */
export function newLink(link: NewLink): Request {
  const info = [attribute(infoKind, cstring(link.kind))];
  if (link.kind === "vxlan") {
    const local = parseAddress(link.vxlan.local)!;
    info.push(nested(infoData, attribute(vxlan.id, u32(link.vxlan.id)), attribute(local.family === 4 ? vxlan.local : vxlan.local6, addressBytes(local)), attribute(vxlan.learning, u8(0)), attribute(vxlan.udpChecksum, u8(0)), attribute(vxlan.port, u16be(link.vxlan.port))));
  }
  return {
    fixed: linkHeader(), attributes: [
      attribute(ifla.ifname, cstring(link.name)), ...(link.mtu ? [attribute(ifla.mtu, u32(link.mtu))] : []), ...(link.mac ? [attribute(ifla.address, macBytes(link.mac))] : []),
      nested(ifla.linkInfo, ...info),
    ],
  };
}

/** Its own link-local address is of no use to a link that carries only what is routed into it. */
export const withoutLinkLocal = (index: number): Request => ({ fixed: linkHeader(index), attributes: [nested(ifla.afSpec, nested(familyNumber[6], attribute(genMode, u8(genModeNone))))] });

export const changedLink = (index: number, change: { up?: boolean; mtu?: number; mac?: string }): Request => ({
  fixed: linkHeader(index, change.up ? up : 0, change.up === undefined ? 0 : up),
  attributes: [...(change.mtu ? [attribute(ifla.mtu, u32(change.mtu))] : []), ...(change.mac ? [attribute(ifla.address, macBytes(change.mac))] : [])],
});

export function readLink({ payload }: Message): Link {
  const attributes = attributesOf(payload, 16), flags = payload.getUint32(8, true);
  const info = attributes.get(ifla.linkInfo), inner = info && attributesOf(info, 0), kind = inner?.get(infoKind), data = inner?.get(infoData);
  const link: Link = {
    index: payload.getInt32(4, true), name: textOf(attributes.get(ifla.ifname) ?? nothing), mtu: attributes.get(ifla.mtu)?.getUint32(0, true) ?? 0,
    up: (flags & up) !== 0, carrier: (flags & lowerUp) !== 0, mac: macText(attributes.get(ifla.address)),
  };
  if (kind) link.kind = textOf(kind);
  if (link.kind === "vxlan" && data) link.vxlan = readVxlan(attributesOf(data, 0));
  return link;
}

function readVxlan(data: Map<number, DataView>): NonNullable<Link["vxlan"]> {
  const local = data.get(vxlan.local) ?? data.get(vxlan.local6);
  return { id: data.get(vxlan.id)?.getUint32(0, true) ?? 0, port: data.get(vxlan.port)?.getUint16(0) ?? 0, local: local ? addressText(local) : "" };
}

// --- addresses ---

export function addressRequest(index: number, text: string, prefix: number): Request {
  const address = parseAddress(text)!, bytes = addressBytes(address);
  return {
    fixed: packed(8, (view) => {
      view.setUint8(0, familyNumber[address.family]);
      view.setUint8(1, prefix);
      view.setUint8(2, noDad);
      view.setUint32(4, index, true);
    }),
    attributes: [attribute(ifa.local, bytes), attribute(ifa.address, bytes)],
  };
}

export function readAddress({ payload }: Message): LinkAddress | undefined {
  const attributes = attributesOf(payload, 8), value = attributes.get(ifa.local) ?? attributes.get(ifa.address);
  if (!familyOf(payload.getUint8(0)) || !value) return undefined;
  const flags = attributes.get(ifa.flags)?.getUint32(0, true) ?? payload.getUint8(2);
  return { index: payload.getUint32(4, true), address: addressText(value), prefix: payload.getUint8(1), linkLocal: payload.getUint8(3) >= linkScope, passing: familyOf(payload.getUint8(0)) === 6 && (flags & passingFlags) !== 0 };
}

// --- routes ---

export function routeRequest({ destination, gateway, index, metric, protocol, mtu, onlink }: Route): Request {
  const network = parseNetwork(destination)!;
  return {
    fixed: packed(12, (view) => {
      view.setUint8(0, familyNumber[network.family]);
      view.setUint8(1, network.prefix);
      view.setUint8(4, mainTable);
      view.setUint8(5, protocol);
      view.setUint8(6, gateway ? 0 : linkScope);
      view.setUint8(7, unicast);
      view.setUint32(8, onlink ? onlinkHop : 0, true);
    }),
    attributes: [
      ...(network.prefix > 0 ? [attribute(rta.dst, addressBytes(network))] : []),
      ...(index ? [attribute(rta.oif, u32(index))] : []), ...(gateway ? [attribute(rta.gateway, addressBytes(parseAddress(gateway)!))] : []),
      ...(metric ? [attribute(rta.priority, u32(metric))] : []), ...(mtu ? [nested(rta.metrics, attribute(routeMetricMtu, u32(mtu)))] : []),
    ],
  };
}

export const routeDump = (): Uint8Array => packed(12, () => undefined);

/** Undefined for what is not in the main table, or the kernel's own. */
export function readRoute({ payload }: Message): Route | undefined {
  const family = familyOf(payload.getUint8(0)), attributes = attributesOf(payload, 12);
  const table = attributes.get(rta.table)?.getUint32(0, true) ?? payload.getUint8(4), flags = payload.getUint32(8, true);
  if (!family || table !== mainTable || payload.getUint8(7) !== unicast || (flags & clonedRoute) !== 0) return undefined;
  const destination = attributes.get(rta.dst), paths = attributes.get(rta.multipath), hop = attributes.get(rta.gateway) ?? (paths && attributesOf(paths, 8).get(rta.gateway));
  const route: Route = { destination: `${destination ? addressText(destination) : family === 4 ? "0.0.0.0" : "::"}/${payload.getUint8(1)}`, protocol: payload.getUint8(5) };
  const index = attributes.get(rta.oif)?.getUint32(0, true) ?? paths?.getInt32(4, true), metric = attributes.get(rta.priority)?.getUint32(0, true);
  const metrics = attributes.get(rta.metrics), mtu = metrics && attributesOf(metrics, 0).get(routeMetricMtu)?.getUint32(0, true);
  if (hop) route.gateway = addressText(hop);
  if (index) route.index = index;
  if (metric) route.metric = metric;
  if (mtu) route.mtu = mtu;
  if ((flags & onlinkHop) !== 0) route.onlink = true;
  return route;
}

// --- neighbours and forwarding ---

export const neighbourHeader = (family: number, index = 0, state = 0, flags = 0): Uint8Array => packed(12, (view) => {
  view.setUint8(0, family);
  view.setInt32(4, index, true);
  view.setUint16(8, state, true);
  view.setUint8(10, flags);
});

export function neighbourRequest({ index, address: text, mac }: Neighbour): Request {
  const address = parseAddress(text)!;
  return { fixed: neighbourHeader(familyNumber[address.family], index, permanent), attributes: [attribute(nda.dst, addressBytes(address)), attribute(nda.lladdr, macBytes(mac))] };
}

export function forwardingRequest(index: number, { mac, destination }: ForwardingEntry): Request {
  return { fixed: neighbourHeader(familyNumber.bridge, index, permanent, ofTheLinkItself), attributes: [attribute(nda.lladdr, macBytes(mac)), attribute(nda.dst, addressBytes(parseAddress(destination)!))] };
}

export function readNeighbour({ payload }: Message): (Neighbour & { forwarding: boolean }) | undefined {
  const attributes = attributesOf(payload, 12), address = attributes.get(nda.dst), mac = attributes.get(nda.lladdr);
  if (!address || !mac || (payload.getUint16(8, true) & permanent) === 0) return undefined;
  return { index: payload.getInt32(4, true), address: addressText(address), mac: macText(mac), forwarding: payload.getUint8(0) === familyNumber.bridge };
}

// --- changes ---

export function readChange(message: Message): NetlinkChange | undefined {
  const { type } = message;
  if (type === rtm.newLink || type === rtm.delLink) return message.payload.getUint8(0) === familyNumber.any ? { kind: "link", gone: type === rtm.delLink, link: readLink(message) } : undefined;
  if (type === rtm.newAddr || type === rtm.delAddr) {
    const address = readAddress(message);
    return address && { kind: "address", gone: type === rtm.delAddr, address };
  }
  if (type !== rtm.newRoute && type !== rtm.delRoute) return undefined;
  const route = readRoute(message);
  return route && { kind: "route", gone: type === rtm.delRoute, route };
}

// --- values ---

const nothing = new DataView(new ArrayBuffer(0));

function packed(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return bytes;
}

function addressBytes({ family, value }: Address): Uint8Array {
  const length = family === 4 ? 4 : 16;
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn));
}

function addressText(value: DataView): string {
  const bytes = bytesOf(value);
  return formatAddress({ family: bytes.length === 4 ? 4 : 6, mapped: false, value: bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) });
}

const macBytes = (mac: string): Uint8Array => Uint8Array.from(mac.split(":"), (byte) => Number.parseInt(byte, 16));
const macText = (value: DataView | undefined): string => (value ? [...bytesOf(value)].map((byte) => byte.toString(16).padStart(2, "0")).join(":") : "");
