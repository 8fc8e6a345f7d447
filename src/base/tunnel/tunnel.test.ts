import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { eventually } from "../../../test/support/eventually.ts";
import { exchange } from "../../../test/support/http.ts";
import { frameChunk, type HttpHandler, type HttpRequest, type HttpStream, type RawConnection } from "../http.ts";
import { encodeFrame as frame, Opcode } from "../websocket/frame.ts";
import { WebSocketConnection } from "../websocket/websocket.ts";
import { encodeFrame, FrameType, mostMessage, readFrames, TunnelProtocolError, windowFrame } from "./frames.ts";
import { decodeRequestHead, decodeResponseHead } from "./heads.ts";
import { bodyOf, handlerThrough, sendRequest } from "./request.ts";
import { serveStream } from "./serve.ts";
import { TunnelSession, type SessionOptions } from "./session.ts";
import { streamWindow } from "./stream.ts";
import { connectionPair, type PairedConnection } from "./testing/connection-pair.ts";

interface Ends {
  agent: TunnelSession;
  server: TunnelSession;
  agentRaw: PairedConnection;
  serverRaw: PairedConnection;
  /** Asks the agent's handler. */
  ask: HttpHandler;
  errors: unknown[];
}

const opened: TunnelSession[] = [];
afterEach(() => {
  for (const session of opened.splice(0)) session.destroy("the test is over");
});

/** A tunnel whose agent serves `handler`. */
function tunnel(handler: HttpHandler, limits: Partial<Pick<SessionOptions, "mostStreams" | "mostBufferedBytes">> = {}): Ends {
  const [agentRaw, serverRaw] = connectionPair();
  const errors: unknown[] = [];
  const session = (raw: RawConnection, side: "agent" | "server"): TunnelSession => {
    const made: TunnelSession = new TunnelSession(new WebSocketConnection(raw, { role: side === "agent" ? "client" : "server", maxMessageBytes: mostMessage }), {
      side, mostStreams: 100, mostBufferedBytes: 8 << 20, ...limits,
      serve: (stream, head) => serveStream(made, stream, head, { handlerFor: ({ role }) => (role === 0 ? { handler } : undefined), remoteAddress: "192.0.2.7", mostBodyBytes: 1 << 20, onError: (_, error) => errors.push(error) }),
    });
    opened.push(made);
    return made;
  };
  const agent = session(agentRaw, "agent"), server = session(serverRaw, "server");
  return { agent, server, agentRaw, serverRaw, ask: handlerThrough(server, 0), errors };
}

const echo: HttpHandler = async (request, response) => {
  const body = await request.body();
  response.send(200, { "X-Seen": `${request.method} ${request.url} ${request.headers["x-own"] ?? ""} ${request.remoteAddress}`, "Set-Cookie": ["a=1", "b=2"] }, body);
};

const get = (ends: Ends, url: string, signal?: AbortSignal) => sendRequest(ends.server, { method: "GET", url, headers: {}, role: 0 }, signal ? { signal } : {});

