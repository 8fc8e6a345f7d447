import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { HeaderFields, RawConnection } from "../http.ts";

/** A longer response header is not one of an upgrade. */
const mostHeaderBytes = 64 << 10;
/** A target that has not taken the connection by then won't. */
const dialMs = 10_000;

/** The target answered, but with no upgrade. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
}

export interface Upgraded {
  /** Of the target's answer. */
  headers: HeaderFields;
  socket: Socket;
  /** Came behind the answer. */
  early: Buffer;
}

/** Repeats an upgrade towards a target. `path` has the query; `headers` are sent as they are. Rejects with an `UpgradeRefused`, or with why there is no answer. */
export async function openUpgrade({ host, port, tls }: { host: string; port: number; tls?: ConnectionOptions }, { method, path, headers }: { method: string; path: string; headers: Readonly<Record<string, string | readonly string[]>> }, signal: AbortSignal): Promise<Upgraded> {
  const socket: Socket = tls ? connectTls({ host, port, ...tls }) : connectTcp(port, host);
  socket.write(`${method} ${path} HTTP/1.1\r\n${Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}\r\n`)).join("")}\r\n`);
  const { head, rest } = await readHead(socket, signal, tls ? "secureConnect" : "connect");
  const [statusLine = "", ...lines] = head.split("\r\n");
  if (/^HTTP\/1\.1 101\b/.test(statusLine)) return { headers: fieldsOf(lines), socket, early: rest };
  socket.destroy();
  throw new UpgradeRefused(statusLine);
}

function readHead(socket: Socket, signal: AbortSignal, connected: string): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const fail = (reason: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(reason));
    };
    const onAbort = (): void => fail("the client went away");
    const timer = setTimeout(() => fail(`no connection within ${dialMs / 1000} s`), dialMs);
    socket.once(connected, () => clearTimeout(timer));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", (error) => fail(error.message));
    socket.once("close", () => fail("connection closed"));
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return received.length > mostHeaderBytes ? fail("header too long") : undefined;
      clearTimeout(timer);
      socket.pause();
      socket.removeAllListeners();
      signal.removeEventListener("abort", onAbort);
      resolve({ head: received.toString("latin1", 0, end), rest: received.subarray(end + 4) });
    });
  });
}

/** All but the date, which whoever answers writes itself. */
function fieldsOf(lines: readonly string[]): HeaderFields {
  const fields = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  return Object.fromEntries(fields.filter(([name]) => name.toLowerCase() !== "date"));
}

/** Copies both ways with back-pressure until either side is gone. */
export function joinSocket(client: RawConnection, { socket, early }: Upgraded): void {
  client.onData = (bytes) => {
    if (socket.write(bytes)) return;
    client.pause();
    socket.once("drain", () => client.resume());
  };
  client.onClose = () => socket.destroy();
  socket.on("data", (bytes: Buffer) => {
    if (client.write(bytes)) return;
    socket.pause();
    void client.drained().then(() => socket.resume());
  });
  socket.on("error", () => client.destroy());
  socket.on("close", () => client.end());
  if (early.length > 0) client.write(early);
  socket.resume();
}
