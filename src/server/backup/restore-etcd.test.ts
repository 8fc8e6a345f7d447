import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { startRelay } from "../../../test/support/tcp-relay.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import { writeFileAtomic } from "../../base/files.ts";
import { lock } from "../../base/flock.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { parseEndpoints } from "../../storage/etcd/endpoints.ts";
import { EtcdStorage } from "../../storage/etcd/etcd-storage.ts";
import { toKey } from "../../storage/etcd/messages.ts";
import { MemoryStorage } from "../../storage/memory/memory-storage.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import type { Storage } from "../../storage/storage.ts";
import { SharedFiles } from "../cluster/shared-files.ts";
import { type EncryptionConfig, formatConfig, noEncryption, planAction } from "../encryption/config.ts";
import { sealConfig, SharedConfig } from "../encryption/shared-config.ts";
import { layoutOf, type Layout } from "../layout.ts";
import { createBackup, type WriteState } from "./backup.ts";
import { restoreIntoEtcd } from "./restore-etcd.ts";
import { finishRestore, restoreBackup } from "./restore.ts";

let etcd: TestEtcd, root: string, count: number;
beforeAll(async () => { etcd = await TestEtcd.start(); }, 180_000);
afterAll(() => etcd[Symbol.asyncDispose]());
beforeEach(async () => {
  await etcd.wipe();
  root = mkdtempSync(join(tmpdir(), "skiff-restore-etcd-"));
  count = 0;
});
afterEach(() => rmSync(root, { recursive: true }));

/** Nobody waits long for others' servers here. */
const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 300), signal) };
const keyOf = (name: string): string => `/registry/core/configmaps/default/${name}`;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const contents = async (storage: Storage): Promise<string[]> => (await storage.list("/registry/")).items.map(({ key, value }) => `${key.slice(keyOf("").length)}=${Buffer.from(value).toString()}`);
const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => "none", (error: Error) => error.message);

/** The files of a server whose cluster is called `mark`. */
function serverFiles(layout: Layout, mark: string): void {
  mkdirSync(layout.tlsDir, { recursive: true });
  for (const name of ["server-ca.key", "server-ca.crt", "service-account.key"]) writeFileSync(join(layout.tlsDir, name), `${name} of ${mark}`);
  writeFileSync(join(layout.dataDir, "server/token"), `K10${"ab".repeat(32)}::server:secret-of-${mark}\n`);
}
const archiveOf = async (layout: Layout, writeState: WriteState): Promise<Uint8Array> =>
  new Uint8Array(await new Response(createBackup({ dataDir: layout.dataDir, configFile: join(root, "config/config.yaml"), nodeName: "node-1", version: "v1", now: () => 1_700_000_000_000, writeState }).archive).arrayBuffer());

/** A backup of a cluster with so many keys. */
async function backupOf(mark: string, keys: number, encryption?: string): Promise<Uint8Array> {
  const layout = layoutOf(join(root, `original-${mark}`)), storage = new MemoryStorage();
  serverFiles(layout, mark);
  if (encryption !== undefined) writeFileAtomic(layout.encryptionFile, encryption);
  for (let n = 0; n < keys; n++) await storage.create(keyOf(String(n)), bytes(mark));
  return archiveOf(layout, (...to) => writeSnapshot(storage, ...to));
}

const newLayout = (): Layout => layoutOf(join(root, `data-${++count}`));
const endpoints = () => ({ endpoints: etcd.clientOptions.endpoints });
function restore(backup: Uint8Array, { layout = newLayout(), force = false, keep }: { layout?: Layout; force?: boolean; keep?: (writeState: WriteState) => Promise<string> } = {}) {
  return restoreIntoEtcd({
    source: new Blob([backup.slice()]).stream(), name: "my.tar", layout, configFile: join(root, "config/config.yaml"), force, etcd: endpoints(), clock,
    keep: keep ?? (async (writeState) => {
      const file = join(root, "kept.tar");
      writeFileSync(file, await archiveOf(layout, writeState));
      return file;
    }),
  });
}
async function held(): Promise<{ keys: string[]; revision: number; compacted: number }> {
  const storage = await EtcdStorage.open(etcd.clientOptions);
  try {
    return { keys: await contents(storage), revision: storage.revision, compacted: storage.compactedRevision };
  } finally {
    await storage.close();
  }
}

