import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { enrolOnce } from "../../agents/join/enrol.ts";
import { caHash, openMembership, type Membership } from "../../agents/join/membership.ts";
import { NodeMembership } from "../../agents/join/node-membership.ts";
import { leases, nodes, pods, secrets, services } from "../../src/apis/builtins.ts";
import type { FrontTls } from "../../src/apiserver/front/front.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { parseJoinToken } from "../../src/base/join/join-token.ts";
import { configureLogging } from "../../src/base/log.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { createReflectingInformers } from "../../src/client/reflecting-informers.ts";
import type { Client } from "../../src/client/client.ts";
import { newBootstrapToken, secretOfToken } from "../../src/server/join/bootstrap-token.ts";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";
import { rotateToken } from "../../src/server/token.ts";
import { eventually } from "../support/eventually.ts";
import { startJoinServer, type JoinServer } from "../support/join-server.ts";

setDefaultTimeout(180_000);

const day = 24 * 3600_000;
const directories: string[] = [];
const stops: AbortController[] = [];
let lines: string[] = [];
afterEach(() => {
  stops.splice(0).forEach((stop) => stop.abort());
  directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true, force: true }));
  lines = [];
  configureLogging({ level: "error", format: "text", write: () => undefined });
});

/** What is logged from now on is kept in `lines`. */
const recordLogs = (): void => configureLogging({ level: "info", format: "text", write: (line) => void lines.push(line) });

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "skiff-join-"));
  directories.push(directory);
  return directory;
}

interface MachineOptions {
  directory?: string;
  name?: string;
  token?: string;
  servers?: string[];
  clock?: Clock;
  addresses?: () => string[];
}

/** A machine that joins, as `skiff agent` does it. */
function machine(server: JoinServer, { directory = newDirectory(), name = "edge-1", token = server.token, servers = [server.url], clock = systemClock, addresses = () => ["192.0.2.7"] }: MachineOptions = {}) {
  const stop = new AbortController();
  stops.push(stop);
  let renewals = 0;
  const parsed = parseJoinToken(token);
  const membership = new NodeMembership({ directory, nodeName: name, servers, clock, addresses, onRenewed: () => void renewals++, ...(parsed ? { token: parsed } : {}) });
  const clientAs = (identity: "kubelet" | "network"): Client => createHttpClient({ endpoint: () => membership.endpoint(identity), timeout: 10_000, onUnreachable: ({ givenUp }) => givenUp && membership.servers.failed(givenUp), onUnauthorized: () => membership.refused() });
  return {
    directory, membership, kubelet: clientAs("kubelet"), network: clientAs("network"), signal: stop.signal,
    renewals: () => renewals,
    join: () => membership.join(AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)])),
    off: () => stop.abort(),
    saved: () => JSON.parse(readFileSync(join(directory, "membership.json"), "utf8")) as Membership,
  };
}

/** One attempt to join; resolves with the sentence that the administrator reads. */
async function refusal(server: JoinServer, { token, name = "edge-1", directory = newDirectory(), url = server.url }: { token?: string; name?: string; directory?: string; url?: string } = {}): Promise<string> {
  const parsed = token === undefined ? undefined : parseJoinToken(token);
  return enrolOnce({ store: openMembership(directory), nodeName: name, addresses: () => [], ...(parsed ? { token: parsed } : {}) }, url, AbortSignal.timeout(60_000)).then(() => "let in", (error: unknown) => (error as Error).message);
}

const makeToken = async (server: JoinServer, { expires, groups }: { expires?: number; groups?: string[] } = {}): Promise<string> => {
  const made = { ...newBootstrapToken({ description: "", ...(expires === undefined ? {} : { expires }) }), ...(groups ? { groups } : {}) };
  await server.client.create(secrets, secretOfToken(made));
  return `${made.id}.${made.secret}`;
};
const register = (client: Client, name = "edge-1") => client.create(nodes, { metadata: { name, labels: { "kubernetes.io/hostname": name } }, spec: {} } as never);
const subjectOf = (pem: string): string => new X509Certificate(pem).subject.split("\n").sort().join(", ");

