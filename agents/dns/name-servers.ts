import { readFileSync, statSync } from "node:fs";
import type { DnsConfiguration } from "./configuration.ts";
import { parseNameServer } from "./configuration.ts";
import type { NameServer } from "./exchange.ts";

/** systemd-resolved's stub knows nothing of its own servers' health; they are listed here. */
const resolvedServers = "/run/systemd/resolve/resolv.conf";
const resolvedStub = "127.0.0.53";

export interface NameServerSource {
  /** Those to ask for the name, in order. */
  serversFor(name: string): readonly NameServer[];
}

export interface NameServersOptions {
  file?: string;
  /** Addresses that are answered here: asking them would go in circles. */
  ownAddresses: readonly string[];
  /** The node's name servers are others now. */
  onChange(): void;
}

/**
 * Whom to ask for names that aren't the cluster's: by stub domain, by configuration, else the node's own name servers.
 * The node's file is looked at whenever somebody is to be asked, and read when it is another one: a laptop moves between networks.
 */
export class NameServers implements NameServerSource {
  #known: { stamp: string; servers: readonly NameServer[] } | undefined;
  constructor(private readonly options: NameServersOptions, public configuration: DnsConfiguration) {}

  serversFor(name: string): readonly NameServer[] {
    const { stubDomains, upstreams } = this.configuration;
    if (stubDomains.size) {
      for (let rest = name; rest; rest = rest.slice(rest.indexOf(".") + 1)) {
        const servers = stubDomains.get(rest);
        if (servers) return servers;
        if (!rest.includes(".")) break;
      }
    }
    return upstreams ?? this.#ofNode();
  }

  #ofNode(): readonly NameServer[] {
    const { file = "/etc/resolv.conf", ownAddresses, onChange } = this.options;
    const stamp = stampOf(file);
    if (this.#known?.stamp !== stamp) {
      const before = this.#known;
      this.#known = { stamp, servers: readNameServers(file).filter(({ address }) => !ownAddresses.includes(address)) };
      if (before) onChange();
    }
    return this.#known.servers;
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}` : "";
}

/** The `nameserver` lines of a resolv.conf; nothing when it is missing. */
export function readNameServers(file: string): NameServer[] {
  const servers = [...readText(file).matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address]) => parseNameServer(address!)).filter((server) => server !== undefined);
  const onlyStub = servers.length > 0 && servers.every(({ address }) => address === resolvedStub);
  const behind = onlyStub && file !== resolvedServers ? readNameServers(resolvedServers) : [];
  return behind.length ? behind : servers;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
