import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { AnswerCache } from "./answer-cache.ts";
import { defaultConfiguration, parseConfiguration } from "./configuration.ts";
import { Forwarder } from "./forwarder.ts";
import { NameServers, readNameServers } from "./name-servers.ts";
import type { RecordSource } from "./records.ts";
import { Resolver } from "./resolver.ts";
import { serveDns } from "./server.ts";
import { answerOf, overTcp, overUdp, queryOf, read } from "./testing/wire.ts";
import { ZoneAnswers } from "./zone-answers.ts";

let changed = (): void => undefined;
const many = Array.from({ length: 100 }, (_, i) => ({ ip: `10.42.1.${i}`, ports: [] }));
let three = ["10.42.0.1", "10.42.0.2", "10.42.0.3"].map((ip) => ({ ip, ports: [] }));
const records: RecordSource = {
  service: (namespace, name) => (name === "many" || name === "three" ? { metadata: { name, namespace }, spec: { clusterIP: "None" } } : name === "web" ? { metadata: { name, namespace }, spec: { clusterIP: "10.43.0.20" } } : undefined),
  hasNamespace: () => true,
  endpoints: (_, name) => (name === "many" ? many : three),
  reverse: () => [],
  onChange(handler) {
    changed = handler;
    return () => undefined;
  },
};

/** A name server in the node's network, over UDP and TCP. */
const slow = Promise.withResolvers<void>();
let upstreamQueries = 0;
async function upstreamAnswer(bytes: Buffer, tcp: boolean): Promise<Buffer> {
  upstreamQueries++;
  const { name } = read(bytes).questions![0]!;
  if (name === "slow.example") await slow.promise;
  if (name === "large.example" && !tcp) return answerOf(bytes, { flags: 0x200 });
  if (name === "large.example") return answerOf(bytes, { answers: Array.from({ length: 60 }, (_, i) => ({ type: "A" as const, name, ttl: 60, data: `198.51.100.${i}` })) });
  return answerOf(bytes, { answers: [{ type: "A", name, ttl: 60, data: "198.51.100.1" }] });
}

let server: Awaited<ReturnType<typeof serveDns>>, upstream: Awaited<ReturnType<typeof serveDns>>;
let servers: NameServers;
const directory = mkdtempSync(join(tmpdir(), "skiff-dns-"));
beforeAll(async () => {
  upstream = await serveDns({ address: "127.0.0.1", port: 0, resolver: { answer: upstreamAnswer }, log: logger("test") });
  const clock = systemClock, cache = new AnswerCache(() => clock.monotonic()), forwarder = new Forwarder({ clock, log: logger("test"), loopAdvice: "" });
  servers = new NameServers({ file: join(directory, "resolv.conf"), ownAddresses: ["10.43.0.10"], onChange: () => undefined }, parseConfiguration({ upstreamNameservers: JSON.stringify([`127.0.0.1:${upstream.port}`]) }));
  const zone = new ZoneAnswers({ domain: "cluster.local", records, isClusterAddress: () => false });
  server = await serveDns({ address: "127.0.0.1", port: 0, resolver: new Resolver({ zone, forwarder, servers, cache, clock }), log: logger("test") });
});
afterAll(() => {
  server.close();
  upstream.close();
  rmSync(directory, { recursive: true });
});
const udp = (query: Buffer) => overUdp(query, server.port);
const tcp = async (query: Buffer) => (await overTcp([query], server.port))[0]!;
const dataOf = (packet: Awaited<ReturnType<typeof udp>>) => packet.answers!.map((answer) => ("data" in answer ? answer.data : undefined));

test("over UDP and TCP, with the query's id and letters", async () => {
  for (const ask of [udp, tcp]) expect(await ask(queryOf("Web.default.svc.cluster.Local"))).toMatchObject({ id: 77, rcode: "NOERROR", flag_aa: true, questions: [{ name: "Web.default.svc.cluster.Local" }], answers: [{ type: "A", data: "10.43.0.20" }] });
});

test("several queries in one connection, the quick ones first", async () => {
  const names = ["slow.example", ...Array.from({ length: 20 }, (_, i) => (i % 2 ? "web.default.svc.cluster.local" : `host-${i}.example`))];
  const answers = await overTcp(names.map((name, id) => queryOf(name, "A", { id })), server.port, { onAnswer: (count) => { if (count === names.length - 1) slow.resolve(); } });
  const ids = answers.map(({ id }) => id);
  expect(ids.at(-1)).toBe(0);
  expect(ids.toSorted((a, b) => a! - b!)).toEqual(names.map((_, id) => id));
});

test("a long answer is cut over UDP, whole over TCP", async () => {
  const cut = await udp(queryOf("many.default.svc.cluster.local"));
  expect(cut).toMatchObject({ flag_tc: true });
  expect(cut.answers).toHaveLength(29);
  expect((await tcp(queryOf("many.default.svc.cluster.local"))).answers).toHaveLength(100);
});