describe("joining", () => {
  test("by the token a machine gets certificates of its own, whose keys nobody else has seen, and what the cluster is like", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    const { pairs, cluster, serverCa, clientCa } = edge.saved();
    expect(subjectOf(pairs.kubelet.certificate)).toBe("CN=system:node:edge-1, O=system:nodes");
    expect(subjectOf(pairs.network.certificate)).toBe("CN=system:skiff-network:edge-1, O=system:skiff-networks");
    const serving = new X509Certificate(pairs.serving.certificate);
    expect([serving.checkHost("edge-1"), serving.checkIP("192.0.2.7"), serving.verify(new X509Certificate(serverCa).publicKey)]).toEqual(["edge-1", "192.0.2.7", true]);
    expect(new X509Certificate(pairs.kubelet.certificate).verify(new X509Certificate(clientCa).publicKey)).toBe(true);
    expect(cluster).toEqual({ clusterCidrs: ["10.42.0.0/16"], serviceCidrs: ["10.43.0.0/16"], clusterDns: ["10.43.0.10"], clusterDomain: "cluster.local" });
    for (const file of readdirSync(edge.directory)) expect([file, statSync(join(edge.directory, file)).mode & 0o777]).toEqual([file, 0o600]);
    const stored = await server.client.get(secrets, { namespace: "kube-system", name: "edge-1.node-password.skiff" });
    expect(Buffer.from(stored.data!["hash"]!, "base64").toString()).not.toContain(readFileSync(join(edge.directory, "node-password"), "utf8").trim());
  });

  test("each identity may do what it is for", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    await register(edge.kubelet);
    expect((await edge.kubelet.get(nodes, { name: "edge-1" })).metadata.name).toBe("edge-1");
    await edge.kubelet.create(leases, { metadata: { namespace: "kube-node-lease", name: "edge-1" }, spec: { holderIdentity: "edge-1" } });
    expect(await edge.kubelet.list(nodes).catch((error: Error) => error.message)).toContain("cannot read all nodes");
    for (const card of [nodes, services, pods]) expect((await edge.network.list(card as typeof pods)).items).toBeInstanceOf(Array);
    for (const write of [edge.network.list(secrets), edge.network.delete(nodes, { name: "edge-1" })]) expect(await write.then(() => "allowed", (error: { code: number }) => error.code)).toBe(403);
  });

  test("a start learns what has changed in the cluster; only nodes are told", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    server.cluster.clusterDomain = "farm.example";
    await machine(server, { directory: edge.directory, token: "" }).join();
    expect(edge.saved().cluster.clusterDomain).toBe("farm.example");
    expect((await fetch(`${server.url}/v1-skiff/cluster`, { method: "POST", body: "{}", tls: { ca: server.pki.serverCa.certificate } })).status).toBe(401);
  });

  test("a start without a server goes on with what is known, soon", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    try {
      const again = machine(server, { directory: edge.directory, token: "", servers: [`https://127.0.0.1:${silent.port}`] });
      const began = performance.now();
      await again.join();
      expect(performance.now() - began).toBeLessThan(9000);
      expect(again.membership.current).toEqual(edge.saved());
    } finally {
      silent.stop(true);
    }
  });

  test("a second start needs nobody", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    edge.off();
    await server.cut();
    const again = machine(server, { directory: edge.directory, token: "" });
    await again.join();
    expect(again.membership.current).toEqual(edge.saved());
  });

  test("the requests ask for nothing: names and groups in them are ignored", async () => {
    await using server = await startJoinServer();
    const { newCertificateRequest } = await import("../../agents/join/certificate-request.ts");
    const { request } = await newCertificateRequest("system:admin");
    const body = JSON.stringify({ nodeName: "edge-1", nodePassword: "0123456789abcdef", addresses: ["127.0.0.1", "192.0.2.9"], requests: { kubelet: request, network: request, serving: request } });
    const answer = await fetch(`${server.url}/v1-skiff/enroll`, { method: "POST", body, headers: { authorization: `Bearer ${parseJoinToken(server.token)!.secret}` }, tls: { ca: server.pki.serverCa.certificate } });
    const { certificates } = await answer.json() as { certificates: Membership["pairs"] & Record<string, string> };
    expect(subjectOf(certificates.kubelet as unknown as string)).toBe("CN=system:node:edge-1, O=system:nodes");
    // The server's own address is not one that an agent may stand for.
    const serving = new X509Certificate(certificates.serving as unknown as string);
    expect([serving.checkIP("192.0.2.9"), serving.checkIP("127.0.0.1")]).toEqual(["192.0.2.9", undefined]);
  });

  test.each([
    ["not JSON", "{"], ["no name", JSON.stringify({})], ["a name of another kind", JSON.stringify({ nodeName: "A B" })], ["null", "null"],
    ["a bad request", JSON.stringify({ nodeName: "x", nodePassword: "0123456789abcdef", addresses: [], requests: { kubelet: "", network: "", serving: "" } })],
  ])("what is no enrolment is answered with 400: %s", async (_, body) => {
    await using server = await startJoinServer();
    const answer = await fetch(`${server.url}/v1-skiff/enroll`, { method: "POST", body, headers: { authorization: `Bearer ${parseJoinToken(server.token)!.secret}` }, tls: { ca: server.pki.serverCa.certificate } });
    expect([answer.status, ((await answer.json()) as { kind: string }).kind]).toEqual([400, "Status"]);
  });

  test("paths that are not there, and other methods", async () => {
    await using server = await startJoinServer();
    const status = async (path: string, method = "GET"): Promise<number> => (await fetch(server.url + path, { method, tls: { ca: server.pki.serverCa.certificate } })).status;
    expect([await status("/v1-skiff/nothing"), await status("/v1-skiff/enroll"), await status("/cacerts", "POST"), await status("/cacerts"), await status("/version")]).toEqual([404, 405, 405, 200, 200]);
  });
});

