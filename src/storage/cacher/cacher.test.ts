import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { MemoryStorage } from "../memory/memory-storage.ts";
import { StorageError } from "../storage.ts";
import { Cacher, type CacheEvent, type Entry } from "./cacher.ts";

interface Pod extends KubeObject {
  spec: { nodeName?: string; n?: number };
}

const pods = "/registry/core/pods/";
const keyOf = (name: string, namespace = "default"): string => `${pods}${namespace}/${name}`;
const pod = (name: string, spec: Pod["spec"] = {}): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec });
const names = (entries: readonly Entry[]): string[] => entries.map(({ object }) => object.metadata.name!);
const brief = ({ type, object }: CacheEvent): string => `${type} ${object.metadata.name}@${object.metadata.resourceVersion}`;

let storage: MemoryStorage;
let cacher: Cacher;
const stopped = new AbortController();
beforeEach(async () => {
  storage = new MemoryStorage();
  cacher = await started();
});
afterEach(() => cacher.close());

async function started(windowSize = 8): Promise<Cacher> {
  const made = new Cacher({ storage, windowSize });
  await made.start();
  return made;
}

async function refusal(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(() => undefined, (error: unknown) => (error instanceof StorageError ? error.code : String(error)));
}

/** Creates `name` and updates it `times` times; the last entry. */
async function written(name: string, times: number): Promise<Entry<Pod>> {
  let entry = await cacher.create(keyOf(name), pod(name, { n: 0 }));
  for (let n = 1; n <= times; n++) entry = await cacher.update(keyOf(name), entry.revision, pod(name, { n }));
  return entry;
}

function collect(prefix: string, from: number): { events: CacheEvent<Pod>[]; ended: Promise<void>; until(count: number): Promise<void> } {
  const events: CacheEvent<Pod>[] = [];
  let arrived = (): void => {};
  const ended = cacher.watch<Pod>(prefix, from, (batch) => {
    events.push(...batch);
    arrived();
  }, stopped.signal);
  // Closing the cacher after the test ends it too.
  ended.catch(() => {});
  const until = (count: number): Promise<void> => new Promise((resolve, reject) => {
    arrived = () => events.length >= count && resolve();
    arrived();
    ended.catch(reject);
  });
  return { events, ended, until };
}

describe("reads", () => {
  test("a write is shown when it resolves, as one object at its revision; the one passed in stays the caller's", async () => {
    const object = pod("a", { n: 1 });
    const entry = await cacher.create(keyOf("a"), object);
    expect(cacher.get(keyOf("a"))!.object).toBe(entry.object);
    expect(entry).toEqual({ key: keyOf("a"), object: { ...pod("a", { n: 1 }), metadata: { name: "a", namespace: "default", resourceVersion: String(entry.revision) } }, revision: entry.revision });
    expect(cacher.revision).toBe(entry.revision);
    object.spec.n = 2;
    expect(object).toEqual(pod("a", { n: 2 }));
    expect(cacher.get<Pod>(keyOf("a"))!.object.spec.n).toBe(1);
    const deleted = await cacher.delete<Pod>(keyOf("a"), entry.revision);
    expect(deleted.object.metadata.resourceVersion).toBe(String(deleted.revision));
    expect(entry.object.metadata.resourceVersion).toBe(String(entry.revision));
    expect(cacher.get(keyOf("a"))).toBeUndefined();
  });

  test("writes that follow each other at once resolve with their own state", async () => {
    const { revision } = await written("a", 0);
    const writes = [cacher.update(keyOf("a"), revision, pod("a", { n: 1 })), cacher.update(keyOf("a"), revision + 1, pod("a", { n: 2 }))];
    expect((await Promise.all(writes)).map(({ object, revision: at }) => `${object.spec.n}@${object.metadata.resourceVersion}@${at}`)).toEqual([`1@${revision + 1}@${revision + 1}`, `2@${revision + 2}@${revision + 2}`]);
  });

  test("what objects have in common is held once, after a start too", async () => {
    const labelled = (name: string): Pod => ({ ...pod(name), metadata: { name, namespace: "default", labels: { app: "web", tier: "front" } } });
    for (const name of ["a", "b", "c", "d"]) await cacher.create(keyOf(name), labelled(name));
    const other = await started();
    for (const held of [cacher, other]) {
      const labels = held.list(pods).map(({ object }) => object.metadata.labels);
      expect(labels).toEqual(Array.from({ length: 4 }, () => ({ app: "web", tier: "front" })));
      expect(new Set(labels.slice(1)).size).toBe(1);
    }
    await other.close();
  });

  test("what is stored carries no resourceVersion, and another cacher reads the same objects from it", async () => {
    const entry = await written("a", 3);
    expect(new TextDecoder().decode((await storage.get(keyOf("a")))!.value)).not.toContain("resourceVersion");
    const other = await started();
    expect(other.get(keyOf("a"))).toEqual(entry);
    expect(other.revision).toBe(cacher.revision);
    await other.close();
  });

  test("refusals are the storage's", async () => {
    const entry = await written("a", 0);
    expect(await refusal(cacher.create(keyOf("a"), pod("a")))).toBe("exists");
    expect(await refusal(cacher.update(keyOf("a"), entry.revision + 1, pod("a")))).toBe("conflict");
    expect(await refusal(cacher.delete(keyOf("b"), 1))).toBe("notFound");
  });

  test("lists are in key order and confined to their prefix", async () => {
    for (const [name, namespace] of [["c", "x"], ["a", "x"], ["b", "x"], ["a", "x-y"], ["z", "a"]] as const) await cacher.create(keyOf(name, namespace), pod(name));
    await cacher.create("/registry/core/nodes/n", pod("n"));
    expect(names(cacher.list(pods))).toEqual(["z", "a", "a", "b", "c"]);
    expect(names(cacher.list(`${pods}x/`))).toEqual(["a", "b", "c"]);
    expect(names(cacher.list(`${pods}x/`, { after: keyOf("a", "x") }))).toEqual(["b", "c"]);
    expect([cacher.count(pods), cacher.count(`${pods}x/`), cacher.count("/registry/none/none/")]).toEqual([5, 3, 0]);
  });

  test("indexes follow every change, and cover what was there before", async () => {
    const byNode = (object: Frozen<Pod>): string[] => (object.spec.nodeName ? [object.spec.nodeName] : []);
    await cacher.create(keyOf("b"), pod("b", { nodeName: "n1" }));
    cacher.index<Pod>(pods, "node", byNode);
    const a = await cacher.create(keyOf("a"), pod("a", { nodeName: "n1" }));
    expect(names(cacher.byIndex(pods, "node", "n1"))).toEqual(["a", "b"]);
    const moved = await cacher.update(keyOf("a"), a.revision, pod("a", { nodeName: "n2" }));
    expect([names(cacher.byIndex(pods, "node", "n1")), names(cacher.byIndex(pods, "node", "n2"))]).toEqual([["b"], ["a"]]);
    const bare = await cacher.update(keyOf("a"), moved.revision, pod("a", { nodeName: "n2", n: 1 }));
    expect(cacher.byIndex<Pod>(pods, "node", "n2")[0]!.object.spec.n).toBe(1);
    await cacher.delete(keyOf("a"), bare.revision);
    expect(cacher.byIndex(pods, "node", "n2")).toEqual([]);
  });
});

