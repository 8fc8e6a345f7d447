import { afterEach, describe, expect, test } from "bun:test";
import net from "node:net";
import { NodeConnection } from "../../../test/support/node-connection.ts";
import { HeaderDecoder, HeaderEncoder } from "./header-block.ts";
import { encodeControl, FrameType, ResetStatus } from "./frames.ts";
import { SpdySession } from "./session.ts";
import type { SpdyStream } from "./stream.ts";

// An independent implementation, as the judge of ours. It has no types.
const transport = require("spdy-transport") as { connection: { create(socket: net.Socket, options: { protocol: "spdy"; isServer: boolean }): OracleConnection } };

interface OracleStream extends NodeJS.ReadWriteStream {
  headers: Record<string, string>;
  path: string;
  respond(status: number, headers: object): void;
  abort(): void;
}
interface OracleConnection extends NodeJS.EventEmitter {
  start(version: 3.1): void;
  request(options: { method: string; path: string; host: string; headers: object }, callback: (error: Error | null, stream: OracleStream) => void): void;
  ping(callback: () => void): void;
  on(event: "stream", listener: (stream: OracleStream) => void): this;
  on(event: "error", listener: () => void): this;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function socketPair(): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
  const pair: [net.Socket, net.Socket] = [client, await accepted];
  cleanups.push(() => {
    for (const socket of pair) socket.destroy();
    server.close();
  });
  return pair;
}

function oracle(socket: net.Socket, isServer: boolean): OracleConnection {
  const connection = transport.connection.create(socket, { protocol: "spdy", isServer });
  connection.on("error", () => {});
  connection.start(3.1);
  return connection;
}

async function ourPair(flowControl: "spdy" | "none"): Promise<{ client: SpdySession; server: SpdySession }> {
  const [a, b] = await socketPair();
  return { client: new SpdySession(new NodeConnection(a), { role: "client", flowControl }), server: new SpdySession(new NodeConnection(b), { role: "server", flowControl }) };
}

/** Everything a stream brings until its end. */
function collect(stream: SpdyStream): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    stream.onData = (bytes) => parts.push(bytes);
    stream.onEnd = () => resolve(Buffer.concat(parts));
  });
}

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8)) & 255;
  return bytes;
}

const large = pattern(5 << 20);

describe("header blocks", () => {
  test("what is encoded decodes, block after block", () => {
    const encoder = new HeaderEncoder();
    const decoder = new HeaderDecoder();
    for (let i = 0; i < 200; i++) {
      const headers = { streamType: "stdin", port: String(i), long: "é".repeat(i * 3) };
      expect({ ...decoder.decode(encoder.encode(headers)) }).toEqual({ streamtype: "stdin", port: String(i), long: "é".repeat(i * 3) });
    }
  });
  test.each([
    ["not zlib", Buffer.from("nonsense")],
    ["unknown dictionary", Buffer.from([0x78, 0xbb, 1, 2, 3, 4, 0, 0, 0, 0xff, 0xff])],
    ["cut short", (() => Buffer.concat([new HeaderEncoder().encode({ a: "b" }).subarray(0, 6), Buffer.from([0, 4, 0, 0xfb, 0xff, 0, 0, 0, 9])]))()],
  ])("%s is refused", (_what, block) => {
    expect(() => new HeaderDecoder().decode(block)).toThrow();
  });
});

describe("against an independent client", () => {
  test("streams, replies, half-close, five megabytes each way, several at once", async () => {
    const [a, b] = await socketPair();
    const session = new SpdySession(new NodeConnection(b), { role: "server", flowControl: "spdy", replyHeaders: { ":status": "200 OK", ":version": "HTTP/1.1" } });
    const paths: string[] = [];
    session.onStream = (stream) => {
      paths.push(stream.headers[":path"]!);
      void collect(stream).then((received) => {
        stream.write(received);
        stream.end();
      });
    };
    const client = oracle(a, false);
    const echo = (path: string): Promise<Buffer> => new Promise((resolve, reject) => {
      client.request({ method: "POST", path, host: "x", headers: { "x-long": "v".repeat(3000) } }, (error, stream) => {
        if (error) return reject(error);
        const parts: Buffer[] = [];
        stream.on("data", (part: Buffer) => parts.push(part));
        stream.on("end", () => resolve(Buffer.concat(parts)));
        stream.end(large);
      });
    });
    const echoed = await Promise.all(["/1", "/2", "/3"].map(echo));
    for (const bytes of echoed) expect(bytes.equals(large)).toBe(true);
    expect(paths.sort()).toEqual(["/1", "/2", "/3"]);
    await new Promise<void>((resolve) => client.ping(resolve));
  });

  test("an aborted stream is closed with its status", async () => {
    const [a, b] = await socketPair();
    const session = new SpdySession(new NodeConnection(b), { role: "server", flowControl: "spdy", replyHeaders: { ":status": "200 OK", ":version": "HTTP/1.1" } });
    const closed = new Promise((resolve) => {
      session.onStream = (stream) => {
        stream.onClose = resolve;
      };
    });
    oracle(a, false).request({ method: "POST", path: "/", host: "x", headers: {} }, (_error, stream) => stream.abort());
    expect(await closed).toBe(5);
  });
});

