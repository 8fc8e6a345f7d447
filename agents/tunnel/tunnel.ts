import { networkInterfaces } from "node:os";
import { Backoff } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import type { Logger } from "../../src/base/log.ts";
import type { DialTls } from "../../src/base/stream/dial.ts";
import { answeredPings, answerMs, pingMs, ServerRole } from "../../src/base/tunnel/connect.ts";
import { PingFlag } from "../../src/base/tunnel/frames.ts";
import { bodyOf, sendRequest } from "../../src/base/tunnel/request.ts";
import { serveStream } from "../../src/base/tunnel/serve.ts";
import { TunnelSession } from "../../src/base/tunnel/session.ts";
import { WebSocketRefused } from "../../src/base/websocket/client.ts";
import type { Carrier, Transport } from "../../src/client/transport.ts";
import { dialTunnel, type DialledTunnel } from "./dial.ts";
import { targetProxy } from "./target-proxy.ts";

export interface AgentTunnelOptions {
  /** The server that is used now; `failed` is told when it can't be reached, and another may take its place. */
  servers: { readonly current: { readonly url: string; readonly givenUp: AbortSignal }; failed(givenUp: AbortSignal): void };
  /** The kubelet's certificate, asked for at each connection since it is renewed. */
  tls(): DialTls;
  /** The kubelet's API. */
  handler: HttpHandler;
  clock: Clock;
  log: Logger;
  /** The server doesn't accept the certificate, or no longer. */
  onUnauthorized?(): void;
  /** Addresses that this machine has. */
  localAddresses?(): readonly string[];
  dial?(server: string, tls: DialTls): Promise<DialledTunnel>;
}

/** What the API server may ask of this node at once: exec, logs, scrapes. */
const mostStreams = 1024;
const mostBufferedBytes = 64 << 20;
const mostBodyBytes = 16 << 20;
/** An attempt that takes longer is waited for by no request: it goes by plain HTTPS. */
const patienceMs = 3_000;
/** The tunnel's own pings come so much later than the kubelet's heartbeats, so that one of them serves both. */
const pingSlackMs = 1_500;
/** A connection that lasted so long was one: the next attempt is soon. */
const wellAfterMs = 10_000;
/** Attempts that requests ask for are so far apart at least. */
const hurriedMs = 1_000;
/** What lets no WebSocket through will not soon. */
const refusedMs = 30_000;

const systemAddresses = (): string[] => Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));

/**
 * The agent's one connection to its server, which it opens itself, and opens again whenever it is gone: through it come requests for the
 * kubelet, and go the agent's own. Notices within half a minute that the other end is not there any more; at once, that its own address is gone.
 */
export class AgentTunnel {
  #session: TunnelSession | undefined;
  /** Ends the wait for the next attempt, while there is one. */
  #pause: AbortController | undefined;
  #attemptedAt = -Infinity;
  /** Something has changed since the attempt that is under way began. */
  #due = false;
  /** The last attempt was answered, but not with a tunnel: something between doesn't let it through. */
  #refused = false;
  #restored = new AbortController();
  #waiting: (() => void)[] = [];
  /** Monotonic times: of the last ping, and of what came last. */
  #sentAt = 0;
  #heardAt = 0;
  /** When a ping was to be answered, while nothing has come since. */
  #askedAt: number | undefined;
  #pings = 0;
  /** This machine's, in the connection. */
  #localAddress = "";

  constructor(private readonly options: AgentTunnelOptions) {}

  get isUp(): boolean {
    return this.#session?.isOpen === true;
  }

  /** Keeps the connection until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, servers } = this.options;
    const backoff = new Backoff({ base: 300, max: 10_000, jitter: 1 });
    let told = "";
    while (!signal.aborted) {
      const { url, givenUp } = servers.current;
      const began = this.#attemptedAt = clock.monotonic();
      this.#due = false;
      try {
        const reason = await this.#connection(url, AbortSignal.any([signal, givenUp]));
        if (signal.aborted) return;
        log.info("The tunnel to the server ended, will connect again", { server: url, reason });
        told = "";
      } catch (error) {
        if (signal.aborted) return;
        this.#refused = error instanceof WebSocketRefused;
        if (error instanceof WebSocketRefused && error.status === 401) this.options.onUnauthorized?.();
        const reason = (error as Error).message;
        // Whoever gave it up has said so.
        if (reason !== told && !givenUp.aborted) log.warn(this.#refused ? "The server can't be reached by a tunnel; the agent goes on by plain HTTPS, and tries again" : "The server can't be reached, will try again", { server: url, reason });
        if (!givenUp.aborted) told = reason;
        this.#release();
        if (!this.#refused) servers.failed(givenUp);
      }
      if (clock.monotonic() - began > wellAfterMs) backoff.reset();
      if (this.#due) continue;
      const pause = this.#pause = new AbortController();
      await clock.sleep(this.#refused ? refusedMs * (1 + Math.random()) : backoff.next(), AbortSignal.any([signal, pause.signal])).catch(() => undefined);
      this.#pause = undefined;
    }
  }

  /** What kept the last attempt from succeeding has changed, such as the certificate: the next one is due now. */
  retry(): void {
    this.#due = true;
    this.#pause?.abort();
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
    if (!this.isUp) return false;
    this.#ping(PingFlag.Heartbeat);
    return true;
  }