describe("tokens", () => {
  test("the short form trusts the first CA it sees, with a warning that says which", async () => {
    await using server = await startJoinServer();
    recordLogs();
    const { caHash, secret } = parseJoinToken(server.token)!;
    const edge = machine(server, { token: secret });
    await edge.join();
    expect(lines.join("")).toContain(`caHash=${caHash}`);
    expect(lines.join("")).toContain("trusted unseen");
  });

  test("a server with another CA than the token's is not joined", async () => {
    await using server = await startJoinServer();
    const other = server.token.replace(/^K10.{64}/, `K10${"ab".repeat(32)}`);
    const sentence = await refusal(server, { token: other });
    expect(sentence).toContain(parseJoinToken(server.token)!.caHash!);
    expect(sentence).toContain("ab".repeat(32));
    expect(sentence).toContain('"skiff token"');
  });

  test("authorities that are sent beside the one that the token names are not believed with it", async () => {
    await using server = await startJoinServer();
    const { pki: { serverCa, serving, clientCa } } = server;
    const evil = await createCa("evil", new Date(Date.now() + day));
    await using between = await serve({ cert: serving.certificate, key: serving.key, clientCa: clientCa.certificate }, (request, response) => {
      if (request.url === "/cacerts") return response.send(200, {}, serverCa.certificate + evil.certificate);
      return server.handler(request, response);
    });
    const edge = machine(server, { servers: [between.url] });
    await edge.join();
    expect(edge.saved().serverCa.match(/BEGIN/g)).toHaveLength(1);
    expect(caHash(edge.saved().serverCa)).toBe(parseJoinToken(server.token)!.caHash!);
  });

  test("a certificate that is not for the server's address, or not valid by this machine's clock, says what to do", async () => {
    await using server = await startJoinServer();
    const { pki: { serverCa, clientCa } } = server;
    const sentence = async (names: string[], notAfter: number): Promise<string> => {
      const { certificate, key } = await createLeaf({ issuer: serverCa, usage: "server", subject: { commonName: "kube-apiserver" }, names, notAfter: new Date(notAfter) });
      await using other = await serve({ cert: certificate, key, clientCa: clientCa.certificate }, server.handler);
      return await refusal(server, { token: server.token, url: other.url });
    };
    expect(await sentence(["192.0.2.1"], Date.now() + day)).toContain("start the server with --tls-san 127.0.0.1");
    expect(await sentence(["127.0.0.1"], Date.now() - day)).toMatch(/not valid by this machine's clock, which shows 20.*: set the clock/);
  });

  test("wrong, missing, expired, unknown and misused tokens are refused, each in a sentence", async () => {
    let now = Date.now();
    await using server = await startJoinServer({ now: () => now });
    const hash = server.token.slice(0, 67);
    expect(await refusal(server, { token: `${hash}::server:nonsense` })).toMatch(/not that of this cluster.*"skiff token"/);
    expect(await refusal(server)).toMatch(/a token is needed.*--token/);
    expect(await refusal(server, { token: `${hash}::abcdef.0123456789abcdef` })).toMatch(/abcdef is not known.*"skiff token create"/);
    const short = await makeToken(server, { expires: now + 60_000 });
    expect(await refusal(server, { token: `${short.slice(0, 7)}ffffffffffffffff` })).toMatch(/is not known/);
    now += 61_000;
    expect(await refusal(server, { token: `${hash}::${short}` })).toMatch(new RegExp(`${short.slice(0, 6)} expired at .*"skiff token create"`));
    expect(await refusal(server, { token: await makeToken(server, { groups: ["system:bootstrappers:other"] }) })).toContain("not made for joining nodes");
  });

  test.each([["with the CA's hash", true], ["plain", false]])("a bootstrap token joins, %s", async (_, long) => {
    await using server = await startJoinServer();
    const token = await makeToken(server, { expires: Date.now() + 60_000 });
    expect(await refusal(server, { token: long ? `${server.token.slice(0, 67)}::${token}` : token })).toBe("let in");
  });

  test("after a rotation the old token joins nobody, and who has joined stays", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    const rotated = rotateToken({ dataDir: server.dataDir });
    expect(await refusal(server, { token: server.token, name: "edge-2" })).toContain("may have been rotated");
    expect(await refusal(server, { token: rotated, name: "edge-2" })).toBe("let in");
    expect(await refusal(server, { token: server.token, directory: edge.directory })).toBe("let in");
  });

  test("a machine of one cluster is not moved to another by a token", async () => {
    await using one = await startJoinServer();
    await using two = await startJoinServer();
    const edge = machine(one);
    await edge.join();
    expect(await refusal(two, { token: two.token, directory: edge.directory })).toMatch(/is a node of the cluster with the CA .* uninstall it or remove/);
  });

  test("a server that answers with another CA's certificate is not believed, whatever it says", async () => {
    await using one = await startJoinServer();
    await using two = await startJoinServer();
    const edge = machine(one);
    await edge.join();
    expect(await refusal(two, { directory: edge.directory })).toContain("a certificate that this cluster's CA has not signed");
  });
});

