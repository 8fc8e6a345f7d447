import { randomUUID } from "node:crypto";
import { forbidden, internalError, methodNotAllowed, StatusError, unauthorized } from "../../apimachinery/status.ts";
import type { NodeConnector } from "../../apiserver/handlers/handler.ts";
import type { Clock } from "../../base/clock.ts";
import type { HttpHandler, HttpRequest, PeerCertificate } from "../../base/http.ts";
import { logger } from "../../base/log.ts";
import { AgentRole, beside, besideRhythm, CloseCode, mainRhythm, purposeField, type Rhythm, ServerRole, serverIdField } from "../../base/tunnel/connect.ts";
import { mostMessage, PingFlag, tunnelProtocol } from "../../base/tunnel/frames.ts";
import { handlerThrough, TunnelRequestError } from "../../base/tunnel/request.ts";
import { serveStream } from "../../base/tunnel/serve.ts";
import { TunnelSession } from "../../base/tunnel/session.ts";
import { agree } from "../../base/websocket/handshake.ts";
import { WebSocketConnection } from "../../base/websocket/websocket.ts";
import { LifeSigns } from "./life-signs.ts";

export interface NodeTunnelsOptions {
  /** Serves what agents ask, as whom `peer` says. */
  api: HttpHandler;
  clock: Clock;
  /** A node's kubelet is alive, and all is as it last reported. */
  onHeartbeat(nodeName: string): void;
  /** A node has connected from this address, and has its API here. */
  onConnected?(nodeName: string, remoteAddress: string): void;
  /** Another way to a node's kubelet, for nodes without a tunnel. */
  otherwise?(nodeName: string): HttpHandler | undefined;
}

/** What one agent may cost: a watch for each ConfigMap and Secret that its pods use, some others, and what its kubelet writes. */
const mostStreams = 2048;
const mostBufferedBytes = 64 << 20;
/** As the port allows to any client. */
const mostBodyBytes = 3 << 20;

/** A node whose tunnel ended a moment ago connects again: who asks for it meanwhile waits. Milliseconds. */
const returnMs = 30_000;
const patienceMs = 3_000;
/** So long after the start of the server any node may be about to connect. */
const freshMs = 15_000;
const freshPatienceMs = 3_000;

interface Tunnel {
  session: TunnelSession;
  isBeside: boolean;
  handler: HttpHandler;
  targets: HttpHandler;
}

const log = logger("tunnel");

/**
 * The tunnels of all agents that are connected to this server: each is one WebSocket that the agent opened, by which the server reaches
 * its kubelet, and the agent the API.
 */
export class NodeTunnels implements NodeConnector {
  readonly #tunnels = new Map<string, Tunnel>();
  /** When the tunnels of nodes ended that have none now; monotonic. */
  readonly #lost = new Map<string, number>();
  #arrived = Promise.withResolvers<void>();
  #stopped = false;
  readonly #id = randomUUID();
  readonly #startedAt: number;

  constructor(private readonly options: NodeTunnelsOptions) {
    this.#startedAt = options.clock.monotonic();
  }

  /** Nodes connected now. */
  get size(): number {
    return this.#tunnels.size;
  }

  connect(nodeName: string): HttpHandler | undefined {
    const tunnel = this.#tunnels.get(nodeName);
    if (tunnel) return tunnel.handler;
    const now = this.options.clock.monotonic(), lostAt = this.#lost.get(nodeName) ?? -Infinity;
    if (now - lostAt < returnMs) return this.#onceBack(nodeName, patienceMs);
    this.#lost.delete(nodeName);
    return now - this.#startedAt < freshMs ? this.#onceBack(nodeName, freshPatienceMs) : this.options.otherwise?.(nodeName);
  }

  network(nodeName: string): HttpHandler | undefined {
    return this.#tunnels.get(nodeName)?.targets;
  }

