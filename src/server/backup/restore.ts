import { createReadStream, existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { sync } from "../../base/files.ts";
import { SnapshotError } from "../../storage/snapshot/format.ts";
import type { SnapshotContents } from "../../storage/snapshot/read-snapshot.ts";
import { beyondGiven } from "../../storage/sqlite/given-revision.ts";
import { restoreSqlite } from "../../storage/sqlite/load.ts";
import { StorageError } from "../../storage/storage.ts";
import type { Layout } from "../layout.ts";
import { UsageError } from "../settings.ts";
import type { ArchiveAbout } from "./archive.ts";
import { type Held, keepRestoresOut, reserveDataDir } from "./data-dir-lock.ts";
import { commit, discardUnfinished, finishSwap, unfinished } from "./swap.ts";
import { placeConfig, type PlacedConfig, unpack } from "./unpack.ts";

export interface RestoreOptions {
  /** Decrypted. */
  source: ReadableStream<Uint8Array>;
  /** Of the source, in errors. */
  name: string;
  layout: Layout;
  configFile: string;
  /** What is there is moved aside. Without it a cluster that is there is left alone. */
  force: boolean;
}

export interface Restored extends ArchiveAbout, SnapshotContents {
  /** Where the state of before lies. */
  replaced?: string;
  config: PlacedConfig;
}

/** What the old directory has that a backup, or a snapshot, does not. */
const keptOfServer = ["static"], keptOfDatabase = ["snapshots"];

export const serverDirectory = ({ dataDir }: Layout): string => join(dataDir, "server");

/**
 * Makes this machine's server what a backup holds, its state in a file. Nothing is touched before all of it has been read and found whole; from then
 * on it goes through, at the next start if need be (`finishRestore`). Throws a `UsageError` that says what to do.
 */
export async function restoreBackup({ source, name, layout, configFile, force }: RestoreOptions): Promise<Restored> {
  const { databaseFile } = layout, directory = serverDirectory(layout), fresh = unfinished(directory);
  const held = reserve(layout, force);
  try {
    const { about, contents, config } = await unpack(source, name, fresh, (snapshot) => fill(join(fresh, databaseFile.slice(directory.length + 1)), snapshot, name, beyondGiven(databaseFile)));
    // First, since a server must not start with the state and without the settings it was made under.
    const placed = placeConfig(config, dirname(configFile));
    commit(directory);
    return { ...about, ...contents, ...swapServer(layout), config: placed };
  } catch (error) {
    discardUnfinished(directory);
    throw error;
  } finally {
    held.release();
  }
}

/** Makes the state what a snapshot on this disk holds; all else stays. Throws a `UsageError`. */
export async function restoreSnapshot({ file, layout }: { file: string; layout: Layout }): Promise<SnapshotContents & { replaced?: string }> {
  const directory = dirname(layout.databaseFile);
  const held = reserve(layout, true);
  try {
    discardUnfinished(directory);
    const contents = await fill(join(unfinished(directory), basename(layout.databaseFile)), createReadStream(file), file, beyondGiven(layout.databaseFile));
    sync(unfinished(directory));
    commit(directory);
    return { ...contents, ...finishSwap(directory, keptOfDatabase) };
  } catch (error) {
    discardUnfinished(directory);
    throw error;
  } finally {
    held.release();
  }
}

/**
 * Completes a restore that a power cut, or a kill, interrupted after it had been decided, and keeps others out until released, or the process ends.
 * To be called before the server's directory is used. Throws a `UsageError` while one is under way.
 */
export function finishRestore(layout: Layout): Held {
  const held = keepRestoresOut(layout);
  swap(layout);
  return held;
}

/** Has the data directory for itself, with what was begun before finished, and refuses what must not be replaced. */
export function reserve(layout: Layout, force: boolean): Held {
  const held = reserveDataDir(layout);
  try {
    swap(layout);
    const directory = serverDirectory(layout);
    if (!force && existsSync(directory) && readdirSync(directory).length > 0) throw new UsageError(`${layout.dataDir} has a cluster already: name another directory with --data-dir, or replace it with --force, which moves what is there aside`);
    discardUnfinished(directory);
    return held;
  } catch (error) {
    held.release();
    throw error;
  }
}

function swap(layout: Layout): void {
  swapServer(layout);
  finishSwap(dirname(layout.databaseFile), keptOfDatabase);
}

export const swapServer = (layout: Layout): ReturnType<typeof finishSwap> => finishSwap(serverDirectory(layout), keptOfServer);

async function fill(database: string, snapshot: AsyncIterable<Uint8Array>, name: string, beyond: number): Promise<SnapshotContents> {
  try {
    return await restoreSqlite(database, snapshot, { beyond });
  } catch (error) {
    if (error instanceof SnapshotError) throw new UsageError(`${name} ${error.message}`, { cause: error });
    if (error instanceof StorageError) throw new UsageError(`${name} can't be restored: ${error.message}`, { cause: error });
    throw error;
  }
}
