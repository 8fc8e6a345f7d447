import net from "node:net";

/** A proxy that connects to wherever it is asked to on this machine (CONNECT). */
export interface HttpProxy {
  readonly port: number;
  /** The heads of all requests, line by line. */
  readonly asked: string[][];
  /** What it answers from now on instead of connecting, such as `403 Forbidden`. */
  refuse(status: string | undefined): void;
  /** Ends all connections. */
  cut(): void;
  close(): Promise<void>;
}

export async function startHttpProxy(): Promise<HttpProxy> {
  const asked: string[][] = [], sockets = new Set<net.Socket>();
  let refusal: string | undefined;
  const server = net.createServer((client) => {
    sockets.add(client);
    client.on("error", () => client.destroy());
    client.once("data", (bytes: Buffer) => {
      const head = bytes.toString().trimEnd().split("\r\n");
      asked.push(head);
      const target = /^CONNECT 127\.0\.0\.1:(\d+) HTTP\/1\.1$/.exec(head[0]!);
      if (refusal || !target) return void client.end(`HTTP/1.1 ${refusal ?? "405 Method Not Allowed"}\r\nContent-Length: 0\r\n\r\n`);
      const upstream = net.connect(Number(target[1]), "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        client.pipe(upstream).pipe(client);
      });
      upstream.on("error", () => client.destroy());
      client.on("close", () => upstream.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    port: (server.address() as net.AddressInfo).port, asked, cut, refuse: (status) => void (refusal = status),
    close: () => new Promise((resolve) => {
      cut();
      server.close(() => resolve());
    }),
  };
}
