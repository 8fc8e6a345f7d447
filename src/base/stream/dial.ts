import type { RawConnection } from "../http.ts";
import { Output } from "./output.ts";
import { SocketConnection } from "./raw-connection.ts";

interface Dialled {
  output: Output;
  connection: SocketConnection;
}

/** A plain TCP connection. Rejects when nobody answers within `timeoutMs`. */
export async function dialTcp({ hostname, port, timeoutMs }: { hostname: string; port: number; timeoutMs: number }): Promise<RawConnection> {
  let dialled: Dialled | undefined;
  const connecting = Bun.connect<Dialled>({
    hostname,
    port,
    socket: {
      open(socket) {
        const output = new Output(socket);
        socket.data = dialled = { output, connection: new SocketConnection(socket, output, Buffer.alloc(0)) };
        socket.setNoDelay(true);
      },
      data: (socket, bytes) => socket.data.connection.deliver(bytes),
      drain: (socket) => socket.data.output.flush(),
      close(socket) {
        socket.data?.output.close();
        socket.data?.connection.close();
      },
      error: (socket) => {
        socket.terminate();
      },
    },
  });
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Error(`no connection to ${hostname}:${port} within ${timeoutMs} ms`)), timeoutMs);
  try {
    await Promise.race([connecting, timer.promise]);
  } catch (error) {
    connecting.then((late) => late.terminate(), () => {});
    throw error;
  } finally {
    clearTimeout(timeout);
  }
  return dialled!.connection;
}