test("an empty etcd gets the state, the data directory all else, and other servers what they share", async () => {
  const layout = newLayout(), restored = await restore(await backupOf("a", 300), { layout });
  expect(restored).toEqual({ skiff: "v1", created: "2023-11-14T22:13:20Z", nodeName: "node-1", by: "v1", at: 1_700_000_000_000, revision: 300, records: 300, config: { placed: [], beside: [] } });
  expect((readdirSync(join(layout.dataDir, "server"), { recursive: true }) as string[]).sort()).toEqual(["tls", "tls/server-ca.crt", "tls/server-ca.key", "tls/service-account.key", "token"]);
  expect(readdirSync(layout.dataDir)).toEqual(["server"]);
  const { keys, revision, compacted } = await held();
  expect(keys).toHaveLength(300);
  expect(revision).toBeGreaterThan(1_000_000_300);
  expect(compacted).toBe(revision);
  const other = newLayout(), directory = join(other.dataDir, "server");
  mkdirSync(directory, { recursive: true });
  const shared = new SharedFiles({ etcd: endpoints(), directory, databaseFile: other.databaseFile, token: "secret-of-a", clock });
  await shared.take();
  shared.close();
  expect(readFileSync(join(other.tlsDir, "server-ca.key"), "utf8")).toBe("server-ca.key of a");
});

test("a cluster that is there is left alone, or backed up and replaced; revisions go up, and its servers' keys are others", async () => {
  const layout = newLayout();
  await restore(await backupOf("a", 20), { layout });
  const before = await held();
  expect(await refusal(restore(await backupOf("b", 3)))).toContain("that etcd holds a cluster already: replace it with --force");
  expect(await held()).toEqual(before);

  const older = await backupOf("b", 3);
  const { kept, replaced } = await restore(older, { layout, force: true });
  const after = await held();
  expect(after.keys).toEqual(["0=b", "1=b", "2=b"]);
  expect(after.revision).toBeGreaterThan(before.revision);
  expect(readFileSync(join(replaced!, "token"), "utf8")).toContain("secret-of-a");
  expect(readFileSync(join(layout.tlsDir, "server-ca.key"), "utf8")).toBe("server-ca.key of b");

  await restore(readFileSync(kept!), { layout, force: true });
  const again = await held();
  expect(again.keys).toEqual(before.keys);
  expect(again.revision).toBeGreaterThan(after.revision);
  expect(readFileSync(join(layout.tlsDir, "server-ca.key"), "utf8")).toBe("server-ca.key of a");
}, 180_000);

test("keys that encrypt come along for all servers; the backup of what is replaced has those that other servers took while this one was off", async () => {
  const first = planAction(noEncryption, "enable", 0), second = planAction(first, "rotate-keys", 0), layout = newLayout();
  await restore(await backupOf("a", 3, formatConfig(first)), { layout });
  const shared = async (mark: string): Promise<EncryptionConfig> => {
    const configs = new SharedConfig({ file: join(root, "elsewhere"), clusterKey: `server-ca.key of ${mark}` });
    const storage = await EtcdStorage.open({ ...etcd.clientOptions, onFence: configs.onFence });
    await storage.close();
    return configs.current;
  };
  expect(await shared("a")).toEqual(first);
  let at = 0;
  const other = await EtcdStorage.open({ ...etcd.clientOptions, onFence: (_, revision) => (at = revision) });
  await other.fence.move(sealConfig(formatConfig(second), "server-ca.key of a"), at);
  await other.close();
  const { kept } = await restore(await backupOf("b", 3), { layout, force: true });
  expect(await shared("b")).toBe(noEncryption);
  expect(existsSync(layout.encryptionFile)).toBe(false);
  await restore(readFileSync(kept!), { layout, force: true });
  expect(await shared("a")).toEqual(second);
  expect(readFileSync(layout.encryptionFile, "utf8")).toBe(formatConfig(second));
  // Another machine has none of that cluster's keys, and needs none.
  await restore(await backupOf("b", 3), { force: true });
}, 180_000);

