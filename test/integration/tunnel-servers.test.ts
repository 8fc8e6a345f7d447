import { afterEach, expect, test } from "bun:test";
import { createServerList, type ServerList } from "../../agents/join/server-list.ts";
import { BesideTunnels } from "../../agents/tunnel/beside.ts";
import { AgentTunnel } from "../../agents/tunnel/tunnel.ts";
import type { Front } from "../../src/apiserver/front/front.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { AgentRole } from "../../src/base/tunnel/connect.ts";
import { NodeTunnels } from "../../src/server/tunnel/tunnels.ts";
import { makeAuthority, serverTls } from "../contract/front-certificates.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { exchange } from "../support/http.ts";
import { startRelay } from "../support/tcp-relay.ts";

const authority = await makeAuthority("clients");
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Server {
  name: string;
  url: string;
  tunnels: NodeTunnels;
  front: Front;
  heartbeats: number;
  /** Connections that agents have asked for. */
  asked: number;
}

async function startServer(name: string, clock: Clock = systemClock): Promise<Server> {
  const api: HttpHandler = (_, response) => response.send(200, {}, name);
  const server = { name, heartbeats: 0, asked: 0 } as Server;
  server.tunnels = new NodeTunnels({ api, clock, onHeartbeat: () => void server.heartbeats++ });
  server.front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), handler: (request, response) => {
    server.asked++;
    return server.tunnels.handler(request, response);
  } });
  server.url = `https://127.0.0.1:${server.front.port}`;
  cleanups.push(() => server.front.stop({ graceMs: 0 }));
  return server;
}

interface Agent {
  main: AgentTunnel;
  beside: BesideTunnels;
  servers: ServerList;
}

async function startAgent(given: string[], told: string[], clock: Clock = systemClock): Promise<Agent> {
  const tls = { ca: authority.cert, ...(await authority.issue("O=system:nodes, CN=system:node:n1")) };
  const servers = createServerList({ given, known: told });
  const options = { tls: () => tls, handler: kubelet, clock, log: silent };
  const main = new AgentTunnel({ ...options, servers }), beside = new BesideTunnels({ ...options, servers, main });
  const stopping = new AbortController();
  const running = Promise.all([main.run(stopping.signal), beside.run(stopping.signal)]);
  cleanups.push(async () => {
    stopping.abort(new Error("the agent stops"));
    await running;
  });
  return { main, beside, servers };
}

/** Answers `/slow` when a test lets it. */
let slow = Promise.withResolvers<void>();
const kubelet: HttpHandler = async ({ url }, response) => {
  if (url === "/slow") await slow.promise;
  response.send(200, {}, "the kubelet");
};

/** What the node's kubelet answers this server; undefined while it has no way to it. */
async function throughTunnel({ tunnels }: Server): Promise<string | undefined> {
  if (!tunnels.network("n1")) return undefined;
  const { answer, done } = exchange(tunnels.connect("n1")!, { url: "/healthz" });
  await done;
  return answer.text();
}

