import { Backoff } from "../../src/base/backoff.ts";
import { bodyOf, sendRequest } from "../../src/base/tunnel/request.ts";
import { WebSocketRefused } from "../../src/base/websocket/client.ts";
import type { Carrier, Transport } from "../../src/client/transport.ts";
import { type ConnectionOptions, openTunnel, type TunnelConnection } from "./connection.ts";

export interface AgentTunnelOptions extends ConnectionOptions {
  /** The server that is used now; `failed` is told when it can't be reached, and another may take its place. */
  servers: { readonly current: { readonly url: string; readonly givenUp: AbortSignal }; failed(givenUp: AbortSignal): void };
  /** The server doesn't accept the certificate, or no longer. */
  onUnauthorized?(): void;
}

/** An attempt that takes longer is waited for by no request: it goes by plain HTTPS. */
const patienceMs = 3_000;
/** A connection that lasted so long was one: the next attempt is soon. */
const wellAfterMs = 10_000;
/** Attempts that requests ask for are so far apart at least. */
const hurriedMs = 1_000;
/** What lets no WebSocket through will not soon. */
const refusedMs = 30_000;

/**
 * The agent's connection to the server that it uses, which it opens itself, and opens again whenever it is gone: through it come requests for the
 * kubelet, and go the agent's own.
 */
export class AgentTunnel {
  #connection: TunnelConnection | undefined;
  readonly #backoff = new Backoff({ base: 300, max: 10_000, jitter: 1 });
  /** Ends the attempt that is under way: it began before something changed. */
  #attempt: AbortController | undefined;
  /** Ends the wait for the next attempt, while there is one. */
  #pause: AbortController | undefined;
  #attemptedAt = -Infinity;
  /** Something has changed since the attempt that is under way began. */
  #due = false;
  /** The last attempt was answered, but not with a tunnel: something between doesn't let it through. */
  #refused = false;
  #restored = new AbortController();
  #waiting: (() => void)[] = [];

  constructor(private readonly options: AgentTunnelOptions) {}

  get isUp(): boolean {
    return this.connection !== undefined;
  }

  /** The tunnel now, if there is one. */
  get connection(): TunnelConnection | undefined {
    return this.#connection?.session.isOpen ? this.#connection : undefined;
  }

  /** Aborts when there is one again. */
  get restored(): AbortSignal {
    return this.#restored.signal;
  }

  /** Keeps the connection until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, servers } = this.options;
    let told = "";
    while (!signal.aborted) {
      const { url, givenUp } = servers.current;
      const began = this.#attemptedAt = clock.monotonic(), attempt = this.#attempt = new AbortController();
      this.#due = false;
      try {
        const reason = await this.#connect(url, AbortSignal.any([signal, givenUp, attempt.signal]));
        if (signal.aborted) return;
        log.info("The tunnel to the server ended, will connect again", { server: url, reason });
        told = "";
      } catch (error) {
        if (signal.aborted) return;
        if (attempt.signal.aborted) continue;
        this.#refused = error instanceof WebSocketRefused;
        if (error instanceof WebSocketRefused && error.status === 401) this.options.onUnauthorized?.();
        const reason = (error as Error).message;
        // Whoever gave it up has said so.
        if (reason !== told && !givenUp.aborted) log.warn(this.#refused ? "The server can't be reached by a tunnel; the agent goes on by plain HTTPS, and tries again" : "The server can't be reached, will try again", { server: url, reason });
        if (!givenUp.aborted) told = reason;
        this.#release();
        if (!this.#refused) servers.failed(givenUp);
      }
      if (clock.monotonic() - began > wellAfterMs) this.#backoff.reset();
      if (this.#due) continue;
      const pause = this.#pause = new AbortController();
      await clock.sleep(this.#refused ? refusedMs * (1 + Math.random()) : this.#backoff.next(), AbortSignal.any([signal, pause.signal])).catch(() => undefined);
      this.#pause = undefined;
    }
  }

  /** What kept the last attempt from succeeding has changed, such as the certificate: the next one is due now. */
  retry(): void {
    this.#due = true;
    this.#pause?.abort();
  }

  /** The machine's network has changed: what hung on the old one is looked after, and what could not be reached may be now. */
  networkChanged(): void {
    if (this.connection) return this.connection.check();
    this.#backoff.reset();
    this.#attempt?.abort(new Error("the network has changed"));
    this.retry();
  }

  /** Somebody wants to say something: the next attempt is due, if the last wasn't just now. */
  #hurry(): void {
    const now = this.options.clock.monotonic();
    if (!this.#pause || now - this.#attemptedAt < hurriedMs) return;
    this.#pause.abort();
    this.#pause = undefined;
    this.#attemptedAt = now;
  }

  /** A request by plain HTTPS has not reached the server. While there is a tunnel to it, it is there all the same: the request began before. */
  unreachable(givenUp: AbortSignal): void {
    if (!this.isUp) this.options.servers.failed(givenUp);
  }

  /** Tells the server that the kubelet is alive, and all is as it last reported. False while there is no tunnel. */
  heartbeat(): boolean {
    const { connection } = this;
    connection?.heartbeat();
    return connection !== undefined;
  }

  /** A way for clients that speak as `role`, one of `AgentRole`. */
  transport(role: number): Transport {
    const restored = (): AbortSignal => this.restored;
    return {
      carrier: (signal) => this.#carrier(role, signal),
      get restored() {
        return restored();
      },
    };
  }

  async #carrier(role: number, signal: AbortSignal | undefined): Promise<Carrier | undefined> {
    if (!this.isUp && !this.#refused) {
      this.#hurry();
      await this.#attempted(signal);
    }
    const { session } = this.connection ?? {};
    if (!session) return undefined;
    return async ({ method, url, headers, body, signal: until }) => {
      const answer = await sendRequest(session, { method, url, headers, role }, { ...(body ? { body } : {}), ...(until ? { signal: until } : {}) });
      return { status: answer.status, headers: answer.headers, body: bodyOf(answer) };
    };
  }

  /** Resolves when the attempt under way has succeeded or failed, or takes too long; at once when there is none. */
  async #attempted(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const rest = this.#attemptedAt + patienceMs - this.options.clock.monotonic();
    if (this.#pause || rest <= 0) return;
    const over = new AbortController();
    const until = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
    const attempted = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await Promise.race([attempted, this.options.clock.sleep(rest, until).catch(() => undefined)]);
    over.abort();
    signal?.throwIfAborted();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** One connection, from dialling to its end; resolves with why it ended. Rejects when it can't be made. */
  async #connect(server: string, signal: AbortSignal): Promise<string> {
    const connection = this.#connection = await openTunnel(server, this.options, false, signal);
    this.#attempt = undefined;
    this.#refused = false;
    this.options.log.info("The tunnel to the server is up", { server });
    this.#release();
    this.#restored.abort(new Error("the tunnel is up again"));
    const reason = await connection.closed;
    this.#restored = new AbortController();
    this.#connection = undefined;
    return reason;
  }
}