test("nothing is touched by a damaged backup, while a server writes, when what is there can't be backed up, or for another Kubernetes' sake", async () => {
  const backup = await backupOf("b", 50), damaged = backup.slice(0, -5000);
  expect(await refusal(restore(damaged))).toMatch(/^my\.tar .*damaged/);
  expect(await refusal(EtcdStorage.open({ ...etcd.clientOptions, beforeNew: () => { throw new Error("it is empty"); } }))).toBe("it is empty");
  await restore(await backupOf("a", 20));
  const before = await held(), untouched = async (restoring: Promise<unknown>, sentence: string): Promise<void> => {
    expect(await refusal(restoring)).toContain(sentence);
    expect((await held()).keys.filter((key) => !key.startsWith("busy"))).toEqual(before.keys);
  };
  await untouched(restore(damaged, { force: true }), "damaged");
  await untouched(restore(backup, { force: true, keep: () => Promise.reject(new Error("no room")) }), "no room");
  const running = await EtcdStorage.open(etcd.clientOptions);
  const writing = setInterval(() => void running.create(keyOf(`busy-${performance.now()}`), bytes("x")).catch(() => {}), 20);
  await untouched(restore(backup, { force: true }), "a server is writing to that etcd");
  clearInterval(writing);
  await running.close();

  await etcd.wipe();
  const client = new EtcdClient(etcd.clientOptions);
  await client.call("Txn", { success: [{ requestPut: { key: toKey("/registry/pods/default/theirs"), value: bytes("x") } }] }, { repeatable: true });
  client.close();
  expect(await refusal(restore(backup, { force: true }))).toContain("this etcd holds 1 keys under /registry/ that Skiff has not written");
}, 180_000);

test.each(["silent", "cut off"])("a server that was %s meanwhile, and so not seen, ends: its revisions count from elsewhere", async (how) => {
  await restore(await backupOf("a", 5));
  const relay = await startRelay(() => etcd.clientOptions.endpoints[0]!.port), ended = Promise.withResolvers<Error>();
  const server = await EtcdStorage.open({ endpoints: parseEndpoints(`http://127.0.0.1:${relay.port}`), clock: systemClock, onFatal: ended.resolve });
  if (how === "cut off") {
    relay.freeze();
    relay.cut();
  }
  await restore(await backupOf("b", 5), { force: true });
  relay.thaw();
  relay.cut();
  expect((await ended.promise).message).toContain("another cluster, or another state of this one, has been put into etcd");
  expect(await refusal(server.create(keyOf("stale"), bytes("x")))).toContain("has been put into etcd");
  expect((await held()).keys).toHaveLength(5);
  await server.close();
  await relay.close();
}, 180_000);

test("broken off at any point, it lets no server start, and can be given again", async () => {
  const backup = await backupOf("a", 700);
  /** Dies when etcd has been asked for the time so often. */
  const dying = (after: number): Clock => {
    let asked = 0;
    return { ...clock, monotonic: () => { if (++asked > after) throw new Error("killed"); return clock.monotonic(); } };
  };
  const seen = new Set<string>();
  for (let after = 3; ; after = Math.ceil(after * 1.5)) {
    const layout = newLayout();
    const outcome = await refusal(restoreIntoEtcd({ source: new Blob([backup.slice()]).stream(), name: "my.tar", layout, configFile: join(root, "config.yaml"), force: false, etcd: endpoints(), clock: dying(after), keep: () => Promise.reject(new Error("nothing to keep")) }));
    if (outcome === "none") break;
    expect(outcome).toContain("killed");
    seen.add(await refusal(EtcdStorage.open({ ...etcd.clientOptions, beforeNew: () => { throw new Error("it is empty"); } }).then((storage) => storage.close())));
  }
  expect([...seen].map((sentence) => sentence.slice(0, 40)).sort()).toEqual(["a backup is being restored into this etc", "it is empty"]);
  expect((await held()).keys).toHaveLength(700);
}, 180_000);