describe("the node's name", () => {
  test("a device flashed anew is told what the administrator has to run, and joins when that is done", async () => {
    await using server = await startJoinServer();
    await machine(server).join();
    recordLogs();
    const flashed = machine(server);
    const joining = flashed.join();
    await eventually(() => expect(lines.join("")).toContain("kubectl -n kube-system delete secret edge-1.node-password.skiff"));
    await server.client.delete(secrets, { namespace: "kube-system", name: "edge-1.node-password.skiff" });
    await joining;
    expect(flashed.saved().nodeName).toBe("edge-1");
  });

  test("of two machines of one name that join at once, one is let in", async () => {
    await using server = await startJoinServer();
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => refusal(server, { token: server.token, name: "twin" })));
    expect(outcomes.filter((outcome) => outcome === "let in")).toHaveLength(1);
    for (const outcome of outcomes.filter((each) => each !== "let in")) expect(outcome).toContain("--with-node-id");
  });

  test("many machines with names of their own join at once", async () => {
    await using server = await startJoinServer();
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => refusal(server, { token: server.token, name: `edge-${i}` })));
    expect(new Set(outcomes)).toEqual(new Set(["let in"]));
  });

  test("the server's own is not to be had", async () => {
    await using server = await startJoinServer();
    for (const name of ["the-server", "kubernetes"]) expect(await refusal(server, { token: server.token, name })).toMatch(/name of the server.*--node-name/);
  });

  test("nor is that of another server that doesn't run now, also for who was a node of that name before", async () => {
    await using server = await startJoinServer();
    const edge = machine(server, { name: "server-2" });
    await edge.join();
    await server.client.delete(secrets, { namespace: "kube-system", name: "server-2.node-password.skiff" });
    await server.client.create(nodes, { metadata: { name: "server-2", labels: { "node-role.kubernetes.io/control-plane": "" } }, spec: {} } as never);
    for (const directory of [newDirectory(), edge.directory]) expect(await refusal(server, { token: server.token, name: "server-2", directory })).toContain('if that server is gone for good, run "kubectl delete node server-2"');
    const { status } = await fetch(`${server.url}/v1-skiff/cluster`, { method: "POST", body: JSON.stringify({ nodePassword: readFileSync(join(edge.directory, "node-password"), "utf8").trim() }), tls: { ca: edge.saved().serverCa, cert: edge.saved().pairs.kubelet.certificate, key: edge.saved().pairs.kubelet.key } });
    expect(status).toBe(403);
    await server.client.delete(nodes, { name: "server-2" });
    expect(await refusal(server, { token: server.token, name: "server-2" })).toBe("let in");
  });

  test("the Node owns its password, a later Node of that name too", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    const owners = async (): Promise<(string | undefined)[]> => ((await server.client.get(secrets, { namespace: "kube-system", name: "edge-1.node-password.skiff" })).metadata.ownerReferences ?? []).map(({ uid }) => uid);
    for (let i = 0; i < 2; i++) {
      const { metadata: { uid } } = await register(edge.kubelet);
      await eventually(async () => expect(await owners()).toEqual([uid]));
      await server.client.delete(nodes, { name: "edge-1" });
    }
  });

  test("a node that starts again is remembered, though its password was deleted with its Node; nobody else gets the name then", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    await server.client.delete(secrets, { namespace: "kube-system", name: "edge-1.node-password.skiff" });
    await machine(server, { directory: edge.directory, token: "" }).join();
    expect(await refusal(server, { token: server.token })).toContain("has joined with another password");
  });

  test("a device whose name was given to another is told so when it starts again, and waits", async () => {
    await using server = await startJoinServer();
    const old = machine(server);
    await old.join();
    await server.client.delete(secrets, { namespace: "kube-system", name: "edge-1.node-password.skiff" });
    await machine(server).join();
    recordLogs();
    const again = machine(server, { directory: old.directory });
    const joining = again.join().then(() => "joined", () => "stopped");
    await eventually(() => expect(lines.join("")).toContain("kubectl -n kube-system delete secret edge-1.node-password.skiff"));
    again.off();
    expect(await joining).toBe("stopped");
  });

  test("a node whose password was deleted keeps its name by its certificate", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    await server.client.delete(secrets, { namespace: "kube-system", name: "edge-1.node-password.skiff" });
    expect(await refusal(server, { directory: edge.directory })).toBe("let in");
    expect((await server.client.get(secrets, { namespace: "kube-system", name: "edge-1.node-password.skiff" })).data).toHaveProperty("hash");
  });
});

