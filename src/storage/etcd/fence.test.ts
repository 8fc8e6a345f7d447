import { afterAll, beforeEach, expect, test } from "bun:test";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { eventually } from "../../../test/support/eventually.ts";
import type { StorageError } from "../storage.ts";
import { EtcdClient } from "./etcd-client.ts";
import { EtcdStorage } from "./etcd-storage.ts";
import { toKey } from "./messages.ts";

const etcd = await TestEtcd.start();
afterAll(() => etcd[Symbol.asyncDispose]());
beforeEach(() => etcd.wipe());

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string => (value ? new TextDecoder().decode(value) : "none");
const secret = (name: string): string => `/registry/core/secrets/default/${name}`;
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: StorageError) => error.code);

/** A server: `heard` is all that it is told, in order. */
async function open() {
  const heard: string[] = [];
  let revision = 0;
  const storage = await EtcdStorage.open({ ...etcd.clientOptions, onFence: (value, at) => {
    heard.push(`fence ${text(value)}`);
    revision = at;
  } });
  const stop = new AbortController();
  const follow = (from = storage.revision): Promise<void> => storage.watch("/registry/", from, (events) => heard.push(...events.map(({ value }) => text(value))), stop.signal);
  return { storage, heard, follow, stop: () => stop.abort(), fence: () => revision, write: (name: string, value: string) => storage.create(secret(name), bytes(value), { fence: revision }) };
}

test("who doesn't know the newest is refused, and has heard it by then", async () => {
  const a = await open(), b = await open();
  expect([...a.heard, a.fence()]).toEqual(["fence none", 0]);
  await a.write("a", "by none");
  const stale = b.fence();
  expect(await a.storage.fence.move(bytes("one"), a.fence())).toBe(true);
  expect(a.heard.at(-1)).toBe("fence one");
  expect(await codeOf(b.storage.create(secret("b"), bytes("by none"), { fence: stale }))).toBe("outdated");
  expect(b.heard.at(-1)).toBe("fence one");
  expect(await codeOf(b.storage.update(secret("a"), (await b.storage.get(secret("a")))!.revision, bytes("by none"), { fence: stale }))).toBe("outdated");
  expect(text((await a.storage.get(secret("a")))?.value)).toBe("by none");
  expect(await a.storage.get(secret("b"))).toBeUndefined();
  await b.write("b", "by one");
  // Other refusals are what they are without a fence.
  expect(await codeOf(b.write("b", "again"))).toBe("exists");
  expect(await codeOf(a.storage.update(secret("c"), 1, bytes("x"), { fence: a.fence() }))).toBe("notFound");
  for (const { storage } of [a, b]) await storage.close();
});

test("of two that move it one does; the other knows why", async () => {
  const a = await open(), b = await open(), known = b.fence();
  expect(await a.storage.fence.move(bytes("a's"), known)).toBe(true);
  expect(await b.storage.fence.move(bytes("b's"), known)).toBe(false);
  expect(b.heard.at(-1)).toBe("fence a's");
  expect(await b.storage.fence.move(bytes("b's"), b.fence())).toBe(true);
  // As when an answer is lost: it is there.
  expect(await b.storage.fence.move(bytes("b's"), known)).toBe(true);
  for (const { storage } of [a, b]) await storage.close();
});

test("it is heard before what was written by it, live, in history and at start", async () => {
  const a = await open(), live = await open(), from = live.storage.revision, following = live.follow();
  const expected = ["fence none"];
  for (const state of ["one", "two", "three"]) {
    await a.storage.fence.move(bytes(state), a.fence());
    for (let n = 0; n < 20; n++) await a.write(`${state}-${n}`, `by ${state}`);
    expected.push(`fence ${state}`, ...Array.from({ length: 20 }, () => `by ${state}`));
  }
  await live.write("last", "by three");
  expect(live.heard).toEqual([...expected, "by three"]);
  live.stop();
  await following;

  const late = await open(), replayed = late.follow(from);
  await a.storage.fence.move(bytes("four"), a.fence());
  await late.storage.create(secret("x"), bytes("by four"), { fence: a.fence() });
  await eventually(() => expect(late.heard).toContain("by four"));
  // History tells no older state again.
  expect(late.heard.filter((each) => each.startsWith("fence"))).toEqual(["fence three", "fence four"]);
  expect(late.heard.indexOf("fence four")).toBeLessThan(late.heard.indexOf("by four"));
  late.stop();
  await replayed;
  for (const { storage } of [a, live, late]) await storage.close();
});

test("deleted by somebody, it is heard to be gone, and can be put up again", async () => {
  const a = await open();
  await a.storage.fence.move(bytes("one"), 0);
  const stale = a.fence(), client = new EtcdClient(etcd.clientOptions);
  await client.call("Txn", { success: [{ requestDeleteRange: { key: toKey("/skiff/encryption") } }] }, { repeatable: true });
  client.close();
  expect(await codeOf(a.storage.create(secret("a"), bytes("x"), { fence: stale }))).toBe("outdated");
  expect([a.heard.at(-1), a.fence()]).toEqual(["fence none", 0]);
  expect(await a.storage.fence.move(bytes("two"), 0)).toBe(true);
  await a.write("a", "by two");
  await a.storage.close();
});
