import { Backoff } from "../../src/base/backoff.ts";
import { WebSocketRefused } from "../../src/base/websocket/client.ts";
import { type ConnectionOptions, openTunnel, type TunnelConnection } from "./connection.ts";
import { AlreadyConnected } from "./dial.ts";
import type { AgentTunnel } from "./tunnel.ts";

export interface BesideTunnelsOptions extends ConnectionOptions {
  servers: {
    readonly current: { readonly url: string };
    /** By whatever name they may be reached. */
    readonly all: readonly string[];
    /** As the cluster tells. */
    readonly told: readonly string[];
    onChange(listener: () => void): () => void;
  };
  /** That to the server in use. */
  main: Pick<AgentTunnel, "connection" | "restored">;
  /** A server doesn't accept the certificate, or no longer. */
  onUnauthorized?(): void;
}

/** A tunnel that lasted so long was one: the next attempt is soon. */
const wellAfterMs = 10_000;

interface Keeping {
  stop: AbortController;
  done: Promise<void>;
}

/**
 * The tunnels to the cluster's other servers, by which they reach this node's kubelet; the agent itself uses none of them. There are none in a cluster of
 * one server, and none to a server that isn't one any more.
 */
export class BesideTunnels {
  readonly #kept = new Map<string, Keeping>();
  readonly #open = new Set<TunnelConnection>();
  /** Ends all waits for the next attempt. */
  #changed = new AbortController();
  /** Aborts when another server is used, or there are others. */
  #others = new AbortController();

  constructor(private readonly options: BesideTunnelsOptions) {}

  /** Tunnels that are up. */
  get size(): number {
    return this.#open.size;
  }

  /** Keeps them until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const unsubscribe = this.options.servers.onChange(() => this.#look(signal));
    this.#look(signal);
    await untilAborted(signal);
    unsubscribe();
    await Promise.all([...this.#kept.values()].map(({ done }) => done));
  }

  /** The machine's network or its certificate has changed: what could not be reached may be now. */
  retry(): void {
    for (const connection of this.#open) connection.check();
    const changed = this.#changed;
    this.#changed = new AbortController();
    changed.abort();
  }

  #look(signal: AbortSignal): void {
    const { told, all } = this.options.servers;
    const wanted = signal.aborted || told.length < 2 ? [] : all, others = this.#others;
    this.#others = new AbortController();
    others.abort();
    for (const [url, { stop }] of this.#kept) if (!wanted.includes(url)) {
      this.#kept.delete(url);
      stop.abort(new Error("this tunnel is not needed any more"));
    }
    for (const url of wanted) if (!this.#kept.has(url)) {
      const stop = new AbortController();
      this.#kept.set(url, { stop, done: this.#keep(url, AbortSignal.any([signal, stop.signal])) });
    }
  }

  async #keep(url: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    const backoff = new Backoff({ base: 500, max: 60_000, jitter: 1 });
    let told = "";
    while (!signal.aborted) {
      // Which server that one leads to is to be known; while it looks for one, all are tried.
      if (!this.options.main.connection) await untilAborted(AbortSignal.any([signal, this.options.main.restored]));
      // The server in use ends a tunnel beside that to it, when nothing goes through any more; no other is made.
      while (!signal.aborted && this.options.servers.current.url === url) await untilAborted(AbortSignal.any([signal, this.#others.signal]));
      if (signal.aborted) return;
      const began = clock.monotonic(), { signal: changed } = this.#changed;
      try {
        const reason = await this.#connect(url, signal);
        if (signal.aborted) return;
        log.info("The tunnel to another server ended, will connect again", { server: url, reason });
        told = "";
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof WebSocketRefused && error.status === 401) this.options.onUnauthorized?.();
        const same = error instanceof AlreadyConnected ? this.#to(error.serverId) : undefined, reason = (error as Error).message;
        // Another name of a server that has a tunnel: it may do when that one doesn't.
        if (same) await Promise.race([same.closed, untilAborted(signal)]);
        else if (reason !== told) log.info("Another server can't be reached, will try again", { server: url, reason });
        told = reason;
      }
      if (changed.aborted || clock.monotonic() - began > wellAfterMs) backoff.reset();
      if (!changed.aborted) await clock.sleep(backoff.next(), AbortSignal.any([signal, changed])).catch(() => undefined);
    }
  }

  async #connect(url: string, signal: AbortSignal): Promise<string> {
    const connection = await openTunnel(url, this.options, true, signal);
    this.#open.add(connection);
    this.options.log.info("The tunnel to another server is up", { server: url });
    const reason = await connection.closed;
    this.#open.delete(connection);
    return reason;
  }

  /** The tunnel to a server, by whatever name it was reached. */
  #to(serverId: string): TunnelConnection | undefined {
    return [this.options.main.connection, ...this.#open].find((connection) => connection?.serverId === serverId);
  }
}

const untilAborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
