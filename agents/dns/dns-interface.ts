import { isIPv6 } from "node:net";
import type { Logger } from "../../src/base/log.ts";
import { type Netlink, type NetlinkChange, NetlinkError } from "../netlink/netlink.ts";

/** The addresses are the node's from now on, also when another program takes the interface away, until the returned function is called. It stays then, as the pods do. */
export function keepAddresses(netlink: Netlink, name: string, addresses: readonly string[], log: Logger): () => void {
  holdAddresses(netlink, name, addresses);
  return netlink.watch((change) => {
    if (!takesAway(change, name, addresses)) return;
    try {
      holdAddresses(netlink, name, addresses);
      log.warn("another program took the addresses of the cluster's DNS away, they are back", { interface: name });
    } catch (error) {
      log.error("the addresses of the cluster's DNS are gone, and could not be set again", { interface: name, error });
    }
  });
}

function takesAway(change: NetlinkChange, name: string, addresses: readonly string[]): boolean {
  switch (change.kind) {
    case "link": return change.link.name === name && (change.gone || !change.link.up);
    case "address": return change.gone && addresses.includes(change.address.address);
    case "route": return false;
    case "lost": return true;
  }
}

/**
 * Gives the node the addresses, on a dummy interface of this name; a bridge without ports does as well where the kernel has no dummy.
 * Others on the interface go: the cluster's DNS may have been elsewhere.
 */
function holdAddresses(netlink: Netlink, name: string, addresses: readonly string[]): void {
  const index = netlink.links().find((link) => link.name === name)?.index ?? addLink(netlink, name);
  netlink.changeLink(index, { up: true });
  for (const address of addresses) netlink.addAddress(index, address, prefixOf(address));
  for (const held of netlink.addresses()) {
    const isOurs = addresses.some((address) => address === held.address) || held.linkLocal;
    if (held.index === index && !isOurs) netlink.removeAddress(index, held.address, held.prefix);
  }
}

const prefixOf = (address: string): number => (isIPv6(address) ? 128 : 32);

function addLink(netlink: Netlink, name: string): number {
  try {
    return netlink.addLink({ name, kind: "dummy" });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
  }
  try {
    return netlink.addLink({ name, kind: "bridge" });
  } catch (error) {
    throw new Error(`the interface ${name} for the cluster's DNS could not be made: the kernel needs the dummy or the bridge module`, { cause: error });
  }
}
