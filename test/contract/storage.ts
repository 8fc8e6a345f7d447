import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { StorageError, type Storage, type StorageErrorCode, type StorageEvent } from "../../src/storage/storage.ts";
import { eventually } from "../support/eventually.ts";

export interface StorageUnderTest {
  storage: Storage;
  /** Closes and opens the same data again; there when durable. */
  reopen?: () => Promise<Storage>;
  dispose(): Promise<void>;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const pods = "/registry/core/pods/";
const pod = (name: string): string => `${pods}default/${name}`;

/** The code a promise is refused with; undefined when it isn't. */
export async function refusal(promise: Promise<unknown>): Promise<StorageErrorCode | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    throw error;
  }
}

/** Watches until `stop`, remembering every event. */
export function collect(storage: Storage, prefix: string, fromRevision: number): { events: StorageEvent[]; until(count: number): Promise<void>; stop(): Promise<void> } {
  const stopped = new AbortController();
  const events: StorageEvent[] = [];
  let arrived = (): void => {};
  const ended = storage.watch(prefix, fromRevision, (batch) => {
    events.push(...batch);
    arrived();
  }, stopped.signal);
  return {
    events,
    until: (count) => Promise.race([
      ended.then(() => Promise.reject(new Error("the watch ended"))),
      new Promise<void>((resolve) => (arrived = () => events.length >= count && resolve())).finally(() => (arrived = () => {})),
      ...(events.length >= count ? [Promise.resolve()] : []),
    ]),
    stop: () => {
      stopped.abort();
      return ended;
    },
  };
}

const brief = ({ type, key, value, previous }: StorageEvent): string => `${type} ${key.slice(key.lastIndexOf("/") + 1)}=${text(value)}${previous ? ` was ${text(previous)}` : ""}`;