test("when etcd fails amid it, that is told, and where what was there is", async () => {
  const layout = newLayout();
  await restore(await backupOf("a", 5), { layout });
  const before = await held(), tooLarge = layoutOf(join(root, "original-large")), storage = new MemoryStorage();
  serverFiles(tooLarge, "b");
  await storage.create(keyOf("large"), new Uint8Array(2_000_000));
  const backup = await archiveOf(tooLarge, (...to) => writeSnapshot(storage, ...to));
  expect(await refusal(restore(backup, { layout, force: true }))).toMatch(/^the object is too large for etcd.*; until this command has been given again, with --force, etcd may hold no whole cluster; what it held before is in the backup \S+kept\.tar$/);
  expect(await refusal(held())).toContain("give the `skiff restore` again, with --force");
  await restore(readFileSync(join(root, "kept.tar")), { layout, force: true });
  expect((await held()).keys).toEqual(before.keys);
}, 180_000);

test("of two into one etcd one ends whole, and the other says that it did not", async () => {
  const layouts = [newLayout(), newLayout()], backups = [await backupOf("a", 900), await backupOf("b", 900)];
  const outcomes = await Promise.all(backups.map((backup, n) => refusal(restore(backup, { layout: layouts[n]! }))));
  expect(outcomes).toContain("none");
  expect(outcomes.find((outcome) => outcome !== "none")).toMatch(/somebody else is taking this etcd into use|holds a cluster already/);
  const winner = outcomes.indexOf("none"), mark = "ab"[winner]!;
  const { keys } = await held();
  expect(keys).toHaveLength(900);
  expect(new Set(keys.map((key) => key.split("=")[1]))).toEqual(new Set([mark]));
  expect(readFileSync(join(layouts[winner]!.tlsDir, "server-ca.key"), "utf8")).toBe(`server-ca.key of ${mark}`);
  expect(existsSync(join(layouts[1 - winner]!.dataDir, "server"))).toBe(false);
}, 180_000);

test("a cluster in a file makes room for one in etcd, whose revisions are higher", async () => {
  const layout = newLayout();
  serverFiles(layout, "a");
  const file = await SqliteStorage.open({ path: layout.databaseFile });
  await file.create(keyOf("own"), bytes("x"));
  await file.close();
  const restoredTwice = await backupOf("b", 3);
  for (let n = 0; n < 2; n++) await restoreBackup({ source: new Blob([restoredTwice.slice()]).stream(), name: "my.tar", layout, configFile: join(root, "config/config.yaml"), force: true });
  const inFile = await SqliteStorage.open({ path: layout.databaseFile }), { revision } = inFile;
  await inFile.close();
  const { replaced } = await restore(restoredTwice, { layout, force: true });
  expect(existsSync(join(replaced!, "db/state.db"))).toBe(true);
  expect(existsSync(layout.databaseFile)).toBe(false);
  expect((await held()).revision).toBeGreaterThan(revision);
});

test("while one is under way in a directory, another is refused there, and a server", async () => {
  const layout = newLayout(), backup = await backupOf("a", 3);
  mkdirSync(layout.dataDir);
  const other = lock(layout.dataDir, "exclusive")!;
  expect(await refusal(restore(backup, { layout, force: true }))).toBe(`a backup is being restored into ${layout.dataDir}: wait for that to end`);
  expect(() => finishRestore(layout)).toThrow("wait for that to end");
  other.release();
  const server = finishRestore(layout);
  expect(await refusal(restore(backup, { layout, force: true }))).toBe(`a server runs with ${layout.dataDir}: stop it first ("systemctl stop skiff")`);
  server.release();
  await restore(backup, { layout });
  expect(dirname(layout.tlsDir)).toBe(join(layout.dataDir, "server"));
});