describe("snapshots", () => {
  const page = async (revision: number, after?: string): Promise<string[]> => (await cacher.snapshot<Pod>(pods, revision, { limit: 2, ...(after ? { after } : {}) })).items.map(({ object, revision: at }) => `${object.metadata.name}${object.spec.n ?? ""}@${at}`);

  test("pages of one list agree while others write, from memory and then from storage's history", async () => {
    const revisions: number[] = [];
    for (const name of ["a", "b", "c", "d", "e"]) revisions.push((await cacher.create(keyOf(name), pod(name))).revision);
    const [a, b, c, d, e] = revisions as [number, number, number, number, number];
    const at = cacher.revision;
    const whole = [[`a@${a}`, `b@${b}`], [`c@${c}`, `d@${d}`], [`e@${e}`]];
    const read = async (): Promise<string[][]> => [await page(at), await page(at, keyOf("b")), await page(at, keyOf("d"))];
    expect(await read()).toEqual(whole);
    await cacher.delete(keyOf("c"), c);
    const again = await cacher.create(keyOf("c"), pod("c", { n: 2 }));
    await cacher.update(keyOf("c"), again.revision, pod("c", { n: 3 }));
    await cacher.create(keyOf("bb"), pod("bb"));
    await cacher.delete(keyOf("e"), e);
    expect(await read()).toEqual(whole);
    await written("x", 40);
    expect(await read()).toEqual(whole);
    await storage.compact(cacher.revision);
    expect(await refusal(read())).toBe("compacted");
    expect(await refusal(cacher.snapshot(pods, cacher.revision + 1))).toBe("compacted");
    const recent = cacher.revision;
    await cacher.create(keyOf("later"), pod("later"));
    await storage.compact(cacher.revision);
    expect(await refusal(cacher.snapshot(pods, recent))).toBe("compacted");
  });

  test("say what is left", async () => {
    for (const name of ["a", "b", "c"]) await cacher.create(keyOf(name), pod(name));
    expect(await cacher.snapshot(pods, cacher.revision, { limit: 2 })).toMatchObject({ more: true, remaining: 1, revision: cacher.revision });
    expect(await cacher.snapshot(pods, cacher.revision, { after: keyOf("b"), limit: 2 })).toMatchObject({ more: false, remaining: 0 });
  });
});

