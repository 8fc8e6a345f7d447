import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { serviceUnavailable } from "../../../apimachinery/status.ts";
import type { HeaderFields, RawConnection } from "../../../base/http.ts";
import type { Exchange } from "../../exchange.ts";
import { authority, forwardedHeaders, type ProxyTarget, type TrustedTarget } from "./reverse-proxy.ts";

/** A longer response header is not one of an upgrade. */
const mostHeaderBytes = 64 << 10;

/** Repeats the upgrade towards the target and, once that agrees, joins both connections. */
export async function forwardUpgrade(exchange: Exchange, target: ProxyTarget | TrustedTarget): Promise<void> {
  const { request, response } = exchange;
  const socket: Socket = target.scheme === "https" ? connectTls({ host: target.host, port: target.port, ...("tls" in target ? target.tls : { rejectUnauthorized: false }) }) : connectTcp(target.port, target.host);
  const headers = { ...("headers" in target ? target.headers : forwardedHeaders(exchange)), host: "authority" in target ? target.authority : authority(target), connection: "Upgrade", upgrade: request.headers["upgrade"]! };
  socket.write(`${request.method} ${target.path}${target.search ? `?${target.search}` : ""} HTTP/1.1\r\n${Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}\r\n`)).join("")}\r\n`);
  const { head, rest } = await readHead(socket, request.signal);
  const [statusLine = "", ...lines] = head.split("\r\n");
  if (!/^HTTP\/1\.1 101\b/.test(statusLine)) {
    socket.destroy();
    throw serviceUnavailable(`the server did not agree to upgrade: ${statusLine}`);
  }
  exchange.status = 101;
  join(response.upgrade(fieldsOf(lines)), socket, rest);
}

function readHead(socket: Socket, signal: AbortSignal): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const fail = (reason: string): void => {
      socket.destroy();
      reject(serviceUnavailable(`error trying to reach service: ${reason}`));
    };
    const onAbort = (): void => fail("the client went away");
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", (error) => fail(error.message));
    socket.once("close", () => fail("connection closed"));
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return received.length > mostHeaderBytes ? fail("header too long") : undefined;
      socket.pause();
      socket.removeAllListeners();
      signal.removeEventListener("abort", onAbort);
      resolve({ head: received.toString("latin1", 0, end), rest: received.subarray(end + 4) });
    });
  });
}

/** All but the date, which our front writes itself. */
function fieldsOf(lines: readonly string[]): HeaderFields {
  const fields = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  return Object.fromEntries(fields.filter(([name]) => name.toLowerCase() !== "date"));
}

/** Copies both ways with back-pressure until either side is gone. */
function join(client: RawConnection, socket: Socket, early: Buffer): void {
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
