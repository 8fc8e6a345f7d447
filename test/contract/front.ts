import net from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Front, FrontLimits, ListenFront } from "../../src/apiserver/front/front.ts";
import { eventually } from "../support/eventually.ts";
import { makeAuthority, serverTls, type Authority, type KeyPair } from "./front-certificates.ts";
import { connect, responses, type RawClient } from "./front-client.ts";
import { framingCases } from "./front-framing.ts";
import { newSeen, suiteHandler, type Seen } from "./front-handler.ts";

const limits: Partial<FrontLimits> = { requestLineBytes: 2048, headerBytes: 8192, headerCount: 50, bodyBytes: 1 << 20, streamQueueBytes: 1 << 20 };
/** For tests of clients that are slow; on a busy machine all may be. */
const soon: Partial<FrontLimits> = { headerTimeoutMs: 400, bodyTimeoutMs: 400, bodyProgressBytes: 64, idleTimeoutMs: 1000 };

/** What every front promises, over real TLS sockets. */
export function frontContract(name: string, listenFront: ListenFront): void {
  describe(name, () => {
    let authority: Authority;
    let foreign: Authority;
    let front: Front;
    let seen: Seen;
    const open: RawClient[] = [];

    beforeAll(async () => {
      [authority, foreign] = await Promise.all([makeAuthority("client-ca"), makeAuthority("foreign-ca")]);
      seen = newSeen();
      front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), limits, handler: suiteHandler(seen) });
    });
    afterAll(async () => {
      for (const client of open) client.destroy();
      await front.stop({ graceMs: 0 });
    });

    const dial = async (identity?: KeyPair, port = front.port): Promise<RawClient> => {
      const client = await connect({ port, ca: authority.cert, identity });
      open.push(client);
      return client;
    };
    const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const answers = (count: number) => (client: RawClient): boolean => responses(client.text).length >= count;

    describe("framing (RFC 9112)", () => {
      test.each(framingCases)("$name", async ({ send, status, body, closes }) => {
        const client = await dial();
        client.send(send);
        await client.until(answers(status.length));
        const got = responses(client.text);
        expect(got.map((r) => r.status)).toEqual(status);
        if (body !== undefined) expect(got.map((r) => r.body)).toEqual(body);
        if (closes) {
          await client.until((c) => c.closed);
          expect(responses(client.text)).toHaveLength(status.length);
        }
      });

      test("a request that comes byte by byte", async () => {
        const client = await dial();
        for (const byte of `POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n`) {
          client.send(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await client.until(answers(1));
        expect(responses(client.text)[0]!.body).toBe("abcde");
      });

      test("HEAD is answered with the length and no body; 204 without length", async () => {
        const client = await dial();
        client.send(`HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n${get("/empty")}${get("/nothing")}`);
        await client.until((c) => c.text.endsWith("not found"));
        const heads = client.text.split("\r\n\r\n");
        expect(heads[0]).toMatch(/^HTTP\/1\.1 200 /);
        expect(heads[0]).toMatch(/content-length: 5/i);
        expect(heads[1]).toMatch(/^HTTP\/1\.1 204 /);
        expect(heads[1]).not.toMatch(/content-length/i);
      });

      test("Expect: 100-continue is answered when the handler wants the body", async () => {
        const client = await dial();
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
        await client.until((c) => c.text.includes("\r\n\r\n"));
        expect(client.text).toMatch(/^HTTP\/1\.1 100 /);
        client.send("abc");
        await client.until((c) => c.text.endsWith("abc"));
      });

      test("a body that nobody reads ends the connection instead of passing for a request", async () => {
        const client = await dial();
        client.send("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n");
        await client.until(answers(1));
        client.send(get("/smuggled"));
        await client.until((c) => c.closed);
        expect(responses(client.text).map((r) => r.status)).toEqual([403]);
        expect(client.text).toMatch(/connection: close/i);
        expect(seen.requests).not.toContain("GET /smuggled");
      });

      test("chunks are refused one by one: a bad size after a good chunk", async () => {
        const client = await dial();
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        await eventually(() => expect(seen.requests.at(-1)).toBe("POST /echo"));
        client.send("xyz\r\n");
        await client.until((c) => c.closed);
        expect(responses(client.text)[0]?.status).toBe(400);
      });
    });

    describe("limits", () => {
      test.each([
        ["request line", `GET /${"a".repeat(3000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
        ["unfinished request line", `GET /${"a".repeat(9000)}`, 414],
        ["header bytes", get("/hello", `X: ${"a".repeat(9000)}\r\n`), 431],
        ["unfinished header", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(9000)}`, 431],
        ["header count", get("/hello", "X: 1\r\n".repeat(60)), 431],
        ["announced body", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413],
        ["announced chunk", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", 413],
      ])("%s", async (_what, bytes, status) => {
        const client = await dial();
        client.send(bytes);
        await client.until((c) => c.closed);
        expect(responses(client.text).map((r) => r.status)).toEqual([status]);
      });

      test("a body of exactly the limit, and one byte more in chunks", async () => {
        const client = await dial();
        client.send(`POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${1 << 20}\r\n\r\n`);
        client.send("z".repeat(1 << 20));
        await client.until(answers(1));
        expect(responses(client.text)[0]!.body).toHaveLength(1 << 20);
        const second = await dial();
        second.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (let i = 0; i < 17; i++) second.send(`10000\r\n${"z".repeat(1 << 16)}\r\n`);
        await second.until((c) => responses(c.text).length > 0);
        expect(responses(second.text)[0]!.status).toBe(413);
      });
    });

    describe("slow clients", () => {
      let impatient: Front;
      beforeAll(async () => void (impatient = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), limits: { ...limits, ...soon }, handler: suiteHandler(seen) })));
      afterAll(() => impatient.stop({ graceMs: 0 }));

      test("a header that never ends is given up", async () => {
        const client = await dial(undefined, impatient.port);
        client.send("GET /hello HTTP/1.1\r\nHost: x\r\n");
        await client.until((c) => c.closed);
      });
      test("a body that stalls is given up", async () => {
        const client = await dial(undefined, impatient.port);
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
        await client.until((c) => c.closed);
        expect(client.text).not.toMatch(/^HTTP\/1\.1 200/);
      });
      test("an idle connection is closed; a silent watch is not", async () => {
        const [idle, watch] = await Promise.all([dial(undefined, impatient.port), dial(undefined, impatient.port)]);
        idle.send(get("/hello"));
        watch.send(get("/watch"));
        await idle.until((c) => c.closed);
        await new Promise((resolve) => setTimeout(resolve, 700));
        expect(watch.closed).toBe(false);
        seen.streams.at(-1)!.write("three\n");
        await watch.until((c) => c.text.includes("three"));
      });
      test("a stream that is not read is cut off", async () => {
        const client = await dial();
        client.send(get("/flood"));
        await client.until((c) => c.received.length > 0);
        client.pause();
        await eventually(() => expect(seen.aborted).toContain("/flood"));
        expect(seen.flooded).toBeLessThan((1 << 20) + (256 << 10));
      });
      test("a handler that waits for drained() is slowed down, and all arrives", async () => {
        const client = await dial();
        client.send(get("/paced"));
        await client.until((c) => c.received.length > 0);
        client.pause();
        await new Promise((resolve) => setTimeout(resolve, 100));
        client.resume();
        await client.until((c) => c.received.length > 16 << 20 && c.text.endsWith("0\r\n\r\n"));
        expect(seen.flooded).toBeLessThan(1 << 20);
      });
      test("a large response reaches a client that pauses", async () => {
        const client = await dial();
        client.send(get("/big"));
        await client.until((c) => c.received.length > 0);
        client.pause();
        await new Promise((resolve) => setTimeout(resolve, 100));
        client.resume();
        await client.until((c) => c.received.length >= 8 << 20);
        await client.until(answers(1));
      });
    });

    describe("responses", () => {
      test.each(["/throw", "/reject", "/inject"])("%s: a failing handler is answered with a Status, without its secrets", async (path) => {
        const client = await dial();
        client.send(get(path) + get("/hello"));
        await client.until(answers(2));
        const [failed, next] = responses(client.text);
        expect(failed!.status).toBe(500);
        expect(JSON.parse(failed!.body)).toMatchObject({ kind: "Status", status: "Failure", reason: "InternalError", code: 500 });
        expect(client.text).not.toContain("secret detail");
        expect(client.text).not.toContain("Set-Cookie");
        expect(next!.body).toBe("hello");
      });

      test("a stream is chunked, ends properly, and the connection lives on", async () => {
        const client = await dial();
        client.send(get("/watch"));
        await client.until((c) => c.text.includes("4\r\ntwo\n\r\n"));
        expect(client.text).toMatch(/transfer-encoding: chunked/i);
        seen.streams.at(-1)!.end();
        await client.until((c) => c.text.endsWith("0\r\n\r\n"));
        client.send(get("/hello"));
        await client.until((c) => c.text.endsWith("hello"));
      });

      test("an aborted stream has no proper end", async () => {
        const client = await dial();
        client.send(get("/cut"));
        await client.until((c) => c.closed);
        expect(client.text).toContain("begun");
        expect(client.text).not.toContain("0\r\n\r\n");
      });

      test("an HTTP/1.0 client gets a stream without chunks, ended by the close", async () => {
        const client = await dial();
        client.send("GET /watch HTTP/1.0\r\n\r\n");
        await client.until((c) => c.text.endsWith("one\ntwo\n"));
        seen.streams.at(-1)!.end();
        await client.until((c) => c.closed);
        expect(client.text).not.toMatch(/transfer-encoding/i);
      });

      test.each(["/wait", "/watch"])("%s: the signal aborts when the client goes away", async (path) => {
        const client = await dial();
        const before = seen.aborted.length;
        const asked = seen.requests.length;
        client.send(get(path));
        await eventually(() => expect(seen.requests.length).toBeGreaterThan(asked));
        client.destroy();
        await eventually(() => expect(seen.aborted.slice(before)).toContain(path));
      });

      test("a thousand streams at once, one event to all", async () => {
        const many = newSeen();
        // The first ask when the last are connected.
        const other = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), limits: { headerTimeoutMs: 120_000 }, handler: suiteHandler(many) });
        const clients = await Promise.all(Array.from({ length: 1000 }, () => dial(undefined, other.port)));
        await eventually(() => expect(other.connections).toBe(1000));
        for (const client of clients) client.send(get("/watch"));
        await eventually(() => expect(many.streams.length).toBe(1000));
        for (const stream of many.streams) stream.write("to all\n");
        await Promise.all(clients.map((client) => client.until((c) => c.text.includes("to all"))));
        for (const client of clients) client.destroy();
        await eventually(() => expect(many.aborted.length).toBe(1000));
        await eventually(() => expect(other.connections).toBe(0));
        await other.stop({ graceMs: 0 });
      }, 180_000);
    });

    describe("upgrades", () => {
      test.each(["/upgrade", "/upgrade-later"])("%s: bytes sent with the request and after the 101 all arrive, in order", async (path) => {
        const client = await dial();
        client.send(get(path, "Connection: Upgrade\r\nUpgrade: echo\r\n") + "early");
        await client.until((c) => c.text.includes("early"));
        expect(client.text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
        client.send("late");
        await client.until((c) => c.text.includes("late"));
        expect(client.text.indexOf("early")).toBeLessThan(client.text.indexOf("late"));
        expect(client.text).not.toMatch(/content-length|transfer-encoding/i);
      });
      test("end() closes the connection, and onClose is told", async () => {
        const client = await dial();
        client.send(get("/upgrade", "Connection: Upgrade\r\nUpgrade: echo\r\n"));
        await client.until((c) => c.text.includes("\r\n\r\n"));
        const before = seen.aborted.length;
        client.send("quit");
        await client.until((c) => c.closed);
        await eventually(() => expect(seen.aborted.slice(before)).toContain("/upgrade"));
      });
      test("pause() stops delivery until resume()", async () => {
        const client = await dial();
        client.send(get("/upgrade", "Connection: Upgrade\r\nUpgrade: echo\r\n"));
        await client.until((c) => c.text.includes("\r\n\r\n"));
        const raw = seen.upgraded.at(-1)!;
        raw.pause();
        client.send("held");
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(client.text).not.toContain("held");
        raw.resume();
        await client.until((c) => c.text.includes("<held>"));
      });
      test("a refused upgrade leaves an ordinary connection", async () => {
        const client = await dial();
        client.send(get("/hello", "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n") + get("/hello"));
        await client.until(answers(2));
      });
    });

    describe("client certificates", () => {
      const ask = async (identity?: KeyPair): Promise<{ peer?: unknown; peerError?: string }> => {
        const client = await dial(identity);
        client.send(get("/who"));
        await client.until(answers(1));
        return JSON.parse(responses(client.text)[0]!.body);
      };
      test("a good one is the identity", async () => {
        const { peer, peerError } = await ask(await authority.issue("CN=alice,O=system:masters,O=dev"));
        expect(peer).toEqual({ commonName: "alice", organizations: ["system:masters", "dev"], fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/) });
        expect(peerError).toBeUndefined();
      });
      test("none", async () => {
        const { peer, peerError } = await ask();
        expect(peer).toBeUndefined();
        expect(peerError).toBeUndefined();
      });
      test("an expired one proves nothing", async () => {
        const { peer, peerError } = await ask(await authority.issue("CN=alice,O=system:masters", { validMs: -60_000 }));
        expect(peer).toBeUndefined();
        expect(peerError).toBe("CERT_HAS_EXPIRED");
      });
      test("one that expires while its connection is open proves nothing any more", async () => {
        const client = await dial(await authority.issue("CN=alice", { validMs: 4_000 }));
        client.send(get("/who"));
        await client.until(answers(1));
        expect(JSON.parse(responses(client.text)[0]!.body).peer.commonName).toBe("alice");
        let asked = 1;
        await eventually(async () => {
          client.send(get("/who"));
          await client.until(answers(++asked));
          expect(JSON.parse(responses(client.text)[asked - 1]!.body)).toMatchObject({ peerError: "CERT_HAS_EXPIRED" });
        }, { interval: 100 });
        expect(JSON.parse(responses(client.text)[asked - 1]!.body).peer).toBeUndefined();
      });
      test("one of another CA proves nothing", async () => {
        const { peer, peerError } = await ask(await foreign.issue("CN=alice,O=system:masters"));
        expect(peer).toBeUndefined();
        expect(peerError).toMatch(/UNABLE_TO/);
      });
      test("a server's certificate proves nothing", async () => {
        const { peer, peerError } = await ask(await authority.issue("CN=alice,O=system:masters", { server: true }));
        expect(peer).toBeUndefined();
        expect(peerError).toBe("INVALID_PURPOSE");
      });
      test("one without a common name proves nothing", async () => {
        const { peer, peerError } = await ask(await authority.issue("O=system:masters"));
        expect(peer).toBeUndefined();
        expect(peerError).toBe("NO_SINGLE_COMMON_NAME");
      });
    });

    test("plain HTTP is told that this is HTTPS, in the words Go's servers use", async () => {
      for (const send of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"]) {
        const text = await new Promise<string>((resolve, reject) => {
          let received = "";
          const socket = net.connect(front.port, "127.0.0.1", () => socket.write(send));
          socket.setTimeout(30_000, () => socket.destroy(new Error("no answer")));
          socket.on("data", (bytes) => (received += bytes.toString()));
          socket.on("error", reject);
          socket.on("close", () => resolve(received));
        });
        expect(text).toBe("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
      }
    });

    describe("lifetime", () => {
      test("a port that is taken is an error", async () => {
        const tls = await serverTls(authority);
        await expect(listenFront({ hostname: "127.0.0.1", port: front.port, tls, handler: () => {} })).rejects.toMatchObject({ code: "EADDRINUSE" });
      });

      test("reload: new connections see the new certificate, running streams live on", async () => {
        const streams: Seen = newSeen();
        const other = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), handler: suiteHandler(streams) });
        const watch = await dial(undefined, other.port);
        watch.send(get("/watch"));
        await watch.until((c) => c.text.includes("two"));
        await other.reload(await serverTls(foreign));
        await expect(connect({ port: other.port, ca: authority.cert })).rejects.toThrow();
        const fresh = await connect({ port: other.port, ca: foreign.cert, identity: await foreign.issue("CN=bob") });
        fresh.send(get("/who"));
        await fresh.until(answers(1));
        expect(responses(fresh.text)[0]!.body).toContain("bob");
        streams.streams[0]!.write("still here\n");
        await watch.until((c) => c.text.includes("still here"));
        fresh.destroy();
        await other.stop({ graceMs: 0 });
        await watch.until((c) => c.closed);
      });

      test("stop: idle connections close at once, running exchanges finish, nothing new is accepted", async () => {
        const streams: Seen = newSeen();
        const other = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), handler: suiteHandler(streams) });
        const [idle, busy] = await Promise.all([dial(undefined, other.port), dial(undefined, other.port)]);
        idle.send(get("/hello"));
        busy.send(get("/watch"));
        await Promise.all([idle.until(answers(1)), busy.until((c) => c.text.includes("two"))]);
        const stopped = other.stop({ graceMs: 60_000 });
        await idle.until((c) => c.closed);
        await expect(connect({ port: other.port, ca: authority.cert })).rejects.toThrow();
        streams.streams[0]!.write("last words\n");
        streams.streams[0]!.end();
        await busy.until((c) => c.closed);
        expect(busy.text).toContain("last words");
        expect(busy.text.endsWith("0\r\n\r\n")).toBe(true);
        await stopped;
      });
    });
  });
}