describe("watches", () => {
  test("every kind of event, delivered before the write resolves, with the state before", async () => {
    const { events } = collect(pods, cacher.revision);
    const created = await cacher.create(keyOf("a"), pod("a"));
    const updated = await cacher.update(keyOf("a"), created.revision, pod("a", { n: 1 }));
    const deleted = await cacher.delete(keyOf("a"), updated.revision);
    expect(events.map(brief)).toEqual([`ADDED a@${created.revision}`, `MODIFIED a@${updated.revision}`, `DELETED a@${deleted.revision}`]);
    expect(events.map(({ previous }) => previous)).toEqual([undefined, created.object, updated.object]);
    expect(events[1]!.object).toBe(updated.object);
  });

  test("from a revision yet to come begin there", async () => {
    const { events } = collect(pods, cacher.revision + 2);
    await written("a", 2);
    expect(events.map(brief)).toEqual(["MODIFIED a@3"]);
  });

  test("see their prefix only", async () => {
    const { events } = collect(`${pods}x/`, cacher.revision);
    await cacher.create(keyOf("a", "y"), pod("a"));
    await cacher.create(keyOf("b", "x"), pod("b"));
    expect(events.map(({ object }) => object.metadata.name)).toEqual(["b"]);
  });

  test("from any revision, in the window or long out of it, nothing is missed or repeated", async () => {
    await written("a", 60);
    for (const from of [0, 1, 30, 52, 53, 54, 60, 61]) {
      const { events, until } = collect(pods, from);
      await until(61 - from);
      expect(events.map(({ revision }) => revision)).toEqual(Array.from({ length: 61 - from }, (_, i) => from + i + 1));
      expect(events.map(({ previous }) => previous?.metadata.resourceVersion)).toEqual(events.map(({ revision }) => (revision === 1 ? undefined : String(revision - 1))));
    }
  });

  test("begun from old revisions while writes go on miss and repeat nothing", async () => {
    await written("a", 40);
    const watches: ReturnType<typeof collect>[] = [];
    let entry = await cacher.create(keyOf("b"), pod("b"));
    for (let n = 1; n < 60; n++) {
      if (n % 7 === 0) watches.push(collect(pods, n));
      entry = await cacher.update(keyOf("b"), entry.revision, pod("b", { n }));
    }
    for (const [i, { events, until }] of watches.entries()) {
      const from = (i + 1) * 7;
      await until(entry.revision - from);
      expect(events.map(({ revision }) => revision)).toEqual(Array.from({ length: entry.revision - from }, (_, k) => from + k + 1));
    }
  });

  test("of other resources go on from a revision that this one has long passed", async () => {
    const node = await cacher.create("/registry/core/nodes/n", pod("n"));
    await written("a", 60);
    const { events, until } = collect("/registry/core/nodes/", node.revision);
    const next = await cacher.update("/registry/core/nodes/n", node.revision, pod("n"));
    await until(1);
    expect(events.map(brief)).toEqual([`MODIFIED n@${next.revision}`]);
  });

  test("older than what storage keeps are refused", async () => {
    await written("a", 60);
    await storage.compact(30);
    expect(await refusal(collect(pods, 29).ended)).toBe("compacted");
    const { until } = collect(pods, 30);
    await until(31);
  });

  test("end with their signal, and with the cacher", async () => {
    const own = new AbortController();
    const one = cacher.watch(pods, 0, () => {}, own.signal);
    own.abort();
    expect(await one).toBeUndefined();
    const { ended } = collect(pods, 0);
    await cacher.close();
    expect(await refusal(ended)).toBe("closed");
  });
});

test("change handlers see old and new, with the cache already current; one that throws stops nobody", async () => {
  const seen: string[] = [];
  cacher.onChange(pods, () => {
    throw new Error("broken");
  });
  const unsubscribe = cacher.onChange<Pod>(pods, (old, current, revision) => {
    expect(cacher.revision).toBe(revision);
    expect(cacher.get(keyOf("a"))?.object as Frozen<Pod> | undefined).toBe(current);
    seen.push(`${old?.spec.n}→${current?.spec.n}`);
  });
  const entry = await written("a", 1);
  await cacher.delete(keyOf("a"), entry.revision);
  unsubscribe();
  await written("a", 0);
  expect(seen).toEqual(["undefined→0", "0→1", "1→undefined"]);
});

test("reached waits for a revision, or for its signal", async () => {
  await written("a", 0);
  const wait = cacher.reached(3);
  const given = new AbortController();
  const impatient = cacher.reached(1000, given.signal);
  given.abort(new Error("enough"));
  expect(await refusal(impatient)).toBe("Error: enough");
  await written("b", 1);
  await wait;
  expect(cacher.revision).toBe(3);
});

test("the end of the storage's watch is fatal, and told", async () => {
  const told = Promise.withResolvers<Error>();
  const doomed = new Cacher({ storage, onFatal: told.resolve });
  await doomed.start();
  await storage.close();
  expect(await told.promise).toMatchObject({ code: "closed" });
});
