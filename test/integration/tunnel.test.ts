import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { AgentTunnel } from "../../agents/tunnel/tunnel.ts";
import { StatusError } from "../../src/apimachinery/status.ts";
import type { Front } from "../../src/apiserver/front/front.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import type { DialTls } from "../../src/base/stream/dial.ts";
import { AgentRole, connectPath } from "../../src/base/tunnel/connect.ts";
import { tunnelProtocol } from "../../src/base/tunnel/frames.ts";
import { targetPath } from "../../src/base/tunnel/target-path.ts";
import { agree } from "../../src/base/websocket/handshake.ts";
import { WebSocketConnection } from "../../src/base/websocket/websocket.ts";
import { NodeTunnels } from "../../src/server/tunnel/tunnels.ts";
import { makeAuthority, serverTls, type Authority } from "../contract/front-certificates.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { exchange } from "../support/http.ts";
import { startRelay, type TcpRelay } from "../support/tcp-relay.ts";

const authority = await makeAuthority("clients");
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Says who asks for what. */
const whoami: HttpHandler = async (request, response) => {
  response.send(200, { "Content-Type": "application/json" }, JSON.stringify({ url: request.url, as: request.peer?.commonName, groups: request.peer?.organizations, headers: request.headers, body: Buffer.from(await request.body()).toString() }));
};

interface Server {
  tunnels: NodeTunnels;
  front: Front;
  heartbeats: string[];
}

/** A server with its port: agents connect there, and `/nodes/<name>/…` leads to them. */
async function startServer({ clock = systemClock, port = 0 }: { clock?: Clock; port?: number } = {}): Promise<Server> {
  const heartbeats: string[] = [];
  const tunnels = new NodeTunnels({ api: whoami, clock, onHeartbeat: (name) => heartbeats.push(name) });
  const handler: HttpHandler = async (request, response) => {
    if (request.url === connectPath) return tunnels.handler(request, response);
    const [, , name = "", ...path] = request.url.split("/");
    const node = tunnels.connect(name);
    if (!node) return response.send(404, {});
    await node({ ...request, method: request.method, headers: request.headers, signal: request.signal, remoteAddress: "192.0.2.1", body: () => request.body(), url: `/${path.join("/")}` }, response);
  };
  const front = await listenFront({ hostname: "127.0.0.1", port, tls: await serverTls(authority), handler });
  cleanups.push(() => front.stop({ graceMs: 0 }));
  return { tunnels, front, heartbeats };
}

interface Agent {
  tunnel: AgentTunnel;
  failures: AbortSignal[];
  stop(): Promise<void>;
}

const certificateOf = async (subject: string, of: Authority = authority): Promise<DialTls> => ({ ca: authority.cert, ...(await of.issue(subject)) });

async function startAgent({ node = "n1", port, handler = whoami, clock = systemClock, addresses, tls }: { node?: string; port: number; handler?: HttpHandler; clock?: Clock; addresses?: () => string[]; tls?: DialTls }): Promise<Agent> {
  const certificate = tls ?? await certificateOf(`O=system:nodes, CN=system:node:${node}`);
  const failures: AbortSignal[] = [];
  const current = { url: `https://127.0.0.1:${port}`, givenUp: new AbortController().signal };
  const tunnel = new AgentTunnel({ servers: { current, failed: (signal) => failures.push(signal) }, tls: () => certificate, handler, clock, log: silent, ...(addresses ? { localAddresses: addresses } : {}) });
  const stopping = new AbortController();
  const running = tunnel.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  cleanups.push(stop);
  return { tunnel, failures, stop };
}

async function ask(agent: Agent, role: number, url: string, headers: Record<string, string> = {}): Promise<Record<string, unknown>> {
  const carrier = await agent.tunnel.transport(role).carrier();
  const answer = await carrier!({ method: "POST", url, headers, body: Buffer.from("hello") });
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString()) as Record<string, unknown>;
}

const connected = (server: Server, ...names: string[]): Promise<void> => eventually(() => expect(names.filter((name) => !server.tunnels.network(name))).toEqual([]));

