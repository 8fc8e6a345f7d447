import { afterEach, beforeEach, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { TestDisk } from "../../../test/support/fuse/disk.ts";
import { StorageError } from "../storage.ts";
import { SqliteStorage } from "./sqlite-storage.ts";

let disk: TestDisk, path: string, storage: SqliteStorage;
beforeEach(async () => {
  disk = await TestDisk.mount();
  path = join(disk.path, "db", "state.db");
  storage = await SqliteStorage.open({ path });
});
afterEach(async () => {
  await disk.setFaults({});
  await storage.close();
  await disk.dispose();
});

const key = (name: string | number): string => `/registry/core/pods/default/${name}`;
const lease = "/registry/coordination.k8s.io/leases/default/l";
const value = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));

/** The code that a write was refused with, or "written". */
const outcome = (write: Promise<number>): Promise<string> => write.then(() => "written", (error: unknown) => {
  if (error instanceof StorageError) return error.code;
  throw error;
});

async function storedNames(): Promise<string[]> {
  return (await storage.list("/registry/core/pods/")).items.map((item) => item.key.slice(key("").length));
}

test.each(["write", "fsync"] as const)("a disk whose %s fails for a time loses nothing that was acknowledged, and isn't fatal", async (operation) => {
  let renewed = await storage.create(lease, value(100));
  renewed = await storage.update(lease, renewed, value(100), { volatile: true });
  const written: string[] = [];
  for (let round = 0; round < 3; round++) {
    await disk.setFaults({ fail: { [operation]: "EIO" } });
    const failing = Array.from({ length: 5 }, (_, i) => outcome(storage.create(key(`lost-${round}-${i}`), value(2000))));
    renewed = await storage.update(lease, renewed, value(100), { volatile: true });
    expect(new Set(await Promise.all(failing))).toEqual(new Set(["io"]));
    await disk.setFaults({});
    for (let i = 0; i < 5; i++) {
      await storage.create(key(`kept-${round}-${i}`), value(2000));
      written.push(`kept-${round}-${i}`);
    }
  }
  expect(await storedNames()).toEqual(written);
  await storage.close();
  storage = await SqliteStorage.open({ path });
  expect(await storedNames()).toEqual(written);
  expect((await storage.get(lease))!.revision).toBe(renewed);
}, 180_000);

test("a disk that fills up: creates are refused in time, deletes and renewals go on, and all does once there is room", async () => {
  let renewed = await storage.create(lease, value(100));
  const made: [string, number][] = [];
  await disk.setFaults({ capacity: 8 << 20 });
  let refused = "written";
  while (refused === "written") {
    const name = key(String(made.length).padStart(4, "0"));
    refused = await outcome(storage.create(name, value(20_000)).then((revision) => (made.push([name, revision]), revision)));
  }
  expect(refused).toBe("full");
  expect((await storage.status()).alarms).toEqual(["NOSPACE"]);
  for (let i = 0; i < 20; i++) renewed = await storage.update(lease, renewed, value(100), { volatile: true });
  expect((await storedNames()).length).toBe(made.length);
  for (const [name, revision] of made.splice(0, 50)) await storage.delete(name, revision);
  await disk.setFaults({ capacity: 64 << 20 });
  await storage.create(key("again"), value(20_000));
  expect((await storage.status()).alarms).toEqual([]);
  await storage.close();
  storage = await SqliteStorage.open({ path });
  expect(await storedNames()).toEqual([...made.map(([name]) => name.slice(key("").length)), "again"]);
}, 180_000);

test("a disk that another program fills to the last byte: deletes work, also after a crash", async () => {
  const names = Array.from({ length: 60 }, (_, i) => key(i)), revisions: number[] = [];
  await disk.setFaults({ capacity: 48 << 20 });
  // So much that the log has been emptied, and has something again.
  for (const name of names) revisions.push(await storage.create(name, value(60_000)));
  const kill = new AbortController();
  await storage.close();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "write-forever.fixture.ts"), path, "more"], { stdout: "pipe", stderr: "inherit", signal: kill.signal, killSignal: "SIGKILL" });
  for await (const _ of child.stdout) if ((await disk.usedBytes()) > 9 << 20) kill.abort();
  await child.exited;
  await disk.setFaults({ capacity: await disk.usedBytes() });
  storage = await SqliteStorage.open({ path });
  expect(await outcome(storage.create(key("new"), value(5000)))).toBe("full");
  for (const [i, name] of names.entries()) await storage.delete(name, revisions[i]!);
  expect((await storedNames()).filter((name) => !name.startsWith("more"))).toEqual([]);
}, 180_000);

