import { createServer, type Server, type Socket } from "node:net";
import type { RawConnection } from "../../base/http.ts";
import { SpdySession } from "../../base/spdy/session.ts";
import type { WebSocketConnection } from "../../base/websocket/websocket.ts";
import type { Session } from "../session.ts";
import { NodeConnection } from "./node-connection.ts";
import { openWebSocket } from "./upgrade.ts";

export interface ForwardedPort {
  /** 0 takes a free one. */
  local: number;
  remote: number;
}

/** Listens on `addresses` and carries connections to ports of a pod until the connection to the server ends or `signal` aborts. */
export async function forwardPorts(session: Session, path: string, ports: readonly ForwardedPort[], addresses: readonly string[], signal: AbortSignal): Promise<void> {
  const { socket, start } = await openWebSocket(session.api, path, new URLSearchParams(), ["SPDY/3.1+portforward.k8s.io"]);
  const spdy = new SpdySession(tunnel(socket), { role: "client", flowControl: "none" });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  spdy.onClose = () => resolve();
  signal.addEventListener("abort", () => resolve(), { once: true });
  start();
  const servers: Server[] = [];
  let requestId = 0;
  try {
    for (const port of ports) servers.push(...await listen(session, port, addresses, (connection, local) => carry(session, spdy, connection, { local, remote: port.remote, requestId: requestId++ })));
    await ended;
    if (!signal.aborted) session.err("error: lost connection to pod\n");
  } finally {
    for (const server of servers) server.close();
    spdy.destroy();
  }
}

/** The bytes of a WebSocket's messages as one stream. */
function tunnel(socket: WebSocketConnection): RawConnection {
  const connection: RawConnection = {
    onData: () => {}, onClose: () => {},
    write: (bytes) => socket.send(bytes),
    get queuedBytes() {
      return socket.queuedBytes;
    },
    drained: () => socket.drained(), pause: () => socket.pause(), resume: () => socket.resume(), end: () => socket.close(), destroy: () => socket.destroy(),
  };
  socket.onMessage = (bytes) => connection.onData(bytes);
  socket.onClose = () => connection.onClose();
  return connection;
}

/** On each address that this machine has; at least one must do. The second address gets the port that the first took. */
async function listen(session: Session, { local, remote }: ForwardedPort, addresses: readonly string[], onConnection: (socket: Socket, port: number) => void): Promise<Server[]> {
  const servers: Server[] = [];
  let port = local, failure: Error | undefined;
  for (const address of addresses) {
    const server = createServer({ allowHalfOpen: true }, (socket) => onConnection(socket, port));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(port, address, resolve);
    try {
      await promise;
      port = (server.address() as { port: number }).port;
      servers.push(server);
      session.out(`Forwarding from ${address.includes(":") ? `[${address}]` : address}:${port} -> ${remote}\n`);
    } catch (error) {
      failure = error as Error;
    }
  }
  if (servers.length === 0) {
    session.err(`Unable to listen on port ${local}: ${failure?.message}\n`);
    throw new Error(`unable to listen on any of the requested ports: [{${local} ${remote}}]`);
  }
  return servers;
}

/** One connection: a stream for what goes wrong, one for the bytes. */
function carry(session: Session, spdy: SpdySession, socket: Socket, { local, remote, requestId }: { local: number; remote: number; requestId: number }): void {
  session.out(`Handling connection for ${local}\n`);
  const headers = { port: String(remote), requestid: String(requestId) };
  const connection = new NodeConnection(socket);
  const failures: Buffer[] = [];
  const errors = spdy.open({ streamtype: "error", ...headers }, { half: true });
  errors.onData = (bytes) => void failures.push(bytes);
  errors.onEnd = () => {
    if (failures.length) session.err(`E: an error occurred forwarding ${local} -> ${remote}: ${Buffer.concat(failures).toString()}\n`);
    if (failures.length) connection.destroy();
  };
  const data = spdy.open({ streamtype: "data", ...headers });
  data.onData = (bytes) => void connection.write(bytes);
  data.onEnd = () => connection.end();
  data.onClose = () => connection.end();
  connection.onData = (bytes) => {
    if (data.write(bytes)) return;
    connection.pause();
    void data.drained().then(() => connection.resume());
  };
  socket.on("end", () => data.end());
  connection.onClose = () => {
    data.end();
    errors.end();
  };
  connection.resume();
}