/** Nodes that nobody has heard of are waited for while a server is new. */
const unknown = async (server: Server, name: string): Promise<void> => expect(await exchange(server.tunnels.connect(name)!, { url: "/" }).done.catch((error: Error) => error.message)).toContain("is not connected");

describe("who is who", () => {
  test("an agent asks as its kubelet or its network, whatever it claims", async () => {
    const server = await startServer();
    const agent = await startAgent({ port: server.front.port });
    expect(await ask(agent, AgentRole.kubelet, "/api")).toMatchObject({ url: "/api", as: "system:node:n1", groups: ["system:nodes"], body: "hello" });
    const claims = { authorization: "Bearer x", "impersonate-user": "admin", "impersonate-group": "system:masters", "x-remote-user": "admin", "x-own": "kept" };
    const seen = await ask(agent, AgentRole.network, "/api", claims);
    expect(seen).toMatchObject({ as: "system:skiff-network:n1", groups: ["system:skiff-networks"], headers: { "x-own": "kept" } });
    expect(seen["headers"]).not.toContainAnyKeys(["authorization", "impersonate-user", "impersonate-group", "x-remote-user"]);
    await expect(ask(agent, 2, "/api")).rejects.toThrow("not served");
  });

  test("agents answer for themselves alone", async () => {
    const server = await startServer();
    const named = (name: string): HttpHandler => (_, response) => response.send(200, {}, name);
    await startAgent({ node: "a", port: server.front.port, handler: named("a") });
    await startAgent({ node: "b", port: server.front.port, handler: named("b") });
    await connected(server, "a", "b");
    for (const name of ["a", "b"]) {
      const { answer, done } = exchange(server.tunnels.connect(name)!, { url: "/pods" });
      await done;
      expect(answer.text()).toBe(name);
    }
    await unknown(server, "c");
  });

  test.each([
    ["nobody", undefined, 401], ["an administrator", "O=system:masters, CN=admin", 403], ["a node's name without its group", "CN=system:node:n1", 403],
    ["a nameless node", "O=system:nodes, CN=system:node:", 403], ["a node's network", "O=system:skiff-networks, CN=system:skiff-network:n1", 403],
  ])("%s is no node", async (_, subject, code) => {
    const server = await startServer();
    const tls = subject ? await authority.issue(subject) : undefined;
    const request = { method: "GET", url: connectPath, headers: {}, remoteAddress: "", body: async () => new Uint8Array(), signal: new AbortController().signal };
    const response = await fetch(`https://127.0.0.1:${server.front.port}${connectPath}`, { headers: { "sec-websocket-version": "13" }, tls: { ca: authority.cert, ...tls } } as BunFetchRequestInit);
    expect(response.status).toBe(code);
    expect(() => server.tunnels.handler(request, {} as never)).toThrow(StatusError);
  });

  test("a node of another cluster is refused; the agent goes on by plain HTTPS", async () => {
    const server = await startServer();
    const agent = await startAgent({ port: server.front.port, tls: await certificateOf("O=system:nodes, CN=system:node:n1", await makeAuthority("others")) });
    await eventually(async () => expect(await agent.tunnel.transport(0).carrier()).toBeUndefined());
    expect(server.tunnels.size).toBe(0);
    expect(agent.failures).toEqual([]);
  });

  test.each(["of another authority", "of one of its nodes"])("an agent speaks to no server with a certificate %s", async (whose) => {
    const others = await makeAuthority("others");
    const shown = whose === "of another authority" ? await serverTls(others) : { ...(await authority.issue("O=system:nodes, CN=system:node:n9")), clientCa: authority.cert };
    let asked = 0;
    const front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: shown, handler: (_, response) => {
      asked++;
      response.send(200, {});
    } });
    cleanups.push(() => front.stop({ graceMs: 0 }));
    const agent = await startAgent({ port: front.port });
    await eventually(() => expect(agent.failures.length).toBeGreaterThan(1));
    expect([asked, agent.tunnel.isUp]).toEqual([0, false]);
  });

  test("of two connections of a node the newer one counts", async () => {
    const server = await startServer();
    const named = (name: string): HttpHandler => (_, response) => response.send(200, {}, name);
    const first = await startAgent({ port: server.front.port, handler: named("first") });
    await connected(server, "n1");
    await first.stop();
    await startAgent({ port: server.front.port, handler: named("second") });
    await eventually(async () => {
      const { answer, done } = exchange(server.tunnels.connect("n1")!, { url: "/" });
      await done;
      expect(answer.text()).toBe("second");
    });
    expect(server.tunnels.size).toBe(1);
  });
});