test("renewals don't wait for a commit, however many there are, once it has been seen how many", async () => {
  const leases = await Promise.all(Array.from({ length: 200 }, async (_, i) => ({ key: `${lease}-${i}`, revision: await storage.create(`${lease}-${i}`, value(100)) })));
  // The first one makes the file remember that Leases are written so.
  leases[0]!.revision = await storage.update(leases[0]!.key, leases[0]!.revision, value(100), { volatile: true });
  let renewed = 0;
  for (let round = 0; renewed < leases.length; round++) {
    expect(round).toBeLessThan(10);
    await disk.setFaults({ stalledFsync: "state.db-wal" });
    const writing = storage.create(key(round), value(100)), turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    await turn();
    renewed = 0;
    const renewing = leases.map(async (each) => {
      each.revision = await storage.update(each.key, each.revision, value(100), { volatile: true });
      renewed++;
    });
    await turn();
    expect(renewed).toBeGreaterThan(0);
    const inTime = renewed;
    await disk.setFaults({});
    await Promise.all([writing, ...renewing]);
    renewed = inTime;
  }
}, 180_000);

test("writes, reads and compaction go on while the disk takes its time over what the log has for the file, and the log is emptied then", async () => {
  const revisions: number[] = [];
  const write = (round: number): Promise<unknown> => Promise.all(Array.from({ length: 100 }, async (_, i) => {
    revisions[i] = await (round === 0 ? storage.create(key(i), value(5000)) : storage.update(key(i), revisions[i]!, value(5000)));
  }));
  await write(0);
  await disk.setFaults({ stalledFsync: "state.db" });
  const logBytes = (): number => statSync(`${path}-wal`).size;
  // Twice what a log has before it is taken into the file.
  for (let round = 1; logBytes() < 5 << 20; round++) await write(round);
  const compacted = storage.compact(storage.revision);
  expect((await storage.get(key(7)))!.revision).toBe(revisions[7]!);
  await write(1);
  await disk.setFaults({});
  await compacted;
  const grown = logBytes();
  for (let round = 0; round < 10; round++) await write(1);
  expect(logBytes()).toBe(grown);
  await storage.close();
  storage = await SqliteStorage.open({ path });
  expect((await storage.list(key(""))).items.map(({ revision }) => revision).sort((a, b) => a - b)).toEqual(revisions.toSorted((a, b) => a - b));
}, 180_000);

test("a file that can't be synced after a checkpoint ends the storage: what the kernel forgets is in the log, for whoever opens it next", async () => {
  await storage.close();
  let fatal: StorageError | undefined;
  storage = await SqliteStorage.open({ path, onFatal: (error) => (fatal = error) });
  const acknowledged: string[] = [];
  // After an answer comes a checkpoint, now and then: by then no fsync succeeds, and soon after all do again.
  for (let n = 0; !fatal && n < 300; n++) {
    if (await outcome(storage.create(key(n), value(200_000))) === "written") acknowledged.push(String(n));
    await disk.setFaults({ fsyncMs: 20, fail: { fsync: "EIO" } });
    await Bun.sleep(60);
    await disk.setFaults({ fsyncMs: 20 });
  }
  expect(fatal).toMatchObject({ code: "io", message: expect.stringContaining("has to start again, from the database's log") });
  expect(await outcome(storage.create(key("later"), value(10)))).toBe("io");
  // As a process ends that is killed: what only its memory knew, and what the disk was never made to keep, is gone.
  await storage.close();
  await disk.powerOff();
  await disk.remount();
  storage = await SqliteStorage.open({ path });
  const names = new Set(await storedNames());
  expect(acknowledged.filter((name) => !names.has(name))).toEqual([]);
}, 180_000);
