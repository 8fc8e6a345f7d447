import { existsSync } from "node:fs";
import { systemClock } from "../../base/clock.ts";
import { gitVersion } from "../../base/version.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import { openEngine } from "../datastore/engine.ts";
import type { Layout } from "../layout.ts";
import type { ServerOptions } from "../options.ts";
import { UsageError } from "../settings.ts";
import { createBackup } from "./backup.ts";
import { finishRestore } from "./restore.ts";

/** A backup of a server that doesn't run, from its files. `close` when it has been read. Throws a `UsageError` or `StorageError`. */
export async function backupOfStopped({ dataDir, configFile, nodeName, datastore }: ServerOptions, layout: Layout): Promise<{ archive: ReadableStream<Uint8Array>; close(): Promise<void> }> {
  finishRestore(layout);
  if (!datastore.etcd && !existsSync(layout.databaseFile)) throw new UsageError(`there is no cluster in ${dataDir}: name its directory with --data-dir`);
  const { storage } = await openEngine({ options: datastore, databaseFile: layout.databaseFile, clock: systemClock, onFatal: () => undefined });
  const { archive } = createBackup({ dataDir, configFile, nodeName, version: gitVersion, now: () => systemClock.now(), writeState: (...to) => writeSnapshot(storage, ...to) });
  return { archive, close: () => storage.close() };
}
