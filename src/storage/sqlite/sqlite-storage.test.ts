import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StorageError, type Stored } from "../storage.ts";
import { SqliteStorage } from "./sqlite-storage.ts";
import type { WriterRequest, WriterTells } from "./protocol.ts";
import { Thread } from "./thread.ts";

const key = (name: string | number): string => `/registry/core/pods/default/${name}`;
/** Always the same of a size, and not to be packed. */
const value = (size = 1): Uint8Array => {
  const bytes = new Uint8Array(size);
  for (let i = 0, state = size; i < size; i++) bytes[i] = (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16;
  return bytes;
};

let directory: string;
let path: string;
const opened: SqliteStorage[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-sqlite-"));
  path = join(directory, "db", "state.db");
});
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close();
  rmSync(directory, { recursive: true });
});

async function open(options: { maxBytes?: number } = {}): Promise<SqliteStorage> {
  const storage = await SqliteStorage.open({ path, ...options });
  opened.push(storage);
  return storage;
}

async function failure(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason);
  if (!(error instanceof StorageError)) throw new Error(`expected a StorageError, got ${String(error)}`);
  return error;
}

describe("the file", () => {
  test("and all beside it are for their owner alone; the index of the log is in memory", async () => {
    const storage = await open();
    await storage.create(key("a"), value());
    const files = ["", "-wal", ".lock"];
    expect(readdirSync(join(directory, "db")).sort()).toEqual(files.map((suffix) => `state.db${suffix}`));
    for (const suffix of files) expect((statSync(path + suffix).mode & 0o777).toString(8)).toBe("600");
  });

  test("is one server's: a second is refused while the first has it", async () => {
    const storage = await open();
    expect(await failure(SqliteStorage.open({ path }))).toMatchObject({ code: "io", message: expect.stringContaining("in use by another server") });
    const child = Bun.spawnSync([process.execPath, join(import.meta.dir, "open-once.fixture.ts"), path]);
    expect(child.stdout.toString()).toContain("in use by another server");
    await storage.close();
    await (await SqliteStorage.open({ path })).close();
  });

  test("that is not a database, or somebody else's, is refused untouched", async () => {
    mkdirSync(join(directory, "db"));
    writeFileSync(path, "apiVersion: v1\n".repeat(100));
    expect(await failure(SqliteStorage.open({ path }))).toMatchObject({ code: "corrupt", message: expect.stringContaining("not a SQLite database") });
    expect(readFileSync(path, "utf8")).toBe("apiVersion: v1\n".repeat(100));
    rmSync(path);
    const other = new Database(path);
    other.exec("CREATE TABLE theirs (a)");
    other.close();
    const before = readFileSync(path);
    expect(await failure(SqliteStorage.open({ path }))).toMatchObject({ code: "foreign", message: expect.stringContaining("another program") });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("is alone after a clean stop: all of the log has moved into it", async () => {
    const storage = await open();
    await storage.create(key("a"), value());
    await storage.close();
    expect(readdirSync(join(directory, "db")).sort()).toEqual(["state.db", "state.db.lock"]);
  });

  test("of a newer version is refused", async () => {
    await (await open()).close();
    const db = new Database(path);
    db.exec("PRAGMA user_version = 99");
    db.close();
    expect(await failure(SqliteStorage.open({ path }))).toMatchObject({ code: "newer", message: expect.stringContaining("newer") });
  });

  test("that is damaged after a crash is refused untouched", async () => {
    const storage = await open();
    for (let i = 0; i < 200; i++) await storage.create(key(i), value(2000));
    await storage.close();
    const db = new Database(path);
    db.exec("UPDATE meta SET value = 0 WHERE name = 'clean'");
    db.close();
    truncateSync(path, statSync(path).size - 40_960);
    const before = readFileSync(path);
    expect(await failure(SqliteStorage.open({ path }))).toMatchObject({ code: "corrupt", message: expect.stringContaining("restore a backup") });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("in a place that cannot be written is refused in words", async () => {
    writeFileSync(join(directory, "db"), "");
    expect(await failure(SqliteStorage.open({ path }))).toMatchObject({ code: "io", message: expect.stringContaining(path) });
  });
});

test("every acknowledged write survives SIGKILL, and revisions never go back", async () => {
  let newest = 0;
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 3; round++) {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "write-forever.fixture.ts"), path, String(round)], { stdout: "pipe", stderr: "inherit" });
    let lines = "";
    for await (const chunk of child.stdout) {
      lines += Buffer.from(chunk).toString();
      if (lines.length > 20_000) child.kill("SIGKILL");
    }
    await child.exited;
    // The last line may be cut short.
    const whole = lines.slice(0, lines.lastIndexOf("\n")).split("\n").map((line) => line.split(" ") as [string, string]);
    expect(whole.length).toBeGreaterThan(100);
    for (const [name, revision] of whole) {
      expect(Number(revision)).toBeGreaterThan(newest);
      acknowledged.set(name, Number(revision));
    }
    newest = Math.max(...acknowledged.values());
  }
  const storage = await open();
  expect(storage.revision).toBeGreaterThanOrEqual(newest);
  const found = new Map((await storage.list("/registry/")).items.map((item) => [item.key, item.revision]));
  for (const [name, revision] of acknowledged) expect(found.get(name)).toBe(revision);
}, 180_000);

