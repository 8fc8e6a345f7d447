import { AddressCount } from "./address-count.ts";
import { Connection, type Shared } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { clientCas, defaultLimits, type Front, type FrontOptions, type FrontTls } from "./front.ts";
import { frontProxyTest, identify } from "./peer.ts";
import { answerPlainHttp, isPlainHttp } from "./plain-http.ts";

/** ALPN protocol list in wire format: HTTP/1.1 alone. */
const alpn = Buffer.from("\x08http/1.1", "latin1");
const keepAliveProbeMs = 30_000;

type Listener = Bun.TCPSocketListener<Connection>;

/** The front on `Bun.listen`: our own HTTP/1.1 over Bun's TLS sockets. The least memory for each watch. */
export async function listenBunFront(options: FrontOptions): Promise<Front> {
  const connections = new Set<Connection>();
  const shared: Shared = { handler: options.handler, limits: { ...defaultLimits, ...options.limits }, deadlines: new Deadlines(), stopping: false };
  const addresses = new AddressCount(shared.limits.connectionsPerAddress);
  const onEmpty: (() => void)[] = [];

  const listen = (port: number, tls: FrontTls, isFrontProxy = frontProxyTest(tls.requestHeaderCa)): Listener => Bun.listen<Connection>({
    hostname: options.hostname,
    port,
    reusePort: true,
    tls: { cert: tls.cert, key: tls.key, ca: clientCas(tls), requestCert: true, rejectUnauthorized: false, ALPNProtocols: alpn },
    socket: {
      open(socket) {
        if (connections.size >= shared.limits.connections || shared.stopping || !addresses.add(socket.remoteAddress)) {
          socket.terminate();
          return;
        }
        socket.setNoDelay(true);
        socket.setKeepAlive(true, keepAliveProbeMs);
        socket.data = new Connection(socket, shared);
        connections.add(socket.data);
      },
      handshake(socket, success, error) {
        if (socket.data === undefined) return;
        if (!success && isPlainHttp(error)) answerPlainHttp((socket as Partial<{ fd: number }>).fd);
        const code = (error as NodeJS.ErrnoException | null)?.code;
        socket.data.identity = identify({ authorized: socket.authorized, certificate: socket.getPeerCertificate(), error: code }, isFrontProxy);
      },
      data: (socket, bytes) => socket.data?.data(bytes),
      drain: (socket) => socket.data?.drain(),
      close(socket) {
        if (socket.data === undefined) return;
        connections.delete(socket.data);
        addresses.remove(socket.data.remoteAddress);
        socket.data.closed();
        if (connections.size === 0) for (const resolve of onEmpty.splice(0)) resolve();
      },
      error: (socket) => {
        socket.terminate();
      },
    },
  } as Bun.TCPSocketListenOptions<Connection> & { reusePort: boolean });

  if (options.port !== 0) refuseTakenPort(options.hostname, options.port);
  let listener = listen(options.port, options.tls);
  return {
    port: listener.port,
    get connections() {
      return connections.size;
    },
    async reload(tls) {
      const next = listen(listener.port, tls);
      listener.stop(false);
      listener = next;
    },
    async stop({ graceMs }) {
      shared.stopping = true;
      listener.stop(false);
      for (const connection of connections) connection.closeIfIdle();
      if (connections.size === 0) return;
      const empty = new Promise<void>((resolve) => onEmpty.push(resolve));
      const cut = setTimeout(() => {
        for (const connection of connections) connection.cut();
      }, graceMs);
      await empty;
      clearTimeout(cut);
    },
  };
}

/** Ports shared for `reload` would also be shared with a second server of the same user: so look first, without sharing. Throws EADDRINUSE. */
function refuseTakenPort(hostname: string, port: number): void {
  Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
}
