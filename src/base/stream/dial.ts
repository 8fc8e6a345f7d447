import type { SocketHandler } from "bun";
import type { RawConnection } from "../http.ts";
import { connectThrough } from "./connect-through.ts";
import { Output } from "./output.ts";
import { SocketConnection } from "./raw-connection.ts";

interface Dialled {
  output: Output;
  connection: SocketConnection;
}

export interface DialOptions {
  hostname: string;
  port: number;
  /** For all of it, the TLS handshake too. */
  timeoutMs: number;
}

/** PEM texts. The peer must show a certificate for `hostname` that `ca` issued. */
export interface DialTls {
  ca: string;
  cert: string;
  key: string;
}

/** A connection that was made, and the address it has on this side. */
export interface DialledConnection {
  connection: RawConnection;
  localAddress: string;
}

/** A plain TCP connection. Rejects when nobody answers within `timeoutMs`. */
export const dialTcp = async (options: DialOptions): Promise<RawConnection> => (await dial(options)).connection;

/** A TLS connection with a client certificate, through an HTTP proxy where one is named. Rejects also when the peer is not whom it should be. */
export const dialTls = (options: DialOptions & { tls: DialTls; proxy?: URL }): Promise<DialledConnection> => dial(options, options.tls, options.proxy);

async function dial({ hostname, port, timeoutMs }: DialOptions, tls?: DialTls, proxy?: URL): Promise<DialledConnection> {
  const ready = Promise.withResolvers<DialledConnection>();
  ready.promise.catch(() => {}); // its failure is told by the race below
  const secured = tls && { ca: tls.ca, cert: tls.cert, key: tls.key, rejectUnauthorized: true, serverName: hostname };
  const handler: SocketHandler<Dialled> = {
    open(socket) {
      const output = new Output(socket);
      const connection = new SocketConnection(socket, output, Buffer.alloc(0));
      socket.data = { output, connection };
      socket.setNoDelay(true);
      if (!tls) ready.resolve({ connection, localAddress: socket.localAddress });
    },
    handshake(socket, success, error) {
      if (success && socket.authorized) return ready.resolve({ connection: socket.data.connection, localAddress: socket.localAddress });
      ready.reject(error ?? new Error(`the certificate of ${hostname}:${port} is not valid`));
      socket.terminate();
    },
    data: (socket, bytes) => socket.data.connection.deliver(bytes),
    drain: (socket) => socket.data.output.flush(),
    close(socket) {
      ready.reject(new Error(`${hostname}:${port} closed the connection`));
      socket.data?.output.close();
      socket.data?.connection.close();
    },
    error: (socket) => {
      socket.terminate();
    },
  };
  const connecting: Promise<{ terminate(): void }> = proxy && secured
    ? connectThrough(proxy, { hostname, port, onFailure: ready.reject, onThrough: (socket) => socket.upgradeTLS<Dialled>({ data: undefined as never, tls: secured, socket: handler }) })
    : Bun.connect<Dialled>({ hostname, port, ...(secured ? { tls: secured } : {}), socket: handler });
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Error(`no connection to ${hostname}:${port}${proxy ? ` through the proxy ${proxy.host}` : ""} within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([Promise.all([ready.promise, connecting]).then(([dialled]) => dialled), timer.promise]);
  } catch (error) {
    connecting.then((late) => late.terminate(), () => {});
    throw error;
  } finally {
    clearTimeout(timeout);
  }
}