describe("through the port, to a node", () => {
  test("an upgraded connection echoes, and ends on both sides", async () => {
    const server = await startServer();
    const closed = Promise.withResolvers<number>();
    await startAgent({
      port: server.front.port,
      handler: (request, response) => {
        const agreement = agree(request, ["v5.channel.k8s.io"]);
        if (typeof agreement === "string") return response.send(400, {}, agreement);
        const socket = new WebSocketConnection(response.upgrade(agreement.headers), { role: "server" });
        socket.onMessage = (message) => socket.send(message);
        socket.onClose = closed.resolve;
      },
    });
    await connected(server, "n1");
    const client = new WebSocket(`wss://127.0.0.1:${server.front.port}/nodes/n1/exec`, { protocols: ["v5.channel.k8s.io"], tls: { ca: authority.cert } } as never);
    client.binaryType = "arraybuffer";
    const sent = Buffer.alloc(3 << 20, "abcdefg");
    const echoed = await new Promise<Buffer>((resolve, reject) => {
      client.onopen = () => client.send(sent);
      client.onmessage = ({ data }) => resolve(Buffer.from(data as ArrayBuffer));
      client.onclose = ({ code, reason }) => reject(new Error(`${code} ${reason}`));
    });
    expect(echoed.equals(sent)).toBe(true);
    client.onclose = null;
    client.close(1000);
    expect(await closed.promise).toBe(1000);
  });

  test("hundreds of requests at once while a client leaves a long answer unread", async () => {
    const server = await startServer();
    let endless = 0;
    await startAgent({
      port: server.front.port,
      handler: async (request, response) => {
        if (request.url !== "/log") return response.send(200, {}, request.url);
        const stream = response.stream(200, {});
        while (!request.signal.aborted) {
          endless += 32 << 10;
          if (!stream.write(Buffer.alloc(32 << 10))) await stream.drained();
        }
      },
    });
    await connected(server, "n1");
    const client = new AbortController();
    const { answer: log, done } = exchange(server.tunnels.connect("n1")!, { url: "/log", window: 0, signal: client.signal });
    await eventually(() => expect(endless).toBeGreaterThan(256 << 10));
    const answers = await Promise.all(Array.from({ length: 400 }, async (_, i) => {
      const { answer, done: answered } = exchange(server.tunnels.connect("n1")!, { url: `/${i}` });
      await answered;
      return answer.text();
    }));
    expect(answers).toEqual(answers.map((_, i) => `/${i}`));
    const before = endless;
    await settle();
    expect(endless).toBe(before);
    expect(endless).toBeLessThan(1 << 20);
    client.abort();
    log.read();
    await done;
    expect(log.aborted).toBe(true);
  });

  test("without an answer of the node is an error of the API server's", async () => {
    const server = await startServer();
    const agent = await startAgent({ port: server.front.port, handler: () => new Promise(() => {}) });
    await connected(server, "n1");
    const { done } = exchange(server.tunnels.connect("n1")!, { url: "/" });
    setImmediate(() => agent.stop());
    await expect(done).rejects.toThrow("error dialing backend");
    await eventually(() => expect(server.tunnels.size).toBe(0));
  });

  test("waits a while for a node that has just been lost, but not for one that nobody knows", async () => {
    const clock = new FakeClock();
    const server = await startServer({ clock });
    const first = await startAgent({ port: server.front.port });
    await connected(server, "n1");
    await first.stop();
    await eventually(() => expect(server.tunnels.size).toBe(0));
    const { answer, done } = exchange(server.tunnels.connect("n1")!, { url: "/late" });
    const again = await startAgent({ port: server.front.port });
    await done;
    expect(answer.text()).toContain("/late");
    await again.stop();
    await eventually(() => expect(server.tunnels.size).toBe(0));
    const waiting = exchange(server.tunnels.connect("n1")!, { url: "/never" }).done;
    waiting.catch(() => undefined);
    await clock.advance(3_000);
    await expect(waiting).rejects.toThrow("is not connected");
    await clock.advance(27_000);
    expect(server.tunnels.connect("n1")).toBeUndefined();
    expect(server.tunnels.connect("n2")).toBeUndefined();
  });

  test("waits a moment for any node while the server is new, then goes another way where there is one", async () => {
    const clock = new FakeClock();
    const tunnels = new NodeTunnels({ api: whoami, clock, onHeartbeat: () => undefined, otherwise: (name) => (name === "n1" ? (_, response) => response.send(200, {}, "by another way") : undefined) });
    const { answer, done } = exchange(tunnels.connect("n1")!, { url: "/" });
    await clock.advance(2_900);
    expect(answer.status).toBe(0);
    await clock.advance(100);
    await done;
    expect(answer.text()).toBe("by another way");
    await clock.advance(12_000);
    const later = exchange(tunnels.connect("n1")!, { url: "/" });
    await later.done;
    expect(later.answer.text()).toBe("by another way");
    expect(tunnels.connect("n2")).toBeUndefined();
  });
});

