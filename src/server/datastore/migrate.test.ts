import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import { findClaim, writeClaim } from "../../storage/etcd/claim.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { EtcdStorage } from "../../storage/etcd/etcd-storage.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import type { Storage, StorageError } from "../../storage/storage.ts";
import { migrateToEtcd, migrateToFile } from "./migrate.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const keyOf = (i: number): string => `/registry/core/configmaps/default/m${String(i).padStart(4, "0")}`;
/** Nobody waits long for others' servers here. */
const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 500), signal) };

let etcd: TestEtcd, directory: string, databaseFile: string;
beforeAll(async () => { etcd = await TestEtcd.start(); }, 180_000);
afterAll(() => etcd[Symbol.asyncDispose]());
beforeEach(async () => {
  await etcd.wipe();
  directory = mkdtempSync(join(tmpdir(), "skiff-migrate-"));
  databaseFile = join(directory, "db/state.db");
});
afterEach(() => rmSync(directory, { recursive: true }));

const dependencies = () => ({ databaseFile, etcd: { endpoints: etcd.clientOptions.endpoints }, clock });
const contents = async (storage: Storage): Promise<string[]> => (await storage.list("/registry/")).items.map(({ key, value }) => `${key} ${Buffer.from(value).toString().slice(0, 40)}`);

/** A cluster in a file; returns what it holds and its newest revision. */
async function fill(count: number): Promise<{ held: string[]; revision: number }> {
  const storage = await SqliteStorage.open({ path: databaseFile });
  for (let i = 0; i < count; i++) await storage.create(keyOf(i), bytes(`${i} ${i % 100 === 0 ? "x".repeat(700_000) : ""}`));
  const gone = await storage.create("/registry/core/configmaps/default/gone", bytes("x"));
  await storage.delete("/registry/core/configmaps/default/gone", gone);
  const held = await contents(storage), { revision } = storage;
  await storage.close();
  return { held, revision };
}

test("a cluster moves into etcd and back; no revision goes back, and who watched has to look anew", async () => {
  const { held, revision } = await fill(400);
  const moved = await migrateToEtcd(dependencies());
  expect(existsSync(databaseFile)).toBe(false);
  expect(readdirSync(moved.setAside!)).toContain("state.db");

  const storage = await EtcdStorage.open(etcd.clientOptions);
  expect(await contents(storage)).toEqual(held);
  for (const { revision: written } of (await storage.list("/registry/")).items) expect(written).toBeGreaterThan(revision);
  expect(await storage.watch("/registry/", revision, () => {}, new AbortController().signal).catch((error: StorageError) => error.code)).toBe("compacted");
  expect(storage.compactedRevision).toBe(storage.revision);
  const later = await storage.create("/registry/core/configmaps/default/later", bytes("later"));
  const inEtcd = await contents(storage);
  await storage.close();

  await migrateToFile({ ...dependencies(), onFence: () => undefined });
  const back = await SqliteStorage.open({ path: databaseFile });
  expect(await contents(back)).toEqual(inEtcd);
  expect(await back.create(keyOf(9999), bytes("new"))).toBeGreaterThan(later);
  await back.close();
}, 180_000);

test("what was broken off begins anew, and is served by nobody before", async () => {
  const { held } = await fill(5);
  const client = new EtcdClient(etcd.clientOptions);
  await writeClaim(client, { version: 1, revisionOffset: 0, moving: "migrate" }, await findClaim(client));
  await client.call("Txn", { success: [{ requestPut: { key: bytes("/registry/core/configmaps/default/half"), value: bytes("x") } }] }, { repeatable: true });
  client.close();
  expect(await EtcdStorage.open(etcd.clientOptions).catch((error: StorageError) => error.message)).toContain("a cluster is being moved to this etcd");
  await migrateToEtcd(dependencies());
  const storage = await EtcdStorage.open(etcd.clientOptions);
  expect(await contents(storage)).toEqual(held);
  await storage.close();
});

const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: Error) => error.message);

test("nothing is moved over a cluster, away from a server that runs, or from nowhere; nothing is changed then", async () => {
  expect(await refusal(migrateToEtcd(dependencies()))).toContain("there is no cluster to move");
  expect(await refusal(migrateToFile({ ...dependencies(), onFence: () => undefined }))).toContain("that etcd is empty");
  await fill(3);
  expect(await refusal(migrateToFile({ ...dependencies(), onFence: () => undefined }))).toContain("exists already");

  const running = await SqliteStorage.open({ path: databaseFile });
  expect(await refusal(migrateToEtcd(dependencies()))).toContain("is in use by another server: stop it first");
  await running.close();

  const inEtcd = await EtcdStorage.open(etcd.clientOptions);
  await inEtcd.create("/registry/core/configmaps/default/theirs", bytes("x"));
  expect(await refusal(migrateToEtcd(dependencies()))).toContain("this etcd holds a cluster of Skiff's already");
  expect((await inEtcd.list("/registry/")).items).toHaveLength(1);
  expect(existsSync(databaseFile)).toBe(true);

  rmSync(databaseFile);
  const writing = setInterval(() => void inEtcd.create(keyOf(Math.floor(performance.now())), bytes("x")).catch(() => {}), 50);
  expect(await refusal(migrateToFile({ ...dependencies(), onFence: () => undefined }))).toContain("a server is writing to that etcd: stop all servers first");
  clearInterval(writing);
  expect(existsSync(databaseFile)).toBe(false);
  await inEtcd.close();
});
