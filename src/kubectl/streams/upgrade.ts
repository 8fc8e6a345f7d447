import { randomBytes } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Duplex } from "node:stream";
import type { Api } from "../api.ts";
import { statusOfText } from "../api.ts";
import { ConnectionError, KubectlError, ServerError } from "../errors.ts";
import { acceptKey } from "../../base/websocket/handshake.ts";
import { WebSocketConnection } from "../../base/websocket/websocket.ts";
import { NodeConnection } from "./node-connection.ts";

export interface Upgraded {
  socket: WebSocketConnection;
  /** What the server chose of `protocols`. */
  protocol: string;
}

const connectTimeout = 30_000;

/** Opens a WebSocket to a path of the server. Throws what the server answers instead. Set the socket's callbacks at once, then call `start`. */
export async function openWebSocket({ connection, headers }: Pick<Api, "connection" | "headers">, path: string, query: URLSearchParams, protocols: readonly string[]): Promise<Upgraded & { start(): void }> {
  const url = new URL(`${connection.server}${path}?${query}`);
  const socket = await dial(url, connection);
  const key = randomBytes(16).toString("base64");
  const fields = headers();
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`, `Host: ${url.host}`, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Protocol: ${protocols.join(", ")}`, ...[...fields].map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const { status, answered, rest } = await readHead(socket);
  if (status !== 101) throw new ServerError(statusOfText(status, await readBody(socket, answered, rest)));
  if (answered["sec-websocket-accept"] !== acceptKey(key)) throw new KubectlError("the server did not answer the WebSocket handshake properly");
  const raw = new NodeConnection(socket);
  const webSocket = new WebSocketConnection(raw, { role: "client" });
  return {
    socket: webSocket, protocol: answered["sec-websocket-protocol"] ?? "",
    start() {
      if (rest.length) raw.onData(rest);
      raw.resume();
    },
  };
}

function dial(url: URL, { ca, cert, key, insecure, tlsServerName }: Api["connection"]): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const host = url.hostname.replace(/^\[|\]$/g, ""), port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const socket = url.protocol === "https:"
    ? connectTls({ host, port, ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}), rejectUnauthorized: !insecure, ...(tlsServerName ? { servername: tlsServerName } : /^[\d.:]+$/.test(host) ? {} : { servername: host }) }, () => resolve(socket))
    : connectTcp({ host, port }, () => resolve(socket));
  const fail = (error: Error): void => reject(new ConnectionError(`Unable to connect to the server: ${error.message}`));
  const timer = setTimeout(() => {
    socket.destroy();
    fail(new Error(`no connection to ${url.host} within ${connectTimeout / 1000} s`));
  }, connectTimeout);
  socket.once("error", fail);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off("error", fail);
  });
}

interface Head { status: number; answered: Record<string, string>; rest: Buffer }

const longestHead = 64 << 10;

/** Reads up to the end of the answer's head; what came behind it is `rest`. The socket is paused then. */
function readHead(socket: Duplex): Promise<Head> {
  const { promise, resolve, reject } = Promise.withResolvers<Head>();
  let read = Buffer.alloc(0);
  const onData = (bytes: Buffer): void => {
    read = Buffer.concat([read, bytes]);
    const end = read.indexOf("\r\n\r\n");
    if (end < 0 && read.length > longestHead) reject(new KubectlError("the server's answer has no end"));
    if (end < 0) return;
    socket.pause();
    const [first = "", ...fields] = read.subarray(0, end).toString("latin1").split("\r\n");
    resolve({ status: Number(first.split(" ")[1]), answered: Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()])), rest: read.subarray(end + 4) });
  };
  const onClose = (): void => reject(new ConnectionError("Unable to connect to the server: the connection was closed"));
  socket.on("data", onData);
  socket.once("close", onClose);
  socket.once("error", onClose);
  return promise.finally(() => {
    socket.off("data", onData);
    socket.off("close", onClose);
    socket.off("error", onClose);
  });
}

/** The body of an answer that is no upgrade. */
async function readBody(socket: Duplex, answered: Record<string, string>, rest: Buffer): Promise<string> {
  let body = rest;
  const length = Number(answered["content-length"] ?? Number.POSITIVE_INFINITY);
  const giveUp = setTimeout(() => socket.destroy(), 5000);
  try {
    if (body.length < length) for await (const chunk of socket) if ((body = Buffer.concat([body, chunk as Buffer])).length >= length) break;
  } catch {
    // What came before it broke says enough.
  } finally {
    clearTimeout(giveUp);
    socket.destroy();
  }
  const text = body.toString();
  return answered["transfer-encoding"]?.includes("chunked") ? text.replace(/^[0-9a-f]+\r\n|\r\n[0-9a-f]+\r\n/gi, "").replace(/\r\n0\r\n\r\n$/, "") : text;
}
