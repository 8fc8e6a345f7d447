import { networkInterfaces } from "node:os";
import type { Clock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import type { Logger } from "../../src/base/log.ts";
import type { DialTls } from "../../src/base/stream/dial.ts";
import { besideRhythm, mainRhythm, type Rhythm, ServerRole } from "../../src/base/tunnel/connect.ts";
import { PingFlag } from "../../src/base/tunnel/frames.ts";
import { serveStream } from "../../src/base/tunnel/serve.ts";
import { TunnelSession } from "../../src/base/tunnel/session.ts";
import { dialTunnel, type DialledTunnel } from "./dial.ts";
import { targetProxy } from "./target-proxy.ts";

/** What all of an agent's tunnels have in common. */
export interface ConnectionOptions {
  /** The kubelet's certificate, asked for at each connection since it is renewed. */
  tls(): DialTls;
  /** The kubelet's API. */
  handler: HttpHandler;
  clock: Clock;
  log: Logger;
  /** Addresses that this machine has. */
  localAddresses?(): readonly string[];
  dial?(server: string, tls: DialTls, isBeside: boolean): Promise<DialledTunnel>;
}

/** What the API server may ask of this node at once: exec, logs, scrapes. */
const mostStreams = 1024;
const mostBufferedBytes = 64 << 20;
const mostBodyBytes = 16 << 20;
/** The tunnel's own pings come so much later than the kubelet's heartbeats, so that one of them serves both. */
const pingSlackMs = 1_500;

const systemAddresses = (): string[] => Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address));

/** Opens a tunnel, which ends when `signal` aborts. Rejects as `dialTunnel` does, and with the signal's reason. */
export async function openTunnel(server: string, options: ConnectionOptions, isBeside: boolean, signal: AbortSignal): Promise<TunnelConnection> {
  const { dial = dialTunnel } = options;
  return new TunnelConnection(server, await untilAborted(dial(server, options.tls(), isBeside), signal), options, isBeside ? besideRhythm : mainRhythm, signal);
}

/**
 * One tunnel from the handshake to its end, by which a server reaches the kubelet. Ends within half a minute (beside another: two minutes) when the server
 * is not there any more; when this machine doesn't have its address any more, at its next ping.
 */
export class TunnelConnection {
  /** Resolves with the reason when all of it is over. */
  readonly closed: Promise<string>;
  readonly serverId: string;
  readonly session: TunnelSession;
  readonly #localAddress: string;
  /** Monotonic times: of the last ping, and of what came last. */
  #sentAt: number;
  #heardAt: number;
  /** When a ping was to be answered, while nothing has come since. */
  #askedAt: number | undefined;
  #pings = 0;
  /** Ends the wait for the next ping. */
  #pause = new AbortController();

  constructor(server: string, { socket, localAddress, serverId }: DialledTunnel, private readonly options: ConnectionOptions, private readonly rhythm: Rhythm, signal: AbortSignal) {
    const { handler, log, clock } = options;
    this.#sentAt = this.#heardAt = clock.monotonic();
    this.#localAddress = localAddress;
    this.serverId = serverId;
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
    this.session = session;
    this.closed = this.#life(signal);
  }

  /** Tells the server that the kubelet is alive, and all is as it last reported. */
  heartbeat(): void {
    this.#ping(PingFlag.Heartbeat);
  }

  /** Ends a tunnel from an address that this machine doesn't have any more. False when it did. */
  checkAddress(): boolean {
    const { localAddresses = systemAddresses } = this.options;
    if (!this.session.isOpen || localAddresses().includes(this.#localAddress)) return true;
    this.session.destroy(`this machine doesn't have the address ${this.#localAddress} any more, or its cable is out`);
    return false;
  }

  /** The machine's network has changed: looks now whether the server is still there. */
  check(): void {
    if (!this.checkAddress()) return;
    this.#ping(0, true);
    this.#pause.abort();
  }

  async #life(signal: AbortSignal): Promise<string> {
    const { session } = this, over = new AbortController();
    const stop = (): void => session.close(1000, (signal.reason as Error).message);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const watching = this.#keepAlive(over.signal);
    const reason = await session.closed;
    signal.removeEventListener("abort", stop);
    over.abort();
    await watching;
    return reason;
  }

  #ping(flags: number, isAnswered = ++this.#pings % this.rhythm.answeredPings === 0): void {
    this.#sentAt = this.options.clock.monotonic();
    this.session.ping(flags | (isAnswered ? PingFlag.Answer : 0));
    if (isAnswered) this.#askedAt ??= this.#sentAt;
  }

  /** Pings where the kubelet hasn't; ends the session of a server that doesn't answer, or of an address that this machine doesn't have any more. */
  async #keepAlive(signal: AbortSignal): Promise<void> {
    const { clock } = this.options, { pingMs, answerMs } = this.rhythm;
    while (!signal.aborted) {
      const now = clock.monotonic();
      if (this.#askedAt !== undefined && this.#heardAt >= this.#askedAt) this.#askedAt = undefined;
      if (this.#askedAt !== undefined && now - this.#askedAt >= answerMs) return this.session.destroy("the server does not answer");
      if (!this.checkAddress()) return;
      const due = this.#sentAt + pingMs + pingSlackMs;
      if (now >= due) this.#ping(0);
      const next = Math.min(this.#askedAt === undefined ? Infinity : this.#askedAt + answerMs, now >= due ? now + pingMs : due);
      this.#pause = new AbortController();
      await clock.sleep(Math.max(next - now, 1), AbortSignal.any([signal, this.#pause.signal])).catch(() => undefined);
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
