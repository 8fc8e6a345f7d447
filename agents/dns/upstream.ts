import { existsSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import type { Clock } from "../../src/base/clock.ts";

const timeoutMs = 2000;
/** systemd-resolved's stub listens on loopback, where no pod can reach it; its real servers are here. */
const resolvedServers = "/run/systemd/resolve/resolv.conf";

/** Sends a query somewhere else and resolves with the raw answer. Throws when nobody answers. */
export interface Upstream {
  query(packet: Buffer, overTcp: boolean): Promise<Buffer>;
}

/** Asks the host's own name servers, in order. The file is read again whenever it changes: a laptop moves between networks. */
export function hostUpstream({ file = "/etc/resolv.conf", ownAddress, clock }: { file?: string; ownAddress: string; clock: Clock }): Upstream {
  let known: { stamp: number; servers: string[] } | undefined;
  const servers = (): string[] => {
    const stamp = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (known?.stamp !== stamp) known = { stamp, servers: readServers(file).filter((server) => server !== ownAddress) };
    return known.servers;
  };
  return {
    async query(packet, overTcp) {
      let failure: unknown = new Error(`${file} names no name server`);
      for (const server of servers()) {
        try {
          return await withTimeout(clock, (signal) => (overTcp ? askTcp(server, packet, signal) : askUdp(server, packet, signal)));
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    },
  };
}

export function readServers(file: string): string[] {
  if (!existsSync(file)) return [];
  const servers = [...readFileSync(file, "utf8").matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!);
  return servers.every((server) => server === "127.0.0.53") && file !== resolvedServers && existsSync(resolvedServers) ? readServers(resolvedServers) : servers;
}

async function withTimeout<T>(clock: Clock, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const timeout = clock.sleep(timeoutMs, stop.signal).then(() => { throw new Error("the name server did not answer in time"); });
  timeout.catch(() => undefined);
  try {
    return await Promise.race([work(stop.signal), timeout]);
  } finally {
    stop.abort();
  }
}

async function askUdp(server: string, packet: Buffer, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const id = packet.readUInt16BE(0);
  const socket = await Bun.udpSocket({
    connect: { hostname: server, port: 53 },
    socket: {
      data(_, bytes) {
        if (bytes.length >= 12 && bytes.readUInt16BE(0) === id) resolve(Buffer.from(bytes));
      },
      error(_, error) {
        reject(error);
      },
    },
  });
  signal.addEventListener("abort", () => socket.close(), { once: true });
  socket.send(packet);
  return promise;
}

function askTcp(server: string, packet: Buffer, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const socket = connect(53, server);
  let received: Buffer = Buffer.alloc(0);
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  socket.on("error", reject);
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes as Buffer]);
    if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  socket.write(Buffer.concat([length, packet]));
  return promise;
}
