import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStorage } from "../memory/memory-storage.ts";
import { writeSnapshot } from "../snapshot/write-snapshot.ts";
import type { Storage } from "../storage.ts";
import { restoreSqlite } from "./load.ts";
import { SqliteStorage } from "./sqlite-storage.ts";

let directory: string, path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-load-"));
  path = join(directory, "state.db");
});
afterEach(() => rmSync(directory, { recursive: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function snapshotOf(storage: Storage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await writeSnapshot(storage, (chunk) => void chunks.push(chunk), { by: "v1", at: 0 });
  return Buffer.concat(chunks);
}

async function* inPieces(content: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function withThreeKeys(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const first = await storage.create("/registry/core/pods/a/one", bytes("old"));
  await storage.create("/registry/core/pods/a/two", bytes("two"));
  await storage.update("/registry/core/pods/a/one", first, bytes("new"));
  await storage.create("/registry/core/secrets/a/three", bytes(""));
  return storage;
}

describe("restoreSqlite", () => {
  test("brings back every key at its revision, goes on above all that was given, and knows no history", async () => {
    const original = await withThreeKeys();
    const contents = await restoreSqlite(path, inPieces(await snapshotOf(original)));
    expect(contents).toMatchObject({ revision: 4, records: 3, by: "v1" });
    expect(readdirSync(directory).sort()).toEqual(["state.db", "state.db.lock"]);
    const storage = await SqliteStorage.open({ path });
    try {
      const plain = ({ items }: { items: { key: string; revision: number; value: Uint8Array }[] }) => items.map(({ key, revision, value }) => [key, revision, Buffer.from(value).toString()]);
      expect(plain(await storage.list(""))).toEqual(plain(await original.list("")));
      expect(storage.revision).toBe(1_000_000_004);
      expect(await storage.create("/registry/core/pods/a/four", bytes("four"))).toBeGreaterThan(1_000_000_004);
      const tooOld = storage.watch("", 4, () => undefined, AbortSignal.timeout(10_000)).then(() => "served", (error: { code: string }) => error.code);
      expect(await tooOld).toBe("compacted");
      expect(await storage.list("", { revision: 4 }).then(() => "served", (error: { code: string }) => error.code)).toBe("compacted");
    } finally {
      await storage.close();
    }
  });

  test("leaves an existing database alone", async () => {
    writeFileSync(path, "somebody's");
    await expect(restoreSqlite(path, inPieces(await snapshotOf(await withThreeKeys())))).rejects.toMatchObject({ code: "exists" });
    expect(readFileSync(path, "utf8")).toBe("somebody's");
  });

  test("refuses while a server has the database", async () => {
    const storage = await SqliteStorage.open({ path });
    try {
      await expect(restoreSqlite(path, inPieces(await snapshotOf(await withThreeKeys())))).rejects.toThrow("in use by another server");
    } finally {
      await storage.close();
    }
  });

  test("makes nothing of a snapshot that is damaged or cut off", async () => {
    const snapshot = await snapshotOf(await withThreeKeys());
    for (const bad of [snapshot.subarray(0, -1), Buffer.concat([snapshot.subarray(0, 60), Buffer.from([snapshot[60]! ^ 1]), snapshot.subarray(61)])]) {
      await expect(restoreSqlite(path, inPieces(bad))).rejects.toMatchObject({ name: "SnapshotError", code: "damaged" });
      expect(readdirSync(directory)).toEqual(["state.db.lock"]);
    }
  });

  test("takes no log of another database for its own", async () => {
    const before = await SqliteStorage.open({ path });
    await before.create("/registry/core/pods/a/stale", bytes("stale"));
    const wal = readFileSync(`${path}-wal`);
    await before.close();
    rmSync(path);
    writeFileSync(`${path}-wal`, wal);
    await restoreSqlite(path, inPieces(await snapshotOf(await withThreeKeys())));
    expect(existsSync(`${path}-wal`)).toBe(false);
    const storage = await SqliteStorage.open({ path });
    expect((await storage.list("")).items.map(({ key }) => key)).not.toContain("/registry/core/pods/a/stale");
    await storage.close();
  });
});
