import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";

/** Whom a client trusts, and how it tells who it is. All are PEM. */
export interface GrpcTls {
  ca?: string;
  cert?: string;
  key?: string;
}

/** The path of a Unix socket, or a TCP port; in clear text without `tls`, which is asked for anew at each connection where it is a function. */
export type GrpcTarget = string | { host: string; port: number; tls?: GrpcTls | (() => GrpcTls) };

const windowSize = 4 * 1024 * 1024;
const connectTimeoutMs = 5000;

/** An HTTP/2 connection that has been made: over TLS the server's certificate has been checked. Rejects with the socket's error. */
export async function connect(target: GrpcTarget): Promise<http2.ClientHttp2Session> {
  const socket = await connected(target);
  const session = http2.connect(typeof target === "object" && target.tls ? "https://localhost" : "http://localhost", { createConnection: () => socket, settings: { initialWindowSize: windowSize } });
  session.unref();
  return session;
}

function connected(target: GrpcTarget): Promise<net.Socket> {
  const [socket, ready] = open(target);
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.off("error", settle);
      socket.off("close", onClose);
      if (!error) return resolve(socket);
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const onClose = (): void => settle(new Error("the connection was closed"));
    const timer = setTimeout(() => settle(Object.assign(new Error("nobody answers"), { code: "ETIMEDOUT" })), connectTimeoutMs);
    socket.on("error", settle);
    socket.on("close", onClose);
    socket.once(ready, () => {
      const refused = socket instanceof tls.TLSSocket && !socket.authorized ? socket.authorizationError : undefined;
      settle(refused ? Object.assign(new Error(String(refused)), { code: String(refused) }) : undefined);
    });
  });
}

/** The socket, and the event that says it can be used. */
function open(target: GrpcTarget): [net.Socket, "connect" | "secureConnect"] {
  if (typeof target === "string") return [net.connect(target), "connect"];
  const { host, port } = target;
  if (!target.tls) return [net.connect({ host, port }), "connect"];
  const credentials = typeof target.tls === "function" ? target.tls() : target.tls;
  return [tls.connect({ host, port, ...credentials, ALPNProtocols: ["h2"], ...(net.isIP(host) ? {} : { servername: host }) }), "secureConnect"];
}
