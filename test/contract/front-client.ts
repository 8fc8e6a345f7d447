import tls from "node:tls";
import type { KeyPair } from "./front-certificates.ts";

/** A raw TLS client: sends exactly the bytes it is told and shows exactly what came back. */
export interface RawClient {
  readonly received: Buffer;
  readonly text: string;
  readonly closed: boolean;
  send(bytes: string | Uint8Array): void;
  /** Resolves when `done` holds; rejects after half a minute with what was received. */
  until(done: (client: RawClient) => boolean): Promise<void>;
  pause(): void;
  resume(): void;
  destroy(): void;
}

export interface ClientOptions {
  port: number;
  ca: string;
  identity?: KeyPair;
  alpn?: string[];
}

const patienceMs = 30_000;

export function connect({ port, ca, identity, alpn }: ClientOptions): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const watchers = new Set<() => void>();
    let closed = false;
    const socket = tls.connect({ host: "127.0.0.1", port, ca, servername: "localhost", ...identity, ...(alpn ? { ALPNProtocols: alpn } : {}) });
    const changed = (): void => {
      for (const watcher of watchers) watcher();
    };
    const client: RawClient = {
      get received() {
        return Buffer.concat(pieces);
      },
      get text() {
        return client.received.toString("latin1");
      },
      get closed() {
        return closed;
      },
      send: (bytes) => void socket.write(bytes),
      until: (done) => new Promise((met, unmet) => {
        const timer = setTimeout(() => {
          watchers.delete(check);
          unmet(new Error(`not within ${patienceMs} ms; closed=${closed}; received ${JSON.stringify(client.text.slice(0, 600))}`));
        }, patienceMs);
        const check = (): void => {
          if (!done(client)) return;
          clearTimeout(timer);
          watchers.delete(check);
          met();
        };
        watchers.add(check);
        check();
      }),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      destroy: () => void socket.destroy(),
    };
    socket.on("data", (bytes: Buffer) => {
      pieces.push(bytes);
      changed();
    });
    socket.on("close", () => {
      closed = true;
      changed();
    });
    socket.once("error", reject);
    socket.on("error", () => {});
    socket.once("secureConnect", () => resolve(client));
  });
}

/** The complete responses in `text` that have a Content-Length. */
export function responses(text: string): { status: number; head: string; body: string }[] {
  const found = [];
  for (let at = 0; ;) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0) return found;
    const head = text.slice(at, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (text.length < end + 4 + length) return found;
    found.push({ status: Number(head.slice(9, 12)), head, body: text.slice(end + 4, end + 4 + length) });
    at = end + 4 + length;
  }
}
