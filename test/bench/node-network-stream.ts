// One end of a TCP stream: "receive PORT" takes whatever comes until it is killed; "send PORT ADDRESS" sends for two seconds and prints Gbit/s.
export {};

const [mode, port, address] = process.argv.slice(2);
const seconds = 2;

if (mode === "receive") {
  Bun.listen({ hostname: "::", port: Number(port), socket: { data: () => undefined } });
  process.stdout.write("listening\n");
} else {
  const chunk = new Uint8Array(1 << 20);
  let sent = 0, start = 0;
  const done = Promise.withResolvers<void>();
  const fill = (socket: Bun.Socket): void => {
    for (;;) {
      if (performance.now() - start > seconds * 1000) return done.resolve();
      const written = socket.write(chunk);
      sent += Math.max(written, 0);
      if (written < chunk.length) return;
    }
  };
  const socket = await Bun.connect({ hostname: address!, port: Number(port), socket: { data: () => undefined, drain: fill, error: (_, error) => done.reject(error), close: () => done.reject(new Error("the receiver has closed")) } });
  start = performance.now();
  fill(socket);
  await done.promise;
  process.stdout.write(`${sent * 8 / (performance.now() - start) / 1e6}\n`);
  process.exit(0);
}
