import type { Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isConflict, isNotFound, serviceUnavailable } from "../../apimachinery/status.ts";
import { canonicalMicroTime } from "../../apimachinery/time.ts";
import { leases, type Lease } from "../../apis/coordination/lease.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import type { Client } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import { freeIn, type Seen } from "./term.ts";

const log = logger("leader");
const namespace = "kube-system";

/** Those of Kubernetes' components (k8s.io/component-base/config, LeaderElectionConfiguration), but that a renewal isn't due as often as a retry. */
export const leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryMs = 2_000, renewMs = 5_000;

/** A store that doesn't answer holds up nobody's end for longer. */
const goodbyeMs = 3_000;

/** Why a term ended: somebody else renews the Lease as we do. */
const twin = "twin";

export interface LeaderDependencies {
  /** Of the Lease in kube-system. */
  name: string;
  /** Another for each server; the same after a restart of one, which then needn't wait for what it held itself. */
  identity: string;
  client: Client;
  leases: Informer<Lease>;
  clock: Clock;
  /** What one server alone does has not stopped in time, or another has this one's identity: the process must end before another server begins. */
  onStuck(error: Error): void;
}

/**
 * Which of several servers does what one alone may do, by a Lease as Kubernetes' components have them (k8s.io/client-go/tools/leaderelection).
 * Whether another's Lease has run out is told by the time that passes here since it was last seen to change: no wall clock is trusted.
 * A leader that can't renew for ten seconds stops what it does; the others wait for fifteen.
 */
export class Leader {
  #seen: Seen | undefined;
  #term: { over: AbortController; renewedAt: number } | undefined;
  #onTerm = Promise.withResolvers<void>();
  /** Wakes who waits for the Lease to become free. */
  #onChange = (): void => undefined;
  readonly #running = new Set<Promise<void>>();

  constructor(private readonly dependencies: LeaderDependencies) {}

  get leading(): boolean {
    return this.#term !== undefined;
  }

