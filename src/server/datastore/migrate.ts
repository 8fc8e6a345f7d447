import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { gitVersion } from "../../base/version.ts";
import { EtcdStorage } from "../../storage/etcd/etcd-storage.ts";
import type { OnFence } from "../../storage/etcd/fence.ts";
import { loadEtcd } from "../../storage/etcd/load.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import { restoreSqlite } from "../../storage/sqlite/load.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import type { Storage } from "../../storage/storage.ts";
import { UsageError } from "../settings.ts";
import type { EtcdOptions } from "./etcd-options.ts";

export interface MigrateDependencies {
  databaseFile: string;
  etcd: EtcdOptions;
  clock: Clock;
}

export interface Migrated {
  /** Of the state that was moved. */
  revision: number;
  records: number;
  /** Where the database's files lie now. */
  setAside?: string;
}

/**
 * Moves a cluster from its database's file into an empty etcd. The file is moved aside, so that nobody takes it for the cluster later.
 * Throws in one sentence, with the file as it was, when the server runs or etcd can't be used.
 */
export async function migrateToEtcd({ databaseFile, etcd, clock }: MigrateDependencies): Promise<Migrated> {
  if (!existsSync(databaseFile)) throw new UsageError(`there is no cluster to move: ${databaseFile} doesn't exist`);
  const source = await SqliteStorage.open({ path: databaseFile });
  let moved: Migrated;
  try {
    moved = await loadEtcd({ ...etcd, clock }, snapshotOf(source, clock));
  } finally {
    await source.close();
  }
  return { revision: moved.revision, records: moved.records, setAside: setDatabaseAside(databaseFile, clock.now()) };
}

/** How long a server that runs may write nothing: its own Lease is renewed every ten seconds. */
const quietMs = 12_000;

/** Rejects with a `UsageError` when some server writes to an etcd within twelve seconds. */
export async function mustBeQuiet(etcd: EtcdStorage, clock: Clock): Promise<void> {
  const before = etcd.revision;
  await clock.sleep(quietMs);
  if (etcd.revision !== before) throw new UsageError("a server is writing to that etcd: stop all servers first");
}

/** Moves a cluster from etcd back into a file, with the keys that encrypt it, which `onFence` takes. etcd stays as it is. Throws in one sentence when there is a file, or while servers write to that etcd. */
export async function migrateToFile({ databaseFile, etcd, clock, onFence }: MigrateDependencies & { onFence: OnFence }): Promise<Migrated> {
  if (existsSync(databaseFile)) throw new UsageError(`${databaseFile} exists already: move it away first`);
  const source = await EtcdStorage.open({ ...etcd, clock, onFence, beforeNew: () => { throw new UsageError("there is no cluster to move: that etcd is empty"); } });
  try {
    await mustBeQuiet(source, clock);
    const { revision, records } = await restoreSqlite(databaseFile, snapshotOf(source, clock));
    return { revision, records };
  } finally {
    await source.close();
  }
}

function snapshotOf(storage: Storage, clock: Clock): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  writeSnapshot(storage, (bytes) => writer.write(bytes), { by: gitVersion, at: clock.now() }).then(() => writer.close(), (error: unknown) => writer.abort(error)).catch(() => {});
  return readable;
}

const asidePrefix = "moved-to-etcd-";

/** Where the files of a database lie that has been moved to etcd, while they are kept. */
export function movedAside(databaseFile: string): string | undefined {
  const directory = dirname(databaseFile);
  const name = existsSync(directory) ? readdirSync(directory).filter((each) => each.startsWith(asidePrefix)).toSorted().at(-1) : undefined;
  return name && join(directory, name);
}

/** The database and its snapshots, from which a server would bring it back. */
export function setDatabaseAside(databaseFile: string, now: number): string {
  const directory = dirname(databaseFile), name = basename(databaseFile);
  const aside = join(directory, `${asidePrefix}${new Date(now).toISOString().replaceAll(":", "-").replace(/\.\d+/, "")}`);
  mkdirSync(aside, { mode: 0o700 });
  // The snapshots go first: what a crash leaves in between is a database, or nothing.
  for (const file of ["snapshots", ...readdirSync(directory).filter((each) => [name, `${name}-wal`, `${name}-shm`].includes(each))]) {
    if (existsSync(join(directory, file))) renameSync(join(directory, file), join(aside, file));
  }
  return aside;
}