describe("a server that is away", () => {
  test("at the first start is waited for, with a message, and joined when it comes", async () => {
    await using server = await startJoinServer();
    await server.cut();
    recordLogs();
    const edge = machine(server);
    const joining = edge.join();
    await eventually(() => expect(lines.join("")).toContain("Waiting for the server to join"));
    await server.listen();
    await joining;
    expect(lines.filter((line) => line.includes("Waiting"))).toHaveLength(1);
  });

  test("one that is starting is waited for, too", async () => {
    await using server = await startJoinServer();
    server.ready = false;
    recordLogs();
    const joining = machine(server).join();
    await eventually(() => expect(lines.join("")).toContain("is not ready: the server is starting"));
    server.ready = true;
    await joining;
  });

  test("another one is asked; watches that hung on it go on there", async () => {
    await using server = await startJoinServer();
    const second = await server.another();
    const edge = machine(server, { servers: [server.url, second.url] });
    await edge.join();
    const informers = createReflectingInformers({ client: edge.network, clock: systemClock }, edge.signal);
    const informer = informers.informer(services);
    await informer.synced(AbortSignal.timeout(30_000));
    await server.cut();
    await server.client.create(services, { metadata: { name: "web", namespace: "default" }, spec: { ports: [{ port: 80 }] } } as never);
    await eventually(() => expect(informer.lister.get("default/web")).toBeDefined());
    expect(edge.membership.servers.current.url).toBe(second.url);
    edge.off();
    await informers.stopped();
  });

  test("a server that takes connections and says nothing costs its time and no more", async () => {
    await using server = await startJoinServer();
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    try {
      const edge = machine(server, { servers: [`https://127.0.0.1:${silent.port}`, server.url] });
      const began = performance.now();
      await edge.join();
      expect(edge.membership.servers.current.url).toBe(server.url);
      expect(performance.now() - began).toBeLessThan(30_000);
    } finally {
      silent.stop(true);
    }
  });

  test("what the cluster tells of its servers is kept, behind those the administrator named", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    edge.membership.servers.learn(["https://192.0.2.1:6443", "https://192.0.2.2:6443"]);
    expect(edge.saved().servers).toEqual(["https://192.0.2.1:6443", "https://192.0.2.2:6443"]);
    const again = machine(server, { directory: edge.directory, servers: ["https://192.0.2.9:6443"] });
    expect(again.membership.servers.all).toEqual(["https://192.0.2.9:6443", "https://192.0.2.1:6443", "https://192.0.2.2:6443"]);
  });
});

