// What @peculiar/x509 stands on must be there before any of its modules, in whatever order the bundle has them.
import "reflect-metadata";
import { main } from "./cli/main.ts";

const code = await main(process.argv.slice(2));
await Promise.all([process.stdout, process.stderr].map(written));
process.exit(code);

/** Resolves when the reader at the other end of a pipe has had everything, or has gone. Bun tells so at the end of a stream alone: what `write` calls back for may still wait. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("error", () => resolve());
    stream.end(() => resolve());
  });
}