async function text(answer: Awaited<ReturnType<typeof sendRequest>>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of bodyOf(answer)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe("requests", () => {
  test("reach the other side's handler as they are, and so does the answer", async () => {
    const { ask } = tunnel(echo);
    const { answer, done } = exchange(ask, { method: "POST", url: "/a%2Fb?c=d", headers: { "x-own": "1" }, body: "sent" });
    await done;
    expect(answer).toMatchObject({ status: 200, ended: true, headers: { "X-Seen": "POST /a%2Fb?c=d 1 192.0.2.7", "Set-Cookie": ["a=1", "b=2"] } });
    expect(answer.text()).toBe("sent");
  });

  test("with bodies longer than a window, hundreds at once, in both directions", async () => {
    const ends = tunnel(echo, { mostStreams: 300 });
    const back = handlerThrough(ends.agent, 0);
    const bodies = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i % 50 === 0 ? streamWindow * 3 : i * 7, `${i};`));
    await Promise.all(bodies.map(async (body, i) => {
      const { answer, done } = exchange(i % 2 ? ends.ask : back, { method: "PUT", url: `/${i}`, body });
      await done;
      expect(answer.text() === body.toString()).toBe(true);
    }));
    await eventually(() => expect([ends.agent.streams, ends.server.streams]).toEqual([0, 0]));
  });

  test("are answered in pieces as these come, and frames of watches without their frames", async () => {
    const started = Promise.withResolvers<HttpStream>();
    const ends = tunnel((_, response) => started.resolve(response.stream(200, { "Content-Type": "text/plain" })));
    const { answer, done } = exchange(ends.ask, { url: "/watch" });
    const stream = await started.promise;
    stream.write("one ");
    await eventually(() => expect(answer.text()).toBe("one "));
    stream.writeFramed(Buffer.concat([frameChunk("two "), frameChunk("three")]));
    await eventually(() => expect(answer.text()).toBe("one two three"));
    expect(answer.ended).toBe(false);
    stream.end();
    await done;
    expect(answer).toMatchObject({ ended: true, aborted: false });
  });

  test("whose answer is cut show that", async () => {
    const ends = tunnel((_, response) => {
      const stream = response.stream(200, {});
      stream.write("half");
      setImmediate(() => stream.abort());
    });
    const { answer, done } = exchange(ends.ask, { url: "/" });
    await done;
    expect(answer).toMatchObject({ ended: false, aborted: true });
  });

  test("are canceled on the other side when the client goes away", async () => {
    const requests: HttpRequest[] = [];
    const ends = tunnel((request, response) => {
      requests.push(request);
      if (request.url === "/stream") response.stream(200, {}).write("x");
      else return new Promise((resolve) => request.signal.addEventListener("abort", () => resolve()));
    });
    const client = new AbortController();
    const waiting = get(ends, "/wait", client.signal);
    const streaming = await get(ends, "/stream", client.signal);
    streaming.stream.resume();
    await eventually(() => expect(requests).toHaveLength(2));
    client.abort();
    await expect(waiting).rejects.toThrow("abort");
    await eventually(() => expect(requests.map(({ signal }) => signal.aborted)).toEqual([true, true]));
    await eventually(() => expect([ends.agent.streams, ends.server.streams]).toEqual([0, 0]));
  });

  test("of a role that isn't served, with too long a body, without an answer or to a handler that fails are refused", async () => {
    const ends = tunnel(async (request, response) => {
      if (request.url === "/throw") throw new Error("broken");
      if (request.url === "/body") await request.body().catch(() => undefined);
      if (request.url === "/none") return;
      if (!response.started) response.send(200, {});
    });
    await expect(sendRequest(ends.server, { method: "GET", url: "/", headers: {}, role: 5 })).rejects.toThrow("this role is not served");
    await expect(get(ends, "/none")).rejects.toThrow("no answer");
    expect(await get(ends, "/throw")).toMatchObject({ status: 500 });
    expect(ends.errors).toHaveLength(1);
    expect(await sendRequest(ends.server, { method: "PUT", url: "/body", headers: {}, role: 0 }, { body: Buffer.alloc(2 << 20) })).toMatchObject({ status: 413 });
  });

  test("fail when the tunnel is gone", async () => {
    const ends = tunnel(() => new Promise(() => {}));
    const waiting = get(ends, "/");
    ends.agentRaw.destroy();
    await expect(waiting).rejects.toThrow("the connection broke");
    await expect(get(ends, "/")).rejects.toThrow("the tunnel is closed");
    expect(await ends.server.closed).toBe("the connection broke");
  });
});

