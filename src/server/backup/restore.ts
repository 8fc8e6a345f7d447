import { createReadStream, existsSync, mkdirSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readIfExists, sync, writeFileAtomic } from "../../base/files.ts";
import { SnapshotError } from "../../storage/snapshot/format.ts";
import type { SnapshotContents } from "../../storage/snapshot/read-snapshot.ts";
import { restoreSqlite } from "../../storage/sqlite/load.ts";
import { lockFile } from "../../storage/sqlite/open-file.ts";
import { StorageError } from "../../storage/storage.ts";
import type { Layout } from "../layout.ts";
import { UsageError } from "../settings.ts";
import { type ArchiveAbout, readArchive } from "./archive.ts";
import type { BackedUpFile } from "./backed-up-files.ts";
import { commit, discardUnfinished, finishSwap, syncDirectories, unfinished } from "./swap.ts";

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
  /** Configuration files: those put in place, and those that lie beside another of that name, under this one. */
  config: { placed: string[]; beside: string[] };
}

/** What the old directory has that a backup, or a snapshot, does not. */
const keptOfServer = ["static"], keptOfDatabase = ["snapshots"];

const serverDirectory = ({ dataDir }: Layout): string => join(dataDir, "server");

/**
 * Makes this machine's server what a backup holds. Nothing is touched before all of it has been read and found whole; from then on it goes
 * through, at the next start if need be (`finishRestore`). Throws a `UsageError` that says what to do.
 */
export async function restoreBackup({ source, name, layout, configFile, force }: RestoreOptions): Promise<Restored> {
  const directory = serverDirectory(layout);
  const release = reserve(layout, force);
  try {
    discardUnfinished(directory);
    const { about, contents, config } = await unpack(source, name, layout);
    // First, since a server must not start with the state and without the settings it was made under.
    const placed = placeConfig(config, dirname(configFile));
    commit(directory);
    return { ...about, ...contents, ...finishSwap(directory, keptOfServer), config: placed };
  } catch (error) {
    discardUnfinished(directory);
    throw error;
  } finally {
    release();
  }
}

/** Makes the state what a snapshot on this disk holds; all else stays. Throws a `UsageError`. */
export async function restoreSnapshot({ file, layout }: { file: string; layout: Layout }): Promise<SnapshotContents & { replaced?: string }> {
  const directory = dirname(layout.databaseFile);
  const release = reserve(layout, true);
  try {
    discardUnfinished(directory);
    const contents = await fill(join(unfinished(directory), basename(layout.databaseFile)), createReadStream(file), file);
    sync(unfinished(directory));
    commit(directory);
    return { ...contents, ...finishSwap(directory, keptOfDatabase) };
  } catch (error) {
    discardUnfinished(directory);
    throw error;
  } finally {
    release();
  }
}

/** Completes a restore that a power cut, or a kill, interrupted after it had been decided. To be called before the server's directory is used. */
export function finishRestore(layout: Layout): void {
  finishSwap(serverDirectory(layout), keptOfServer);
  finishSwap(dirname(layout.databaseFile), keptOfDatabase);
}

/** Keeps servers out, and refuses what must not be replaced. */
function reserve(layout: Layout, force: boolean): () => void {
  finishRestore(layout);
  let release = (): void => undefined;
  try {
    if (existsSync(`${layout.databaseFile}.lock`)) ({ release } = lockFile(layout.databaseFile));
  } catch (error) {
    throw new UsageError(`a server runs with ${layout.dataDir}: stop it first ("systemctl stop skiff")`, { cause: error });
  }
  if (etcdRuns(join(dirname(layout.databaseFile), "etcd/member/snap/db"))) throw new UsageError(`a server runs with ${layout.dataDir}: stop it first ("systemctl stop skiff")`);
  const directory = serverDirectory(layout);
  if (!force && existsSync(directory) && readdirSync(directory).length > 0) {
    release();
    throw new UsageError(`${layout.dataDir} has a cluster already: name another directory with --data-dir, or replace it with --force, which moves what is there aside`);
  }
  return release;
}

/** Whether the member of etcd beside the server has its data locked, as it does while it runs: flock(2). */
const etcdRuns = (file: string): boolean => existsSync(file) && Bun.spawnSync(["flock", "--nonblock", file, "true"], { stdio: ["ignore", "ignore", "ignore"] }).exitCode === 1;

async function unpack(source: ReadableStream<Uint8Array>, name: string, layout: Layout): Promise<{ about: ArchiveAbout; contents: SnapshotContents; config: BackedUpFile[] }> {
  const directory = serverDirectory(layout), fresh = unfinished(directory);
  const config: BackedUpFile[] = [];
  let about: ArchiveAbout | undefined, contents: SnapshotContents | undefined;
  mkdirSync(layout.dataDir, { recursive: true, mode: 0o711 });
  mkdirSync(fresh, { mode: 0o700 });
  await readArchive(source, name, {
    begin: (found) => void (about = found),
    file(file) {
      if (file.name.startsWith("config/")) config.push(file);
      else writeFileAtomic(join(fresh, file.name.slice("server/".length)), file.content, file.mode);
    },
    async state(snapshot) {
      contents = await fill(join(fresh, layout.databaseFile.slice(directory.length + 1)), snapshot, name);
    },
  });
  syncDirectories(fresh);
  return { about: about!, contents: contents!, config };
}

async function fill(database: string, snapshot: AsyncIterable<Uint8Array>, name: string): Promise<SnapshotContents> {
  try {
    return await restoreSqlite(database, snapshot);
  } catch (error) {
    if (error instanceof SnapshotError) throw new UsageError(`${name} ${error.message}`, { cause: error });
    if (error instanceof StorageError) throw new UsageError(`${name} can't be restored: ${error.message}`, { cause: error });
    throw error;
  }
}

/** This machine's own configuration is left as it is. */
function placeConfig(files: readonly BackedUpFile[], directory: string): Restored["config"] {
  const placed: string[] = [], beside: string[] = [];
  for (const { name, content, mode } of files) {
    const path = join(directory, name.slice("config/".length)), existing = readIfExists(path);
    if (existing === Buffer.from(content).toString()) continue;
    const to = existing === undefined ? path : `${path}.from-backup`;
    (existing === undefined ? placed : beside).push(to);
    writeFileAtomic(to, content, mode);
  }
  return { placed, beside };
}