  /** The machine's addresses have changed: a connection from one that is gone is made anew at once. False when it was. */
  checkAddress(): boolean {
    const { localAddresses = systemAddresses } = this.options;
    if (!this.#session || localAddresses().includes(this.#localAddress)) return true;
    this.#session.destroy(`this machine doesn't have the address ${this.#localAddress} any more, or its cable is out`);
    return false;
  }

  /** A way for clients that speak as `role`, one of `AgentRole`. */
  transport(role: number): Transport {
    const restored = (): AbortSignal => this.#restored.signal;
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
      await this.#attempt(signal);
    }
    const session = this.#session;
    if (!session?.isOpen) return undefined;
    return async ({ method, url, headers, body, signal: until }) => {
      const answer = await sendRequest(session, { method, url, headers, role }, { ...(body ? { body } : {}), ...(until ? { signal: until } : {}) });
      return { status: answer.status, headers: answer.headers, body: bodyOf(answer) };
    };
  }

  /** Resolves when the attempt under way has succeeded or failed, or takes too long; at once when there is none. */
  async #attempt(signal: AbortSignal | undefined): Promise<void> {
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
  async #connection(server: string, signal: AbortSignal): Promise<string> {
    const { handler, log, clock, dial = dialTunnel } = this.options;
    const { socket, localAddress } = await untilAborted(dial(server, this.options.tls()), signal);
    const session: TunnelSession = new TunnelSession(socket, {
      side: "agent", mostStreams, mostBufferedBytes,
      serve: (stream, head) => serveStream(session, stream, head, {
        handlerFor: ({ role }) => (role === ServerRole.kubelet ? { handler } : role === ServerRole.targets ? { handler: targetProxy } : undefined), remoteAddress: new URL(server).hostname, mostBodyBytes,
        onError: ({ method, url }, error) => log.error("a request handler failed", { method, path: url.split("?", 1)[0], error }),
      }),
      onReceived: () => {
        this.#heardAt = clock.monotonic();
      },
      onPing: (flags) => {
        if (flags & PingFlag.Answer) session.pong();
      },
    });
    this.#session = session;
    this.#localAddress = localAddress;
    this.#refused = false;
    log.info("The tunnel to the server is up", { server });
    this.#release();
    this.#restored.abort(new Error("the tunnel is up again"));
    const over = new AbortController();
    const stop = (): void => session.close(1000, (signal.reason as Error).message);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const watching = this.#keepAlive(session, over.signal);
    const reason = await session.closed;
    this.#restored = new AbortController();
    this.#session = undefined;
    signal.removeEventListener("abort", stop);
    over.abort();
    await watching;
    return reason;
  }

  #ping(flags: number): void {
    const answered = ++this.#pings % answeredPings === 0;
    this.#sentAt = this.options.clock.monotonic();
    this.#session?.ping(flags | (answered ? PingFlag.Answer : 0));
    if (answered) this.#askedAt ??= this.#sentAt;
  }

  /** Pings where the kubelet hasn't; ends the session of a server that doesn't answer, or of an address that this machine doesn't have any more. */
  async #keepAlive(session: TunnelSession, signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    this.#heardAt = this.#sentAt = clock.monotonic();
    this.#askedAt = undefined;
    const slept = (ms: number): Promise<boolean> => clock.sleep(Math.max(ms, 1), signal).then(() => true, () => false);
    for (;;) {
      const now = clock.monotonic();
      if (this.#askedAt !== undefined && this.#heardAt >= this.#askedAt) this.#askedAt = undefined;
      if (this.#askedAt !== undefined && now - this.#askedAt >= answerMs) return session.destroy("the server does not answer");
      if (!this.checkAddress()) return;
      const due = this.#sentAt + pingMs + pingSlackMs;
      if (now >= due) this.#ping(0);
      const next = Math.min(this.#askedAt === undefined ? Infinity : this.#askedAt + answerMs, now >= due ? now + pingMs : due);
      if (!(await slept(next - now))) return;
    }
  }
}

/** Rejects when `signal` aborts first; what comes later is closed. */
async function untilAborted(dialling: Promise<DialledTunnel>, signal: AbortSignal): Promise<DialledTunnel> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([dialling, aborted.promise]);
  } catch (error) {
    dialling.then(({ socket }) => socket.destroy(), () => undefined);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
