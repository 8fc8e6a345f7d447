import { frameChunk, type HttpHandler, type RawConnection } from "../../src/base/http.ts";

/** What the suite looks at from outside. */
export interface Seen {
  requests: string[];
  aborted: string[];
  upgraded: RawConnection[];
  /** Streams that were left open. */
  streams: { write(text: string): boolean; end(): void }[];
  /** Bytes queued when `/flood` wrote last; the most that `/paced` ever had queued. */
  flooded: number;
}

export const newSeen = (): Seen => ({ requests: [], aborted: [], upgraded: [], streams: [], flooded: 0 });

const block = Buffer.alloc(64 << 10, "x");

/** A handler with one path for each behaviour that a front has to carry. */
export function suiteHandler(seen: Seen): HttpHandler {
  return async (request, response) => {
    const path = request.url.split("?", 1)[0]!;
    seen.requests.push(`${request.method} ${request.url}`);
    switch (path) {
      case "/hello":
        return response.send(200, { "Content-Type": "text/plain" }, "hello");
      case "/who":
        return response.send(200, {}, JSON.stringify({ peer: request.peer, peerError: request.peerError, remoteAddress: request.remoteAddress }));
      case "/headers":
        return response.send(200, {}, JSON.stringify(request.headers));
      case "/echo":
        return response.send(200, {}, await request.body());
      case "/ignore":
        return response.send(403, {}, "no");
      case "/throw":
        throw new Error("secret detail");
      case "/reject":
        await Promise.resolve();
        throw new Error("secret detail");
      case "/inject":
        return response.send(200, { "X-Reflected": "a\r\nSet-Cookie: b" }, "");
      case "/empty":
        return response.send(204, {});
      case "/big":
        return response.send(200, {}, Buffer.alloc(8 << 20, "b"));
      case "/watch": {
        const stream = response.stream(200, { "Content-Type": "application/json" });
        stream.write("one\n");
        stream.writeFramed(frameChunk("two\n"));
        request.signal.addEventListener("abort", () => seen.aborted.push(path));
        seen.streams.push(stream);
        return;
      }
      case "/cut": {
        const stream = response.stream(200, {});
        stream.write("begun");
        await stream.drained();
        return stream.abort();
      }
      case "/wait":
        request.signal.addEventListener("abort", () => seen.aborted.push(path));
        return;
      case "/flood": {
        const stream = response.stream(200, {});
        while (!request.signal.aborted) {
          stream.write(block);
          seen.flooded = stream.queuedBytes;
          await new Promise((resolve) => setImmediate(resolve));
        }
        return void seen.aborted.push(path);
      }
      case "/paced": {
        seen.flooded = 0;
        const stream = response.stream(200, {});
        for (let i = 0; i < 256; i++) {
          if (!stream.write(block)) await stream.drained();
          seen.flooded = Math.max(seen.flooded, stream.queuedBytes);
        }
        return stream.end();
      }
      case "/upgrade": {
        const raw = response.upgrade({ Connection: "Upgrade", Upgrade: "echo" });
        raw.onData = (bytes) => {
          if (bytes.includes("quit")) return raw.end();
          raw.write(Buffer.concat([Buffer.from("<"), bytes, Buffer.from(">")]));
        };
        raw.onClose = () => seen.aborted.push(path);
        return void seen.upgraded.push(raw);
      }
      case "/upgrade-later": {
        await new Promise((resolve) => setTimeout(resolve, 20));
        const raw = response.upgrade({ Connection: "Upgrade", Upgrade: "echo" });
        raw.onData = (bytes) => void raw.write(Buffer.from(bytes));
        return;
      }
      default:
        return response.send(404, {}, "not found");
    }
  };
}