describe("to what a node can reach", () => {
  const backend = Bun.serve({
    port: 0, hostname: "127.0.0.1",
    fetch: async (request, server) => (server.upgrade(request) ? undefined : new Response(`${request.method} ${new URL(request.url).pathname}${new URL(request.url).search} ${request.headers.get("x-own")} ${await request.text()}`, { status: 203, headers: { "x-backend": "yes" } })),
    websocket: { message: (socket, message) => void socket.send(message) },
  });
  afterAll(() => backend.stop(true));
  const target = (path: string, port = backend.port!): string => targetPath({ scheme: "http", host: "127.0.0.1", port, path, search: "q=a%20b" });

  test("requests go on, and answers come back", async () => {
    const server = await startServer();
    await startAgent({ port: server.front.port });
    await connected(server, "n1");
    const { answer, done } = exchange(server.tunnels.network("n1")!, { method: "POST", url: target("/a%2Fb"), headers: { "x-own": "mine" }, body: "sent" });
    await done;
    expect([answer.status, answer.headers["x-backend"], answer.text()]).toEqual([203, "yes", "POST /a%2Fb?q=a%20b mine sent"]);
    const refused = exchange(server.tunnels.network("n1")!, { url: target("/", 1) });
    await refused.done;
    expect([refused.answer.status, refused.answer.text()]).toEqual([503, expect.stringContaining("error trying to reach service")]);
    expect(server.tunnels.network("n2")).toBeUndefined();
  });

  test("the kubelet's paths don't lead there", async () => {
    const server = await startServer();
    await startAgent({ port: server.front.port });
    await connected(server, "n1");
    const { answer, done } = exchange(server.tunnels.connect("n1")!, { url: target("/") });
    await done;
    expect(answer.headers["x-backend"]).toBeUndefined();
  });

  test("WebSockets are joined", async () => {
    const server = await startServer();
    await startAgent({ port: server.front.port });
    await connected(server, "n1");
    const front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), handler: (request, response) => server.tunnels.network("n1")!({ ...request, method: "GET", headers: request.headers, remoteAddress: "", signal: request.signal, body: () => request.body(), url: target("/ws") }, response) });
    cleanups.push(() => front.stop({ graceMs: 0 }));
    const socket = new WebSocket(`wss://127.0.0.1:${front.port}/`, { tls: { ca: authority.cert } } as never);
    const echoed = await new Promise((resolve, reject) => {
      socket.onopen = () => socket.send("hello");
      socket.onmessage = ({ data }) => resolve(data);
      socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    });
    expect(echoed).toBe("hello");
    socket.onclose = null;
    socket.close();
  });
});