/** What every Storage promises; see src/storage/storage.ts. `durable` adds what only storage that can be reopened promises. */
export function storageContract(name: string, open: () => Promise<StorageUnderTest>, { durable }: { durable: boolean }): void {
  describe(`storage contract: ${name}`, () => {
    let subject: StorageUnderTest;
    let storage: Storage;
    beforeEach(async () => {
      subject = await open();
      storage = subject.storage;
    });
    afterEach(() => subject.dispose());

    test("a key is created, read, updated and deleted, each with the next revision", async () => {
      const start = storage.revision;
      const created = await storage.create(pod("a"), bytes("1"));
      expect(created).toBeGreaterThan(start);
      expect(await storage.get(pod("a"))).toMatchObject({ key: pod("a"), revision: created });
      const updated = await storage.update(pod("a"), created, bytes("2"));
      expect(updated).toBeGreaterThan(created);
      expect(text((await storage.get(pod("a")))!.value)).toBe("2");
      const deleted = await storage.delete(pod("a"), updated);
      expect(deleted).toBeGreaterThan(updated);
      expect(await storage.get(pod("a"))).toBeUndefined();
      expect(storage.revision).toBe(deleted);
    });

    test("refuses what does not fit the key's state, and changes nothing", async () => {
      const revision = await storage.create(pod("a"), bytes("1"));
      expect(await refusal(storage.create(pod("a"), bytes("2")))).toBe("exists");
      expect(await refusal(storage.update(pod("a"), revision + 1, bytes("2")))).toBe("conflict");
      expect(await refusal(storage.delete(pod("a"), revision - 1))).toBe("conflict");
      expect(await refusal(storage.update(pod("b"), revision, bytes("2")))).toBe("notFound");
      expect(await refusal(storage.delete(pod("b"), revision))).toBe("notFound");
      expect(storage.revision).toBe(revision);
      expect(text((await storage.get(pod("a")))!.value)).toBe("1");
    });

    test("of writers racing for one revision exactly one wins", async () => {
      const revision = await storage.create(pod("a"), bytes("0"));
      const outcomes = await Promise.all(Array.from({ length: 50 }, (_, i) => refusal(storage.update(pod("a"), revision, bytes(String(i))))));
      expect(outcomes.filter((code) => code === undefined)).toHaveLength(1);
      expect(outcomes.filter((code) => code === "conflict")).toHaveLength(49);
    });

    test("of racing creations exactly one wins", async () => {
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => refusal(storage.create(pod("a"), bytes(String(i))))));
      expect(outcomes.filter((code) => code === undefined)).toHaveLength(1);
      expect(outcomes.filter((code) => code === "exists")).toHaveLength(19);
      expect(text((await storage.get(pod("a")))!.value)).toBe("0");
    });

    test("writes to one key that are in flight together happen in order", async () => {
      const first = await storage.create(pod("a"), bytes("1"));
      const watch = collect(storage, pods, first);
      const deleted = storage.delete(pod("a"), first);
      const again = storage.create(pod("a"), bytes("2"));
      const other = storage.create(pod("b"), bytes("3"));
      expect(await deleted).toBeLessThan(await again);
      await other;
      // Of different keys, which are in flight together, either may be the first.
      expect(watch.events.map(brief).filter((event) => event !== "put b=3")).toEqual(["delete a=1 was 1", "put a=2"]);
      expect(watch.events).toHaveLength(3);
      await watch.stop();
    });

    test("list is in key order, in pages, and confined to its prefix", async () => {
      for (const name of ["c", "a", "e", "b", "d"]) await storage.create(pod(name), bytes(name));
      await storage.create("/registry/core/podtemplates/default/x", bytes("x"));
      await storage.create("/registry/core/nodes/n", bytes("n"));
      const all = await storage.list(pods);
      expect(all.items.map(({ value }) => text(value))).toEqual(["a", "b", "c", "d", "e"]);
      expect(all).toMatchObject({ more: false, revision: storage.revision });
      const first = await storage.list(pods, { limit: 2 });
      expect([first.items.map(({ key }) => key), first.more]).toEqual([[pod("a"), pod("b")], true]);
      const rest = await storage.list(pods, { limit: 3, after: pod("b") });
      expect([rest.items.map(({ key }) => key), rest.more]).toEqual([[pod("c"), pod("d"), pod("e")], false]);
      expect((await storage.list("/registry/none/")).items).toEqual([]);
    });

    test("list reads any revision of the past as it was", async () => {
      const a = await storage.create(pod("a"), bytes("a1"));
      const b = await storage.create(pod("b"), bytes("b1"));
      const a2 = await storage.update(pod("a"), a, bytes("a2"));
      const gone = await storage.delete(pod("b"), b);
      const back = await storage.create(pod("b"), bytes("b2"));
      const at = async (revision: number): Promise<string[]> => (await storage.list(pods, { revision })).items.map(({ value, revision: written }) => `${text(value)}@${written}`);
      expect(await at(a)).toEqual([`a1@${a}`]);
      expect(await at(b)).toEqual([`a1@${a}`, `b1@${b}`]);
      expect(await at(a2)).toEqual([`a2@${a2}`, `b1@${b}`]);
      expect(await at(gone)).toEqual([`a2@${a2}`]);
      expect(await at(back)).toEqual([`a2@${a2}`, `b2@${back}`]);
    });

    test("a watch gets history, then what happens, once and in order", async () => {
      const start = storage.revision;
      const a = await storage.create(pod("a"), bytes("1"));
      const a2 = await storage.update(pod("a"), a, bytes("2"));
      await storage.create("/registry/core/nodes/n", bytes("n"));
      const watch = collect(storage, pods, start);
      await watch.until(2);
      await storage.delete(pod("a"), a2);
      expect(watch.events.map(brief)).toEqual(["put a=1", "put a=2 was 1", "delete a=2 was 2"]);
      expect(watch.events.map(({ revision, previousRevision }) => [revision, previousRevision])).toEqual([[a, undefined], [a2, a], [storage.revision, a2]]);
      await watch.stop();
      const later = collect(storage, pods, a2);
      await later.until(1);
      expect(later.events.map(brief)).toEqual(["delete a=2 was 2"]);
      await later.stop();
    });

    test("a write resolves after its event was handed over, with the very bytes written", async () => {
      const watch = collect(storage, pods, storage.revision);
      const value = bytes("1");
      await storage.create(pod("a"), value);
      expect(watch.events[0]?.value).toBe(value);
      await watch.stop();
    });

    test("watches that begin at any moment between concurrent writers miss and repeat nothing", async () => {
      const start = storage.revision;
      const watches: ReturnType<typeof collect>[] = [];
      const writer = async (name: string): Promise<void> => {
        let revision = await storage.create(pod(name), bytes("0"));
        for (let i = 1; i < 60; i++) {
          if (i % 10 === 0) watches.push(collect(storage, pods, start));
          revision = await storage.update(pod(name), revision, bytes(String(i)));
        }
      };
      await Promise.all(["a", "b", "c", "d", "e", "f", "g", "h"].map(writer));
      for (const watch of watches) {
        await watch.until(480);
        const revisions = watch.events.map(({ revision }) => revision);
        expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
        expect(revisions).toHaveLength(480);
        await watch.stop();
      }
    });

    test("a watch from a revision yet to come begins there", async () => {
      const from = storage.revision + 20, watch = collect(storage, pods, from), written: number[] = [];
      for (let i = 0; i < 25; i++) written.push(await storage.create(pod(String(i)), bytes("1")));
      expect(watch.events.map(({ revision }) => revision)).toEqual(written.filter((revision) => revision > from));
      expect(watch.events.length).toBeGreaterThan(0);
      await watch.stop();
    });

    test("a watch that throws ends alone", async () => {
      const broken = storage.watch(pods, storage.revision, () => {
        throw new Error("broken");
      }, new AbortController().signal);
      const ended = broken.then(() => "resolved", (error: Error) => error.message);
      const watch = collect(storage, pods, storage.revision);
      await storage.create(pod("a"), bytes("1"));
      expect(await ended).toBe("broken");
      expect(watch.events).toHaveLength(1);
      await watch.stop();
    });

    test("what has been compacted is refused; the present and what came later are not", async () => {
      const a = await storage.create(pod("a"), bytes("1"));
      const a2 = await storage.update(pod("a"), a, bytes("2"));
      const b = await storage.create(pod("b"), bytes("1"));
      await storage.compact(a2);
      expect(storage.compactedRevision).toBe(a2);
      expect(await refusal(storage.list(pods, { revision: a }))).toBe("compacted");
      expect(await refusal(storage.watch(pods, a, () => {}, new AbortController().signal))).toBe("compacted");
      expect((await storage.list(pods, { revision: a2 })).items.map(({ value }) => text(value))).toEqual(["2"]);
      const watch = collect(storage, pods, a2);
      await watch.until(1);
      expect(watch.events.map(({ revision }) => revision)).toEqual([b]);
      await watch.stop();
      await storage.compact(Number.MAX_SAFE_INTEGER);
      expect(storage.compactedRevision).toBe(b);
      expect((await storage.list(pods)).items).toHaveLength(2);
    });

    test("counts what has become history, whatever of it is forgotten", async () => {
      const before = storage.replaced;
      let last = await storage.create(pod("a"), bytes("0"));
      for (let i = 1; i <= 5; i++) last = await storage.update(pod("a"), last, bytes(String(i)));
      await storage.delete(pod("a"), last);
      const { replaced } = storage;
      expect(replaced).toBeGreaterThanOrEqual(before + 6);
      expect(replaced).toBeLessThanOrEqual(before + storage.revision);
      await storage.compact(storage.revision);
      expect(storage.replaced).toBe(replaced);
    });

    test("tells how it does", async () => {
      const before = await storage.status();
      await storage.create(pod("a"), new Uint8Array(randomBytes(120_000)));
      // etcd's own commit to its file, which it measures, comes up to a tenth of a second later.
      const { engine, sizeBytes, sizeInUseBytes, maxBytes = Infinity, alarms, writtenBytes } = await eventually(async () => {
        const status = await storage.status();
        expect(status.sizeInUseBytes).toBeGreaterThanOrEqual(100_000);
        return status;
      });
      expect(["sqlite", "etcd", "memory"]).toContain(engine);
      expect(sizeBytes).toBeGreaterThanOrEqual(sizeInUseBytes);
      expect(maxBytes).toBeGreaterThanOrEqual(sizeBytes);
      expect(alarms).toEqual([]);
      if (writtenBytes !== undefined) expect(writtenBytes).toBeGreaterThan(before.writtenBytes!);
    });

    test("holds ten thousand keys", async () => {
      const names = Array.from({ length: 10_000 }, (_, i) => pod(String(i).padStart(5, "0")));
      await Promise.all(names.map((key) => storage.create(key, bytes(key))));
      expect((await storage.list(pods)).items.map(({ key }) => key)).toEqual(names);
      const watch = collect(storage, pods, storage.compactedRevision);
      await watch.until(10_000);
      expect(watch.events.map(({ key }) => key).sort()).toEqual(names);
      await watch.stop();
    });

    test("closing lets writes in flight finish, ends watches and refuses the rest", async () => {
      const writes = Array.from({ length: 100 }, (_, i) => refusal(storage.create(pod(String(i)), bytes("x"))));
      const watch = refusal(storage.watch(pods, storage.revision, () => {}, new AbortController().signal));
      const closed = storage.close();
      expect(await refusal(storage.create(pod("late"), bytes("x")))).toBe("closed");
      await closed;
      expect(new Set(await Promise.all(writes))).toEqual(new Set([undefined]));
      expect(await watch).toBe("closed");
      expect(await refusal(storage.get(pod("1")))).toBe("closed");
      if (durable) expect((await (await subject.reopen!()).list(pods)).items).toHaveLength(100);
    });

    test("a volatile update is seen, in its turn, like any other", async () => {
      const watch = collect(storage, pods, storage.revision);
      const a = await storage.create(pod("a"), bytes("1"));
      const a2 = await storage.update(pod("a"), a, bytes("2"), { volatile: true });
      const b = await storage.create(pod("b"), bytes("1"));
      expect(await refusal(storage.update(pod("a"), a, bytes("3"), { volatile: true }))).toBe("conflict");
      expect(await refusal(storage.update(pod("c"), a, bytes("3"), { volatile: true }))).toBe("notFound");
      expect(await storage.get(pod("a"))).toEqual({ key: pod("a"), value: bytes("2"), revision: a2 });
      expect((await storage.list(pods)).items.map(({ key, value, revision }) => [key, text(value), revision])).toEqual([[pod("a"), "2", a2], [pod("b"), "1", b]]);
      const a3 = await storage.update(pod("a"), a2, bytes("3"));
      const a4 = await storage.update(pod("a"), a3, bytes("4"), { volatile: true });
      await storage.delete(pod("a"), a4);
      expect(await storage.get(pod("a"))).toBeUndefined();
      expect(await refusal(storage.update(pod("a"), a4, bytes("5"), { volatile: true }))).toBe("notFound");
      expect(watch.events.map(brief)).toEqual(["put a=1", "put a=2 was 1", "put b=1", "put a=3 was 2", "put a=4 was 3", "delete a=4 was 4"]);
      expect(watch.events.map(({ revision }) => revision)).toEqual([a, a2, b, a3, a4, storage.revision]);
      await watch.stop();
    });

    test("a key may be volatile from its creation to its deletion", async () => {
      const start = storage.revision;
      const watch = collect(storage, pods, start);
      const a = await storage.create(pod("a"), bytes("1"), { volatile: true });
      expect(a).toBeGreaterThan(start);
      expect(await refusal(storage.create(pod("a"), bytes("2"), { volatile: true }))).toBe("exists");
      const b = await storage.create(pod("b"), bytes("1"), { volatile: true });
      expect(await storage.get(pod("a"))).toEqual({ key: pod("a"), value: bytes("1"), revision: a });
      expect((await storage.list(pods)).items.map(({ key }) => key)).toEqual([pod("a"), pod("b")]);
      expect(await refusal(storage.delete(pod("a"), b, { volatile: true }))).toBe("conflict");
      await storage.delete(pod("a"), a, { volatile: true });
      expect(await storage.get(pod("a"))).toBeUndefined();
      expect(await refusal(storage.delete(pod("a"), a, { volatile: true }))).toBe("notFound");
      const b2 = await storage.update(pod("b"), b, bytes("2"));
      await storage.delete(pod("b"), b2, { volatile: true });
      const again = await storage.create(pod("b"), bytes("3"));
      expect((await storage.list(pods)).items).toEqual([{ key: pod("b"), value: bytes("3"), revision: again }]);
      expect(watch.events.map(brief)).toEqual(["put a=1", "put b=1", "delete a=1 was 1", "put b=2 was 1", "delete b=2 was 2", "put b=3"]);
      await watch.stop();
    });

    test("the past of volatile keys is as that of others: lists, pages, watches", async () => {
      const start = storage.revision;
      const live = collect(storage, "/registry/", start);
      const told: Record<number, string[]> = {};
      const now = new Map<string, { value: string; revision: number }>();
      for (let step = 0; step < 120; step++) {
        // Deterministic, and each kind of write meets each state of a key.
        const name = "abcdefg"[(step * 5 + (step >> 3)) % 7]!, volatile = (step * 11 + (step >> 2)) % 3 !== 0;
        const state = now.get(name);
        if (!state) now.set(name, { value: String(step), revision: await storage.create(pod(name), bytes(String(step)), { volatile }) });
        else if (step % 4 === 3) {
          await storage.delete(pod(name), state.revision, { volatile });
          now.delete(name);
        } else now.set(name, { value: String(step), revision: await storage.update(pod(name), state.revision, bytes(String(step)), { volatile }) });
        told[storage.revision] = [...now].sort().map(([key, { value, revision }]) => `${key}=${value}@${revision}`);
      }
      const shown = (items: readonly { key: string; value: Uint8Array; revision: number }[]): string[] => items.map(({ key, value, revision }) => `${key.slice(pods.length + "default/".length)}=${text(value)}@${revision}`);
      for (const revision of Object.keys(told).map(Number)) {
        expect(shown((await storage.list(pods, { revision })).items)).toEqual(told[revision]!);
        const paged: string[] = [];
        for (let after = "", more = true; more;) {
          const page = await storage.list(pods, { revision, limit: 2, after });
          expect(page.items.length).toBeLessThanOrEqual(2);
          paged.push(...shown(page.items));
          ({ more } = page);
          after = page.items.at(-1)?.key ?? after;
        }
        expect(paged).toEqual(told[revision]!);
        const late = collect(storage, pods, revision);
        await late.until(live.events.filter((event) => event.revision > revision).length);
        expect(late.events).toEqual(live.events.filter((event) => event.revision > revision));
        await late.stop();
      }
      await live.stop();
    });

    if (durable) test("a volatile update is there after reopening", async () => {
      const a = await storage.create(pod("a"), bytes("1"));
      const a2 = await storage.update(pod("a"), a, bytes("2"), { volatile: true });
      const again = await subject.reopen!();
      expect(await again.get(pod("a"))).toEqual({ key: pod("a"), value: bytes("2"), revision: a2 });
      expect(again.revision).toBe(a2);
      expect(await again.update(pod("a"), a2, bytes("3"))).toBeGreaterThan(a2);
    });

    if (durable) test("after a clean stop volatile keys are as they were; watches of them go on from the end alone", async () => {
      const kept = await storage.create(pod("kept"), bytes("1"), { volatile: true });
      const gone = await storage.create(pod("gone"), bytes("1"));
      const other = await storage.create("/registry/core/nodes/n", bytes("1"));
      await storage.delete(pod("gone"), gone, { volatile: true });
      const last = storage.revision;
      const again = await subject.reopen!();
      expect((await again.list(pods)).items).toEqual([{ key: pod("kept"), value: bytes("1"), revision: kept }]);
      expect(again.revision).toBe(last);
      for (const prefix of [pods, "/registry/"]) {
        const watch = collect(again, prefix, last);
        await again.update(pod("kept"), (await again.get(pod("kept")))!.revision, bytes("2"), { volatile: true });
        await watch.until(1);
        await watch.stop();
      }
      const nodes = collect(again, "/registry/core/nodes/", kept);
      await nodes.until(1);
      expect(nodes.events.map(({ revision }) => revision)).toEqual([other]);
      await nodes.stop();
    });

    if (durable) test("what was written is there after reopening, revisions go on, and watches resume", async () => {
      const a = await storage.create(pod("a"), bytes("1"));
      const a2 = await storage.update(pod("a"), a, bytes("2"));
      await storage.compact(a);
      const again = await subject.reopen!();
      expect(again.revision).toBe(a2);
      expect(again.compactedRevision).toBe(a);
      const watch = collect(again, pods, a);
      await watch.until(1);
      expect(await again.update(pod("a"), a2, bytes("3"))).toBeGreaterThan(a2);
      expect(watch.events.map(brief)).toEqual(["put a=2 was 1", "put a=3 was 2"]);
      await watch.stop();
    });
  });
}
