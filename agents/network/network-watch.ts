import type { Clock } from "../../src/base/clock.ts";
import type { Component } from "../../src/base/component.ts";
import type { Logger } from "../../src/base/log.ts";
import { openNetlink } from "../netlink/kernel-netlink.ts";
import type { Netlink } from "../netlink/netlink.ts";
import { HostNetwork, type HostState } from "./host-network.ts";

export interface NetworkWatchOptions {
  /** Pods' and Services' networks, which are no way to anywhere. */
  clusterNetworks: readonly string[];
  /** The machine may reach others that it could not reach before, or from another address. */
  onChange(): void;
  clock: Clock;
  log: Logger;
  netlink?: Netlink;
}

/** A cable that is plugged in is a link, then an address, then a route: a few events in a row are one. Milliseconds. */
const settleMs = 50;

/** Tells between start and stop of cables, addresses and routes that come and go, so that nobody needs to try on the off chance. */
export function networkWatch({ clusterNetworks, onChange, clock, log, netlink = openNetlink() }: NetworkWatchOptions): Component {
  const host = new HostNetwork(netlink, clusterNetworks);
  let before = "", settling = false, stop = (): void => undefined;
  const look = (): void => {
    const now = waysOut(host.state());
    if (now === before) return;
    before = now;
    onChange();
  };
  const settle = async (): Promise<void> => {
    if (settling) return;
    settling = true;
    await clock.sleep(settleMs);
    settling = false;
    look();
  };
  return {
    name: "network-watch",
    start: async () => {
      before = waysOut(host.state());
      stop = host.onChange(() => void settle().catch((error: unknown) => log.warn("The machine's network could not be read", { error })));
    },
    stop: async () => {
      stop();
      netlink.close();
    },
  };
}

/** Addresses and routes of links that are connected, as text. Pure. */
function waysOut({ links, addresses, routes }: HostState): string {
  const connected = new Set(links.filter(({ name, up, carrier }) => name !== "lo" && up && carrier).map(({ index }) => index));
  return [
    ...addresses.filter(({ index, linkLocal, passing }) => connected.has(index) && !linkLocal && !passing).map(({ index, address, prefix }) => `${index} ${address}/${prefix}`),
    ...routes.filter(({ index, destination }) => index !== undefined && connected.has(index) && !destination.startsWith("fe80:")).map(({ index, destination, gateway = "", metric = 0 }) => `${index} ${destination} ${gateway} ${metric}`),
  ].toSorted().join("\n");
}