test("after a crash numbering goes on behind every revision that may have been given", async () => {
  const storage = await open();
  const last = await storage.create(key("a"), value());
  const crashed = join(directory, "crashed.db");
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, crashed + suffix);
  const again = await SqliteStorage.open({ path: crashed });
  expect(again.revision).toBeGreaterThan(last);
  expect(await again.update(key("a"), last, value(2))).toBeGreaterThan(again.compactedRevision);
  await again.close();
  await storage.close();
  expect((await open()).revision).toBe(last);
});

test("a file that is damaged while it is open ends the storage, also when its status is asked for first", async () => {
  const fatal: StorageError[] = [];
  const storage = await SqliteStorage.open({ path, onFatal: (error) => fatal.push(error) });
  opened.push(storage);
  await storage.create(key("a"), value());
  const file = openSync(path, "r+");
  writeSync(file, new Uint8Array(100));
  closeSync(file);
  const error = await failure(storage.status());
  expect(error.code).toBe("corrupt");
  expect(fatal).toEqual([error]);
  expect(await failure(storage.create(key("b"), value()))).toBe(error);
});

test.if(process.getuid?.() === 0)("a full disk refuses writes, loses nothing, and writing works again as soon as there is room", async () => {
  const disk = join(directory, "db");
  mkdirSync(disk);
  expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]).exitCode).toBe(0);
  try {
    const storage = await SqliteStorage.open({ path });
    for (let i = 0; i < 20; i++) await storage.create(key(i), value(3000));
    const filler = openSync(join(disk, "filler"), "w");
    expect(() => {
      for (;;) writeSync(filler, value(512));
    }).toThrow("ENOSPC");
    closeSync(filler);
    let written = 20;
    for (let i = 20; i < 100; i++) await storage.create(key(i), value(3000)).then(() => written++, (error) => expect(error).toMatchObject({ code: "full" }));
    expect(written).toBeLessThan(100);
    expect((await storage.list("/registry/")).items).toHaveLength(written);
    rmSync(join(disk, "filler"));
    await storage.create(key("again"), value(3000));
    await storage.close();
    const again = await SqliteStorage.open({ path });
    expect((await again.list("/registry/")).items).toHaveLength(written + 1);
    await again.close();
  } finally {
    Bun.spawnSync(["umount", "-l", disk]);
  }
});

test("a file at its size limit refuses writes and loses nothing", async () => {
  const storage = await open({ maxBytes: 1 << 20 });
  const written: string[] = [];
  let refused: StorageError | undefined;
  for (let i = 0; !refused && i < 1000; i++) {
    await storage.create(key(i), value(4000)).then(() => written.push(key(i)), (error: StorageError) => (refused = error));
  }
  expect(refused).toMatchObject({ code: "full", message: expect.stringContaining("raise the bound") });
  expect(await failure(storage.create(key("more"), value(4000)))).toMatchObject({ code: "full" });
  expect((await storage.status()).alarms).toEqual(["NOSPACE"]);
  expect((await storage.list("/registry/")).items).toHaveLength(written.length);
  const revision = storage.revision;
  await storage.close();
  const roomy = await open();
  expect(roomy.revision).toBeGreaterThanOrEqual(revision);
  await roomy.create(key("more"), value(4000));
  expect((await roomy.list("/registry/")).items).toHaveLength(written.length + 1);
});

