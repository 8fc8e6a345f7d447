import type { HeaderFields, RawConnection } from "../../../src/base/http.ts";
import { dialTcp } from "../../../src/base/stream/dial.ts";

/** The container runtime's answer to an upgrade request on one of its streaming URLs. */
export type RuntimeAnswer =
  | { upgraded: true; headers: Record<string, string>; connection: RawConnection; /** Bytes that came with the answer: pass them to `connection.onData` once it is set. */ early: Buffer }
  | { upgraded: false; status: number; headers: Record<string, string>; body: Buffer };

export interface RuntimeRequest {
  method: string;
  /** As CRI's Exec, Attach and PortForward give it, such as `http://127.0.0.1:41017/exec/TOKEN`. */
  url: string;
  headers: HeaderFields;
}

const connectTimeoutMs = 5_000;
const answerTimeoutMs = 30_000;
const maxHeadBytes = 16 << 10;
const maxBodyBytes = 64 << 10;

/** Asks the runtime to turn a connection into a stream. Rejects when it can't be reached or answers nothing that is HTTP. */
export async function upgradeRuntime({ method, url, headers }: RuntimeRequest): Promise<RuntimeAnswer> {
  const { protocol, hostname, port, host, pathname, search } = new URL(url);
  if (protocol !== "http:") throw new Error(`the container runtime's streaming URL is ${protocol}//, only http:// is supported`);
  const connection = await dialTcp({ hostname, port: Number(port || 80), timeoutMs: connectTimeoutMs });
  let head = `${method} ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n`;
  for (const [name, value] of Object.entries(headers)) for (const one of [value].flat()) head += `${name}: ${one}\r\n`;
  connection.write(Buffer.from(`${head}\r\n`));
  return readAnswer(connection);
}

function readAnswer(connection: RawConnection): Promise<RuntimeAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RuntimeAnswer>();
  let received = Buffer.alloc(0);
  const settle = (act: () => void): void => {
    clearTimeout(timer);
    connection.onData = connection.onClose = () => {};
    act();
  };
  const fail = (message: string): void => settle(() => {
    connection.destroy();
    reject(new Error(`the container runtime's streaming server ${message}`));
  });
  const timer = setTimeout(() => fail("did not answer in time"), answerTimeoutMs);
  const read = (ended: boolean): void => {
    const end = received.indexOf("\r\n\r\n");
    if (end < 0) {
      if (ended) fail("closed the connection");
      else if (received.length > maxHeadBytes) fail("sent an overlong header");
      return;
    }
    const { status, headers } = parseHead(received.toString("latin1", 0, end));
    const rest = received.subarray(end + 4);
    if (status === 101) return settle(() => resolve({ upgraded: true, headers, connection, early: rest }));
    if (Number.isNaN(status)) return fail("does not speak HTTP");
    const length = Math.min(Number(headers["content-length"] ?? Infinity), maxBodyBytes);
    if (!ended && rest.length < length) return;
    settle(() => {
      connection.destroy();
      resolve({ upgraded: false, status, headers, body: rest.subarray(0, maxBodyBytes) });
    });
  };
  connection.onData = (bytes) => {
    received = Buffer.concat([received, bytes]);
    read(false);
  };
  connection.onClose = () => read(true);
  return promise;
}

function parseHead(text: string): { status: number; headers: Record<string, string> } {
  const [statusLine = "", ...fields] = text.split("\r\n");
  const headers: Record<string, string> = Object.create(null);
  for (const field of fields) {
    const colon = field.indexOf(":");
    if (colon > 0) headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
  }
  return { status: /^HTTP\/1\.[01] \d{3}/.test(statusLine) ? Number(statusLine.slice(9, 12)) : Number.NaN, headers };
}