  #onceBack(nodeName: string, patienceMs: number): HttpHandler {
    return async (request, response) => {
      const over = new AbortController();
      const patience = this.options.clock.sleep(patienceMs, AbortSignal.any([request.signal, over.signal])).then(() => true, () => true);
      while (!this.#tunnels.has(nodeName) && !(await Promise.race([patience, this.#arrived.promise.then(() => false)])));
      over.abort();
      const handler = this.#tunnels.get(nodeName)?.handler ?? this.options.otherwise?.(nodeName);
      if (!handler) throw internalError(new Error(`error dialing backend: node ${JSON.stringify(nodeName)} is not connected`));
      await handler(request, response);
    };
  }

  /** `GET /v1-skiff/connect`. Throws a StatusError for who may not. */
  readonly handler: HttpHandler = (request, response) => {
    const { peer, peerError, method } = request;
    if (method !== "GET") throw methodNotAllowed();
    if (!peer) throw unauthorized(peerError ? `the client certificate is not valid: ${peerError}` : "a node connects with its client certificate");
    const nodeName = nodeOf(peer);
    if (!nodeName || this.#stopped) throw forbidden({ group: "", resource: "nodes" }, peer.commonName, this.#stopped ? "this server stops" : "only nodes connect here");
    const agreement = agree(request, [tunnelProtocol]);
    const id = { [serverIdField]: this.#id }, text = { "Content-Type": "text/plain; charset=utf-8" };
    if (typeof agreement === "string") return response.send(400, text, `${agreement}\n`);
    if (request.headers[purposeField] === beside && this.#tunnels.has(nodeName)) return response.send(409, { ...text, ...id }, "this server has a tunnel to the node\n");
    void this.#accept(nodeName, request, new WebSocketConnection(response.upgrade({ ...agreement.headers, ...id }), { role: "server", maxMessageBytes: mostMessage }));
  };

  /** Agents connect elsewhere, or here once more when the server is back. */
  stop(): void {
    this.#stopped = true;
    for (const { session } of this.#tunnels.values()) session.close(CloseCode.goingAway, "the server stops");
  }

  async #accept(nodeName: string, request: HttpRequest, socket: WebSocketConnection): Promise<void> {
    const { clock, onHeartbeat } = this.options, isBeside = request.headers[purposeField] === beside;
    const life: LifeSigns = new LifeSigns({ clock, ask: () => session.ping(PingFlag.Answer) });
    const session: TunnelSession = new TunnelSession(socket, {
      side: "server", mostStreams, mostBufferedBytes,
      serve: (stream, head) => serveStream(session, stream, head, {
        handlerFor: ({ role }) => this.#handlerFor(session, nodeName, role, request.peer),
        remoteAddress: request.remoteAddress, mostBodyBytes,
        onError: ({ method, url }, error) => log.error("a request handler failed", { node: nodeName, method, path: url.split("?", 1)[0], error }),
      }),
      onReceived: () => life.heard(),
      onPing: (flags) => {
        if (flags & PingFlag.Answer) session.pong();
        if (!stillNode(session, nodeName, request.peer)) return;
        if (flags & PingFlag.Heartbeat) onHeartbeat(nodeName);
      },
    });
    const tunnel: Tunnel = { session, isBeside, handler: this.#through(nodeName, session, life, ServerRole.kubelet), targets: this.#through(nodeName, session, life, ServerRole.targets) };
    const before = this.#tunnels.get(nodeName);
    this.#tunnels.set(nodeName, tunnel);
    this.#lost.delete(nodeName);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
    log.info("Node connected", { node: nodeName, address: request.remoteAddress });
    if (!isBeside) this.options.onConnected?.(nodeName, request.remoteAddress);
    // An agent that has lost its server comes here with all it has: what goes through the tunnel of before goes on.
    if (before?.isBeside) before.session.retire(CloseCode.replaced, "the node has a tunnel of its own to this server now");
    else before?.session.close(CloseCode.replaced, "the node has connected anew");
    void watchSilence(session, life, isBeside ? besideRhythm : mainRhythm);
    const reason = await session.closed;
    if (this.#tunnels.get(nodeName) !== tunnel) return;
    this.#tunnels.delete(nodeName);
    this.#lost.set(nodeName, clock.monotonic());
    log.info("Node disconnected", { node: nodeName, reason });
  }

  /** The kubelet behind the tunnel; without an answer of it the API server says so, in Kubernetes' words: soon when the whole machine is silent. */
  #through(nodeName: string, session: TunnelSession, life: LifeSigns, role: number): HttpHandler {
    const handler = handlerThrough(session, role);
    return async (request, response) => {
      const gone = new AbortController(), over = new AbortController();
      void life.isSilent(() => !response.started, over.signal).then((silent) => silent && gone.abort(internalError(new Error(`error dialing backend: node ${JSON.stringify(nodeName)} does not answer: nothing was heard of it for ${Math.round(life.silence / 1000)} s`))));
      try {
        await handler({ ...requestFields(request), signal: AbortSignal.any([request.signal, gone.signal]) }, response);
      } catch (error) {
        if (error instanceof StatusError || request.signal.aborted) throw error;
        if (error instanceof TunnelRequestError) throw internalError(new Error(`error dialing backend: ${error.message}`));
        throw error;
      } finally {
        over.abort();
      }
    };
  }

  #handlerFor(session: TunnelSession, nodeName: string, role: number, peer: PeerCertificate | undefined): { handler: HttpHandler; peer: PeerCertificate } | undefined {
    if (!stillNode(session, nodeName, peer)) return undefined;
    const identity = identityOf(nodeName, role, peer!);
    return identity && { handler: asNobodyElse(this.options.api), peer: identity };
  }
}

/** Cuts a connection from which nothing comes: the machine, or the way to it, is gone. */
async function watchSilence(session: TunnelSession, life: LifeSigns, { silenceMs }: Rhythm): Promise<void> {
  const over = new AbortController();
  void session.closed.then(() => over.abort());
  if (await life.fallsSilent(silenceMs, over.signal)) session.destroy("nothing was heard of the node");
}

const nodePrefix = "system:node:";

function nodeOf({ commonName, organizations, frontProxy }: PeerCertificate): string | undefined {
  return !frontProxy && commonName.startsWith(nodePrefix) && organizations.includes("system:nodes") ? commonName.slice(nodePrefix.length) || undefined : undefined;
}

/** A connection may outlive its certificate; a tunnel doesn't. */
function stillNode(session: TunnelSession, nodeName: string, peer: PeerCertificate | undefined): boolean {
  if (peer && nodeOf(peer) === nodeName) return true;
  session.close(CloseCode.unauthorized, "the node's certificate has expired");
  return false;
}

const identities = new WeakMap<PeerCertificate, Map<number, PeerCertificate>>();

/** The two whom a node's certificate stands for; one object each for all requests, by which authentication knows it again. */
function identityOf(nodeName: string, role: number, peer: PeerCertificate): PeerCertificate | undefined {
  if (role === AgentRole.kubelet) return peer;
  if (role !== AgentRole.network) return undefined;
  const known = identities.get(peer) ?? new Map<number, PeerCertificate>();
  identities.set(peer, known);
  const identity = known.get(role) ?? { commonName: `system:skiff-network:${nodeName}`, organizations: ["system:skiff-networks"], fingerprint: peer.fingerprint };
  known.set(role, identity);
  return identity;
}

/** Other credentials than the connection's are not looked at. */
const isCredential = (name: string): boolean => name === "authorization" || name.startsWith("impersonate-") || name.startsWith("x-remote-");

function asNobodyElse(api: HttpHandler): HttpHandler {
  return (request, response) => {
    if (!Object.keys(request.headers).some(isCredential)) return api(request, response);
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !isCredential(name)));
    return api({ ...requestFields(request), headers }, response);
  };
}

const requestFields = (request: HttpRequest): HttpRequest => ({
  method: request.method, url: request.url, headers: request.headers, peer: request.peer, remoteAddress: request.remoteAddress, body: () => request.body(), signal: request.signal,
});
