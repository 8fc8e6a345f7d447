import { isIPv6 } from "node:net";
import { type Netlink, NetlinkError } from "../netlink/netlink.ts";

/**
 * Gives the node the addresses, on a dummy interface of this name; a bridge without ports does as well where the kernel has no dummy.
 * Others on the interface go: the cluster's DNS may have been elsewhere. It stays when Skiff stops, as the pods do.
 */
export function holdAddresses(netlink: Netlink, name: string, addresses: readonly string[]): void {
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