test("a database at its bound lets go: deletes, small changes and renewals work, and writes again as soon as there is room", async () => {
  const storage = await open({ maxBytes: 1 << 20 });
  const written: [string, number][] = [];
  let refused: unknown;
  while (!refused) {
    const name = key(written.length);
    await storage.create(name, value(3000)).then((revision) => written.push([name, revision]), (error: unknown) => (refused = error));
  }
  expect(refused).toMatchObject({ code: "full" });
  // Far more than the bound has room for, were each kept.
  let [name, revision] = written[0]!;
  for (let i = 0; i < 400; i++) revision = await storage.update(name, revision, value(3000 + (i % 2)));
  for (let i = 0; i < 50; i++) revision = await storage.update(name, revision, value(3000), { volatile: true });
  expect(await failure(storage.update(name, revision, value(30_000)))).toMatchObject({ code: "full" });
  for (const [other, at] of written.slice(1)) await storage.delete(other, at);
  for (let i = 0; i < 20; i++) await storage.create(key(`again-${i}`), value(3000));
  expect((await storage.status()).alarms).toEqual([]);
  expect((await storage.list("/registry/")).items).toHaveLength(21);
});

test("writes in flight behind one that fails fail with it, and the key can be written again", async () => {
  const storage = await open({ maxBytes: 1 << 20 });
  const first = await storage.create(key("a"), value());
  const outcomes = await Promise.allSettled([
    storage.create(key("huge"), value(2 << 20)),
    storage.delete(key("a"), first),
    // Decided against the deletion in flight: when that fails, so does this reason.
    storage.create(key("a"), value(2)),
    storage.update(key("a"), first, value(3)),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "fulfilled"]);
  expect((await storage.get(key("a")))?.value).toHaveLength(3);
});

test("compaction gives way to writes and shrinks the file", async () => {
  const storage = await open();
  const hot = Array.from({ length: 30 }, (_, i) => key(`hot-${i}`));
  const revisions = await Promise.all(hot.map((name) => storage.create(name, value(4000))));
  for (let round = 0; round < 100; round++) await Promise.all(hot.map(async (name, i) => (revisions[i] = await storage.update(name, revisions[i]!, value(4000)))));
  let revision = await storage.create(key("a"), value(4000));
  const done = storage.compact(revision);
  let writes = 0, compacting = true;
  void done.then(() => (compacting = false));
  while (compacting) {
    revision = await storage.update(key("a"), revision, value(4000));
    writes++;
  }
  await done;
  expect(writes).toBeGreaterThan(3);
  await storage.compact(revision);
  await storage.close();
  expect(statSync(path).size).toBeLessThan(4 << 20);
}, 180_000);

test("the log is begun anew again and again, whatever is read between the writes", async () => {
  const storage = await open();
  // The salt of its header is another with each beginning. Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
  const beginnings = new Set<number>();
  let from = storage.revision;
  for (let round = 0; beginnings.size < 4; round++) {
    expect(round).toBeLessThan(400);
    const revisions = await Promise.all(Array.from({ length: 60 }, (_, i) => storage.create(key(`${round}-${i}`), value(4000))));
    await storage.get(key(`${round}-0`));
    await storage.list("/registry/core/pods/", { limit: 1 });
    await storage.list("/registry/core/pods/", { revision: revisions[0]! });
    await storage.status();
    const stop = new AbortController();
    await storage.watch("/registry/", from, (_, reached) => reached >= revisions.at(-1)! && stop.abort(), stop.signal);
    from = revisions.at(-1)!;
    beginnings.add(readFileSync(`${path}-wal`).readUInt32BE(16));
  }
});

