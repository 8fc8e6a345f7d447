import { type Family, parseAddress, parseNetwork } from "../../src/base/ip.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Component } from "../../src/base/component.ts";
import type { Logger } from "../../src/base/log.ts";
import { openNetlink } from "../netlink/kernel-netlink.ts";
import type { LinkAddress, Netlink } from "../netlink/netlink.ts";
import { defaultRoutes, HostNetwork, type HostState } from "./host-network.ts";

export interface NodeAddressesOptions {
  /** What `--node-ip` says; empty to take what the machine has, whatever that is at the time. */
  given: readonly string[];
  /** Pods' networks: they tell of which families the node has addresses, and in which order. */
  clusterCidrs: readonly string[];
  serviceCidrs: readonly string[];
  clock: Clock;
  log: Logger;
  netlink?: Netlink;
}

const settleMs = 50;

/**
 * The node's addresses, of each of the cluster's families at most one: those it was given, or those of the default route. When the machine gets
 * others (DHCP, another network), listeners are told; while it has none, the last ones are kept, for there is nothing better to say.
 */
export class NodeAddresses {
  #current: readonly string[];
  readonly #host: HostNetwork | undefined;
  readonly #listeners = new Set<() => void>();
  constructor(private readonly options: NodeAddressesOptions) {
    const { given, clusterCidrs, serviceCidrs } = options;
    if (given.length === 0) this.#host = new HostNetwork(options.netlink ?? openNetlink(), [...clusterCidrs, ...serviceCidrs]);
    this.#current = this.#host ? this.#find(this.#host.state()) : ordered(given, clusterCidrs);
  }

  /** The first is the node's main address. Empty as long as the machine never had any. */
  get current(): readonly string[] {
    return this.#current;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Looks out for changes between start and stop. */
  component(): Component {
    let stop = (): void => undefined;
    return {
      name: "node-addresses",
      start: async () => {
        const { clock, log } = this.options;
        let settling = false;
        const unwatch = this.#host?.onChange(() => {
          if (settling) return;
          settling = true;
          void clock.sleep(settleMs).then(() => {
            settling = false;
            this.#update();
          }).catch((error: unknown) => log.warn("The machine's addresses could not be read", { error }));
        });
        this.#update();
        stop = () => unwatch?.();
      },
      stop: async () => stop(),
    };
  }

  #update(): void {
    if (!this.#host) return;
    const found = this.#find(this.#host.state());
    if (found.join() === this.#current.join()) return;
    this.options.log.info("The node's addresses have changed", { before: this.#current, now: found });
    this.#current = found;
    for (const listener of this.#listeners) listener();
  }

  #find(state: HostState): string[] {
    return this.options.clusterCidrs.flatMap((cidr) => {
      const { family } = parseNetwork(cidr)!;
      const before = (this.#current ?? []).find((address) => parseAddress(address)!.family === family);
      return addressOf(state, family, before) ?? [];
    });
  }
}

/**
 * The address of one family by which others reach this machine: one of the default route's link, else of a real card rather than a bridge of Docker's. `before` stays as long as it is as good as any: still there, and on a link with a
 * default route, when any has one. Pure.
 */
export function addressOf({ links, addresses, routes }: HostState, family: Family, before?: string): string | undefined {
  const usable = addresses.filter((each) => !each.linkLocal && !each.passing && parseAddress(each.address)!.family === family && links.some(({ index, name, up, carrier }) => index === each.index && name !== "lo" && up && carrier));
  const byDefault = defaultRoutes(family, routes).flatMap(({ index }) => usable.filter((each) => each.index === index));
  const virtual = ({ index }: LinkAddress): number => Number(links.find((link) => link.index === index)?.kind !== undefined);
  const candidates = byDefault.length > 0 ? byDefault : usable.toSorted((a, b) => virtual(a) - virtual(b));
  return (candidates.find(({ address }) => address === before) ?? candidates[0])?.address ?? before;
}

const ordered = (given: readonly string[], clusterCidrs: readonly string[]): string[] =>
  clusterCidrs.flatMap((cidr) => given.find((address) => parseAddress(address)!.family === parseNetwork(cidr)!.family) ?? []);
