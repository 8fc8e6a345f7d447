import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { gitVersion } from "../../base/version.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import { EtcdStorage } from "../../storage/etcd/etcd-storage.ts";
import type { Storage } from "../../storage/storage.ts";
import { openEngine } from "../datastore/engine.ts";
import type { DatastoreOptions } from "../datastore/options.ts";
import { keysInto } from "../encryption/shared-config.ts";
import type { Layout } from "../layout.ts";
import type { ServerOptions } from "../options.ts";
import { UsageError } from "../settings.ts";
import { createBackup, type WriteState } from "./backup.ts";
import { directoryStore } from "./directory-store.ts";
import { finishRestore } from "./restore.ts";
import { passphraseIn, takeBackup } from "./take-backup.ts";

/** A backup of a server that doesn't run, from its files. `close` when it has been read. Throws a `UsageError` or `StorageError`. */
export async function backupOfStopped({ dataDir, configFile, nodeName, datastore }: ServerOptions, layout: Layout): Promise<{ archive: ReadableStream<Uint8Array>; close(): Promise<void> }> {
  const held = finishRestore(layout);
  const storage = await stateOf(datastore, layout);
  const { archive } = createBackup({ dataDir, configFile, nodeName, version: gitVersion, now: () => systemClock.now(), writeState: (...to) => writeSnapshot(storage, ...to) });
  return { archive, close: () => storage.close().finally(() => held.release()) };
}

async function stateOf(options: DatastoreOptions, layout: Layout): Promise<Storage> {
  const clock = systemClock, { dataDir, databaseFile } = layout;
  if (options.etcd) return EtcdStorage.open({ ...options.etcd, clock, onFence: keysInto(layout), beforeNew: () => { throw new UsageError("there is no cluster to back up: that etcd is empty"); } });
  if (existsSync(databaseFile)) return (await openEngine({ options, databaseFile, clock, onFatal: () => undefined })).storage;
  if (existsSync(join(dirname(databaseFile), "etcd/member"))) throw new UsageError("this server's state is in etcd, which runs beside it: start the server first, or take the backup on another server of the cluster");
  throw new UsageError(`there is no cluster in ${dataDir}: name its directory with --data-dir`);
}

/** Backs up what a restore is to replace, into a directory of this machine, encrypted when the server's own backups are; resolves with where it is. */
export async function backUpReplaced({ dataDir, configFile, nodeName, backup: { directory = join(dataDir, "backups"), passphraseFile } }: ServerOptions, writeState: WriteState): Promise<string> {
  const store = directoryStore(directory), now = (): number => systemClock.now();
  const { name } = await takeBackup({
    backup: createBackup({ dataDir, configFile, nodeName, version: gitVersion, now, writeState }), store, occasion: "backup", nodeName, at: now(), ...(passphraseFile ? { passphrase: passphraseIn(passphraseFile) } : {}),
  });
  return store.locate(name);
}
