// A program of its own: `bun store-open.ts FILE close|kill` opens the store in FILE as a server does at its start, reads all of it, says what that took, and ends.
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";

/** In milliseconds. */
export interface OpenFigures {
  open: number;
  load: number;
}

const pageObjects = 500;

if (import.meta.main) {
  const [path, end] = process.argv.slice(2) as [string, "close" | "kill"];
  const began = performance.now();
  const storage = await SqliteStorage.open({ path });
  const opened = performance.now();
  await load(storage);
  const figures: OpenFigures = { open: opened - began, load: performance.now() - opened };
  await Bun.write(Bun.stdout, JSON.stringify(figures));
  if (end === "kill") process.kill(process.pid, "SIGKILL");
  await storage.close();
  process.exit();
}

async function load(storage: SqliteStorage): Promise<void> {
  for (let after: string | undefined; ;) {
    const { items, more } = await storage.list("/registry/", { limit: pageObjects, ...(after === undefined ? {} : { after }) });
    for (const { value } of items) JSON.parse(Buffer.from(value).toString());
    if (!more) return;
    after = items.at(-1)!.key;
  }
}