describe("renewal", () => {
  test("certificates that end soon are renewed while the node works, and no watch ends for it", async () => {
    let now = Date.now();
    await using server = await startJoinServer();
    const edge = machine(server, { clock: { ...systemClock, now: () => now } });
    await edge.join();
    const before = edge.membership.current.pairs;
    const watching = new AbortController();
    const events: string[] = [];
    const watch = (async () => {
      for await (const { object } of edge.network.watch(services, {}, watching.signal)) events.push(object.metadata.name!);
    })();
    await server.client.create(services, { metadata: { name: "sooner", namespace: "default" }, spec: { ports: [{ port: 80 }] } } as never);
    await eventually(() => expect(events).toContain("sooner"));
    now += 200 * day;
    edge.membership.check();
    expect(edge.renewals()).toBe(0);
    now += 50 * day;
    edge.membership.check();
    await eventually(() => expect(edge.renewals()).toBe(1));
    const after = edge.saved().pairs;
    for (const name of ["kubelet", "network", "serving"] as const) {
      expect(after[name].certificate).not.toBe(before[name].certificate);
      expect(after[name].key).not.toBe(before[name].key);
    }
    await server.client.create(services, { metadata: { name: "later", namespace: "default" }, spec: { ports: [{ port: 80 }] } } as never);
    await eventually(() => expect(events).toContain("later"));
    await register(edge.kubelet);
    watching.abort();
    await watch;
  });

  test("after a year in a drawer the node comes back by its password, without a token", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    edge.off();
    await expireCertificates(server, edge.directory);
    const again = machine(server, { directory: edge.directory, token: "", clock: { ...systemClock, now: () => 5000 } });
    await again.join();
    // Its clock is at 1970 and sees nothing amiss: the server tells it.
    expect(await register(again.kubelet).catch((error: { code: number }) => error.code)).toBe(401);
    await eventually(() => expect(again.renewals()).toBe(1));
    await register(again.kubelet);
  });

  test("other addresses make another serving certificate", async () => {
    await using server = await startJoinServer();
    let addresses = ["192.0.2.7"];
    const edge = machine(server, { addresses: () => addresses });
    await edge.join();
    addresses = ["192.0.2.8", "2001:db8::8"];
    edge.membership.check();
    await eventually(() => expect(edge.renewals()).toBe(1));
    const serving = new X509Certificate(edge.membership.current.pairs.serving.certificate);
    expect([serving.checkIP("192.0.2.8"), serving.checkIP("2001:db8::8")]).toEqual(["192.0.2.8", "2001:db8::8"]);
  });

  test("a node that waits for its new certificates doesn't say that it joins", async () => {
    await using server = await startJoinServer();
    let addresses = ["192.0.2.7"];
    const edge = machine(server, { addresses: () => addresses });
    await edge.join();
    recordLogs();
    await server.cut();
    addresses = ["192.0.2.8"];
    edge.membership.check();
    await eventually(() => expect(lines.join("")).toContain("Waiting for the server to renew the certificates"));
    expect(lines.join("")).not.toContain("to join");
  });

  test("addresses that change again just after a renewal are not forgotten", async () => {
    await using server = await startJoinServer();
    let addresses = ["192.0.2.7"];
    const impatient: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 300), signal) };
    const edge = machine(server, { addresses: () => addresses, clock: impatient });
    await edge.join();
    for (const address of ["192.0.2.8", "192.0.2.9"]) {
      addresses = [address];
      edge.membership.check();
    }
    await eventually(() => expect(edge.membership.current.addresses).toContain("192.0.2.9"));
    addresses = ["192.0.2.10"];
    edge.membership.check();
    await eventually(() => expect(new X509Certificate(edge.membership.current.pairs.serving.certificate).checkIP("192.0.2.10")).toBeDefined());
  });

  test("a machine whose clock is at 1970 joins, and its certificates are good then and today", async () => {
    await using server = await startJoinServer();
    const edge = machine(server, { clock: { ...systemClock, now: () => 0 } });
    await edge.join();
    const certificate = new X509Certificate(edge.membership.current.pairs.kubelet.certificate);
    expect(Date.parse(certificate.validFrom)).toBe(0);
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now() + 300 * day);
  });
});

