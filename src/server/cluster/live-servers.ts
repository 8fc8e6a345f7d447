import type { Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../../apimachinery/status.ts";
import { canonicalMicroTime } from "../../apimachinery/time.ts";
import { leases, type Lease } from "../../apis/coordination/lease.ts";
import { background } from "../../base/background.ts";
import type { Clock } from "../../base/clock.ts";
import type { Component } from "../../base/component.ts";
import { logger } from "../../base/log.ts";
import type { Client } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";

const log = logger("servers");
const namespace = "kube-system";
const serverLabel = "skiff.io/server", addressAnnotation = "skiff.io/address", portAnnotation = "skiff.io/port", encryptionAnnotation = "skiff.io/encryption-revision", problemAnnotation = "skiff.io/encryption-problem";
/** A server that hasn't renewed for so long is gone. */
export const renewMs = 6_000;
const deadAfterMs = 20_000, retryMs = 2_000, goodbyeMs = 3_000;

export interface LiveServer {
  /** Of its machine's node, or what that would be. */
  name: string;
  /** Where nodes and pods reach it; undefined while it has no address. */
  address: string | undefined;
  port: number;
  encryption: EncryptionTold;
}

export interface EncryptionTold {
  /** Which state of the keys that encrypt it follows; see `ConfigStore`. */
  revision: number;
  /** Why it can't bring up to date what lies on disk. */
  problem: string | undefined;
}

export interface LiveServersDependencies {
  name: string;
  /** Another for each server, the same after a restart. */
  identity: string;
  client: Client;
  leases: Informer<Lease>;
  clock: Clock;
  /** This server's; `announce` is to be called when the revision has changed. */
  encryption(): EncryptionTold;
}

/**
 * Which servers of a cluster of several are there: each says so by a Lease of its own in kube-system, with its address; the leader deletes
 * those of the dead. As kube-apiserver's endpoint reconciler keeps masterleases, but that no wall clock is trusted: a server is dead when
 * its Lease was not seen to change for twenty seconds.
 */
export class LiveServers {
  /** By the Lease's name. */
  readonly #seen = new Map<string, { lease: Frozen<Lease>; at: number }>();
  #onChange = (): void => undefined;
  #place: { address: string | undefined; port: number } | undefined;

  constructor(private readonly dependencies: LiveServersDependencies) {}

  /** By name; with this one. */
  get all(): LiveServer[] {
    const others = [...this.#seen.values()].map(({ lease }) => serverOf(lease)).filter(({ name }) => name !== this.dependencies.name);
    return [...others, ...(this.#place ? [{ name: this.dependencies.name, ...this.#place, encryption: this.dependencies.encryption() }] : [])].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** When a server was last heard of, by the monotonic clock; undefined when it is gone. */
  heardOf(name: string): number | undefined {
    return name === this.dependencies.name ? this.dependencies.clock.monotonic() : this.#seen.get(leaseOf(name))?.at;
  }

  /** Tells where this server is, at start and when that has changed, or else that something of it has. */
  async announce(place: { address: string | undefined; port: number } | undefined = this.#place): Promise<void> {
    this.#place = place;
    if (place) await this.#renew();
  }

  /** Follows the others, and says that this one lives, until it stops. To be started before the first `announce`. */
  component(): Component {
    const { clock, leases: informer } = this.dependencies;
    let unsubscribe = (): void => undefined;
    const renewal = background("servers", async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(renewMs, signal).catch(() => undefined);
        if (!signal.aborted && this.#place) await this.#renew().catch((error: unknown) => log.warn("That this server lives could not be told", { error }));
      }
    }, { onFailure: () => undefined });
    return {
      name: "servers",
      start: async (signal) => {
        await informer.synced(signal);
        unsubscribe = informer.onChange((old, current) => this.#look(old, current));
        await renewal.start(signal);
      },
      stop: async () => {
        await renewal.stop!();
        unsubscribe();
        const gone = new AbortController();
        if (this.#place) await Promise.race([this.#remove(this.dependencies.name), clock.sleep(goodbyeMs, gone.signal).catch(() => undefined)]);
        gone.abort();
      },
    };
  }

  /** The leader's part: deletes what the dead have left, and calls `publish` now and whenever servers have come, gone or moved, until `signal` aborts. */
  async keep(publish: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock } = this.dependencies;
    while (!signal.aborted) {
      const woken = new AbortController();
      this.#onChange = () => woken.abort();
      let wait: number;
      try {
        for (const { name } of this.#dead()) {
          log.warn("A server is gone", { server: name });
          await this.#remove(name);
          this.#seen.delete(leaseOf(name));
        }
        await publish();
        wait = Math.max(deadAfterMs - (clock.monotonic() - Math.min(...this.#others().map(({ at }) => at))), 0);
      } catch (error) {
        if (signal.aborted) return;
        if (!isConflict(error)) log.warn("Which servers there are could not be written, will try again", { error });
        wait = retryMs;
      }
      await clock.sleep(Math.min(wait, 2 ** 31 - 1), AbortSignal.any([signal, woken.signal])).catch(() => undefined);
    }
  }

  #others(): { lease: Frozen<Lease>; at: number }[] {
    return [...this.#seen.values()].filter(({ lease }) => lease.metadata.name !== leaseOf(this.dependencies.name));
  }

  #dead(): LiveServer[] {
    const now = this.dependencies.clock.monotonic();
    return this.#others().filter(({ at }) => now - at >= deadAfterMs).map(({ lease }) => serverOf(lease));
  }

  #look(old: Frozen<Lease> | undefined, current: Frozen<Lease> | undefined): void {
    const { metadata } = (current ?? old)!;
    if (metadata.namespace !== namespace || metadata.labels?.[serverLabel] === undefined) return;
    const before = this.#seen.get(metadata.name!)?.lease;
    if (current) this.#seen.set(metadata.name!, { lease: current, at: this.dependencies.clock.monotonic() });
    else this.#seen.delete(metadata.name!);
    if (!before || !current || !Bun.deepEquals(serverOf(before), serverOf(current))) this.#onChange();
  }

  async #renew(): Promise<void> {
    const { client, name, identity, clock } = this.dependencies;
    const { address, port } = this.#place!, { revision, problem } = this.dependencies.encryption();
    const annotations = { ...(address ? { [addressAnnotation]: address } : {}), [portAnnotation]: String(port), [encryptionAnnotation]: String(revision), ...(problem ? { [problemAnnotation]: problem } : {}) };
    const spec = { holderIdentity: identity, leaseDurationSeconds: deadAfterMs / 1000, renewTime: canonicalMicroTime(new Date(clock.now()).toISOString()) };
    const found = await client.get(leases, { namespace, name: leaseOf(name) }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      return undefined;
    });
    if (found && found.spec.holderIdentity !== identity) log.warn("Another server of this cluster was, or is, called the same: each needs a --node-name of its own", { name });
    const lease = { metadata: { ...found?.metadata, namespace, name: leaseOf(name), labels: { [serverLabel]: name }, annotations }, spec } as Lease;
    await (found ? client.update(leases, lease) : client.create(leases, lease)).catch((error: unknown) => {
      // The leader took this server for dead just now: told again with the next renewal.
      if (!isConflict(error) && !isAlreadyExists(error) && !isNotFound(error)) throw error;
    });
  }

  async #remove(name: string): Promise<void> {
    await this.dependencies.client.delete(leases, { namespace, name: leaseOf(name) }).catch((error: unknown) => {
      if (!isNotFound(error)) log.warn("The Lease of a server could not be deleted", { server: name, error });
    });
  }
}

export const leaseOf = (name: string): string => `skiff-server-${name}`;

const serverOf = ({ metadata: { labels, annotations } }: Frozen<Lease>): LiveServer => ({
  name: labels![serverLabel]!, address: annotations?.[addressAnnotation], port: Number(annotations?.[portAnnotation]),
  encryption: { revision: Number(annotations?.[encryptionAnnotation] ?? 0), problem: annotations?.[problemAnnotation] },
});
