import { afterEach, expect, test } from "bun:test";
import { AgentTunnel } from "../../agents/tunnel/tunnel.ts";
import type { Front } from "../../src/apiserver/front/front.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import { configmaps, nodes } from "../../src/apis/builtins.ts";
import type { ConfigMap, Node } from "../../src/apis/generated/core/v1.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { AgentRole, connectPath } from "../../src/base/tunnel/connect.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import type { Informer } from "../../src/client/informer.ts";
import { createReflectingInformers, type ReflectingInformers } from "../../src/client/reflecting-informers.ts";
import { NodeTunnels } from "../../src/server/tunnel/tunnels.ts";
import { makeAuthority, serverTls } from "../contract/front-certificates.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startRelay, type TcpRelay } from "../support/tcp-relay.ts";

const authority = await makeAuthority("clients");
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Wire {
  api: TestApiServer;
  relay: TcpRelay;
  front: Front;
  informers: ReflectingInformers;
  /** What was asked of the API, `LIST configmaps` or `WATCH nodes tunnel`. */
  asked: string[];
  /** Lets WebSockets through, or not. */
  open: boolean;
}

/** An API server, a cable that can be cut, and an agent whose node may read everything. */
async function start({ open = true, clock = systemClock }: { open?: boolean; clock?: Clock } = {}): Promise<Wire> {
  const api = await startApiServer();
  const asked: string[] = [];
  const noting = (way: string): HttpHandler => (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    const resource = pathname.split("/").at(-1)!;
    asked.push(`${request.method === "GET" ? (searchParams.has("watch") ? "WATCH" : "LIST") : request.method} ${resource} ${way}`);
    return api.handler(request, response);
  };
  const tunnels = new NodeTunnels({ api: noting("tunnel"), clock, onHeartbeat: () => undefined });
  const plain = noting("plain");
  const front = await listenFront({
    hostname: "127.0.0.1", port: 0, tls: await serverTls(authority),
    handler: (request, response) => (request.url !== connectPath ? plain(request, response) : wire.open ? tunnels.handler(request, response) : response.send(403, {}, "no WebSockets here\n")),
  });
  const relay = await startRelay(() => front.port);
  const tls = { ca: authority.cert, ...(await authority.issue("O=system:nodes, O=system:masters, CN=system:node:n1")) };
  const url = `https://127.0.0.1:${relay.port}`, stopping = new AbortController();
  const tunnel = new AgentTunnel({ servers: { current: { url, givenUp: stopping.signal }, failed: () => undefined }, tls: () => tls, handler: (_, response) => response.send(404, {}), clock, log: silent });
  const running = tunnel.run(stopping.signal);
  const informers = createReflectingInformers({ client: createHttpClient({ server: url, tls, transport: tunnel.transport(AgentRole.kubelet) }), clock: systemClock }, stopping.signal);
  const wire: Wire = { api, relay, front, informers, asked, open };
  cleanups.push(() => api.stop(), () => front.stop({ graceMs: 0 }), () => relay.close(), async () => {
    stopping.abort();
    await Promise.all([running, informers.stopped()]);
  });
  return wire;
}

const named = (name: string, data: Record<string, string>): ConfigMap => ({ metadata: { name, namespace: "default" }, data });
const dataOf = (informer: Informer<ConfigMap>, name: string) => informer.lister.get(`default/${name}`)?.data;

test("an informer follows through the tunnel, and a change costs what it changes", async () => {
  const { api, informers, relay, asked } = await start();
  const big = { kept: Buffer.alloc(50_000, "x").toString(), n: "0" };
  await api.client().create(configmaps, named("big", big));
  const followed = informers.informer(configmaps, { namespace: "default" });
  await followed.synced();
  await eventually(() => expect(asked).toEqual(["LIST configmaps tunnel", "WATCH configmaps tunnel"]));
  const before = relay.bytes;
  for (let n = 1; n <= 20; n++) {
    await api.client().update(configmaps, named("big", { ...big, n: `${n}` }));
    await eventually(() => expect(dataOf(followed, "big")).toEqual({ ...big, n: `${n}` }));
  }
  expect((relay.bytes - before) / 20).toBeLessThan(400);
  await api.client().delete(configmaps, { namespace: "default", name: "big" });
  await eventually(() => expect(followed.lister.list()).toEqual([]));
  expect(asked).toHaveLength(2);
});

test("nothing is sent when only heartbeats are new", async () => {
  // In no time, so that nobody pings.
  const { api, informers, relay, asked } = await start({ clock: new FakeClock() });
  await api.client().create(nodes, { metadata: { name: "n2" }, spec: {} });
  const beat = (lastHeartbeatTime: string, status = "True") => api.client().patch(nodes, { name: "n2" }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: [{ type: "Ready", status, lastHeartbeatTime }] } } }, { subresource: "status" });
  await beat("2026-01-01T00:00:00Z");
  const followed = informers.informer(nodes) as Informer<Node>;
  await followed.synced();
  let told = 0, before = 0;
  followed.onChange(() => told++);
  await eventually(() => {
    expect(asked).toEqual(["LIST nodes tunnel", "WATCH nodes tunnel"]);
    const earlier = before;
    before = relay.bytes;
    expect(before).toBe(earlier);
  }, { interval: 50 });
  for (let minute = 10; minute < 40; minute++) await beat(`2026-01-01T00:${minute}:00Z`);
  expect([told, relay.bytes - before]).toEqual([1, 0]);
  // What comes after is told of the version that the agent has.
  await beat("2026-01-01T01:00:00Z", "False");
  await eventually(() => expect(followed.lister.get("n2")!.status!.conditions![0]!.status).toBe("False"));
});

test("after a connection that broke, watches go on from where they were", async () => {
  const { api, informers, relay, asked } = await start();
  await api.client().create(configmaps, named("a", { n: "1" }));
  const followed = informers.informer(configmaps, { namespace: "default" });
  await followed.synced();
  await eventually(() => expect(asked).toContain("WATCH configmaps tunnel"));
  relay.cut();
  await api.client().update(configmaps, named("a", { n: "2" }));
  await api.client().create(configmaps, named("b", { n: "1" }));
  await eventually(() => expect([dataOf(followed, "a"), dataOf(followed, "b")]).toEqual([{ n: "2" }, { n: "1" }]));
  expect(asked.filter((one) => one.startsWith("LIST"))).toHaveLength(1);
  expect(asked.filter((one) => one.includes("plain"))).toEqual([]);
});

test("where no WebSocket gets through plain HTTPS will do, until one does", async () => {
  const clock = new FakeClock();
  const wire = await start({ open: false, clock });
  const { api, informers, asked } = wire;
  await api.client().create(configmaps, named("a", { n: "1" }));
  const followed = informers.informer(configmaps, { namespace: "default" });
  await followed.synced();
  await eventually(() => expect(asked).toEqual(["LIST configmaps plain", "WATCH configmaps plain"]));
  await api.client().update(configmaps, named("a", { n: "2" }));
  await eventually(() => expect(dataOf(followed, "a")).toEqual({ n: "2" }));
  wire.open = true;
  await eventually(async () => {
    if (asked.length === 2) await clock.advance(1_000);
    expect(asked).toEqual(["LIST configmaps plain", "WATCH configmaps plain", "WATCH configmaps tunnel"]);
  });
  await api.client().update(configmaps, named("a", { n: "3" }));
  await eventually(() => expect(dataOf(followed, "a")).toEqual({ n: "3" }));
});
