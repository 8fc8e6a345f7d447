import { schedule } from "node-cron";
import type { Clock } from "../../src/base/clock.ts";
import type { JoinToken } from "../../src/base/join/join-token.ts";
import { logger } from "../../src/base/log.ts";
import { askCluster, enrolUntilDone, NameTaken } from "./enrol.ts";
import { openMembership, type Membership, type MembershipStore } from "./membership.ts";
import { renewalReason } from "./renewal.ts";
import { createServerList, type ServerList } from "./server-list.ts";

export interface NodeMembershipOptions {
  /** `<data-dir>/agent/join`. */
  directory: string;
  nodeName: string;
  /** Given by the administrator. */
  servers: readonly string[];
  token?: JoinToken;
  /** Of this machine now, for the serving certificate. */
  addresses(): readonly string[];
  clock: Clock;
  /** There are new certificates in `current`. */
  onRenewed(): void;
}

/** Where a request goes and who it says it is: an `Endpoint` of the HTTP client. */
export interface MemberEndpoint {
  server: string;
  tls: { ca: string; cert: string; key: string };
  givenUp: AbortSignal;
}

const log = logger("join");

/** What makes this machine a node of its cluster, kept good while it runs: certificates are renewed, servers change, and no connection ends for that. */
export class NodeMembership {
  readonly servers: ServerList;
  readonly #store: MembershipStore;
  readonly #options: NodeMembershipOptions;
  readonly #stopping = new AbortController();
  #current: Membership | undefined;
  #renewing: Promise<void> | undefined;
  /** Something has changed while a renewal was under way. */
  #missed = false;
  constructor(options: NodeMembershipOptions) {
    this.#options = options;
    this.#store = openMembership(options.directory);
    this.#current = this.#store.read();
    this.servers = createServerList({ given: options.servers, known: this.#current?.servers, onLearned: (servers) => this.#write({ ...this.#current!, servers: [...servers] }) });
  }

  /** Known on this machine alone, and the same for as long as it is a node. */
  get secret(): string {
    return this.#store.password();
  }

  get current(): Membership {
    if (!this.#current) throw new Error("this machine has not joined yet");
    return this.#current;
  }

  endpoint(identity: "kubelet" | "network"): MemberEndpoint {
    const { serverCa, pairs: { [identity]: { certificate, key } } } = this.current;
    const { url, givenUp } = this.servers.current;
    return { server: url, tls: { ca: serverCa, cert: certificate, key }, givenUp };
  }

  /**
   * Resolves once this machine is a node: when it was before, within two seconds, with what the cluster is like now if a server tells so
   * soon, or as it was; else as soon as a server lets it in. Another machine may have been given its name meanwhile: then it waits to be let in, too.
   */
  async join(signal: AbortSignal): Promise<void> {
    const { nodeName } = this.#options;
    if (this.#current?.nodeName !== nodeName) return this.#take(await this.#enrol(signal));
    const { url, givenUp } = this.servers.current;
    try {
      const { cluster, servers } = await askCluster(url, this.#current, this.#store.password(), AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
      if (!Bun.deepEquals(cluster, this.#current.cluster)) {
        log.info("The cluster's networks or names have changed", { cluster });
        this.#write({ ...this.#current, cluster });
      }
      this.servers.learn(servers);
    } catch (error) {
      if (error instanceof NameTaken) return this.#take(await this.#enrol(signal));
      this.servers.failed(givenUp);
      log.info("No server has told what the cluster is like now: this node starts with what it knows", { server: url, reason: (error as Error).message });
    }
  }

  /** Renews certificates before they end, and at the start what ended while the machine was off. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#stopping.abort(signal.reason), { once: true });
    this.check();
    const job = schedule("23 4 * * *", () => this.check());
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
    await job.destroy();
    await this.#renewing;
  }

  /** Looks whether the certificates still do, as after a change of addresses, and begins to renew them when not. */
  check(): void {
    const { clock, nodeName, addresses } = this.#options;
    const reason = renewalReason(this.current, { now: clock.now(), nodeName, addresses: addresses() });
    if (!reason) return;
    if (this.#renewing) this.#missed = true;
    else this.#renew(reason);
  }

  /** A server does not know this node by its certificate: it has ended, whatever our clock says. */
  refused(): void {
    if (this.#current) this.#renew("the server does not accept the certificate");
  }

  #renew(reason: string): void {
    if (this.#renewing || this.#stopping.signal.aborted) return;
    log.info("Renewing this node's certificates", { reason });
    this.#missed = false;
    this.#renewing = this.#enrol(this.#stopping.signal)
      .then((membership) => {
        this.#take(membership);
        this.#options.onRenewed();
        // Requests of before may still be refused; those don't count.
        return this.#options.clock.sleep(settleMs, this.#stopping.signal);
      })
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) log.error("The certificates could not be renewed", { error });
      })
      .finally(() => {
        this.#renewing = undefined;
        if (this.#missed) this.check();
      });
  }

  #enrol(signal: AbortSignal): Promise<Membership> {
    const { nodeName, addresses, token, clock } = this.#options;
    return enrolUntilDone({ store: this.#store, servers: this.servers, nodeName, addresses, clock, ...(token ? { token } : {}) }, signal);
  }

  #take(membership: Membership): void {
    this.#current = membership;
    this.servers.learn(membership.servers);
  }

  #write(membership: Membership): void {
    this.#current = membership;
    this.#store.write(membership);
  }
}

/** How long a start waits for a server's word, in milliseconds. */
const patienceMs = 2000;
/** No certificate is asked for more often than this, in milliseconds. */
const settleMs = 60_000;