describe("a connection that is lost", () => {
  async function throughRelay(options: { clock?: FakeClock; addresses?: () => string[] } = {}): Promise<{ server: Server; relay: TcpRelay; agent: Agent }> {
    const server = await startServer(options);
    const relay = await startRelay(() => server.front.port);
    cleanups.push(() => relay.close());
    const agent = await startAgent({ port: relay.port, ...options });
    await connected(server, "n1");
    await eventually(() => expect(agent.tunnel.isUp).toBe(true));
    return { server, relay, agent };
  }

  /** Lets time pass in steps that the network can follow. */
  async function pass(clock: FakeClock, ms: number, until: () => boolean = () => false): Promise<number> {
    let passed = 0;
    for (; passed < ms && !until(); passed += 500) {
      await clock.advance(500);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return passed;
  }

  test("is made anew", async () => {
    const { server, relay, agent } = await throughRelay();
    const { restored } = agent.tunnel.transport(AgentRole.kubelet);
    relay.cut();
    await eventually(() => expect(relay.accepted).toBe(2));
    await eventually(async () => expect(await ask(agent, AgentRole.kubelet, "/again")).toMatchObject({ url: "/again" }));
    await connected(server, "n1");
    expect(restored.aborted).toBe(true);
  });

  test("without a word is noticed by both sides within half a minute; until then it lives on pings", async () => {
    const clock = new FakeClock();
    const { server, relay, agent } = await throughRelay({ clock });
    await pass(clock, 120_000);
    expect([relay.accepted, agent.tunnel.isUp, server.tunnels.size]).toEqual([1, true, 1]);
    relay.freeze();
    const noticed = await pass(clock, 40_000, () => !agent.tunnel.isUp && server.tunnels.size === 0);
    expect(noticed).toBeLessThanOrEqual(30_000);
    expect(noticed).toBeGreaterThan(8_000);
  }, 60_000);

  test("without a word is no long wait for who asks the node something: an error comes within seconds, and none where it is only slow", async () => {
    const clock = new FakeClock();
    const server = await startServer({ clock });
    const relay = await startRelay(() => server.front.port);
    cleanups.push(() => relay.close());
    const slow = Promise.withResolvers<void>();
    const agent = await startAgent({ port: relay.port, clock, handler: async (_, response) => {
      await slow.promise;
      response.send(200, {}, "at last");
    } });
    await connected(server, "n1");
    await eventually(() => expect(agent.tunnel.isUp).toBe(true));
    const patient = exchange(server.tunnels.connect("n1")!, { url: "/slow" });
    await pass(clock, 8_000);
    slow.resolve();
    await patient.done;
    expect(patient.answer.text()).toBe("at last");
    relay.freeze();
    const waiting = exchange(server.tunnels.connect("n1")!, { url: "/exec" }).done.then(() => "answered", (error: Error) => error.message);
    let over = "";
    void waiting.then((message) => (over = message));
    const passed = await pass(clock, 10_000, () => over !== "");
    expect(over).toContain('error dialing backend: node "n1" does not answer: nothing was heard of it for');
    expect(passed).toBeLessThanOrEqual(6_000);
  });

  test("is given up at once when the machine's address is another", async () => {
    const clock = new FakeClock();
    let addresses = ["127.0.0.1"];
    const { relay } = await throughRelay({ clock, addresses: () => addresses });
    await pass(clock, 60_000);
    expect(relay.accepted).toBe(1);
    addresses = ["192.0.2.5"];
    await pass(clock, 13_000, () => relay.accepted > 1);
    expect(relay.accepted).toBe(2);
  }, 60_000);

  test("to a server that stops: the agent hears of it, and comes back to the next", async () => {
    const { server, relay, agent } = await throughRelay();
    server.tunnels.stop();
    await eventually(() => expect(agent.tunnel.isUp).toBe(false));
    await eventually(() => expect(relay.accepted).toBeGreaterThan(1));
    expect(server.tunnels.size).toBe(0);
  });

  test("heartbeats are the kubelet's", async () => {
    const { server, agent } = await throughRelay();
    expect(agent.tunnel.heartbeat()).toBe(true);
    await eventually(() => expect(server.heartbeats).toEqual(["n1"]));
    await agent.stop();
    expect(agent.tunnel.heartbeat()).toBe(false);
  });

  test("an attempt that takes long is waited for once, not by every request; one that has just failed not at all", async () => {
    const relay = await startRelay(() => 1);
    cleanups.push(() => relay.close());
    relay.freeze();
    const clock = new FakeClock();
    const agent = await startAgent({ port: relay.port, clock });
    const transport = agent.tunnel.transport(AgentRole.kubelet);
    const first = transport.carrier();
    await clock.advance(3_000);
    expect([await first, await transport.carrier()]).toEqual([undefined, undefined]);
  });

  test("a network that changes is a reason to try at once: out of a long wait, and instead of an attempt that began before", async () => {
    const clock = new FakeClock();
    let port = 1;
    const relay = await startRelay(() => port);
    cleanups.push(() => relay.close());
    const agent = await startAgent({ port: relay.port, clock });
    for (let i = 0; i < 10; i++) await pass(clock, 10_000, () => relay.accepted > i);
    const server = await startServer();
    port = server.front.port;
    agent.tunnel.networkChanged();
    await connected(server, "n1");
    relay.freeze();
    relay.cut();
    const before = relay.accepted;
    await pass(clock, 10_000, () => relay.accepted > before);
    expect(agent.tunnel.isUp).toBe(false);
    relay.thaw();
    agent.tunnel.networkChanged();
    await eventually(() => expect([agent.tunnel.isUp, relay.accepted]).toEqual([true, before + 2]));
  });

  test("a network that changes under it is a reason to ask whether the server is still there", async () => {
    const clock = new FakeClock();
    const { agent, relay } = await throughRelay({ clock });
    await pass(clock, 1_000);
    agent.tunnel.networkChanged();
    await pass(clock, 9_000);
    expect([agent.tunnel.isUp, relay.accepted]).toEqual([true, 1]);
    relay.freeze();
    agent.tunnel.networkChanged();
    expect(await pass(clock, 20_000, () => !agent.tunnel.isUp)).toBeLessThanOrEqual(8_500);
  });

  test("a request that failed beside it tells nothing of a server to which it is up; without it, it does", async () => {
    const { agent, relay } = await throughRelay();
    const { signal } = new AbortController();
    agent.tunnel.unreachable(signal);
    expect(agent.failures).toEqual([]);
    await agent.stop();
    relay.cut();
    await eventually(() => expect(agent.tunnel.isUp).toBe(false));
    agent.tunnel.unreachable(signal);
    expect(agent.failures).toContain(signal);
  });

  test("a server that nobody answers for is told of, so that another one is taken", async () => {
    const agent = await startAgent({ port: 1 });
    await eventually(() => expect(agent.failures.length).toBeGreaterThan(0));
    expect(await agent.tunnel.transport(0).carrier(AbortSignal.timeout(8_000)).catch(() => undefined)).toBeUndefined();
  });
});

test("an agent that breaks the protocol loses its connection, and nobody else theirs", async () => {
  const server = await startServer();
  await startAgent({ node: "good", port: server.front.port });
  await connected(server, "good");
  const { cert, key } = await authority.issue("O=system:nodes, CN=system:node:bad");
  for (const message of [Buffer.from([1, 1, 200]), Buffer.from("garbage"), Buffer.alloc(300_000), Buffer.from([1, 1, 2, 91, 93])]) {
    const socket = new WebSocket(`wss://127.0.0.1:${server.front.port}${connectPath}`, { protocols: [tunnelProtocol], tls: { ca: authority.cert, cert, key } } as never);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("not let in"));
    });
    const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
    const reset = new Promise<number>((resolve) => (socket.onmessage = () => resolve(0)));
    socket.send(message);
    expect([1002, 1009, 0]).toContain(await Promise.race([closed, reset]));
    socket.close();
  }
  const { answer, done } = exchange(server.tunnels.connect("good")!, { url: "/still" });
  await done;
  expect(answer.status).toBe(200);
});
