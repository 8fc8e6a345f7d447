import { createServer, type TLSSocket } from "node:tls";
import type { ByteSocket } from "../../base/stream/output.ts";
import { unmapped } from "../../base/ip.ts";
import { AddressCount } from "./address-count.ts";
import { Connection, type Shared } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { clientCas, defaultLimits, type Front, type FrontOptions, type FrontTls } from "./front.ts";
import { frontProxyTest, identify } from "./peer.ts";
import { answerPlainHttp, isPlainHttp } from "./plain-http.ts";

const keepAliveProbeMs = 30_000;
/** Handed to the socket at once: the rest waits where its progress is watched. */
const writeBytes = 64 << 10;

/**
 * The front on `node:tls`, the conservative choice: the same HTTP/1.1, over sockets that behave as Node documents. Not on `node:http2` with
 * `allowHTTP1`, whose parser lets `Transfer-Encoding: gzip, chunked` pass and loses responses before a pipelined request.
 */
export async function listenNodeFront(options: FrontOptions): Promise<Front> {
  const connections = new Map<TLSSocket, Connection>();
  const shared: Shared = { handler: options.handler, limits: { ...defaultLimits, ...options.limits }, deadlines: new Deadlines(), stopping: false };
  const addresses = new AddressCount(shared.limits.connectionsPerAddress);
  let onEmpty: (() => void) | undefined;

  let isFrontProxy = frontProxyTest(options.tls.requestHeaderCa);
  const server = createServer({
    ...credentials(options.tls), requestCert: true, rejectUnauthorized: false, minVersion: "TLSv1.2", ALPNProtocols: ["http/1.1"],
    handshakeTimeout: shared.limits.headerTimeoutMs, allowHalfOpen: false,
  });
  server.on("tlsClientError", (error, socket) => {
    if (isPlainHttp(error)) answerPlainHttp((socket as { _handle?: { fd?: number } })._handle?.fd);
    socket.destroy();
  });
  server.on("secureConnection", (socket) => {
    const address = socket.remoteAddress ?? "";
    if (connections.size >= shared.limits.connections || shared.stopping || !addresses.add(address)) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveProbeMs);
    const adapter = new TlsByteSocket(socket);
    const connection = new Connection(adapter, shared);
    connection.identity = identify({ authorized: socket.authorized, certificate: socket.getPeerCertificate(), error: errorCode(socket) }, isFrontProxy);
    connections.set(socket, connection);
    socket.on("data", (bytes: Buffer) => connection.data(bytes));
    socket.on("drain", () => {
      adapter.full = false;
      connection.drain();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      connections.delete(socket);
      addresses.remove(address);
      connection.closed();
      if (connections.size === 0) onEmpty?.();
    });
  });

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.hostname, resolve);
  });
  const { port } = server.address() as { port: number };
  return {
    port,
    get connections() {
      return connections.size;
    },
    async reload(tls) {
      isFrontProxy = frontProxyTest(tls.requestHeaderCa);
      server.setSecureContext(credentials(tls));
    },
    async stop({ graceMs }) {
      shared.stopping = true;
      server.close();
      for (const connection of connections.values()) connection.closeIfIdle();
      if (connections.size === 0) return;
      const empty = new Promise<void>((resolve) => (onEmpty = resolve));
      const cut = setTimeout(() => {
        for (const connection of connections.values()) connection.cut();
      }, graceMs);
      await empty;
      clearTimeout(cut);
    },
  };
}

const credentials = (tls: FrontTls) => ({ cert: tls.cert, key: tls.key, ca: clientCas(tls) });

/** Node has the code itself here, whatever its types say; Bun an error. */
function errorCode({ authorizationError }: TLSSocket): string | undefined {
  const error = authorizationError as unknown as string | NodeJS.ErrnoException | null | undefined;
  return typeof error === "string" ? error : error?.code;
}

/** Node's sockets take everything and queue it; this one takes no more while something is queued. */
class TlsByteSocket implements ByteSocket {
  full = false;
  readonly remoteAddress: string;

  constructor(private readonly socket: TLSSocket) {
    this.remoteAddress = unmapped(socket.remoteAddress ?? "");
  }

  write(bytes: Uint8Array): number {
    if (this.socket.destroyed || this.socket.writableEnded) return -1;
    let taken = 0;
    while (!this.full && taken < bytes.length) {
      const slice = bytes.subarray(taken, taken + writeBytes);
      this.full = !this.socket.write(slice);
      taken += slice.length;
    }
    return taken;
  }

  end(): void {
    this.socket.end();
  }

  shutdown(): void {
    this.socket.end();
  }

  terminate(): void {
    this.socket.destroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }
}
