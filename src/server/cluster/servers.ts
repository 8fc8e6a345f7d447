import { leases } from "../../apis/coordination/lease.ts";
import { background } from "../../base/background.ts";
import type { Clock } from "../../base/clock.ts";
import type { Component } from "../../base/component.ts";
import { logger } from "../../base/log.ts";
import type { MetricsRegistry } from "../../base/metrics.ts";
import type { Client } from "../../client/client.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { Encryption } from "../encryption/encryption.ts";
import { fencedClient } from "../leader/fenced-client.ts";
import { Leader } from "../leader/leader.ts";
import { LiveServers } from "./live-servers.ts";
import { serverId } from "./server-id.ts";

const log = logger("servers");
const leaseName = "skiff-controllers";

export interface ServersDependencies {
  dataDir: string;
  nodeName: string;
  client: Client;
  informers: InformerFactory;
  metrics: MetricsRegistry;
  clock: Clock;
  encryption: Pick<Encryption, "configs" | "problem">;
  /** This process has to end. */
  fail(what: string, error: unknown): void;
}

/** This server among those of its cluster. Where the store is its own there are no others, and nothing here costs anything. */
export class Servers {
  #leader: Leader | undefined;
  #live: LiveServers | undefined;

  /** To be called before all else, where others may use the store too. */
  join({ dataDir, nodeName, client, informers, metrics, clock, encryption, fail }: ServersDependencies): void {
    const about = { identity: `${nodeName}_${serverId(dataDir)}`, client, leases: informers.informer(leases), clock };
    const live = this.#live = new LiveServers({ name: nodeName, ...about, encryption: () => ({ revision: encryption.configs.revision ?? 0, problem: encryption.problem }) });
    encryption.configs.onChange(() => void live.announce().catch((error: unknown) => log.warn("That this server follows new keys could not be told yet", { error })));
    const leader = this.#leader = new Leader({ name: leaseName, ...about, onStuck: (error) => fail("This server is the leader no longer", error) });
    metrics.callback({ name: "leader_election_master_status", help: "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master. 'name' is the string used to identify the lease.", type: "gauge", labels: ["name"], read: () => [[[leaseName], leader.leading ? 1 : 0] as const] });
  }

  /** Whether there may be others. */
  get shared(): boolean {
    return this.#live !== undefined;
  }

  /** What says that this server lives, as long as it serves. */
  presence(): Component {
    let component: Component | undefined;
    return { name: "servers", start: async (signal) => (component = this.#live?.component())?.start(signal), stop: async () => component?.stop!() };
  }

  /** To be started before what is led, and so stopped after it. */
  election(): Component {
    return background("leader", async (signal) => this.#leader?.run(signal), { onFailure: () => undefined });
  }

  /** `work`, whenever this server is the one that does what one alone may do; `led` ones write by a client that is `fenced`. */
  led(work: (signal: AbortSignal) => Promise<void>): (signal: AbortSignal) => Promise<void> {
    return (signal) => (this.#leader ? this.#leader.whileLeading(work, signal) : work(signal));
  }

  fenced(client: Client): Client {
    const leader = this.#leader;
    return leader ? fencedClient(client, () => leader.mustLead()) : client;
  }

  /** Tells the others where this server is now. */
  async announce(place: { address: string | undefined; port: number }): Promise<void> {
    await this.#live?.announce(place);
  }

  /** Where the cluster's servers are, of those on this one's port: a Service has one port for all. */
  addresses({ address, port }: { address: string | undefined; port: number }): string[] {
    const all = this.#live?.all ?? [{ name: "", address, port }];
    for (const other of all) if (other.port !== port) log.warn("Servers of a cluster have to listen on the same port: nodes and pods don't find this one", { server: other.name, port: other.port, elsewhere: port });
    return all.filter((server) => server.port === port).flatMap((server) => server.address ?? []);
  }

  /** Keeps what is told of the servers up to date, by `publish`; to be `led`. */
  async keep(publish: () => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#live?.keep(publish, signal);
  }

  /** When a server was last heard of, by the monotonic clock; undefined when it is gone. */
  heardOf(name: string): number | undefined {
    return this.#live?.heardOf(name);
  }

  /** Whether this server does what one alone may do. */
  get leads(): boolean {
    return this.#leader?.leading ?? true;
  }

  /** Of the servers that live. */
  get names(): string[] {
    return (this.#live?.all ?? []).map(({ name }) => name);
  }

  /** What those that live tell of the keys that encrypt: which ones don't follow the newest yet, and what is in the way of the one that rewrites. */
  get encryption(): { behind: string[]; problem?: string } {
    const all = this.#live?.all ?? [], newest = Math.max(...all.map(({ encryption }) => encryption.revision));
    const problem = all.find(({ encryption }) => encryption.problem)?.encryption.problem;
    return { behind: all.filter(({ encryption }) => encryption.revision < newest).map(({ name }) => name), ...(problem ? { problem } : {}) };
  }
}