describe("upgrades", () => {
  const upgraded = (received: RawConnection[]): HttpHandler => (request, response) => {
    if (request.url === "/no") return response.send(400, {}, "not here");
    const raw = response.upgrade({ Upgrade: "echo", Connection: "Upgrade" });
    received.push(raw);
    raw.onData = (bytes) => void raw.write(bytes);
  };

  async function upgrade(ends: Ends, url = "/"): Promise<Awaited<ReturnType<typeof sendRequest>>> {
    return sendRequest(ends.server, { method: "GET", url, headers: { upgrade: "echo", connection: "Upgrade" }, role: 0 });
  }

  test("join the two sides until one ends, what it had written included", async () => {
    const received: RawConnection[] = [];
    const ends = tunnel(upgraded(received));
    const { stream, ...head } = await upgrade(ends);
    expect(head).toMatchObject({ status: 101, mode: "upgrade", headers: { Upgrade: "echo" } });
    let got = 0, closed = false;
    stream.onData = (bytes) => (got += bytes.length);
    stream.onClose = () => (closed = true);
    stream.resume();
    const sent = Buffer.alloc(streamWindow * 2, "e");
    stream.write(sent);
    await eventually(() => expect(got).toBe(sent.length));
    received[0]!.write(Buffer.from("bye"));
    received[0]!.end();
    await eventually(() => expect([got, closed]).toEqual([sent.length + 3, true]));
    expect(stream.broken).toBeUndefined();
    await eventually(() => expect([ends.agent.streams, ends.server.streams]).toEqual([0, 0]));
  });

  test("tell the handler when the client ends", async () => {
    const received: RawConnection[] = [];
    const ends = tunnel(upgraded(received));
    const { stream } = await upgrade(ends);
    let closed = false;
    received[0]!.onClose = () => (closed = true);
    stream.resume();
    stream.end();
    await eventually(() => expect(closed).toBe(true));
  });

  test("are only for those who asked for one", async () => {
    const ends = tunnel(upgraded([]));
    await expect(exchange(ends.ask, { url: "/" }).done).rejects.toThrow("nobody asked for");
    await eventually(() => expect([ends.agent.streams, ends.server.streams]).toEqual([0, 0]));
  });

  test("may be refused", async () => {
    const ends = tunnel(upgraded([]));
    const answer = await upgrade(ends, "/no");
    answer.stream.end();
    expect([answer.status, await text(answer)]).toEqual([400, "not here"]);
  });
});

describe("flow control", () => {
  test("a stream that nobody reads stops at its window, and holds up no other", async () => {
    const written: number[] = [];
    const ends = tunnel(async (request, response) => {
      if (request.url !== "/endless") return response.send(200, {}, "quick");
      const stream = response.stream(200, {});
      for (let total = 0; !request.signal.aborted; total += 16 << 10) {
        written[0] = total;
        if (!stream.write(Buffer.alloc(16 << 10))) await stream.drained();
      }
    });
    const client = new AbortController();
    const endless = await get(ends, "/endless", client.signal);
    await eventually(() => expect(endless.stream.heldBytes).toBe(streamWindow));
    expect(await text(await get(ends, "/"))).toBe("quick");
    expect(written[0]).toBeLessThanOrEqual(streamWindow + (160 << 10));
    // Read on, it goes on.
    let got = 0;
    endless.stream.onData = (bytes) => (got += bytes.length);
    endless.stream.resume();
    await eventually(() => expect(got).toBeGreaterThan(streamWindow * 4));
    client.abort();
  });

  test("a long copy lets a short answer past while the connection is slow", async () => {
    const ends = tunnel((request, response) => response.send(200, {}, Buffer.alloc(request.url === "/long" ? 4 << 20 : 10)));
    ends.agentRaw.stalled = true;
    const long = get(ends, "/long").then(text);
    const short = get(ends, "/short").then(text);
    await eventually(() => expect(ends.agentRaw.queuedBytes).toBeGreaterThan(60 << 10));
    const before = ends.agentRaw.sentBytes;
    ends.agentRaw.stalled = false;
    ends.agentRaw.flush();
    await short;
    // What lay in the connection, and a few messages.
    expect(ends.agentRaw.sentBytes - before).toBeLessThan(256 << 10);
    expect(await long).toHaveLength(4 << 20);
  });

  test("unread data of all streams together is bounded", async () => {
    const ends = tunnel((_, response) => void response.send(200, {}, Buffer.alloc(200 << 10)), { mostBufferedBytes: 500 << 10 });
    const answers = await Promise.all(Array.from({ length: 4 }, (_, i) => get(ends, `/${i}`)));
    await eventually(() => expect(answers.filter(({ stream }) => stream.broken)).toHaveLength(2));
    const rest = answers.filter(({ stream }) => !stream.broken);
    expect((await Promise.all(rest.map(text))).map(({ length }) => length)).toEqual([200 << 10, 200 << 10]);
    expect(await text(await get(ends, "/again"))).toHaveLength(200 << 10);
  });

  test("what waits to be sent to a peer that takes nothing is bounded", async () => {
    const ends = tunnel((_, response) => void response.send(200, {}, Buffer.alloc(400 << 10)), { mostBufferedBytes: 1 << 20 });
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => get(ends, `/${i}`).catch((error: Error) => error.message)));
    const refused = answers.filter((answer) => answer === "too much unsent data in this tunnel" || (typeof answer !== "string" && answer.stream.broken === "too much unsent data in this tunnel"));
    expect(refused.length).toBeGreaterThan(0);
    expect(ends.agent.isOpen).toBe(true);
  });

  test("no more streams than agreed; they count until their handlers have ended", async () => {
    const release = Promise.withResolvers<void>();
    const ends = tunnel(async (_, response) => {
      await release.promise;
      if (!response.started) response.send(200, {});
    }, { mostStreams: 3 });
    const client = new AbortController();
    const waiting = [1, 2, 3].map((i) => get(ends, `/${i}`, client.signal).catch(() => undefined));
    await expect(get(ends, "/4")).rejects.toThrow("too many streams");
    client.abort();
    await Promise.all(waiting);
    await expect(get(ends, "/5")).rejects.toThrow("too many streams");
    release.resolve();
    await eventually(async () => expect((await get(ends, "/6")).status).toBe(200));
  });
});

