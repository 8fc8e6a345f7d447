import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { dlopen } from "bun:ffi";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { connect } from "node:net";
import { join } from "node:path";
import { NodeMembership } from "../../agents/join/node-membership.ts";
import { delegatedAccess } from "../../src/agent/delegated-access.ts";
import { clusterrolebindings, nodes, serviceaccounts } from "../../src/apis/builtins.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { parseJoinToken } from "../../src/base/join/join-token.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { kubeletPorts } from "../../src/server/join/kubelet-port.ts";
import { guardKubelet } from "../../src/server/kubelet-access.ts";
import { createLeaf } from "../../src/server/pki/certificate.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { exchange } from "../support/http.ts";
import { startJoinServer, type JoinServer } from "../support/join-server.ts";

setDefaultTimeout(180_000);
const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true, force: true })));

/** A node that has joined, with a kubelet's port, as `skiff agent` opens it; requests for reviews are counted. */
async function startNode(server: JoinServer, name = "edge-1") {
  const directory = mkdtempSync(join(tmpdir(), "skiff-port-"));
  directories.push(directory);
  const membership = new NodeMembership({ directory, nodeName: name, servers: [server.url], clock: systemClock, addresses: () => ["127.0.0.1"], onRenewed: () => undefined, token: parseJoinToken(server.token)! });
  await membership.join(AbortSignal.timeout(60_000));
  const api = createHttpClient({ endpoint: () => membership.endpoint("kubelet") });
  const clock = new FakeClock();
  let reviews = 0;
  const client: typeof api = { ...api, create: (card, object) => (reviews++, api.create(card, object)) };
  const handler: HttpHandler = async (request, response) => {
    if (request.headers["upgrade"]) {
      const connection = response.upgrade({ Connection: "Upgrade", Upgrade: request.headers["upgrade"] });
      connection.onData = (bytes) => void connection.write(bytes);
      return;
    }
    response.send(200, { "Content-Type": "text/plain" }, `${request.method} ${request.url} ${Buffer.from(await request.body()).toString()}`);
  };
  const { pairs: { serving }, clientCa } = membership.current;
  const front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: { cert: serving.certificate, key: serving.key, clientCa }, handler: guardKubelet(handler, delegatedAccess({ nodeName: name, client, clock })) });
  const node = await api.create(nodes, { metadata: { name, labels: { "kubernetes.io/hostname": name } }, spec: {} } as never);
  await api.patch(nodes, { name }, { type: "application/merge-patch+json", body: { status: { addresses: [{ type: "InternalIP", address: "127.0.0.1" }], daemonEndpoints: { kubeletEndpoint: { Port: front.port } } } } }, { subresource: "status" });
  return { front, clock, node, reviews: () => reviews, url: `https://127.0.0.1:${front.port}`, [Symbol.asyncDispose]: () => front.stop({ graceMs: 0 }) };
}

const connectorOf = ({ api, pki }: JoinServer, client = pki.kubeletClient, patienceMs?: number) => kubeletPorts({ nodes: api.informers.informer(nodes).lister, serverCa: pki.serverCa.certificate, client: () => client, ...(patienceMs ? { patienceMs } : {}) });

const libc = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" }, bind: { args: ["i32", "ptr", "u32"], returns: "i32" }, listen: { args: ["i32", "i32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" }, close: { args: ["i32"], returns: "i32" },
}).symbols;

