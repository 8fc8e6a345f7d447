// A program of its own: `bun store-open.ts FILE close|kill` opens the store in FILE as a server does at its start, reads all of it, says what that took, and ends.
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";
import { figuresOf } from "./process-figures.ts";

/** In milliseconds and MB. */
export interface OpenFigures {
  open: number;
  load: number;
  objects: number;
  residentMb: number;
}

const pageObjects = 500;

if (import.meta.main) {
  const [path, end] = process.argv.slice(2) as [string, "close" | "kill"];
  const began = performance.now();
  const storage = await SqliteStorage.open({ path });
  const opened = performance.now();
  const { items, count } = await load(storage);
  const figures: OpenFigures = { open: opened - began, load: performance.now() - opened, objects: count, residentMb: figuresOf(process.pid).residentMb };
  if (items.length !== count) throw new Error("what was read is to be held while memory is measured");
  await Bun.write(Bun.stdout, JSON.stringify(figures));
  if (end === "kill") process.kill(process.pid, "SIGKILL");
  await storage.close();
  process.exit();
}

/** Holds what it reads, as a server does. */
async function load(storage: SqliteStorage): Promise<{ items: unknown[]; count: number }> {
  const items: unknown[] = [];
  let count = 0;
  for (let after: string | undefined; ;) {
    const page = await storage.list("/registry/", { limit: pageObjects, ...(after === undefined ? {} : { after }) });
    for (const { value } of page.items) items.push(JSON.parse(Buffer.from(value).toString()));
    count += page.items.length;
    if (!page.more) return { items, count };
    after = page.items.at(-1)!.key;
  }
}
