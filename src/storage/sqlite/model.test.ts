import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StorageError, type StorageEvent } from "../storage.ts";
import { SqliteStorage } from "./sqlite-storage.ts";

type State = ReadonlyMap<string, { text: string; revision: number }>;
const prefix = "/registry/core/pods/";
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** Numbers from 0 up to `below`, the same ones for a seed. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

const shown = (state: State): string[] => [...state].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { text: value, revision }]) => `${key}=${value}@${revision}`);
const compacted = (error: unknown): undefined => {
  if (error instanceof StorageError && error.code === "compacted") return undefined;
  throw error;
};

/** Writes of both kinds, several at once, compaction, making room in memory, and clean stops: a model knows what each revision must look like. */
test.each([1, 2, 3, 4, 5, 6])("every revision that is remembered reads as it was written, seed %d", async (seed) => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-model-"));
  const roll = dice(seed), open = (): Promise<SqliteStorage> => SqliteStorage.open({ path: join(directory, "state.db"), volatileBytes: 400 });
  let storage = await open();
  const current = new Map<string, { text: string; revision: number }>();
  const past: { revision: number; state: State }[] = [];
  const events: StorageEvent[] = [];
  let stop = new AbortController(), watching: Promise<void>;
  const watch = (): void => {
    watching = storage.watch("/registry/", storage.revision, (batch) => {
      for (const event of batch) {
        events.push(event);
        expect(event.previousRevision).toBe(current.get(event.key)?.revision);
        if (event.type === "put") current.set(event.key, { text: text(event.value), revision: event.revision });
        else current.delete(event.key);
        past.push({ revision: event.revision, state: new Map(current) });
      }
    }, stop.signal);
  };
  watch();
  for (let step = 0; step < 150; step++) {
    const names = new Set(Array.from({ length: 1 + roll(4) }, () => `${prefix}default/${"abcdefgh"[roll(8)]}`));
    await Promise.all([...names].map(async (key) => {
      // Some while a commit is under way.
      for (let turns = roll(6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      const state = current.get(key), volatile = roll(3) > 0, value = new TextEncoder().encode(`${step}-${"x".repeat(roll(200))}`);
      if (!state) return storage.create(key, value, { volatile });
      return roll(3) === 0 ? storage.delete(key, state.revision, { volatile }) : storage.update(key, state.revision, value, { volatile });
    }));
    expect((await storage.list(prefix)).items.map((item) => `${item.key}=${text(item.value)}@${item.revision}`)).toEqual(shown(current));
    const { revision, state } = past[roll(past.length)]!;
    const limit = roll(2) ? { limit: 1 + roll(5) } : {}, after = `${prefix}default/${"abcdefgh"[roll(8)]}`;
    const found = await storage.list(prefix, { revision, after, ...limit }).catch(compacted);
    const expected = shown(state).filter((line) => line.slice(0, after.length) > after);
    if (found) expect([found.items.map((item) => `${item.key}=${text(item.value)}@${item.revision}`), found.more]).toEqual([expected.slice(0, limit.limit), expected.length > (limit.limit ?? Infinity)]);
    const seen: StorageEvent[] = [], ended = new AbortController();
    const again = storage.watch(prefix, revision, (batch, reached) => {
      seen.push(...batch);
      if (reached >= storage.revision) ended.abort();
    }, ended.signal).catch(compacted);
    if (revision === storage.revision) ended.abort();
    await again;
    if (found) expect(seen).toEqual(events.filter((event) => event.revision > revision));
    if (roll(20) === 0) await storage.compact(past[roll(past.length)]!.revision);
    if (roll(30) === 0) {
      stop.abort();
      await watching!;
      await storage.close();
      storage = await open();
      stop = new AbortController();
      watch();
    }
  }
  stop.abort();
  await watching!;
  await storage.purge();
  await storage.close();
  const file = new Database(join(directory, "state.db"), { readonly: true });
  expect(file.query("SELECT (SELECT count(*) FROM log) AS rows, (SELECT count(*) FROM current) AS current").get()).toEqual({ rows: current.size, current: current.size });
  file.close();
  rmSync(directory, { recursive: true });
}, 180_000);
