import type { Socket } from "bun";

export interface Through {
  hostname: string;
  port: number;
  /** The proxy has made the connection: what is written to the socket from here on goes there. To be taken over at once. */
  onThrough(socket: Socket<undefined>): void;
  /** It has not, or no more. */
  onFailure(error: Error): void;
}

/** A longer answer is none of a proxy's. */
const mostHeadBytes = 16 << 10;

/** Connects to an HTTP proxy, and asks it for a connection to somewhere else (RFC 9110 section 9.3.6). Rejects when the proxy itself can't be reached. */
export async function connectThrough(proxy: URL, { hostname, port, onThrough, onFailure }: Through): Promise<{ terminate(): void }> {
  if (proxy.protocol !== "http:") throw new Error(`the proxy ${proxy.protocol}//${proxy.host} can't be used: only proxies that are spoken to by http:// are supported`);
  const host = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const credentials = proxy.username ? `Proxy-Authorization: Basic ${Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString("base64")}\r\n` : "";
  let head = Buffer.alloc(0), over = false;
  const fail = (socket: Socket<undefined>, reason: string): void => {
    onFailure(new Error(reason));
    socket.terminate();
  };
  const data = (socket: Socket<undefined>, bytes: Buffer): void => {
    // Once it was taken over, these are seen here as well.
    if (over) return;
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return head.length > mostHeadBytes ? fail(socket, `the proxy ${proxy.host} answers with no end`) : undefined;
    over = true;
    const [statusLine = ""] = head.toString("latin1", 0, end).split("\r\n", 1);
    if (!/^HTTP\/1\.[01] 2\d\d\b/.test(statusLine)) return fail(socket, `the proxy ${proxy.host} does not connect to ${host}: ${statusLine.slice(9, 100)}; where there is a straight way, name ${hostname} in NO_PROXY`);
    onThrough(socket);
  };
  return Bun.connect<undefined>({
    hostname: proxy.hostname.replace(/^\[|\]$/g, ""), port: Number(proxy.port || 80),
    socket: {
      open: (socket) => void socket.write(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n${credentials}\r\n`),
      data,
      close: () => onFailure(new Error(`the proxy ${proxy.host} closed the connection to ${host}`)),
      error: (socket) => void socket.terminate(),
    },
  }).catch((error: Error) => {
    throw new Error(`the proxy ${proxy.host} can't be reached: ${error.message}`, { cause: error });
  });
}