test("several addresses take turns at being first, and change as soon as the endpoints do", async () => {
  const firsts = new Set<unknown>();
  for (let i = 0; i < 6; i++) {
    const data = dataOf(await udp(queryOf("three.default.svc.cluster.local")));
    expect(data.toSorted()).toEqual(["10.42.0.1", "10.42.0.2", "10.42.0.3"]);
    firsts.add(data[0]);
  }
  expect(firsts.size).toBe(3);
  three = three.slice(0, 1);
  changed();
  expect(dataOf(await udp(queryOf("three.default.svc.cluster.local")))).toEqual(["10.42.0.1"]);
});

test("other names go upstream, over TCP when the answer doesn't fit, and are remembered", async () => {
  expect(dataOf(await udp(queryOf("example.org")))).toEqual(["198.51.100.1"]);
  const before = upstreamQueries;
  expect(dataOf(await udp(queryOf("example.org")))).toEqual(["198.51.100.1"]);
  expect(upstreamQueries).toBe(before);
  expect((await tcp(queryOf("large.example"))).answers).toHaveLength(60);
});

test("IPv6", async () => {
  const six = await serveDns({ address: "::1", port: 0, resolver: { answer: (bytes) => answerOf(bytes, {}) }, log: logger("test") });
  expect(await overUdp(queryOf("example.org"), six.port, { address: "::1" })).toMatchObject({ rcode: "NOERROR" });
  expect(await overTcp([queryOf("example.org")], six.port, { address: "::1" })).toMatchObject([{ rcode: "NOERROR" }]);
  six.close();
});

test("nonsense is answered with FORMERR, and the server lives on", async () => {
  expect(await udp(Buffer.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 1]))).toMatchObject({ id: 9, rcode: "FORMERR" });
  expect(await udp(queryOf("web.default.svc.cluster.local"))).toMatchObject({ rcode: "NOERROR" });
});

test("clients that have gone before their answer disturb nobody", async () => {
  const failures: unknown[] = [];
  const note = (error: unknown): void => { failures.push(error); };
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  const impatient = Array.from({ length: 20 }, () => createSocket("udp4"));
  await Promise.all(impatient.map((socket, i) => new Promise<void>((resolve) => socket.send(queryOf(`gone-${i}.example`), server.port, "127.0.0.1", () => resolve()))));
  await Promise.all(impatient.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  for (let i = 0; i < 5; i++) expect((await udp(queryOf("web.default.svc.cluster.local"))).answers).toHaveLength(1);
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
  expect(failures).toEqual([]);
});

describe("whom to ask", () => {
  const serversFor = (name: string) => servers.serversFor(name).map(({ address, port }) => `${address} ${port}`);
  test("the node's own name servers, whenever its file is another; never ourselves", () => {
    servers.configuration = defaultConfiguration;
    expect(serversFor("example.org")).toEqual([]);
    writeFileSync(join(directory, "resolv.conf"), "# by hand\nsearch lan\nnameserver 192.0.2.1\nnameserver 10.43.0.10\n nameserver fe80::1%eth0\n");
    expect(serversFor("example.org")).toEqual(["192.0.2.1 53", "fe80::1%eth0 53"]);
    writeFileSync(join(directory, "resolv.conf"), "nameserver 192.0.2.77\n");
    expect(serversFor("example.org")).toEqual(["192.0.2.77 53"]);
    expect(readNameServers(join(directory, "missing"))).toEqual([]);
  });
  test("those of the longest stub domain, those of the configuration", () => {
    servers.configuration = parseConfiguration({ upstreamNameservers: '["192.0.2.2:5353", "[2001:db8::1]:54", "2001:db8::2"]', stubDomains: '{"example.org": ["192.0.2.3"], "Deep.example.org.": ["192.0.2.4"]}' });
    expect(serversFor("example.com")).toEqual(["192.0.2.2 5353", "2001:db8::1 54", "2001:db8::2 53"]);
    expect([serversFor("example.org"), serversFor("a.example.org"), serversFor("a.deep.example.org"), serversFor("anexample.org")].map(([one]) => one)).toEqual(["192.0.2.3 53", "192.0.2.3 53", "192.0.2.4 53", "192.0.2.2 5353"]);
  });
  test("mistakes are told in a sentence", () => {
    const mistakes: [Record<string, string>, RegExp][] = [
      [{ upstreams: "[]" }, /^upstreams is no setting: there are/], [{ upstreamNameservers: "192.0.2.1" }, /^upstreamNameservers must be JSON/], [{ upstreamNameservers: '["dns.example"]' }, /^upstreamNameservers: "dns.example" must be an IP address/],
      [{ stubDomains: "[]" }, /^stubDomains must be a JSON object/], [{ stubDomains: '{"a.example": []}' }, /^stubDomains of a.example must be a list/], [{ hosts: "10.0.0.1 a\nbroken" }, /^hosts, line 2: "broken" must be an IP address and names/],
    ];
    for (const [data, message] of mistakes) expect(() => parseConfiguration(data)).toThrow(message);
  });
});