describe("what is on the disk", () => {
  test("whatever a crash leaves, the next start joins as the same node", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    const files = new Map(["membership.json", "node-password"].map((name) => [name, readFileSync(join(edge.directory, name), "utf8")]));
    for (const left of [["node-password"], ["node-password", "membership.json"], ["node-password", "membership.json.tmp"]]) {
      const directory = newDirectory();
      for (const name of left) writeFileSync(join(directory, name), files.get(name) ?? '{"nodeName":"ed');
      const again = machine(server, { directory });
      await again.join();
      expect(again.saved().nodeName).toBe("edge-1");
    }
  });

  test("a file that can't be read is set aside, and the node enrols again", async () => {
    await using server = await startJoinServer();
    const edge = machine(server);
    await edge.join();
    for (const [i, content] of ["", "{", "[]", JSON.stringify({ ...edge.saved(), serverCa: "x" }), JSON.stringify({ ...edge.saved(), servers: undefined })].entries()) {
      writeFileSync(join(edge.directory, "membership.json"), content);
      await machine(server, { directory: edge.directory }).join();
      expect(readFileSync(join(edge.directory, `membership.json.corrupt-${i + 1}`), "utf8")).toBe(content);
    }
    expect(edge.saved().nodeName).toBe("edge-1");
  });
});

/** A TLS port with a handler of the test's. */
async function serve(tls: FrontTls, handler: HttpHandler): Promise<{ url: string } & AsyncDisposable> {
  const front = await listenFront({ hostname: "127.0.0.1", port: 0, tls, handler });
  return { url: `https://127.0.0.1:${front.port}`, [Symbol.asyncDispose]: () => front.stop({ graceMs: 0 }) };
}

/** As if a year had passed since they were issued. */
async function expireCertificates({ pki }: JoinServer, directory: string): Promise<void> {
  const store = openMembership(directory), membership = store.read()!;
  const notAfter = new Date(Date.now() - day);
  const client = (commonName: string, organization: string) => createLeaf({ issuer: pki.clientCa, usage: "client", subject: { commonName, organizations: [organization] }, notAfter });
  store.write({ ...membership, pairs: { ...membership.pairs, kubelet: await client("system:node:edge-1", "system:nodes"), network: await client("system:skiff-network:edge-1", "system:skiff-networks") } });
}
