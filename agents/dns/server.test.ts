import { afterAll, beforeAll, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { decode, encode, RECURSION_DESIRED, type DecodedPacket } from "dns-packet";
import { logger } from "../../src/base/log.ts";
import type { RecordSource } from "./records.ts";
import { serveDns } from "./server.ts";

const many = Array.from({ length: 100 }, (_, i) => ({ ip: `10.42.1.${i}`, ports: [] }));
const records: RecordSource = {
  service: (namespace, name) => (name === "many" ? { metadata: { name, namespace }, spec: { clusterIP: "None" } } : name === "web" ? { metadata: { name, namespace }, spec: { clusterIP: "10.43.0.20" } } : undefined),
  hasNamespace: () => true,
  endpoints: () => many,
  reverse: () => undefined,
};
const upstream = {
  async query(packet: Buffer): Promise<Buffer> {
    const query = decode(packet);
    if (query.questions![0]!.name === "down.example") throw new Error("unreachable");
    if (query.questions![0]!.name === "slow.example") await released.promise;
    return encode({ type: "response", id: query.id, questions: query.questions, answers: [{ type: "A", name: query.questions![0]!.name, ttl: 60, data: "192.0.2.1" }] });
  },
};
const released = Promise.withResolvers<void>();
let server: Awaited<ReturnType<typeof serveDns>>;
beforeAll(async () => { server = await serveDns({ address: "127.0.0.1", port: 0, domain: "cluster.local", records, upstream, log: logger("test") }); });
afterAll(() => server.close());

const query = (name: string, size?: number) => encode({ type: "query", id: 77, flags: RECURSION_DESIRED, questions: [{ type: "A", name }], additionals: size ? [{ type: "OPT", name: ".", udpPayloadSize: size, flags: 0, options: [] } as never] : [] });

function overUdp(bytes: Uint8Array): Promise<DecodedPacket> {
  const socket = createSocket("udp4");
  return new Promise<DecodedPacket>((resolve, reject) => {
    socket.on("message", (reply) => resolve(decode(reply)));
    socket.on("error", reject);
    socket.send(bytes, server.port, "127.0.0.1");
    AbortSignal.timeout(5000).addEventListener("abort", () => reject(new Error("no answer")));
  }).finally(() => socket.close());
}

function overTcp(bytes: Uint8Array): Promise<DecodedPacket> {
  const socket = connect(server.port, "127.0.0.1");
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  socket.write(length);
  socket.write(bytes);
  let received = Buffer.alloc(0);
  return new Promise<DecodedPacket>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk as Buffer]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) resolve(decode(received.subarray(2)));
    });
  }).finally(() => socket.destroy());
}

test("over UDP and TCP, with the query's id", async () => {
  for (const ask of [overUdp, overTcp]) {
    const reply = await ask(query("web.default.svc.cluster.local"));
    expect(reply).toMatchObject({ id: 77, rcode: "NOERROR", flag_aa: true, answers: [{ type: "A", data: "10.43.0.20" }] });
  }
});

test("a long answer is cut over UDP, by the size the client can take, and whole over TCP", async () => {
  expect(await overUdp(query("many.default.svc.cluster.local"))).toMatchObject({ flag_tc: true, answers: [] });
  expect(await overUdp(query("many.default.svc.cluster.local", 4096))).toMatchObject({ flag_tc: true });
  expect((await overTcp(query("many.default.svc.cluster.local"))).answers).toHaveLength(100);
});

test("what does not exist is denied with an SOA, so that it is cached briefly", async () => {
  expect(await overUdp(query("nope.default.svc.cluster.local"))).toMatchObject({ rcode: "NXDOMAIN", authorities: [{ type: "SOA" }] });
});

test("other names go upstream; when that is down the client hears so", async () => {
  expect(await overUdp(query("example.org"))).toMatchObject({ rcode: "NOERROR", answers: [{ data: "192.0.2.1" }] });
  expect(await overUdp(query("down.example"))).toMatchObject({ rcode: "SERVFAIL" });
});

test("nonsense is answered with FORMERR, and the server lives on", async () => {
  expect(await overUdp(Buffer.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 1]))).toMatchObject({ id: 9, rcode: "FORMERR" });
  expect(await overUdp(query("web.default.svc.cluster.local"))).toMatchObject({ rcode: "NOERROR" });
});

test("clients that have gone before their answer disturb nobody", async () => {
  const failures: unknown[] = [];
  const note = (error: unknown): void => { failures.push(error); };
  process.on("unhandledRejection", note);
  process.on("uncaughtException", note);
  const impatient = Array.from({ length: 20 }, () => createSocket("udp4"));
  await Promise.all(impatient.map((socket) => new Promise<void>((resolve) => socket.send(query("slow.example"), server.port, "127.0.0.1", () => resolve()))));
  // A query that was sent later has been answered: the others have been read.
  await overUdp(query("web.default.svc.cluster.local"));
  await Promise.all(impatient.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  released.resolve();
  for (let i = 0; i < 5; i++) expect((await overUdp(query("web.default.svc.cluster.local"))).answers).toHaveLength(1);
  process.off("unhandledRejection", note);
  process.off("uncaughtException", note);
  expect(failures).toEqual([]);
});
