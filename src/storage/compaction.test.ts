import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { planCompaction, runCompaction, type CompactionPolicy, type Mark } from "./compaction.ts";
import { MemoryStorage } from "./memory/memory-storage.ts";
import { SqliteStorage } from "./sqlite/sqlite-storage.ts";

const policy: CompactionPolicy = { keepMs: 300, keepStates: 1000, intervalMs: 100, worthStates: 1, patienceMs: 300 };
const marks = (...given: [at: number, revision: number, replaced?: number][]): Mark[] => given.map(([at, revision, replaced = revision]) => ({ at, revision, replaced }));

test.each([
  ["nothing is old enough", marks([-Infinity, 5], [0, 10], [100, 20]), 5, 3],
  ["what was the newest revision keepMs ago", marks([-Infinity, 0], [0, 10], [100, 20], [300, 40], [400, 50]), 20, 3],
  ["the count bounds it when writes are many", marks([-Infinity, 0], [0, 10], [100, 5000]), 4000, 3],
  ["of both the later", marks([-Infinity, 0], [0, 10], [300, 500], [600, 1200]), 500, 2],
  ["a gap in the revisions, as a crash leaves it, is no history", marks([-Infinity, 0, 0], [0, 20_010, 10], [100, 20_030, 20]), 0, 3],
  ["revisions that no state was replaced at don't count", marks([-Infinity, 0, 0], [0, 0, 0], [100, 10_000, 500], [200, 30_000, 1500]), 10_000, 4],
] as const)("planCompaction: %s", (_, given, upTo, kept) => {
  const plan = planCompaction(given, policy);
  expect(plan.upTo.revision).toBe(upTo);
  expect(plan.marks).toHaveLength(kept);
});

/** runCompaction on a clock that `tick` moves by one interval. */
function compacting(policy: CompactionPolicy) {
  const storage = new MemoryStorage();
  let now = 0, compactions = 0;
  const sleepers: (() => void)[] = [];
  const stop = new AbortController();
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (ms: number, signal?: AbortSignal) => new Promise<void>((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      sleepers.push(() => {
        now += ms;
        resolve();
      });
    }),
  };
  const compact = storage.compact.bind(storage);
  storage.compact = (revision) => {
    compactions++;
    return compact(revision);
  };
  const running = runCompaction({ storage, clock, policy, failed: (error) => { throw error; } }, stop.signal);
  let written = 0;
  return {
    storage,
    compactions: () => compactions,
    write: () => storage.create(`/registry/core/pods/default/${written++}`, new Uint8Array(1)),
    async tick(): Promise<void> {
      sleepers.shift()!();
      while (sleepers.length === 0) await Promise.resolve();
    },
    stop(): Promise<void> {
      stop.abort();
      return running;
    },
  };
}

test("runCompaction follows the clock, writes nothing when idle, and ends with its signal", async () => {
  const { storage, compactions, write, tick, stop } = compacting(policy);
  for (let i = 0; i < 10; i++) {
    await write();
    await tick();
  }
  expect(storage.compactedRevision).toBe(7);
  for (let i = 0; i < 5; i++) await tick();
  expect(storage.compactedRevision).toBe(10);
  const before = compactions();
  for (let i = 0; i < 5; i++) await tick();
  expect(compactions()).toBe(before);
  await stop();
});

test("runCompaction gathers what is hardly worth it", async () => {
  const { storage, compactions, write, tick, stop } = compacting({ ...policy, worthStates: 20 });
  for (let i = 0; i < 30; i++) {
    await write();
    await tick();
  }
  // Every three ticks, as long as patience lasts, instead of every tick.
  expect(compactions()).toBe(9);
  expect(storage.compactedRevision).toBe(25);
  await tick();
  for (let i = 0; i < 40; i++) await write();
  for (let i = 0; i < 4; i++) await tick();
  // As soon as it is old enough, because there is much of it.
  expect(storage.compactedRevision).toBe(70);
  await stop();
});

test("crashes don't shorten history: what was written before them is told for as long as at any other time", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-compaction-")), clock = new FakeClock(), stop = new AbortController();
  const file = (n: number): string => join(directory, `${n}.db`);
  let storage = await SqliteStorage.open({ path: file(0) });
  try {
    const first = await storage.create("/registry/core/pods/default/a", new Uint8Array(1));
    let last = first;
    for (let crash = 1; crash <= 4; crash++) {
      last = await storage.update("/registry/core/pods/default/a", last, new Uint8Array(crash));
      for (const suffix of ["", "-wal"]) copyFileSync(file(crash - 1) + suffix, file(crash) + suffix);
      await storage.close();
      storage = await SqliteStorage.open({ path: file(crash) });
    }
    expect(storage.revision).toBeGreaterThan(first + 30_000);
    expect(storage.replaced).toBe(4);
    const running = runCompaction({ storage, clock, failed: (error) => { throw error; } }, stop.signal);
    await clock.advance(295_000);
    expect((await storage.list("/registry/", { revision: first })).items).toMatchObject([{ revision: first }]);
    await clock.advance(600_000);
    expect(storage.compactedRevision).toBe(storage.revision);
    stop.abort();
    await running;
  } finally {
    await storage.close();
    rmSync(directory, { recursive: true });
  }
});