describe("what breaks the protocol ends the tunnel", () => {
  const open = (id: number): Buffer => encodeFrame(FrameType.Open, id, Buffer.from(JSON.stringify(["GET", "/", {}, 0])));
  test.each([
    ["an unknown type", [open(1), encodeFrame(99, 1)]],
    ["a stream not begun", [encodeFrame(FrameType.Data, 9, Buffer.from("x"))]],
    ["a stream of ours not begun", [encodeFrame(FrameType.Data, 8, Buffer.from("x"))]],
    ["a number of ours", [open(2)]],
    ["a number again", [open(3), open(3)]],
    ["a smaller number", [open(5), open(3)]],
    ["more than the window", [open(1), ...Array.from({ length: 3 }, () => encodeFrame(FrameType.Data, 1, Buffer.alloc(150 << 10)))]],
    ["data behind the end", [open(1), encodeFrame(FrameType.End, 1), encodeFrame(FrameType.Data, 1, Buffer.from("x"))]],
    ["half a frame", [Buffer.from([FrameType.Data, 1, 5, 0])]],
    ["an endless integer", [Buffer.from([FrameType.Data, 255, 255, 255, 255, 255, 255])]],
    ["no credit", [open(1), encodeFrame(FrameType.Window, 1)]],
  ])("%s", async (_, frames) => {
    const [agentRaw, serverRaw] = connectionPair();
    const agent = new WebSocketConnection(agentRaw, { role: "client" });
    const server = new TunnelSession(new WebSocketConnection(serverRaw, { role: "server", maxMessageBytes: mostMessage }), { side: "server", mostStreams: 9, mostBufferedBytes: 1 << 20, serve: () => new Promise(() => {}) });
    const codes: number[] = [];
    agent.onClose = (code) => codes.push(code);
    for (const frame of frames) agent.send(frame);
    await server.closed;
    await eventually(() => expect(codes).toEqual([1002]));
  });

  test("a peer that makes us answer and reads nothing is cut off", async () => {
    const ends = tunnel(echo, { mostStreams: 0 });
    ends.serverRaw.stalled = true;
    for (let i = 0; i < 200_000 && ends.agent.isOpen && ends.server.isOpen; i++) {
      ends.agent.open({ method: "GET", url: "/", headers: {}, role: 0 });
      if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ends.server.closed).toBe("the peer does not read");
  });
});

