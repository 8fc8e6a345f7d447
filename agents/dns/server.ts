import type { Socket } from "bun";
import type { Logger } from "../../src/base/log.ts";
import type { Resolver } from "./resolver.ts";

export interface DnsServerOptions {
  address: string;
  /** 0 takes a free one. */
  port: number;
  resolver: Pick<Resolver, "answer">;
  log: Logger;
}

const tcpIdleSeconds = 10;
const mostConnections = 256;
/** Answers that a client doesn't read: beyond that it is cut off. */
const mostUnreadBytes = 256 * 1024;
const mostQueriesOfConnection = 64;
const mostWaiting = 4096;

interface Connection {
  received: Buffer;
  unsent: Buffer[];
  unsentBytes: number;
  waiting: number;
}

/** Answers on one address, over UDP and TCP. What clients can make it hold in memory is bounded everywhere. */
export async function serveDns({ address, port, resolver, log }: DnsServerOptions): Promise<{ port: number; close(): void }> {
  let waiting = 0;
  const udp = await Bun.udpSocket({
    hostname: address, port,
    socket: {
      data(socket, bytes, peerPort, peer) {
        const answer = resolver.answer(bytes as Buffer, false);
        if (!answer) return;
        if (Buffer.isBuffer(answer)) {
          socket.send(answer, peerPort, peer);
          return;
        }
        // A datagram may be lost: a client of a server with too much to do asks again.
        if (waiting >= mostWaiting) return;
        waiting++;
        answer.then((reply) => socket.send(reply, peerPort, peer)).catch((error: unknown) => log.debug("query not answered", { error })).finally(() => waiting--);
      },
      // The kernel tells of an answer to a client that has gone, here or at the next send.
      error(_, error) {
        log.debug("answer not taken", { error });
      },
    },
  });
  let connections = 0;
  const tcp = listenTcp();
  return {
    port: udp.port,
    close() {
      udp.close();
      tcp.stop(true);
    },
  };

  function listenTcp(): { stop(closeActive: boolean): void } {
    try {
      return Bun.listen<Connection>({
        hostname: address, port: udp.port,
        socket: {
          open(socket) {
            socket.data = { received: Buffer.alloc(0), unsent: [], unsentBytes: 0, waiting: 0 };
            socket.timeout(tcpIdleSeconds);
            if (++connections > mostConnections) socket.end();
          },
          close() {
            connections--;
          },
          data: (socket, bytes) => receive(socket, bytes),
          drain: (socket) => flush(socket),
          timeout: (socket) => void socket.end(),
          error: (_, error) => log.debug("connection of a client failed", { error }),
        },
      });
    } catch (error) {
      udp.close();
      throw error;
    }
  }

  function receive(socket: Socket<Connection>, bytes: Buffer): void {
    const { data } = socket;
    data.received = data.received.length ? Buffer.concat([data.received, bytes]) : Buffer.from(bytes);
    socket.timeout(tcpIdleSeconds);
    while (data.received.length >= 2 && data.received.length >= 2 + data.received.readUInt16BE(0)) {
      const end = 2 + data.received.readUInt16BE(0);
      const query = data.received.subarray(2, end);
      data.received = data.received.subarray(end);
      if (data.waiting >= mostQueriesOfConnection) return void socket.end();
      const answer = resolver.answer(query, true);
      if (!answer) return void socket.end();
      if (Buffer.isBuffer(answer)) {
        send(socket, answer);
        continue;
      }
      data.waiting++;
      answer.then((reply) => send(socket, reply), () => socket.end()).finally(() => data.waiting--);
    }
  }
}

/** With the length in front. */
function send(socket: Socket<Connection>, reply: Buffer): void {
  const framed = Buffer.allocUnsafe(2 + reply.length);
  framed.writeUInt16BE(reply.length);
  reply.copy(framed, 2);
  socket.data.unsent.push(framed);
  socket.data.unsentBytes += framed.length;
  flush(socket);
  if (socket.data.unsentBytes > mostUnreadBytes) socket.terminate();
}

function flush(socket: Socket<Connection>): void {
  const { data } = socket;
  for (let next = data.unsent[0]; next; next = data.unsent[0]) {
    const written = socket.write(next);
    if (written < 0) return;
    data.unsentBytes -= written;
    if (written < next.length) {
      data.unsent[0] = next.subarray(written);
      return;
    }
    data.unsent.shift();
  }
}
