import { afterEach, expect, test } from "bun:test";
import { dialTunnel } from "../../agents/tunnel/dial.ts";
import { AgentTunnel } from "../../agents/tunnel/tunnel.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { dialTls } from "../../src/base/stream/dial.ts";
import { AgentRole, connectPath } from "../../src/base/tunnel/connect.ts";
import { mostMessage, tunnelProtocol } from "../../src/base/tunnel/frames.ts";
import { openWebSocket } from "../../src/base/websocket/client.ts";
import { NodeTunnels } from "../../src/server/tunnel/tunnels.ts";
import { makeAuthority, serverTls } from "../contract/front-certificates.ts";
import { eventually } from "../support/eventually.ts";
import { exchange } from "../support/http.ts";
import { type HttpProxy, startHttpProxy } from "../support/http-proxy.ts";

const authority = await makeAuthority("clients");
const tls = { ca: authority.cert, ...(await authority.issue("O=system:nodes, CN=system:node:n1")) };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A server, and a proxy that stands before it. */
async function start(): Promise<{ port: number; proxy: HttpProxy; proxyUrl: URL; tunnels: NodeTunnels }> {
  const api: HttpHandler = async (request, response) => response.send(200, {}, `${request.peer?.commonName} ${Buffer.from(await request.body()).length}`);
  const tunnels = new NodeTunnels({ api, clock: systemClock, onHeartbeat: () => undefined });
  const front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), handler: tunnels.handler });
  const proxy = await startHttpProxy();
  cleanups.push(() => front.stop({ graceMs: 0 }), () => proxy.close());
  return { port: front.port, proxy, proxyUrl: new URL(`http://gate%20keeper:p%40ss@127.0.0.1:${proxy.port}`), tunnels };
}

test("a tunnel goes through a proxy that wants to know who asks, carries megabytes, and is made anew when that cuts it", async () => {
  const { port, proxy, proxyUrl, tunnels } = await start();
  // This machine is never reached by a proxy of the environment: the way through it is given here.
  const dial = async (server: string): ReturnType<typeof dialTunnel> => {
    const { connection, localAddress } = await dialTls({ hostname: "127.0.0.1", port, timeoutMs: 5_000, tls, proxy: proxyUrl });
    const { socket } = await openWebSocket(connection, { host: new URL(server).host, url: connectPath, protocol: tunnelProtocol, timeoutMs: 5_000, maxMessageBytes: mostMessage });
    return { socket, localAddress, serverId: "a" };
  };
  const stopping = new AbortController(), text = "x".repeat(3_000_000);
  const servers = { current: { url: `https://127.0.0.1:${port}`, givenUp: new AbortController().signal }, failed: () => undefined };
  const agent = new AgentTunnel({ servers, tls: () => tls, dial, clock: systemClock, log: { debug() {}, info() {}, warn() {}, error() {} }, handler: (_, response) => response.send(200, {}, text) });
  const running = agent.run(stopping.signal);
  cleanups.push(() => running, () => stopping.abort(new Error("the agent stops")));
  const kubelet = async (): Promise<number> => {
    const { answer, done } = exchange(tunnels.connect("n1")!, { url: "/" });
    await done;
    return answer.text().length;
  };
  await eventually(() => expect(tunnels.size).toBe(1));
  expect(await kubelet()).toBe(3_000_000);
  const carrier = await agent.transport(AgentRole.kubelet).carrier();
  const answer = await carrier!({ method: "POST", url: "/api", headers: {}, body: Buffer.alloc(2_000_000) });
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body) pieces.push(piece);
  expect(Buffer.concat(pieces).toString()).toBe("system:node:n1 2000000");
  expect(proxy.asked).toEqual([[`CONNECT 127.0.0.1:${port} HTTP/1.1`, `Host: 127.0.0.1:${port}`, `Proxy-Authorization: Basic ${btoa("gate keeper:p@ss")}`]]);
  proxy.cut();
  await eventually(() => expect([proxy.asked.length, agent.isUp, tunnels.size]).toEqual([2, true, 1]));
  expect(await kubelet()).toBe(3_000_000);
});

test("a proxy that refuses, one that isn't there, and a kind that is not spoken are told of, with what to do", async () => {
  const { port, proxy, proxyUrl } = await start();
  const failure = (by: URL): Promise<string> => dialTls({ hostname: "127.0.0.1", port, timeoutMs: 5_000, tls, proxy: by }).then(() => "connected", (error: Error) => error.message);
  proxy.refuse("403 Forbidden");
  expect(await failure(proxyUrl)).toBe(`the proxy 127.0.0.1:${proxy.port} does not connect to 127.0.0.1:${port}: 403 Forbidden; where there is a straight way, name 127.0.0.1 in NO_PROXY`);
  await proxy.close();
  expect(await failure(proxyUrl)).toStartWith(`the proxy 127.0.0.1:${proxy.port} can't be reached`);
  expect(await failure(new URL("socks5://127.0.0.1:1080"))).toContain("only proxies that are spoken to by http:// are supported");
});

test("the peer behind a proxy must be whom it should be", async () => {
  const { port, proxyUrl } = await start(), others = await makeAuthority("others");
  await expect(dialTls({ hostname: "127.0.0.1", port, timeoutMs: 5_000, tls: { ...tls, ca: others.cert }, proxy: proxyUrl })).rejects.toThrow();
});