test.each([
  ["an answer that informs", [100, {}, 0]], ["an upgrade that isn't one", [200, {}, 2]], ["a status no number", ["200", {}, 0]], ["another mode", [200, {}, 7]],
  ["a header with a line break", [200, { a: "b\r\nc: d" }, 0]], ["a header named wrongly", [200, { "a b": "c" }, 0]], ["a header that is an object", [200, { a: {} }, 0]], ["no array", {}],
])("%s is no response", (_, value) => {
  expect(() => decodeResponseHead(Buffer.from(JSON.stringify(value)))).toThrow(TunnelProtocolError);
});

test("a response's head can't frame the message", () => {
  expect(decodeResponseHead(Buffer.from(JSON.stringify([200, { "Content-Length": "7", "transfer-encoding": "chunked", Date: "x", "X-A": "b" }, 0]))).headers).toEqual({ "X-A": "b" });
});

test.each([
  ["a method with a space", ["GET /x", "/", {}, 0]], ["no path", ["GET", "http://x/", {}, 0]], ["a line break in the path", ["GET", "/\r\nx", {}, 0]], ["no role", ["GET", "/", {}, "admin"]], ["headers in an array", ["GET", "/", [], 0]],
])("%s is no request", (_, value) => {
  expect(() => decodeRequestHead(Buffer.from(JSON.stringify(value)))).toThrow(TunnelProtocolError);
});

test("frames come out as they went in", () => {
  const frames: [number, number, Buffer][] = [[FrameType.Data, 1, Buffer.from("x")], [FrameType.Data, 300, Buffer.alloc(70_000, "y")], [FrameType.Ping, 3, Buffer.alloc(0)], [FrameType.End, 2 ** 30, Buffer.alloc(0)]];
  const read: typeof frames = [];
  readFrames(Buffer.concat(frames.map(([type, id, payload]) => encodeFrame(type, id, payload))), (type, id, payload) => read.push([type, id, Buffer.from(payload)]));
  expect(read).toEqual(frames);
  expect(windowFrame(1, 131_072)).toHaveLength(6);
});

test("whatever a peer sends, a session goes on or ends; it never throws", async () => {
  const open = encodeFrame(FrameType.Open, 1, Buffer.from(JSON.stringify(["GET", "/", {}, 0])));
  const valid = Buffer.concat([open, encodeFrame(FrameType.Data, 1, Buffer.from("data")), windowFrame(1, 70_000), encodeFrame(FrameType.Ping, 3), encodeFrame(FrameType.End, 1), encodeFrame(FrameType.Reset, 1)]);
  const mutated = fc.tuple(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length)).map(([at, byte, cut]) => {
    const bytes = Buffer.from(valid);
    bytes[at] = byte;
    return bytes.subarray(0, Math.max(cut, 1));
  });
  await fc.assert(fc.asyncProperty(fc.array(fc.oneof(mutated, fc.uint8Array({ minLength: 1, maxLength: 60 })), { minLength: 1, maxLength: 6 }), async (messages) => {
    const [, raw] = connectionPair();
    const session: TunnelSession = new TunnelSession(new WebSocketConnection(raw, { role: "server", maxMessageBytes: mostMessage }), {
      side: "server", mostStreams: 4, mostBufferedBytes: 1 << 16,
      serve: (stream, head) => serveStream(session, stream, head, { handlerFor: () => ({ handler: echo }), remoteAddress: "", mostBodyBytes: 1 << 16, onError: (_, error) => { throw error as Error; } }),
    });
    for (const message of messages) raw.onData(frame(Opcode.Binary, Buffer.from(message), true));
    await new Promise((resolve) => setImmediate(resolve));
    session.destroy("the test is over");
    expect(session.streams).toBe(0);
  }), { numRuns: 300 });
});
