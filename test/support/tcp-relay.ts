import net from "node:net";

/** A machine in between: passes bytes on, until its cable is pulled. */
export interface TcpRelay {
  readonly port: number;
  /** Connections made so far. */
  readonly accepted: number;
  /** Bytes passed on in both directions. */
  readonly bytes: number;
  /** Nothing passes any more, and nobody is told; nor may anybody connect. */
  freeze(): void;
  thaw(): void;
  /** Resets all connections. */
  cut(): void;
  close(): Promise<void>;
}

export async function startRelay(target: () => number): Promise<TcpRelay> {
  const pairs = new Set<[net.Socket, net.Socket]>(), stuck = new Set<net.Socket>();
  let frozen = false, accepted = 0, bytes = 0;
  const server = net.createServer((client) => {
    accepted++;
    if (frozen) return void stuck.add(client.pause());
    const upstream = net.connect(target(), "127.0.0.1");
    const pair: [net.Socket, net.Socket] = [client, upstream];
    pairs.add(pair);
    for (const [from, to] of [pair, [upstream, client]] as [net.Socket, net.Socket][]) {
      from.on("data", (data: Buffer) => {
        if (frozen) return;
        bytes += data.length;
        if (!to.write(data)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.on("error", () => from.destroy());
      from.on("close", () => {
        if (!frozen) to.destroy();
        pairs.delete(pair);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of [...stuck, ...[...pairs].flat()]) socket.destroy();
  };
  return {
    port: (server.address() as net.AddressInfo).port,
    get accepted() {
      return accepted;
    },
    get bytes() {
      return bytes;
    },
    freeze: () => void (frozen = true),
    thaw: () => void (frozen = false),
    cut,
    close: () => new Promise((resolve) => {
      frozen = false;
      cut();
      server.close(() => resolve());
    }),
  };
}