test("while the disk is slow, volatile writes to other keys don't wait for it, and are seen in order", async () => {
  const storage = await open();
  await storage.create("/registry/core/other/volatile", value(), { volatile: true });
  const lease = await storage.create("/registry/core/other/lease", value());
  const stop = new AbortController(), seen: string[] = [], revisions: number[] = [];
  const watch = storage.watch("/registry/", lease, (events) => {
    for (const event of events) {
      seen.push(event.key);
      revisions.push(event.revision);
    }
  }, stop.signal);
  const slow = storage.create(key("slow"), value(4 << 20));
  // The commit is under way by the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  const behind = storage.create(key("behind"), value());
  const renewed = await storage.update("/registry/core/other/lease", lease, value(2), { volatile: true });
  expect(seen).toEqual(["/registry/core/other/lease"]);
  expect(await storage.get("/registry/core/other/lease")).toMatchObject({ revision: renewed });
  expect(await storage.get(key("slow"))).toBeUndefined();
  expect(renewed).toBeLessThan(await slow);
  expect(await slow).toBeLessThan(await behind);
  expect(seen).toEqual(["/registry/core/other/lease", key("slow"), key("behind")]);
  expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  expect((await storage.list("/registry/", { revision: renewed })).items.map((item) => [item.key, item.revision])).toEqual([["/registry/core/other/lease", renewed], ["/registry/core/other/volatile", expect.any(Number)]]);
  stop.abort();
  await watch;
});

test("volatile updates don't touch the disk, and a crash takes them back, but not their revisions", async () => {
  const storage = await open();
  const made = await storage.create(key("a"), value(1));
  const other = await storage.create("/registry/core/other/b", value(1));
  const size = (): number => statSync(`${path}-wal`).size;
  const before = size();
  let last = made;
  for (let i = 2; i < 12_000; i++) last = await storage.update(key("a"), last, value((i % 100) + 1), { volatile: true });
  expect(size() - before).toBeLessThan(40_000);
  // The past of its kind is not known any more, that of others is.
  expect(await failure(storage.list("/registry/core/pods/", { revision: other }))).toMatchObject({ code: "compacted" });
  expect(await failure(storage.watch("/registry/core/pods/", other, () => {}, new AbortController().signal))).toMatchObject({ code: "compacted" });
  expect((await storage.list("/registry/core/other/", { revision: other })).items.length).toBe(1);
  const crashed = join(directory, "crashed.db");
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, crashed + suffix);
  const again = await SqliteStorage.open({ path: crashed });
  const taken = (await again.get(key("a")))!;
  expect(taken.value).toEqual(value(1));
  // Nobody who has seen a later revision sees an earlier one.
  expect(taken.revision).toBeGreaterThan(last);
  expect(await again.update(key("a"), taken.revision, value(2))).toBeGreaterThan(taken.revision);
  await again.close();
  await storage.close();
  const reopened = await open();
  expect(await reopened.get(key("a"))).toMatchObject({ revision: last, value: value(100) });
  expect(reopened.revision).toBe(last);
}, 180_000);

test("a crash takes volatile keys back; who has seen them is told to look anew", async () => {
  const storage = await open();
  const durable = await storage.create("/registry/core/nodes/n", value());
  const seen = await storage.create(key("a"), value(), { volatile: true });
  const crashed = join(directory, "crashed.db");
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, crashed + suffix);
  const again = await SqliteStorage.open({ path: crashed });
  expect(await again.get(key("a"))).toBeUndefined();
  for (const prefix of ["/registry/", "/registry/core/", "/registry/core/pods/", "/registry/core/pods/default/"]) {
    expect(await failure(again.watch(prefix, seen, () => {}, new AbortController().signal))).toMatchObject({ code: "compacted" });
    expect(await failure(again.list(prefix, { revision: seen }))).toMatchObject({ code: "compacted" });
  }
  expect((await again.list("/registry/core/nodes/", { revision: seen })).items.map(({ revision }) => revision)).toEqual([durable]);
  expect(await again.create(key("a"), value())).toBeGreaterThan(seen);
  await again.close();
});