async function apiOf({ main }: Agent): Promise<string> {
  const carrier = await main.transport(AgentRole.kubelet).carrier();
  const pieces: Uint8Array[] = [];
  for await (const piece of (await carrier!({ method: "GET", url: "/api", headers: {} })).body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** Lets time pass in steps that the network can follow. */
async function pass(clock: FakeClock, ms: number, until = (): boolean => false): Promise<number> {
  let passed = 0;
  for (; passed < ms && !until(); passed += 500) {
    await clock.advance(500);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return passed;
}

const allReach = (...servers: Server[]): Promise<void> => eventually(async () => expect(await Promise.all(servers.map(throughTunnel))).toEqual(servers.map(() => "the kubelet")));

test("every server reaches the kubelet, and one of them has the node's API and heartbeats", async () => {
  const servers = [await startServer("a"), await startServer("b"), await startServer("c")] as const, urls = servers.map(({ url }) => url);
  const agent = await startAgent([urls[0]!], urls);
  await allReach(...servers);
  expect([await apiOf(agent), agent.beside.size]).toEqual(["a", 2]);
  expect(agent.main.heartbeat()).toBe(true);
  await eventually(() => expect(servers.map(({ heartbeats }) => heartbeats)).toEqual([1, 0, 0]));
});

test("a cluster of one server has one tunnel, by whatever names it is known", async () => {
  const server = await startServer("a"), relay = await startRelay(() => server.front.port);
  cleanups.push(() => relay.close());
  const agent = await startAgent([`https://127.0.0.1:${relay.port}`], [server.url]);
  await allReach(server);
  expect([server.asked, agent.beside.size]).toEqual([1, 0]);
});

test("another name of the server in use is tried once, and that tunnel is left alone", async () => {
  const clock = new FakeClock(), [a, b] = [await startServer("a", clock), await startServer("b", clock)], relay = await startRelay(() => a.front.port);
  cleanups.push(() => relay.close());
  const agent = await startAgent([`https://127.0.0.1:${relay.port}`], [a.url, b.url], clock);
  await allReach(a, b);
  const { connection } = agent.main;
  await eventually(() => expect(a.asked).toBe(2));
  await pass(clock, 100_000);
  expect([a.asked, b.asked, agent.main.connection === connection]).toEqual([2, 1, true]);
});

test("the API moves to a server that has a tunnel already, and each has one again", async () => {
  const [a, b] = [await startServer("a"), await startServer("b")], relay = await startRelay(() => a.front.port), first = `https://127.0.0.1:${relay.port}`;
  cleanups.push(() => relay.close());
  const agent = await startAgent([first], [first, b.url]);
  await allReach(a, b);
  agent.servers.failed(agent.servers.current.givenUp);
  await eventually(async () => expect(await apiOf(agent)).toBe("b"));
  await allReach(a, b);
  expect([a.tunnels.size, b.tunnels.size, agent.beside.size]).toEqual([1, 1, 1]);
});

test("what goes through a tunnel beside goes on when the API moves to that server, which then has one tunnel", async () => {
  slow = Promise.withResolvers();
  const [a, b] = [await startServer("a"), await startServer("b")];
  const agent = await startAgent([a.url], [a.url, b.url]);
  await allReach(a, b);
  const { answer, done } = exchange(b.tunnels.connect("n1")!, { url: "/slow" });
  agent.servers.failed(agent.servers.current.givenUp);
  await eventually(async () => expect(await apiOf(agent)).toBe("b"));
  await allReach(a, b);
  expect(agent.beside.size).toBe(2);
  slow.resolve();
  await done;
  expect(answer.text()).toBe("the kubelet");
  await eventually(() => expect(agent.beside.size).toBe(1));
  await allReach(a, b);
});

test("a server that comes gets a tunnel, and one that isn't one any more loses it", async () => {
  const [a, b, c] = [await startServer("a"), await startServer("b"), await startServer("c")];
  const agent = await startAgent([a.url], [a.url, b.url]);
  await allReach(a, b);
  expect(c.tunnels.size).toBe(0);
  agent.servers.learn([a.url, c.url]);
  await allReach(a, c);
  await eventually(() => expect(b.tunnels.size).toBe(0));
  agent.servers.learn([a.url]);
  await eventually(() => expect([a, b, c].map(({ tunnels }) => tunnels.size)).toEqual([1, 0, 0]));
});

test("one that is cut is made anew, and a server that is away is tried until it is back", async () => {
  const [a, b] = [await startServer("a"), await startServer("b")];
  let port = 1;
  const relay = await startRelay(() => port), second = `https://127.0.0.1:${relay.port}`;
  cleanups.push(() => relay.close());
  await startAgent([a.url], [a.url, second]);
  await allReach(a);
  port = b.front.port;
  await allReach(a, b);
  relay.cut();
  await eventually(() => expect(b.tunnels.network("n1")).toBeUndefined());
  await allReach(a, b);
});

test("a tunnel beside another lives on few pings, and a dead one is noticed all the same", async () => {
  const clock = new FakeClock(), [a, b] = [await startServer("a", clock), await startServer("b", clock)];
  const relay = await startRelay(() => b.front.port);
  cleanups.push(() => relay.close());
  const agent = await startAgent([a.url], [a.url, `https://127.0.0.1:${relay.port}`], clock);
  await eventually(() => expect([agent.beside.size, a.tunnels.size, b.tunnels.size]).toEqual([1, 1, 1]));
  await pass(clock, 200_000);
  expect([relay.accepted, b.tunnels.size]).toEqual([1, 1]);
  relay.freeze();
  expect(await pass(clock, 130_000, () => agent.beside.size === 0 && b.tunnels.size === 0)).toBeLessThanOrEqual(120_000);
}, 180_000);
