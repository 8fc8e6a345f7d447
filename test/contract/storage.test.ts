import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createMetrics } from "../../src/base/metrics.ts";
import { MeasuredStorage } from "../../src/server/datastore/measured-storage.ts";
import { MemoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";
import { Keyring } from "../../src/storage/sealed/keyring.ts";
import { SealedStorage } from "../../src/storage/sealed/sealed-storage.ts";
import { EtcdStorage } from "../../src/storage/etcd/etcd-storage.ts";
import { TestEtcd, type EtcdOptions } from "../support/etcd.ts";
import type { EtcdClientOptions } from "../../src/storage/etcd/etcd-client.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { storageContract } from "./storage.ts";

storageContract("SqliteStorage on disk", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-storage-"));
  const path = join(directory, "state.db");
  let storage = await SqliteStorage.open({ path });
  return {
    storage,
    reopen: async () => {
      await storage.close();
      return (storage = await SqliteStorage.open({ path }));
    },
    dispose: async () => {
      await storage.close();
      rmSync(directory, { recursive: true });
    },
  };
}, { durable: true });

storageContract("MemoryStorage", async () => {
  const storage = new MemoryStorage();
  return { storage, dispose: () => storage.close() };
}, { durable: false });

storageContract("measured, in memory", async () => {
  const storage = new MeasuredStorage(new MemoryStorage(), { metrics: createMetrics(), clock: systemClock });
  return { storage, dispose: () => storage.close() };
}, { durable: false });

storageContract("encryption at rest, on SQLite", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-storage-"));
  const path = join(directory, "state.db");
  const keyring = new Keyring({ enabled: true, keys: [{ name: "key", secret: randomBytes(32) }], prefixes: ["/registry/core/pods/"] });
  let storage = new SealedStorage(await SqliteStorage.open({ path }), keyring);
  return {
    storage,
    reopen: async () => {
      await storage.close();
      return (storage = new SealedStorage(await SqliteStorage.open({ path }), keyring));
    },
    dispose: async () => {
      await storage.close();
      rmSync(directory, { recursive: true });
    },
  };
}, { durable: true });

/** One cluster for all tests of a suite: each begins with it wiped. */
function etcdContract(name: string, options: EtcdOptions, openStorage: (options: EtcdClientOptions) => Promise<Storage> = (of) => EtcdStorage.open(of)): void {
  describe(name, () => {
    let etcd: TestEtcd;
    beforeAll(async () => { etcd = await TestEtcd.start(options); }, 120_000);
    afterAll(() => etcd[Symbol.asyncDispose]());
    storageContract(name, async () => {
      await etcd.wipe();
      const open = (): Promise<Storage> => openStorage(etcd.clientOptions);
      let storage = await open();
      return {
        storage,
        reopen: async () => {
          await storage.close();
          return (storage = await open());
        },
        dispose: () => storage.close(),
      };
    }, { durable: true });
  });
}

etcdContract("etcd, three members", { members: 3 });
etcdContract("encryption at rest of several servers, on etcd with certificates", { tls: true }, async (options) => {
  const key = { name: "key", secret: new Uint8Array(32) }, keyring = new Keyring({ enabled: false, keys: [], prefixes: [] });
  const inner = await EtcdStorage.open({ ...options, onFence: (value, fence) => (keyring.state = { enabled: value !== undefined, keys: [key], prefixes: ["/registry/core/pods/"], fence }) });
  if (!keyring.state.enabled) await inner.fence.move(Buffer.from("the key"), keyring.state.fence!);
  return new SealedStorage(inner, keyring, () => inner.fence.load());
});
