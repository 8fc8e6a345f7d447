import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { GrpcChannel } from "./channel.ts";
import { GrpcCode, GrpcError } from "./error.ts";
import { frame, FrameReader } from "./frames.ts";
import { GrpcServer } from "./server.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (message: Uint8Array): string => new TextDecoder().decode(message);
const failure = (call: Promise<unknown>): Promise<GrpcError> => call.then(() => { throw new Error("the call succeeded"); }, (error: GrpcError) => error);

test("messages are cut from bytes however they come in pieces", () => {
  const messages = ["", "a", "b".repeat(100_000), "last"];
  const all = Buffer.concat(messages.map((message) => frame(bytes(message))));
  for (const size of [1, 3, 4, 1000, all.length]) {
    if (size < 3 && all.length / size > 200_000) continue;
    const read: string[] = [];
    const reader = new FrameReader((message) => read.push(text(message)));
    for (let at = 0; at < all.length; at += size) reader.push(all.subarray(at, at + size));
    expect(read).toEqual(messages);
  }
});

describe("over a Unix socket", () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-grpc-")), socket = join(directory, "s.sock");
  const server = new GrpcServer({
    "/test.Echo/Three": async (request, send) => { for (const n of [1, 2, 3]) send(bytes(`${text(request)}${n}`)); },
    "/test.Echo/Fail": async () => { throw new GrpcError(GrpcCode.NotFound, "no such thing: 100 %", ""); },
    "/test.Echo/Hang": (_, __, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
  });
  beforeAll(() => server.listen(socket));
  afterAll(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });

  test("answers, failures, time limits and cancellation", async () => {
    const channel = new GrpcChannel(socket, "the test"), got: string[] = [];
    await channel.stream("/test.Echo/Three", bytes("m"), (message) => got.push(text(message)));
    expect(got).toEqual(["m1", "m2", "m3"]);
    expect(await failure(channel.unary("/test.Echo/Fail", bytes("m")))).toMatchObject({ code: GrpcCode.NotFound, message: "no such thing: 100 %", unsent: false });
    expect(await failure(channel.unary("/test.Echo/None", bytes("m")))).toMatchObject({ code: GrpcCode.Unimplemented });
    const cancelled = new AbortController();
    setTimeout(() => cancelled.abort(), 20);
    expect(await failure(channel.unary("/test.Echo/Hang", bytes("m"), { signal: cancelled.signal }))).toMatchObject({ code: GrpcCode.Cancelled });
    channel.close();
  });

  test("closing ends calls; the next call connects again", async () => {
    const channel = new GrpcChannel(socket, "the test");
    const hanging = failure(channel.unary("/test.Echo/Hang", bytes("m")));
    await channel.unary("/test.Echo/Three", bytes("m"));
    channel.close();
    expect(await hanging).toMatchObject({ code: GrpcCode.Unavailable, unsent: false });
    expect(text(await channel.unary("/test.Echo/Three", bytes("m")))).toBe("m3");
    channel.close();
  });

  test("where nobody listens, a call has certainly not been sent", async () => {
    const error = await failure(new GrpcChannel(join(directory, "none"), "the test").unary("/test.Echo/Three", bytes("m")));
    expect(error).toMatchObject({ code: GrpcCode.Unavailable, unsent: true });
    expect(error.message).toStartWith("the test is not reachable: ");
  });
});

test("who stops answering is given up, and its calls fail", async () => {
  const sockets: net.Socket[] = [];
  const silent = net.createServer((socket) => void sockets.push(socket.pause()));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const channel = new GrpcChannel({ host: "127.0.0.1", port: (silent.address() as net.AddressInfo).port }, "the test", { keepaliveMs: 50 });
  const error = await failure(channel.unary("/test.Echo/Three", bytes("m")));
  expect(error).toMatchObject({ code: GrpcCode.Unavailable, unsent: false });
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test("both sides of a call send as they like, over TLS with certificates of both", async () => {
  await using etcd = await TestEtcd.start({ tls: true });
  const { hostname: host, port } = new URL(etcd.urls[0]!);
  const channel = new GrpcChannel({ host, port: Number(port), tls: etcd.tls! }, "etcd");
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  let answers = 0;
  const enough = new AbortController();
  const call = channel.call("/etcdserverpb.Watch/Watch", () => { if (++answers === 2) answer(); }, { signal: enough.signal });
  // WatchRequest { create_request { key: "a" } }, twice on one stream, the second after the first.
  for (let i = 0; i < 2; i++) call.send(new Uint8Array([0x0a, 0x03, 0x0a, 0x01, 0x61]));
  await answered;
  enough.abort();
  expect(await failure(call.done)).toMatchObject({ code: GrpcCode.Cancelled });
  channel.close();
}, 180_000);
