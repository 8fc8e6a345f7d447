import { createReadStream, existsSync, statSync } from "node:fs";
import { logger } from "../../base/log.ts";
import { restoredRevision } from "../../storage/snapshot/restored-revision.ts";
import { beyondGiven } from "../../storage/sqlite/given-revision.ts";
import { restoreSqlite } from "../../storage/sqlite/load.ts";
import { SqliteStorage, type SqliteOptions } from "../../storage/sqlite/sqlite-storage.ts";
import { StorageError } from "../../storage/storage.ts";
import { moveAside, pruneSetAside, recoveriesOf, writeNote } from "./set-aside.ts";
import { listSnapshots, newestGoodSnapshot } from "./snapshots.ts";

const log = logger("datastore");

/** What was done about a damaged database. */
export interface Recovery {
  /** What was wrong with it. */
  damage: string;
  /** The directory that its files have been moved to, if there were any: at this start, or at one before that didn't get further. */
  setAside?: string;
  snapshot: { file: string; revision: number; /** When it was made, milliseconds since the epoch. */ at: number };
  /** Newer snapshots that could not be used, and why. */
  passedOver: string[];
}

/** For the administrator: what was lost, from when. */
export const sentenceOf = ({ setAside, snapshot: { at, revision } }: Recovery): string =>
  `The database was damaged and has been replaced by its snapshot of ${new Date(at).toISOString()} (resourceVersion ${revision}): what was written after that is lost${setAside ? `. The damaged files are kept in ${setAside}` : ""}`;

export interface Recovered {
  storage: SqliteStorage;
  recovery?: Recovery;
}

/**
 * Opens the database. One that is damaged, or gone though there are snapshots of it, is moved aside, never overwritten, and the newest good
 * snapshot takes its place; what is moved aside says so (`recoveriesOf`), and the newest two such directories stay. Throws what opening throws when
 * there is none: nothing has been touched then.
 */
export async function openOrRecover(options: SqliteOptions & { snapshotsDirectory: string; now: number }): Promise<Recovered> {
  const { path, snapshotsDirectory, now } = options;
  const left = hasContent(path) ? undefined : leftOf(path, snapshotsDirectory);
  let damage: StorageError;
  if (left) damage = new StorageError("corrupt", `${path} is gone or empty, though there ${left}`);
  else {
    try {
      return { storage: await SqliteStorage.open(options) };
    } catch (error) {
      // What belongs to another program in a directory with our snapshots was ours once.
      if (!(error instanceof StorageError && (error.code === "corrupt" || (error.code === "foreign" && listSnapshots(snapshotsDirectory).length > 0)))) throw error;
      damage = error;
    }
  }
  const { good, problems } = await newestGoodSnapshot(snapshotsDirectory);
  if (!good) throw problems.length === 0 ? damage : new StorageError("corrupt", `${damage.message}; its snapshots can't be used either: ${problems.join("; ")}`, { cause: damage });
  const { file, revision, at } = good;
  // Whatever is known to have been given out, by the damaged one or after an earlier recovery from the same snapshot.
  const beyond = Math.max(restoredRevision(revision), beyondGiven(path), ...recoveriesOf(path).map(({ note }) => restoredRevision(note.goesOnFrom)));
  const aside = moveAside(path, { now, snapshot: revision });
  writeNote(aside.directory, { damage: damage.message, recovered: now, snapshot: { revision, at }, goesOnFrom: beyond });
  await restoreSqlite(path, createReadStream(file), { beyond });
  const storage = await SqliteStorage.open(options);
  for (const directory of pruneSetAside(path, aside.directory)) log.warn("The files of an earlier damage have been deleted: the newest two are kept", { directory });
  return { storage, recovery: { damage: damage.message, ...(aside.files ? { setAside: aside.directory } : {}), snapshot: { file, revision, at }, passedOver: problems } };
}

const hasContent = (path: string): boolean => existsSync(path) && statSync(path).size > 0;

/** What tells that there was a database. A new one beside the log of another would overwrite that; a young cluster's state lies in its log alone. */
function leftOf(path: string, snapshotsDirectory: string): string | undefined {
  if (listSnapshots(snapshotsDirectory).length > 0) return "are snapshots of it";
  return hasContent(`${path}-wal`) ? `is its log ${path}-wal: restore a backup, or move the log away too to begin anew; nothing has been changed` : undefined;
}
