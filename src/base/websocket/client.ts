import { randomBytes } from "node:crypto";
import type { RawConnection } from "../http.ts";
import { acceptKey } from "./handshake.ts";
import { WebSocketConnection, type WebSocketOptions } from "./websocket.ts";

export interface OpenOptions extends Omit<WebSocketOptions, "role"> {
  /** The Host field. */
  host: string;
  /** Path and query. */
  url: string;
  protocol: string;
  headers?: Readonly<Record<string, string>>;
  timeoutMs: number;
}

/** Header fields of the server's answer, by their names in lower case. */
type AnswerFields = ReadonlyMap<string, string>;

/** The server answered the opening handshake with something else. */
export class WebSocketRefused extends Error {
  override readonly name = "WebSocketRefused";
  /** `status` is 0 for what is no HTTP. */
  constructor(readonly status: number, message: string, readonly fields: AnswerFields = new Map()) {
    super(message);
  }
}

/** A longer answer to a handshake is none. */
const mostHeadBytes = 16 << 10;

/** Opens a WebSocket over a fresh connection (RFC 6455 section 4.1). Rejects, and closes the connection, when the server doesn't agree. */
export function openWebSocket(raw: RawConnection, { host, url, protocol, headers = {}, timeoutMs, ...options }: OpenOptions): Promise<{ socket: WebSocketConnection; fields: AnswerFields }> {
  const key = randomBytes(16).toString("base64");
  const fields = { Host: host, Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": protocol, ...headers };
  const { promise, resolve, reject } = Promise.withResolvers<{ socket: WebSocketConnection; fields: AnswerFields }>();
  const fail = (error: Error): void => {
    clearTimeout(timer);
    reject(error);
    raw.destroy();
  };
  const timer = setTimeout(() => fail(new Error(`${host} did not answer the WebSocket's handshake within ${timeoutMs} ms`)), timeoutMs);
  let received = Buffer.alloc(0);
  raw.onClose = () => fail(new Error(`${host} closed the connection in the WebSocket's handshake`));
  raw.onData = (bytes) => {
    received = Buffer.concat([received, bytes]);
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) return received.length > mostHeadBytes ? fail(new WebSocketRefused(0, `${host} answered the WebSocket's handshake at too great length`)) : undefined;
    const head = received.toString("latin1", 0, end), fields = fieldsOf(head);
    const refusal = refusalOf(head, fields, received.toString("utf8", end + 4), { key, protocol, host });
    if (refusal) return fail(refusal);
    clearTimeout(timer);
    const early = received.subarray(end + 4);
    const socket = new WebSocketConnection(raw, { role: "client", ...options });
    // Behind the caller's setting of its callbacks.
    if (early.length > 0) {
      raw.pause();
      setImmediate(() => {
        raw.onData(early);
        raw.resume();
      });
    }
    resolve({ socket, fields });
  };
  raw.write(Buffer.from(`GET ${url} HTTP/1.1\r\n${Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`));
  return promise;
}

const fieldsOf = (head: string): AnswerFields => new Map(head.split("\r\n").slice(1).map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));

function refusalOf(head: string, fields: AnswerFields, body: string, { key, protocol, host }: { key: string; protocol: string; host: string }): WebSocketRefused | undefined {
  const status = Number(/^HTTP\/1\.1 (\d{3})\b/.exec(head)?.[1] ?? 0);
  if (status !== 101) return new WebSocketRefused(status, `${host} refuses the WebSocket: ${head.split("\r\n", 1)[0]!.slice(9, 100)}${body ? `: ${body.slice(0, 300).trim()}` : ""}`, fields);
  if (fields.get("sec-websocket-accept") !== acceptKey(key) || fields.get("sec-websocket-protocol") !== protocol) return new WebSocketRefused(status, `${host} does not agree to ${protocol}`, fields);
  return undefined;
}
