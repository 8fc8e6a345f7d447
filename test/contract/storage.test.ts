import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";
import { Keyring } from "../../src/storage/sealed/keyring.ts";
import { SealedStorage } from "../../src/storage/sealed/sealed-storage.ts";
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