  /** Throws when this server is not, or may not be, the leader: for writes of what one server alone does. */
  mustLead(): void {
    const { clock } = this.dependencies;
    if (!this.#term || clock.monotonic() - this.#term.renewedAt >= leaseDurationMs) throw serviceUnavailable("another server may be the leader by now");
  }

  /** Stands for election until `signal` aborts; then gives the Lease back, so that another server needn't wait. What is led has to have stopped by then. */
  async run(signal: AbortSignal): Promise<void> {
    const { leases: informer, clock } = this.dependencies;
    await informer.synced(signal).catch(() => undefined);
    const unsubscribe = informer.onChange((_, current) => current?.metadata.name === this.dependencies.name && current.metadata.namespace === namespace ? this.#look(current) : undefined);
    try {
      while (!signal.aborted) {
        await this.#untilFree(signal);
        if (signal.aborted) return;
        const began = clock.monotonic(), held = await this.#within(this.#acquire(), renewDeadlineMs).catch(() => undefined);
        if (held) await this.#lead(held, began, signal);
        else await clock.sleep(retryMs * (1 + Math.random() / 5), signal).catch(() => undefined);
      }
    } finally {
      unsubscribe();
    }
  }

  /** Runs `work` whenever this server leads, until `signal` aborts or `work` ends by itself. */
  async whileLeading(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
    while (!signal.aborted) {
      if (!this.#term) {
        await Promise.race([this.#onTerm.promise, stopped]);
        continue;
      }
      const during = AbortSignal.any([signal, this.#term.over.signal]);
      const done = work(during).catch((error: unknown) => {
        if (!during.aborted) throw error;
      });
      const settled = done.catch(() => undefined);
      this.#running.add(settled);
      await done.finally(() => this.#running.delete(settled));
      if (!during.aborted) return;
    }
  }

  #look(lease: Frozen<Lease>): void {
    if (lease.metadata.resourceVersion === this.#seen?.resourceVersion) return;
    this.#seen = { resourceVersion: lease.metadata.resourceVersion!, at: this.dependencies.clock.monotonic() };
    this.#onChange();
  }

  async #untilFree(signal: AbortSignal): Promise<void> {
    const { clock, leases: informer, name, identity } = this.dependencies;
    while (!signal.aborted) {
      const ms = freeIn(informer.lister.get(`${namespace}/${name}`), { seen: this.#seen, identity, now: clock.monotonic() });
      if (ms <= 0) return;
      const woken = new AbortController();
      this.#onChange = () => woken.abort();
      await clock.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
    }
  }

  /** The Lease when it is ours now; undefined when another was faster, or nothing can be written. */
  async #acquire(): Promise<Frozen<Lease> | undefined> {
    const { client, name, identity, clock } = this.dependencies;
    try {
      const found = await client.get(leases, { namespace, name }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
        return undefined;
      });
      if (found) this.#look(found);
      if (freeIn(found, { seen: this.#seen, identity, now: clock.monotonic() }) > 0) return undefined;
      const time = this.#time(), same = found?.spec.holderIdentity === identity;
      const spec = { ...found?.spec, holderIdentity: identity, leaseDurationSeconds: leaseDurationMs / 1000, renewTime: time, ...(same ? {} : { acquireTime: time, leaseTransitions: found ? (found.spec.leaseTransitions ?? 0) + 1 : 0 }) };
      return found ? await client.update(leases, { ...found, spec } as Lease) : await client.create(leases, { metadata: { namespace, name }, spec });
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error)) log.warn("The Lease of the leader could not be taken, will try again", { lease: name, error });
      return undefined;
    }
  }

  async #lead(held: Frozen<Lease>, began: number, signal: AbortSignal): Promise<void> {
    const { clock, identity } = this.dependencies;
    const term = this.#term = { over: new AbortController(), renewedAt: began };
    log.info("This server leads: controllers and the scheduler run here", { identity });
    this.#onTerm.resolve();
    this.#onTerm = Promise.withResolvers();
    const why = await this.#keep(held, term, signal);
    this.#term = undefined;
    term.over.abort();
    if (why === twin) {
      this.dependencies.onStuck(new Error("another server has a copy of this one's data directory, and leads as this one: give each a data directory that its own first start has made"));
      return aborted(signal);
    }
    if (why === "stopped") return this.#within(this.#release(), goodbyeMs).catch(() => undefined);
    log.warn("This server leads no longer: controllers and the scheduler stop here", { reason: why });
    const stopped = Promise.all(this.#running).then(() => true);
    const patience = new AbortController();
    const late = clock.sleep(Math.max(term.renewedAt + leaseDurationMs - clock.monotonic(), 1000), patience.signal).then(() => false, () => true);
    if (!(await Promise.race([stopped, late]))) this.dependencies.onStuck(new Error("what one server alone does did not stop when another server may begin it"));
    patience.abort();
  }

  /** Renews until that fails for too long, another holds the Lease (`twin`: by our own identity), or `signal` aborts: says which. */
  async #keep(held: Frozen<Lease>, term: { renewedAt: number }, signal: AbortSignal): Promise<string> {
    const { clock, client, name, identity } = this.dependencies;
    let latest = held, wait = renewMs, problem = "";
    // What the Lease may say though an answer got lost.
    const sent = new Set([held.spec.renewTime]);
    for (;;) {
      await clock.sleep(wait, signal).catch(() => undefined);
      if (signal.aborted) return "stopped";
      const began = clock.monotonic(), left = term.renewedAt + renewDeadlineMs - began;
      if (left <= 0) return `the Lease could not be renewed in time${problem}`;
      const renewTime = this.#time();
      sent.add(renewTime);
      try {
        latest = await this.#within(client.update(leases, { ...latest, spec: { ...latest.spec, renewTime } } as Lease), left);
        sent.clear();
        sent.add(renewTime);
        term.renewedAt = began;
        wait = renewMs;
      } catch (error) {
        problem = `: ${(error as Error).message}`;
        wait = Math.min(retryMs, Math.max(left, 0));
        if (!isConflict(error) && !isNotFound(error)) continue;
        const found = await this.#within(client.get(leases, { namespace, name }), left).catch(() => undefined);
        if (!found) continue;
        if (found.spec.holderIdentity !== identity) return `${found.spec.holderIdentity || "somebody"} has the Lease`;
        if (!sent.has(found.spec.renewTime)) return twin;
        latest = found;
      }
    }
  }

  /** Rejects when there is no answer within `ms`. */
  async #within<T>(answer: Promise<T>, ms: number): Promise<T> {
    const answered = new AbortController();
    answer.catch(() => undefined);
    const late = this.dependencies.clock.sleep(ms, answered.signal).then(() => Promise.reject(new Error("no answer")));
    late.catch(() => undefined);
    try {
      return await Promise.race([answer, late]);
    } finally {
      answered.abort();
    }
  }

  async #release(): Promise<void> {
    const { client, name, identity } = this.dependencies;
    try {
      const found = await client.get(leases, { namespace, name });
      if (found.spec.holderIdentity === identity) await client.update(leases, { ...found, spec: { ...found.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: this.#time() } } as Lease);
    } catch (error) {
      log.warn("The Lease of the leader could not be given back: another server waits until it has run out", { lease: name, error });
    }
  }

  #time(): string {
    return canonicalMicroTime(new Date(this.dependencies.clock.now()).toISOString());
  }
}

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
