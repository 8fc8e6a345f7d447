import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { findClaim } from "../../storage/etcd/claim.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { EtcdStorage } from "../../storage/etcd/etcd-storage.ts";
import type { OnFence } from "../../storage/etcd/fence.ts";
import { loadEtcd } from "../../storage/etcd/load.ts";
import { SnapshotError } from "../../storage/snapshot/format.ts";
import { readSnapshot, type SnapshotContents } from "../../storage/snapshot/read-snapshot.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import { beyondGiven } from "../../storage/sqlite/given-revision.ts";
import { StorageError } from "../../storage/storage.ts";
import { sharedRecords } from "../cluster/shared-files.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import { mustBeQuiet } from "../datastore/migrate.ts";
import { keysInto } from "../encryption/shared-config.ts";
import { UsageError } from "../settings.ts";
import type { WriteState } from "./backup.ts";
import { reserve, type Restored, type RestoreOptions, serverDirectory, swapServer } from "./restore.ts";
import { commit, discardUnfinished, unfinished } from "./swap.ts";
import { placeConfig, unpack } from "./unpack.ts";

export interface RestoreIntoEtcdOptions extends RestoreOptions {
  etcd: EtcdOptions;
  clock: Clock;
  /** Backs up what `force` replaces, with this machine's files; resolves with where that is. */
  keep(writeState: WriteState): Promise<string>;
}

export interface RestoredIntoEtcd extends Restored {
  /** Where a backup of what etcd held lies, if it held a cluster. */
  kept?: string;
}

/**
 * Makes etcd hold the state of a backup, and this machine's server all else of it. Nothing is touched before all of it has been read and found whole,
 * and what etcd holds has been backed up. From then on until the end no server starts with that etcd; when it is broken off, it can be given again.
 * Throws a `UsageError` or `StorageError` that says what to do.
 */
export async function restoreIntoEtcd({ source, name, layout, configFile, force, etcd, clock, keep }: RestoreIntoEtcdOptions): Promise<RestoredIntoEtcd> {
  const directory = serverDirectory(layout), fresh = unfinished(directory), stateFile = join(fresh, "restoring.snapshot");
  const held = reserve(layout, force);
  try {
    const occupied = await holdsCluster(etcd, clock);
    if (occupied && !force) throw new UsageError("that etcd holds a cluster already: replace it with --force, which backs it up first, or name an empty one; nothing has been changed");
    const { about, contents, config } = await unpack(source, name, fresh, (snapshot) => writeChecked(stateFile, snapshot, name));
    const kept = occupied ? await keepWhatIsThere({ etcd, clock, layout, keep }) : undefined;
    let placed: Restored["config"];
    await loadEtcd({
      ...etcd, clock, moving: "restore", replace: force, beyond: beyondGiven(layout.databaseFile), also: await sharedRecords(fresh),
      beforeEnd() {
        rmSync(stateFile);
        placed = placeConfig(config, dirname(configFile));
        commit(directory);
      },
    }, contentOf(stateFile)).catch((error: unknown) => {
      throw brokenOff(error, kept);
    });
    return { ...about, ...contents, ...swapServer(layout), config: placed!, ...(kept === undefined ? {} : { kept }) };
  } catch (error) {
    discardUnfinished(directory);
    throw error;
  } finally {
    held.release();
  }
}

function brokenOff(error: unknown, kept: string | undefined): unknown {
  // Somebody else is at it, or has been.
  if (!(error instanceof StorageError) || error.code === "exists") return error;
  return new UsageError(`${error.message}; until this command has been given again, with --force, etcd may hold no whole cluster${kept === undefined ? "" : `; what it held before is in the backup ${kept}`}`, { cause: error });
}

/** Of Skiff's, and whole. */
async function holdsCluster(etcd: EtcdOptions, clock: Clock): Promise<boolean> {
  const client = new EtcdClient({ ...etcd, clock });
  try {
    await client.meet();
    const { claim } = await findClaim(client);
    return claim !== undefined && !claim.moving;
  } finally {
    client.close();
  }
}

async function keepWhatIsThere({ etcd, clock, layout, keep }: Pick<RestoreIntoEtcdOptions, "etcd" | "clock" | "layout" | "keep">): Promise<string> {
  const take = keysInto(layout);
  const onFence: OnFence = (...newest) => {
    try {
      take(...newest);
    } catch {
      // This machine has been no server of that cluster: all that its servers have in files is theirs alone, the keys too.
    }
  };
  const storage = await EtcdStorage.open({ ...etcd, clock, onFence });
  try {
    await mustBeQuiet(storage, clock);
    return await keep((...to) => writeSnapshot(storage, ...to));
  } finally {
    await storage.close();
  }
}

/** Opened when it is first asked for. */
async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path) as AsyncIterable<Uint8Array>;
}

/** The snapshot as a file of its own. Rejects when it isn't whole. */
async function writeChecked(path: string, snapshot: AsyncIterable<Uint8Array>, name: string): Promise<SnapshotContents> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "w", 0o600);
  async function* written(): AsyncGenerator<Uint8Array> {
    for await (const chunk of snapshot) {
      await file.writeFile(chunk);
      yield chunk;
    }
  }
  try {
    return await readSnapshot(written(), () => undefined);
  } catch (error) {
    if (error instanceof SnapshotError) throw new UsageError(`${name} ${error.message}`, { cause: error });
    throw error;
  } finally {
    await file.close();
  }
}
