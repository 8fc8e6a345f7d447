import { expect, test } from "bun:test";
import { planCompaction, runCompaction, type CompactionPolicy, type Mark } from "./compaction.ts";
import { MemoryStorage } from "./memory/memory-storage.ts";

const policy: CompactionPolicy = { keepMs: 300, keepRevisions: 1000, intervalMs: 100, worthRevisions: 1, patienceMs: 300 };
const marks = (...pairs: [number, number][]): Mark[] => pairs.map(([at, revision]) => ({ at, revision }));

test.each([
  ["nothing is old enough", marks([0, 10], [100, 20]), 0, 2],
  ["what was the newest revision keepMs ago", marks([0, 10], [100, 20], [300, 40], [400, 50]), 20, 3],
  ["the count bounds it when writes are many", marks([0, 10], [100, 5000]), 4000, 2],
  ["of both the later", marks([0, 10], [300, 500], [600, 1200]), 500, 2],
] as const)("planCompaction: %s", (_, given, upTo, kept) => {
  const plan = planCompaction(given, policy);
  expect(plan.upTo).toBe(upTo);
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
  const { storage, compactions, write, tick, stop } = compacting({ ...policy, worthRevisions: 20 });
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
