import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface HttpGet {
  scheme: "HTTP" | "HTTPS";
  host: string;
  port: number;
  path: string;
  headers: readonly { readonly name: string; readonly value: string }[];
  userAgent: string;
  timeoutMs: number;
}

/**
 * The status code a server answers a GET with; nothing more of the answer is read. Certificates are not verified, proxies not used, redirects not followed.
 * Rejects with an Error worded like Go's client, whose words probe events show.
 */
export function httpGet({ scheme, host, port, path, headers, userAgent, timeoutMs }: HttpGet): Promise<number> {
  const address = host.includes(":") ? `[${host}]` : host;
  const url = `${scheme.toLowerCase()}://${address}:${port}${path}`;
  const fields = new Map<string, string>([["Host", `${address}:${port}`], ["User-Agent", userAgent], ["Accept", "*/*"]]);
  for (const { name, value } of headers) fields.set([...fields.keys()].find((key) => key.toLowerCase() === name.toLowerCase()) ?? name, value);
  const request = `GET ${path} HTTP/1.1\r\n${[...fields].map(([name, value]) => `${name}: ${value}\r\n`).join("")}Connection: close\r\n\r\n`;

  return new Promise((resolve, reject) => {
    let received = "";
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(`Get ${JSON.stringify(url)}: ${why}`));
    };
    const socket: Socket = scheme === "HTTPS" ? connectTls({ host, port, rejectUnauthorized: false }) : connectTcp({ host, port });
    socket.once(scheme === "HTTPS" ? "secureConnect" : "connect", () => socket.write(request));
    const timer = setTimeout(() => fail("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"), timeoutMs);
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      const status = /^HTTP\/1\.[01] (\d{3})[ \r]/.exec(received);
      if (status) {
        clearTimeout(timer);
        socket.destroy();
        resolve(Number(status[1]));
      } else if (received.length > 64) fail("malformed HTTP response");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => fail(dialError(address, port, error)));
    socket.on("close", () => {
      clearTimeout(timer);
      fail("EOF");
    });
  });
}

/** Resolves when a connection was accepted. */
export function tcpConnect(host: string, port: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port });
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    const timer = setTimeout(() => finish(new Error(`dial tcp ${host}:${port}: i/o timeout`)), timeoutMs);
    socket.once("connect", () => finish());
    socket.once("error", (error: NodeJS.ErrnoException) => finish(new Error(dialError(host, port, error))));
  });
}

function dialError(host: string, port: number, error: NodeJS.ErrnoException): string {
  if (error.code === "ECONNREFUSED") return `dial tcp ${host}:${port}: connect: connection refused`;
  if (error.code === "EHOSTUNREACH") return `dial tcp ${host}:${port}: connect: no route to host`;
  return error.message;
}