test("volatile states beyond what memory is for are made durable, the oldest first, and are as before to everybody", async () => {
  const storage = await SqliteStorage.open({ path, volatileBytes: 100_000 });
  opened.push(storage);
  const writers = Array.from({ length: 10 }, async (_, writer) => {
    for (let i = 0; i < 100; i++) {
      const name = key(`${String(i).padStart(3, "0")}-${writer}`);
      let revision = await storage.create(name, value(500), { volatile: true });
      if (i % 3 === 1) revision = await storage.update(name, revision, value(600), { volatile: true });
      if (i % 3 === 2) await storage.delete(name, revision, { volatile: true });
    }
  });
  await Promise.all(writers);
  const sizes = (items: readonly Stored[]): string[] => items.map((item) => `${item.key.slice(key("").length)}: ${item.value.length}`);
  const expected = Array.from({ length: 100 }, (_, i) => i).flatMap((i) => (i % 3 === 2 ? [] : Array.from({ length: 10 }, (__, writer) => `${String(i).padStart(3, "0")}-${writer}: ${i % 3 ? 600 : 500}`)));
  expect(sizes((await storage.list("/registry/core/pods/")).items)).toEqual(expected);
  const crashed = join(directory, "crashed.db");
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, crashed + suffix);
  const again = await SqliteStorage.open({ path: crashed });
  const survived = sizes((await again.list("/registry/core/pods/")).items);
  expect(survived.length).toBeGreaterThan(300);
  expect(expected).toEqual(expect.arrayContaining(survived.filter((each) => each.endsWith("600"))));
  await again.close();
  await storage.close();
  expect(sizes((await (await open()).list("/registry/core/pods/")).items)).toEqual(expected);
});

test("what was made durable for want of memory and is deleted leaves the file and memory, too, but for as much as memory is for", async () => {
  const storage = await SqliteStorage.open({ path, volatileBytes: 50_000 });
  opened.push(storage);
  const made = await Promise.all(Array.from({ length: 1000 }, async (_, i) => [key(i), await storage.create(key(i), value(500), { volatile: true })] as const));
  for (const [name, revision] of made) await storage.delete(name, revision, { volatile: true });
  const crashed = join(directory, "crashed.db");
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, crashed + suffix);
  const again = await SqliteStorage.open({ path: crashed });
  expect((await again.list("/registry/core/pods/")).items.length).toBeLessThanOrEqual(100);
  await again.close();
  expect((await storage.list("/registry/core/pods/")).items).toEqual([]);
});

test("a clean stop keeps the newest volatile keys, a bounded number", async () => {
  const storage = await open();
  for (let i = 0; i < 1500; i++) await storage.create(key(i), value(), { volatile: true });
  await storage.close();
  const names = (await (await open()).list("/registry/core/pods/")).items.map((item) => Number(item.key.slice(key("").length)));
  expect(names.sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => 500 + i));
});

test("a death of the writer thread is told to everyone who waits", async () => {
  const told = Promise.withResolvers<StorageError>();
  const broken = URL.createObjectURL(new Blob(["onmessage = () => { throw new Error('broken') }"]));
  const writer = new Thread<WriterRequest, WriterTells>(broken, told.resolve);
  const waiting = writer.call({ type: "commit", writes: [], revision: 0, compacted: 0 });
  expect(await failure(waiting)).toMatchObject({ code: "io", message: expect.stringMatching(/broken[^]*nothing can be written until the server is restarted/) });
  expect((await told.promise).code).toBe("io");
  expect(await failure(writer.call({ type: "commit", writes: [], revision: 0, compacted: 0 }))).toMatchObject({ code: "io" });
});

test("two crashes before a write: what was shown after the first, a cut log behind it, is not behind after the second", async () => {
  const storage = await open();
  for (let i = 0; i < 5; i++) await storage.update(key(i), await storage.create(key(i), value(1)), value(2), { volatile: true });
  const place = (name: string): string => join(directory, `${name}.db`);
  const crash = (from: string, to: string): void => ["", "-wal"].forEach((suffix) => copyFileSync(from + suffix, place(to) + suffix));
  crash(path, "first");
  await storage.close();
  // The power went amid a write to the log.
  truncateSync(`${place("first")}-wal`, statSync(`${place("first")}-wal`).size - 7);
  const first = await SqliteStorage.open({ path: place("first") });
  const shown = await first.list("/registry/");
  crash(place("first"), "second");
  await first.close();
  const second = await SqliteStorage.open({ path: place("second") });
  const again = await second.list("/registry/");
  expect(again.revision).toBeGreaterThanOrEqual(shown.revision);
  expect(shown.items.length).toBeGreaterThan(0);
  for (const item of shown.items) expect(again.items.find((each) => each.key === item.key)!.revision).toBeGreaterThanOrEqual(item.revision);
  await second.close();
});