/** A port that takes one connection without a word; after that the system answers none, as if the machine were off. */
async function deafPort() {
  const stream = libc.socket(2, 1, 0), address = new Uint8Array([2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect([libc.bind(stream, address, address.length), libc.listen(stream, 0), libc.getsockname(stream, address, new Uint32Array([address.length]))]).toEqual([0, 0, 0]);
  const port = address[2]! * 256 + address[3]!;
  const taken = connect({ host: "127.0.0.1", port });
  await once(taken, "connect");
  return { port, [Symbol.dispose]: () => void (taken.destroy(), libc.close(stream)) };
}

test("the server reaches the kubelet at the address its Node tells, with query and body", async () => {
  await using server = await startJoinServer();
  await using node = await startNode(server);
  const ports = connectorOf(server);
  const { answer, done } = exchange(ports.connect("edge-1")!, { method: "POST", url: "/exec/a/b?x=1&y=%20", body: "hello" });
  await done;
  expect([answer.status, answer.text()]).toEqual([200, "POST /exec/a/b?x=1&y=%20 hello"]);
  expect(node.reviews()).toBe(1);
  ports.close();
});

test("a node without an address can't be reached, nor one that is gone", async () => {
  await using server = await startJoinServer();
  const ports = connectorOf(server);
  await server.client.create(nodes, { metadata: { name: "bare" }, spec: {} } as never);
  expect([ports.connect("bare"), ports.connect("nobody")]).toEqual([undefined, undefined]);
  ports.close();
});

test.each([[{}], [{ upgrade: "websocket", connection: "Upgrade" }]])("a machine that doesn't answer at all is waited for no longer than that, with headers %j", async (headers) => {
  await using server = await startJoinServer();
  await using _node = await startNode(server);
  using deaf = await deafPort();
  await server.client.patch(nodes, { name: "edge-1" }, { type: "application/merge-patch+json", body: { status: { daemonEndpoints: { kubeletEndpoint: { Port: deaf.port } } } } }, { subresource: "status" });
  const ports = connectorOf(server, undefined, 300);
  expect(await exchange(ports.connect("edge-1")!, { url: "/exec/a/b", headers }).done.then(() => "answered", (error: Error) => error.message)).toContain("no connection");
  ports.close();
});

test("what answers at the address without the node's certificate is told nothing", async () => {
  await using server = await startJoinServer();
  await using node = await startNode(server);
  let asked = 0;
  const { pki } = server;
  const imposter = await createLeaf({ issuer: pki.serverCa, usage: "server", subject: { commonName: "edge-2" }, names: ["edge-2", "127.0.0.1"], notAfter: new Date(Date.now() + 86_400_000) });
  const other = await listenFront({ hostname: "127.0.0.1", port: 0, tls: { cert: imposter.certificate, key: imposter.key, clientCa: pki.clientCa.certificate }, handler: (_, response) => { asked++; response.send(200, {}, ""); } });
  await server.client.patch(nodes, { name: "edge-1" }, { type: "application/merge-patch+json", body: { status: { daemonEndpoints: { kubeletEndpoint: { Port: other.port } } } } }, { subresource: "status" });
  const ports = connectorOf(server);
  expect(await exchange(ports.connect("edge-1")!, { url: "/pods" }).done.then(() => "answered", (error: Error) => error.message)).toContain("error dialing backend");
  expect(asked).toBe(0);
  ports.close();
  await other.stop({ graceMs: 0 });
  expect(node.reviews()).toBe(0);
});

test("callers are known by certificate or token, may what the API server says, and are asked about once in a while", async () => {
  await using server = await startJoinServer();
  await using node = await startNode(server);
  const status = async (init: { token?: string; as?: { certificate: string; key: string } } = {}): Promise<number> => (await fetch(`${node.url}/pods`, {
    headers: init.token ? { authorization: `Bearer ${init.token}` } : {}, tls: { rejectUnauthorized: false, ...(init.as ? { cert: init.as.certificate, key: init.as.key } : {}) },
  })).status;
  expect([await status(), await status({ token: "nonsense" })]).toEqual([401, 401]);
  await server.client.create(serviceaccounts, { metadata: { name: "reader", namespace: "default" } });
  const { status: made } = await server.client.createSubresource(serviceaccounts, { namespace: "default", name: "reader" }, "token", { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: {}, spec: { audiences: [] } } as never) as unknown as { status: { token: string } };
  const { token } = made;
  expect(await status({ token })).toBe(403);
  await server.client.create(clusterrolebindings, { metadata: { name: "reader" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:kubelet-api-admin" }, subjects: [{ kind: "ServiceAccount", name: "reader", namespace: "default" }] });
  expect(await status({ token })).toBe(403);
  await node.clock.advance(31_000);
  expect([await status({ token }), await status({ token })]).toEqual([200, 200]);
  // Two tokens, of which one is nobody's; of nodes/pods and nodes/proxy both refused once, then the first allowed once.
  expect(node.reviews()).toBe(5);
  expect(await status({ as: server.pki.kubeletClient })).toBe(200);
});
