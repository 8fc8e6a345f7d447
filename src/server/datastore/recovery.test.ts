import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytes, refusal, text } from "../../../test/contract/storage.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import { StorageError, type StorageErrorCode } from "../../storage/storage.ts";
import { openOrRecover, sentenceOf } from "./recovery.ts";
import { recoveriesOf } from "./set-aside.ts";
import { listSnapshots, Snapshots } from "./snapshots.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

const key = (n: number): string => `/registry/core/configmaps/default/c${n}`;
const now = Date.UTC(2026, 10, 21, 12);
/** Unlike each other, so that they take the room they have. */
const content = (n: number): string => `${n} ${Array.from({ length: 40 }, (_, i) => Bun.hash(`${n}/${i}`).toString(36)).join(" ")}`;

interface Place { directory: string; path: string; snapshotsDirectory: string }

function place(): Place {
  const directory = mkdtempSync(join(tmpdir(), "skiff-recovery-"));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  return { directory, path: join(directory, "state.db"), snapshotsDirectory: join(directory, "snapshots") };
}

/** Keys 0 to 399 are in a snapshot, 400 to 499 came after it. Ends as a crash does, or cleanly. Returns the newest revision given. */
async function database(at: Place, { clean }: { clean: boolean }): Promise<number> {
  const running = clean ? at : place();
  const storage = await SqliteStorage.open({ path: running.path });
  await Promise.all(upTo(400).map((n) => storage.create(key(n), bytes(content(n)))));
  await snapshotsOf(at, storage).make();
  const newest = Math.max(...await Promise.all(upTo(500).slice(400).map((n) => storage.create(key(n), bytes(content(n))))));
  // What a process that is killed leaves is what the files hold while it runs.
  if (!clean) for (const file of ["state.db", "state.db-wal"]) copyFileSync(join(running.directory, file), join(at.directory, file));
  await storage.close();
  return newest;
}

const snapshotsOf = ({ snapshotsDirectory }: Place, storage: SqliteStorage): Snapshots => new Snapshots({ directory: snapshotsDirectory, storage, clock: new FakeClock(now), by: "v1" });

async function recover(at: Place): ReturnType<typeof openOrRecover> {
  const recovered = await openOrRecover({ path: at.path, snapshotsDirectory: at.snapshotsDirectory, now: now + 1000 });
  cleanUps.push(() => recovered.storage.close());
  return recovered;
}

