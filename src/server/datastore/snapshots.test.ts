import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytes } from "../../../test/contract/storage.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import { defaultSnapshotPolicy, listSnapshots, newestGoodSnapshot, pauseAfter, Snapshots } from "./snapshots.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function start() {
  const directory = mkdtempSync(join(tmpdir(), "skiff-snapshots-"));
  cleanUps.push(() => rmSync(directory, { recursive: true }));
  const storage = await SqliteStorage.open({ path: join(directory, "state.db") });
  cleanUps.push(() => storage.close());
  const clock = new FakeClock(Date.UTC(2026, 10, 21));
  const options = { directory: join(directory, "snapshots"), storage, clock, by: "v1" };
  return { storage, clock, options, revisions: () => listSnapshots(options.directory).map(({ revision }) => revision) };
}

const key = (name: string): string => `/registry/core/configmaps/default/${name}`;
const minute = 60_000;

test("large snapshots are made less often: all together cost the disk so much a day", () => {
  const megabyte = 1024 * 1024, hour = 60 * minute;
  const pause = (size: number): number => pauseAfter(size, defaultSnapshotPolicy);
  expect([0, 100_000, megabyte, 5 * megabyte, 100 * megabyte].map((size) => pause(size) / hour)).toEqual([0.25, 0.25, 1.2, 6, 24]);
});

test("the newest two stay, for their owner alone", async () => {
  const { storage, options, revisions } = await start();
  const snapshots = new Snapshots(options), made: number[] = [];
  for (const name of ["a", "b", "c"]) {
    made.unshift(await storage.create(key(name), bytes(name)));
    await snapshots.make();
  }
  expect(revisions()).toEqual(made.slice(0, 2));
  expect(snapshots.revision).toBe(made[0]!);
  for (const { file } of listSnapshots(options.directory)) expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await newestGoodSnapshot(options.directory)).toMatchObject({ good: { revision: made[0]!, records: 3, by: "v1" }, problems: [] });
});

test("a renewal leaves none from before, two at once make one, and an unfinished one is none", async () => {
  const { storage, options, revisions } = await start();
  const snapshots = new Snapshots(options);
  await storage.create(key("a"), bytes("a"));
  await snapshots.make();
  const newest = await storage.create(key("b"), bytes("b"));
  await Promise.all([snapshots.make(), snapshots.make()]);
  expect(revisions().length).toBe(2);
  await snapshots.renew();
  expect(revisions()).toEqual([newest]);
  const content = readFileSync(listSnapshots(options.directory)[0]!.file);
  writeFileSync(join(options.directory, "unfinished"), content.subarray(0, 50));
  writeFileSync(join(options.directory, `${newest + 5}.snapshot`), content.subarray(0, 50));
  expect(await newestGoodSnapshot(options.directory)).toMatchObject({ good: { revision: newest }, problems: [expect.stringContaining("cut off")] });
});

test("one is made soon after a start, then when there is something new that a crash would not take back", async () => {
  const { storage, clock, options, revisions } = await start();
  const stop = new AbortController(), snapshots = new Snapshots(options), running = snapshots.run(stop.signal);
  cleanUps.push(async () => {
    stop.abort();
    await running;
  });
  const pass = async (ms: number): Promise<void> => {
    await eventually(() => expect(clock.sleeping).toBe(1));
    await clock.advance(ms);
    await eventually(() => expect(clock.sleeping).toBe(1));
  };
  const first = await storage.create(key("a"), bytes("a"));
  await pass(2 * minute);
  expect(revisions()).toEqual([first]);
  // Heartbeats are no reason to wear the disk.
  const leases = "/registry/coordination.k8s.io/leases/default/a";
  await storage.create(leases, bytes("1"), { volatile: true });
  const quiet = (await storage.status()).durableRevision;
  await pass(15 * minute);
  const second = revisions();
  await storage.update(leases, storage.revision, bytes("2"), { volatile: true });
  expect((await storage.status()).durableRevision).toBe(quiet);
  await pass(15 * minute);
  expect(revisions()).toEqual(second);
  const last = await storage.create(key("b"), bytes("b"));
  await pass(14 * minute);
  expect(revisions()).toEqual(second);
  await pass(minute);
  expect(revisions()[0]).toBe(last);
});
