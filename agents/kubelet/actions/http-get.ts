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

/** What a server answers: its status code, and of one that sends us elsewhere where to, and what it says to that. */
export interface HttpAnswer {
  status: number;
  location?: string;
  body: string;
}

/** As much of an answer as is read. */
const mostBytes = 10 * 1024;
const mostRedirects = 10;

/** A GET that goes where it is sent, as long as that is the same host. Source: k8s.io/kubernetes/pkg/probe/http RedirectChecker. */
export async function httpGetFollowing(get: HttpGet): Promise<HttpAnswer> {
  let current = get;
  for (let hops = 0; ; hops++) {
    const answer = await httpGet(current);
    if (answer.location === undefined) return answer;
    const target = URL.parse(answer.location, urlOf(current));
    if (!target || !["http:", "https:"].includes(target.protocol) || target.hostname !== new URL(urlOf(get)).hostname) return answer;
    if (hops >= mostRedirects) throw new Error(`Get ${JSON.stringify(target.href)}: stopped after ${mostRedirects} redirects`);
    const scheme = target.protocol === "https:" ? "HTTPS" : "HTTP";
    current = { ...get, scheme, port: Number(target.port || (scheme === "HTTPS" ? 443 : 80)), path: `${target.pathname}${target.search}` };
  }
}

const addressOf = ({ host }: HttpGet): string => (host.includes(":") ? `[${host}]` : host);
const urlOf = (get: HttpGet): string => `${get.scheme.toLowerCase()}://${addressOf(get)}:${get.port}${get.path}`;

/**
 * What a server answers a GET with; of answers that don't send us elsewhere only the status is read. Certificates are not verified, proxies not used.
 * Rejects with an Error worded like Go's client, whose words probe events show.
 */
export function httpGet(get: HttpGet): Promise<HttpAnswer> {
  const { scheme, host, port, path, headers, userAgent, timeoutMs } = get;
  const address = addressOf(get), url = urlOf(get);
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
    const finish = (answer: HttpAnswer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.once(scheme === "HTTPS" ? "secureConnect" : "connect", () => socket.write(request));
    const timer = setTimeout(() => fail("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"), timeoutMs);
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      const status = /^HTTP\/1\.[01] (\d{3})[ \r]/.exec(received)?.[1];
      if (status === undefined) {
        if (received.length > 64) fail("malformed HTTP response");
      } else if (!status.startsWith("3") || isWhole(received)) finish(readAnswer(received));
    });
    socket.on("error", (error: NodeJS.ErrnoException) => fail(dialError(address, port, error)));
    socket.on("close", () => {
      clearTimeout(timer);
      if (received.startsWith("HTTP/1.")) finish(readAnswer(received));
      else fail("EOF");
    });
  });
}

const endOfHead = "\r\n\r\n";

function isWhole(received: string): boolean {
  const head = received.indexOf(endOfHead);
  if (head < 0) return received.length > mostBytes;
  const length = /^content-length: *(\d+)\r?$/im.exec(received.slice(0, head + 2))?.[1];
  return received.length - head - endOfHead.length >= Math.min(Number(length ?? mostBytes), mostBytes);
}

function readAnswer(received: string): HttpAnswer {
  const end = received.indexOf(endOfHead);
  const head = end < 0 ? received : received.slice(0, end + 2);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
  const location = status >= 300 && status < 400 ? /^location: *(.*?)\r$/im.exec(head)?.[1] : undefined;
  const rest = end < 0 ? "" : received.slice(end + endOfHead.length);
  const body = /^transfer-encoding: *chunked\r$/im.test(head) ? unchunked(rest) : rest;
  return { status, ...(location === undefined ? {} : { location }), body: Buffer.from(body.slice(0, mostBytes), "latin1").toString() };
}

function unchunked(text: string): string {
  let body = "";
  for (let at = 0; ; ) {
    const [line, size] = /^([0-9a-f]+)[^\r\n]*\r\n/i.exec(text.slice(at, at + 100)) ?? [];
    const length = Number.parseInt(size ?? "0", 16);
    if (!line || length === 0) return body;
    body += text.slice(at + line.length, at + line.length + length);
    at += line.length + length + 2;
  }
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
