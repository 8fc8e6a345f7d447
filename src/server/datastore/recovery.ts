import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { restoreSqlite } from "../../storage/sqlite/load.ts";
import { SqliteStorage, type SqliteOptions } from "../../storage/sqlite/sqlite-storage.ts";
import { StorageError } from "../../storage/storage.ts";
import { listSnapshots, newestGoodSnapshot } from "./snapshots.ts";

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
 * snapshot takes its place. Throws what opening throws when there is none: nothing has been touched then.
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
  const setAside = moveAside(path, now);
  await restoreSqlite(path, createReadStream(good.file));
  const { file, revision, at } = good;
  return { storage: await SqliteStorage.open(options), recovery: { damage: damage.message, ...(setAside ? { setAside } : {}), snapshot: { file, revision, at }, passedOver: problems } };
}

const hasContent = (path: string): boolean => existsSync(path) && statSync(path).size > 0;

/** What tells that there was a database. A new one beside the log of another would overwrite that; a young cluster's state lies in its log alone. */
function leftOf(path: string, snapshotsDirectory: string): string | undefined {
  if (listSnapshots(snapshotsDirectory).length > 0) return "are snapshots of it";
  return hasContent(`${path}-wal`) ? `is its log ${path}-wal: restore a backup, or move the log away too to begin anew; nothing has been changed` : undefined;
}

/** Moves the database and what belongs to it into a directory of its own beside it. The file itself goes first: without it, what a crash leaves is no database. */
function moveAside(path: string, now: number): string | undefined {
  const directory = dirname(path), name = basename(path), there = existsSync(directory) ? readdirSync(directory) : [];
  const files = there.filter((file) => [name, `${name}-wal`, `${name}-shm`, `${name}-journal`].includes(file));
  if (files.length === 0) {
    const earlier = there.filter((file) => file.startsWith("damaged-")).toSorted().at(-1);
    return earlier && join(directory, earlier);
  }
  const aside = join(directory, `damaged-${new Date(now).toISOString().replaceAll(":", "-").replace(/\.\d+/, "")}`);
  let numbered = aside;
  for (let n = 2; existsSync(numbered); n++) numbered = `${aside}-${n}`;
  mkdirSync(numbered, { mode: 0o700 });
  for (const file of files.toSorted((a, b) => a.length - b.length)) renameSync(join(directory, file), join(numbered, file));
  return numbered;
}
