import { afterEach, describe, expect, test } from "bun:test";
import net from "node:net";
import { NodeConnection } from "../../../test/support/node-connection.ts";
import { encodeFrame, FrameDecoder, Opcode, type Frame } from "./frame.ts";
import { acceptKey, agree } from "./handshake.ts";
import { WebSocketConnection } from "./websocket.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server that echoes messages, behind a real socket; the handshake is done by hand. */
async function echoServer(maxMessageBytes = 1 << 20): Promise<{ port: number; closes: number[] }> {
  const closes: number[] = [];
  const server = net.createServer((socket) => {
    let head = "";
    socket.on("data", function read(bytes: Buffer) {
      head += bytes.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", read);
      const key = /sec-websocket-key: (\S+)/i.exec(head)![1]!;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`);
      const connection = new WebSocketConnection(new NodeConnection(socket, Buffer.from(head.slice(end + 4), "latin1")), { role: "server", maxMessageBytes });
      connection.onMessage = (payload, binary) => {
        if (payload.toString() === "please close") connection.close(4001, "as asked");
        else connection.send(payload, binary);
      };
      connection.onClose = (code) => closes.push(code);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  return { port: (server.address() as net.AddressInfo).port, closes };
}

async function ask(port: number, messages: (string | Uint8Array)[]): Promise<(string | Buffer)[]> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.binaryType = "arraybuffer";
  const got: (string | Buffer)[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => {
      for (const message of messages) socket.send(message as string);
    };
    socket.onmessage = ({ data }) => {
      got.push(typeof data === "string" ? data : Buffer.from(data as ArrayBuffer));
      if (got.length === messages.length) resolve();
    };
    socket.onerror = () => reject(new Error("the client failed"));
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
  });
  socket.onclose = null;
  socket.close(1000);
  return got;
}

describe("as a server, against Bun's client", () => {
  test("text and binary messages of every length form", async () => {
    const { port } = await echoServer();
    const messages = ["", "short", "é".repeat(80), Buffer.alloc(125, 1), Buffer.alloc(126, 2), Buffer.alloc(65_535, 3), Buffer.alloc(65_536, 4), Buffer.alloc(1_000_000, 5)];
    const got = await ask(port, messages);
    for (const [i, message] of messages.entries()) {
      if (typeof message === "string") expect(got[i]).toBe(message);
      else expect(message.equals(got[i] as Buffer)).toBe(true);
    }
  });

  test("the close code and reason reach the client, and its answer us", async () => {
    const { port, closes } = await echoServer();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const closed = new Promise<CloseEvent>((resolve) => (socket.onclose = resolve));
    socket.onopen = () => socket.send("please close");
    expect(await closed).toMatchObject({ code: 4001, reason: "as asked" });
    expect(closes).toEqual([4001]);
  });

  test("a message over the limit closes with 1009", async () => {
    const { port } = await echoServer(1000);
    await expect(ask(port, [Buffer.alloc(1001)])).rejects.toThrow("closed with 1009");
  });
});

describe("as a client, against Bun's server", () => {
  test("masked messages both ways, and its pings", async () => {
    const server = Bun.serve({
      port: 0, hostname: "127.0.0.1",
      fetch: (request, self) => self.upgrade(request) ? undefined : new Response("no", { status: 400 }),
      websocket: {
        message(socket, message) {
          socket.ping("p");
          socket.send(message);
        },
      },
    });
    cleanups.push(() => void server.stop(true));
    const socket = net.connect(server.port!, "127.0.0.1");
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    await new Promise<void>((resolve) => socket.once("data", (bytes) => {
      expect(bytes.toString()).toContain(acceptKey("dGhlIHNhbXBsZSBub25jZQ=="));
      resolve();
    }));
    const connection = new WebSocketConnection(new NodeConnection(socket), { role: "client" });
    const echoed = new Promise<Buffer>((resolve) => (connection.onMessage = resolve));
    const sent = Buffer.alloc(100_000, "x");
    connection.send(sent);
    expect((await echoed).equals(sent)).toBe(true);
    const closed = new Promise<number>((resolve) => (connection.onClose = resolve));
    connection.close(1000);
    expect(await closed).toBe(1000);
  });
});

describe("frames", () => {
  const masked = (first: number, payload: Buffer): Buffer => {
    const frame = encodeFrame(first & 15, payload, true);
    frame[0] = first;
    return frame;
  };
  const decode = (bytes: Buffer, pieces: number): Frame[] => {
    const frames: Frame[] = [];
    const decoder = new FrameDecoder(true, 1 << 20);
    for (let at = 0; at < bytes.length; at += pieces) decoder.feed(bytes.subarray(at, at + pieces), (frame) => frames.push(frame));
    return frames;
  };

  test.each([1, 2, 3, 7, 1000, 1 << 20])("the same frames come out of pieces of %d bytes", (pieces) => {
    const bytes = Buffer.concat([masked(0x82, Buffer.from("one")), masked(0x89, Buffer.alloc(0)), masked(0x01, Buffer.alloc(300, "f")), masked(0x80, Buffer.alloc(70_000, "g"))]);
    expect(decode(bytes, pieces).map(({ final, opcode, payload }) => [final, opcode, payload.length, payload.toString().slice(0, 3)])).toEqual([
      [true, Opcode.Binary, 3, "one"], [true, Opcode.Ping, 0, ""], [false, Opcode.Text, 300, "fff"], [true, Opcode.Continuation, 70_000, "ggg"],
    ]);
  });

  test.each([
    ["not masked", encodeFrame(2, Buffer.from("x"), false), 1002],
    ["a reserved bit", masked(0xc2, Buffer.from("x")), 1002],
    ["a fragmented ping", masked(0x09, Buffer.from("x")), 1002],
    ["a long ping", masked(0x89, Buffer.alloc(126)), 1002],
    ["an unknown opcode", masked(0x83, Buffer.from("x")), 1002],
    ["a long form of a short length", Buffer.from([0x82, 0xfe, 0, 5, 0, 0, 0, 0]), 1002],
    ["a huge length", Buffer.from([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]), 1009],
    ["a continuation of nothing", masked(0x80, Buffer.from("x")), 1002],
    ["a message inside a message", Buffer.concat([masked(0x01, Buffer.from("x")), masked(0x81, Buffer.from("y"))]), 1002],
    ["fragments over the limit", Buffer.concat([masked(0x02, Buffer.alloc(900)), masked(0x80, Buffer.alloc(200))]), 1009],
    ["text that is not UTF-8", masked(0x81, Buffer.from([0xff, 0xfe])), 1007],
    ["a close of one byte", masked(0x88, Buffer.from([3])), 1002],
    ["a close with a forbidden code", masked(0x88, Buffer.from([0x03, 0xed])), 1002],
  ])("%s is refused", (_what, bytes, code) => {
    const sent: Buffer[] = [];
    let ended = false;
    const raw = {
      onData: ((): void => {}) as (bytes: Buffer) => void, onClose: () => {}, queuedBytes: 0,
      write: (frame: Uint8Array) => sent.push(Buffer.from(frame)) > 0,
      drained: async () => {}, pause() {}, resume() {}, destroy() {},
      end: () => {
        ended = true;
      },
    };
    const connection = new WebSocketConnection(raw, { role: "server", maxMessageBytes: 1000 });
    const messages: Buffer[] = [];
    connection.onMessage = (message) => messages.push(message);
    raw.onData(bytes);
    raw.onData(masked(0x82, Buffer.from("later")));
    expect(messages).toEqual([]);
    expect(sent.at(-1)![0]).toBe(0x88);
    expect(sent.at(-1)!.readUInt16BE(2)).toBe(code);
    expect(ended).toBe(true);
  });
});

describe("handshake", () => {
  const headers = { upgrade: "websocket", connection: "keep-alive, Upgrade", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
  test("RFC 6455's own example, and the first of the client's subprotocols that we speak", () => {
    expect(agree({ method: "GET", headers: { ...headers, "sec-websocket-protocol": "v9, v5, v4" } }, ["v4", "v5"])).toEqual({
      protocol: "v5",
      headers: { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol": "v5" },
    });
  });
  test.each([
    ["another method", "POST", headers],
    ["no Connection: Upgrade", "GET", { ...headers, connection: "close" }],
    ["another version", "GET", { ...headers, "sec-websocket-version": "8" }],
    ["a short key", "GET", { ...headers, "sec-websocket-key": "abc=" }],
    ["no common subprotocol", "GET", { ...headers, "sec-websocket-protocol": "v1" }],
    ["a subprotocol is needed", "GET", headers],
  ])("%s is refused", (_what, method, fields) => {
    expect(typeof agree({ method, headers: fields }, ["v4"])).toBe("string");
  });
});
