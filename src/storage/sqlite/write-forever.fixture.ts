// Run by the tests as a process of its own, which they kill: creates keys and prints each with its revision once it has been acknowledged.
import { SqliteStorage } from "./sqlite-storage.ts";

const [path, round] = process.argv.slice(2);
const storage = await SqliteStorage.open({ path: path! });
let next = 0;
await Promise.all(Array.from({ length: 8 }, async () => {
  for (;;) {
    const key = `/registry/core/pods/default/${round}-${next++}`;
    process.stdout.write(`${key} ${await storage.create(key, new Uint8Array(500))}\n`);
  }
}));