const keysOf = async (storage: SqliteStorage): Promise<number[]> => (await storage.list("/registry/")).items.map(({ key: name, value }) => {
  const n = Number(/\d+$/.exec(name)![0]);
  expect(text(value)).toBe(content(n));
  return n;
}).toSorted((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

function overwrite(path: string, offset: number, what: Uint8Array): void {
  const file = openSync(path, "r+");
  writeSync(file, what, 0, what.length, offset);
  closeSync(file);
}

/** Every whole page of the file but the first, in an order of no meaning. */
const pages = (path: string): number[] => Array.from({ length: statSync(path).size / 4096 - 1 }, (_, n) => (n + 1) * 4096);
const noise = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

const damages: Record<string, (path: string) => void> = {
  "the first page is zeroed": (path) => overwrite(path, 0, new Uint8Array(4096)),
  "a page is zeroed": (path) => pages(path).filter((_, n) => n % 7 === 3).forEach((offset) => overwrite(path, offset, new Uint8Array(4096))),
  "pages are torn": (path) => pages(path).filter((_, n) => n % 5 === 1).forEach((offset) => overwrite(path, offset + 512, noise(3584))),
  "random bytes": (path) => pages(path).filter((_, n) => n % 3 === 1).forEach((offset) => overwrite(path, offset + 2000, noise(16))),
  "one bit is another": (path) => {
    // In the midst of what belongs to a key, where no structure of SQLite's would tell.
    const at = readFileSync(path).indexOf(key(123)) + key(123).length + 30;
    expect(at).toBeGreaterThan(1000);
    overwrite(path, at, new Uint8Array([readFileSync(path)[at]! ^ 1]));
  },
  "it is cut off": (path) => truncateSync(path, Math.floor(statSync(path).size / 2 / 4096) * 4096),
  "it is empty": (path) => truncateSync(path, 0),
  "it is gone": (path) => rmSync(path),
  "another file took its name": (path) => writeFileSync(path, "Dear diary,\n".repeat(500)),
};

test("damage that comes while it is in use ends it, and the next start mends that", async () => {
  const at = place();
  await database(at, { clean: true });
  let fatal: StorageError | undefined;
  const storage = await SqliteStorage.open({ path: at.path, onFatal: (error) => (fatal = error) });
  for (const offset of pages(at.path)) overwrite(at.path, offset, noise(4096));
  let failure: StorageErrorCode | undefined;
  for (let n = 0; n < 400 && !failure; n++) failure = await refusal(storage.get(key(n)));
  expect(failure).toBe("corrupt");
  expect(fatal).toMatchObject({ code: "corrupt" });
  expect(await refusal(storage.create(key(2000), bytes("x")))).toBe("corrupt");
  await storage.close();
  const { storage: restored, recovery } = await recover(at);
  expect(recovery).toBeDefined();
  expect(await keysOf(restored)).toEqual(upTo(400));
}, 180_000);

describe("a damaged database", () => {
  for (const [name, damage] of Object.entries(damages)) {
    for (const clean of [true, false]) {
      test(`${name}, after ${clean ? "a clean stop" : "a crash"}: it is set aside, and the snapshot takes its place`, async () => {
        const at = place(), newest = await database(at, { clean });
        // After a crash the log has what the file lacks, and hides damage to what it has.
        if (!clean && name !== "it is gone") await intoFile(at);
        damage(at.path);
        const damaged = existsSync(at.path) ? readFileSync(at.path) : undefined;
        const { storage, recovery } = await recover(at);
        expect(recovery).toMatchObject({ snapshot: { at: now }, passedOver: [] });
        expect(await keysOf(storage)).toEqual(upTo(400));
        expect(sentenceOf(recovery!)).toContain("snapshot of 2026-11-21T12:00:00.000Z");
        if (damaged) expect(readFileSync(join(recovery!.setAside!, "state.db")).equals(damaged)).toBe(true);
        const revision = await storage.create(key(1000), bytes("new"));
        expect(revision).toBeGreaterThan(newest);
        // Whoever has seen what is lost looks anew.
        expect(await refusal(storage.watch("/registry/", newest, () => undefined, new AbortController().signal))).toBe("compacted");
      }, 180_000);
    }
  }

  test("its log is cut off, or gone: what the log had is lost, and no revision is given twice", async () => {
    const cuts: [(log: string) => void, { gone: boolean }][] = [
      [(log) => truncateSync(log, Math.floor(statSync(log).size / 2) - 1), { gone: false }], [(log) => truncateSync(log, 0), { gone: true }], [(log) => rmSync(log), { gone: true }],
    ];
    for (const [cut, { gone }] of cuts) {
      const at = place();
      await database(at, { clean: false });
      // More revisions than one promise covers were given, all told in the log alone.
      const storage = await SqliteStorage.open({ path: at.path });
      for (let n = 0; n < 30_000; n += 1000) await Promise.all(Array.from({ length: 1000 }, (_, i) => storage.create(`/registry/coordination.k8s.io/leases/default/l${n + i}`, bytes("x"), { volatile: true })));
      const newest = storage.revision, left = place();
      for (const file of ["state.db", "state.db-wal"]) copyFileSync(join(at.directory, file), join(left.directory, file));
      await storage.close();
      cut(`${left.path}-wal`);
      const { storage: opened } = await recover({ ...at, path: left.path });
      expect(opened.logLost).toBe(gone);
      const kept = (await opened.list("/registry/core/")).items.length;
      expect(kept).toBeLessThanOrEqual(500);
      expect(await opened.create(key(1000), bytes("new"))).toBeGreaterThan(newest);
    }
  }, 180_000);

  test("the newest snapshot is damaged too: the one before it is used, and that is told", async () => {
    const at = place();
    await database(at, { clean: true });
    const storage = await SqliteStorage.open({ path: at.path });
    await snapshotsOf(at, storage).make();
    await storage.close();
    const [newest] = listSnapshots(at.snapshotsDirectory);
    overwrite(newest!.file, Math.floor(newest!.bytes / 2), noise(10));
    truncateSync(at.path, 4096 * 3);
    const { storage: restored, recovery } = await recover(at);
    expect(recovery!.passedOver).toEqual([expect.stringContaining(newest!.file)]);
    expect(await keysOf(restored)).toEqual(upTo(400));
  }, 180_000);

  test("without a good snapshot nothing is touched, and the error says what to do", async () => {
    const at = place();
    await database(at, { clean: true });
    truncateSync(at.path, 4096 * 3);
    for (const { file } of listSnapshots(at.snapshotsDirectory)) truncateSync(file, 100);
    const before = readFileSync(at.path);
    const error = await openOrRecover({ path: at.path, snapshotsDirectory: at.snapshotsDirectory, now }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StorageError);
    expect((error as StorageError).message).toMatch(/is damaged.*its snapshots can't be used either.*cut off/);
    expect(readFileSync(at.path).equals(before)).toBe(true);
    expect(readdirSync(at.directory).filter((file) => file.startsWith("damaged"))).toEqual([]);
  }, 180_000);

  test.each(["it is empty", "it is gone"])("%s, and there is no snapshot yet: its log is left alone", async (name) => {
    const at = place();
    await database(at, { clean: false });
    rmSync(at.snapshotsDirectory, { recursive: true });
    damages[name]!(at.path);
    const log = readFileSync(`${at.path}-wal`);
    expect(log.length).toBeGreaterThan(0);
    const error = await openOrRecover({ path: at.path, snapshotsDirectory: at.snapshotsDirectory, now }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "corrupt", message: `${at.path} is gone or empty, though there is its log ${at.path}-wal: restore a backup, or move the log away too to begin anew; nothing has been changed` });
    expect(readFileSync(`${at.path}-wal`).equals(log)).toBe(true);
  });

  test("a stop amid the recovery is gone on with", async () => {
    const at = place();
    await database(at, { clean: true });
    // Moved aside, and no more.
    mkdirSync(join(at.directory, "damaged-before"));
    rmSync(at.path);
    writeFileSync(`${at.path}-wal`, noise(8192));
    writeFileSync(`${at.path}.restoring`, noise(8192));
    const { storage, recovery } = await recover(at);
    expect(await keysOf(storage)).toEqual(upTo(400));
    expect(existsSync(join(recovery!.setAside!, "state.db-wal"))).toBe(true);
  }, 180_000);

  test("what an earlier start has moved aside is told of, and nothing where there is nothing", async () => {
    const at = place();
    await database(at, { clean: true });
    for (const file of readdirSync(at.directory).filter((name) => name.startsWith("state.db"))) rmSync(join(at.directory, file));
    const recovery = async () => {
      const recovered = await openOrRecover({ path: at.path, snapshotsDirectory: at.snapshotsDirectory, now: now + 1000 });
      await recovered.storage.close();
      rmSync(at.path);
      return recovered.recovery!;
    };
    const first = await recovery();
    expect(first.setAside).toBeUndefined();
    expect(sentenceOf(first)).toEndWith("that is lost");
    mkdirSync(join(at.directory, "damaged-before"));
    writeFileSync(join(at.directory, "damaged-before/state.db"), "damaged");
    expect(await recovery()).toMatchObject({ setAside: join(at.directory, "damaged-before") });
  }, 180_000);
});

test("damaged again and again, it gives no revision twice; what is moved aside says what was done, and the newest two stay", async () => {
  const at = place();
  let newest = await database(at, { clean: true });
  const times = [now, now + 60_000, now + 120_000, 0, now + 180_000], made: string[] = [];
  for (const time of times) {
    // The page that everything else is found by.
    overwrite(at.path, 0, new Uint8Array(4096));
    const { storage, recovery } = await openOrRecover({ path: at.path, snapshotsDirectory: at.snapshotsDirectory, now: time });
    expect(storage.revision).toBeGreaterThan(newest);
    newest = await storage.create(key(1000), bytes("new"));
    await storage.close();
    made.push(recovery!.setAside!);
    const kept = readdirSync(at.directory).filter((name) => name.startsWith("damaged-")).map((name) => join(at.directory, name));
    expect(kept).toContain(recovery!.setAside!);
    expect(kept).toHaveLength(Math.min(made.length, 2));
    expect(recoveriesOf(at.path).map(({ directory }) => directory).sort()).toEqual(kept.sort());
    expect(recoveriesOf(at.path).find(({ directory }) => directory === recovery!.setAside)!.note).toMatchObject({ damage: recovery!.damage, recovered: time, snapshot: { revision: recovery!.snapshot.revision, at: now } });
  }
}, 180_000);

test("a database of another program or a newer Skiff is left alone, snapshots or not", async () => {
  const at = place();
  await database(at, { clean: true });
  const file = readFileSync(at.path);
  file.writeUInt32BE(99, 60);
  writeFileSync(at.path, file);
  expect(await refusal(openOrRecover({ path: at.path, snapshotsDirectory: at.snapshotsDirectory, now }))).toBe("newer");
  expect(readFileSync(at.path).equals(file)).toBe(true);
});

/** Brings what the log has into the file, as SQLite does now and then, and leaves all else as after a crash. */
async function intoFile({ path }: Place): Promise<void> {
  const { Database } = await import("bun:sqlite");
  const db = new Database(path);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  if (!existsSync(`${path}-wal`)) writeFileSync(`${path}-wal`, "");
}