describe("against an independent server", () => {
  test("streams, replies, half-close, five megabytes each way", async () => {
    const [a, b] = await socketPair();
    oracle(b, true).on("stream", (stream) => {
      stream.respond(200, { "x-seen": stream.path });
      stream.pipe(stream);
    });
    const session = new SpdySession(new NodeConnection(a), { role: "client", flowControl: "spdy" });
    const open = async (path: string): Promise<Buffer> => {
      const stream = session.open({ ":method": "POST", ":path": path, ":scheme": "https", ":version": "HTTP/1.1", ":host": "x" });
      // It forgets a stream whose end it has yet to send, and resets one it doesn't know when that is given more window: all bytes have come by then.
      const parts: Buffer[] = [];
      const over = new Promise<number | null>((resolve) => (stream.onClose = resolve));
      stream.onData = (bytes) => parts.push(bytes);
      stream.write(large);
      stream.end();
      expect((await stream.replied)["x-seen"]).toBe(path);
      expect<(number | null)[]>([0, ResetStatus.InvalidStream]).toContain(await over);
      return Buffer.concat(parts);
    };
    for (const bytes of await Promise.all([open("/a"), open("/b")])) expect(bytes.equals(large)).toBe(true);
  });
});

describe("both sides ours", () => {
  test.each(["spdy", "none"] as const)("flow control %s: large data both ways, half-close, both ends told", async (flowControl) => {
    const { client, server } = await ourPair(flowControl);
    server.onStream = (stream) => {
      stream.onData = (bytes) => void stream.write(bytes);
      stream.onEnd = () => stream.end();
    };
    const stream = client.open({ streamtype: "stdin" });
    const all = collect(stream);
    const over = new Promise((resolve) => (stream.onClose = resolve));
    stream.write(large);
    stream.end();
    expect((await all).equals(large)).toBe(true);
    expect(await over).toBe(0);
  });

  test("a paused stream holds its sender at the window, and not its neighbours", async () => {
    const { client, server } = await ourPair("spdy");
    const received = new Map<string, number>();
    const paused: SpdyStream[] = [];
    server.onStream = (stream) => {
      const name = stream.headers["name"]!;
      received.set(name, 0);
      if (name === "slow") {
        stream.pause();
        paused.push(stream);
      }
      stream.onData = (bytes) => void received.set(name, received.get(name)! + bytes.length);
      stream.onEnd = () => stream.end();
    };
    const slow = client.open({ name: "slow" });
    const small = pattern(40 << 10);
    slow.write(small);
    const quick = client.open({ name: "quick" });
    const done = new Promise((resolve) => (quick.onClose = resolve));
    quick.write(pattern(300 << 10));
    quick.end();
    await done;
    expect(received.get("quick")).toBe(300 << 10);
    slow.write(pattern(100 << 10));
    slow.end();
    expect(slow.queuedBytes).toBeGreaterThan(0);
    const over = new Promise((resolve) => (slow.onClose = resolve));
    expect(received.get("slow")).toBeLessThanOrEqual(64 << 10);
    for (const stream of paused) stream.resume();
    await over;
    expect(received.get("slow")).toBe(140 << 10);
  });

  test("streams end with the connection, and opening fails after it", async () => {
    const { client, server } = await ourPair("none");
    server.onStream = () => server.destroy();
    const stream = client.open({});
    const closed = await new Promise((resolve) => (stream.onClose = resolve));
    expect(closed).toBeNull();
    expect(() => client.open({})).toThrow();
  });

  test("a stream that is refused is reset", async () => {
    const { client, server } = await ourPair("none");
    server.onStream = (stream) => stream.reset(3);
    const stream = client.open({});
    expect(await new Promise((resolve) => (stream.onClose = resolve))).toBe(3);
  });
});

describe("what breaks the protocol ends the connection", () => {
  test.each([
    ["another version", Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0])],
    ["a huge control frame", Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
    ["a header block that is none", encodeControl(FrameType.SynStream, 0, 1, 0, Buffer.from([0, 0, 1, 2, 3]))],
    ["an even id from a client", encodeControl(FrameType.SynStream, 0, 2, 0, Buffer.from([0, 0]), new HeaderEncoder().encode({}))],
    ["a truncated reset", encodeControl(FrameType.RstStream, 0, 1)],
    ["a ping without id", encodeControl(FrameType.Ping, 0)],
  ])("%s", async (_what, bytes) => {
    const [a, b] = await socketPair();
    const session = new SpdySession(new NodeConnection(b), { role: "server", flowControl: "none" });
    session.onStream = () => {};
    const failed = new Promise<Error | null>((resolve) => (session.onClose = resolve));
    for (const byte of bytes) a.write(Buffer.from([byte]));
    if (_what === "a truncated reset") a.write(bytes); // the stream is unknown: only the second proves that the first did no harm
    a.resume();
    a.end();
    const error = await failed;
    if (_what !== "a truncated reset") expect(error).toBeInstanceOf(Error);
  });
});
