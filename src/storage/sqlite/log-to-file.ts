import { type Database, SQLiteError } from "bun:sqlite";
import type { Reply } from "./thread.ts";

/** How many pages the log has, and how many of those are in the file. */
export interface Logged {
  log: number;
  checkpointed: number;
}

/** The pragma that tells of it, and does nothing. */
export const tellLogged = "PRAGMA wal_checkpoint(NOOP)";

/**
 * The file could not be synced with what a checkpoint has put there. The kernel may have dropped those pages and call the next sync a
 * success, and SQLite, which doesn't put them there again while this process lives, would then give up the log that has them.
 */
export class UnsyncedFile extends Error {}

/** Takes the log into the file. True when all of it is there, so that the next commit may begin it anew. Throws `UnsyncedFile`; when anything else goes wrong the log stays, and it can be tried again. */
export function emptyLog(db: Database, path: string, how: "PASSIVE" | "RESTART" | "TRUNCATE"): boolean {
  try {
    using statement = db.prepare(`PRAGMA wal_checkpoint(${how})`);
    const { busy, log, checkpointed } = statement.get() as Logged & { busy: number };
    return busy === 0 && log === checkpointed;
  } catch (error) {
    if (error instanceof SQLiteError && error.code === "SQLITE_IOERR_FSYNC") throw new UnsyncedFile(`the disk could not be made to keep ${path} (${error.message})`, { cause: error });
    return false;
  }
}

/** What a thread that finds its file unsynced says last. It ends the server: the next one begins with the log, and puts all of it into the file again. */
export const lastWords = ({ message }: UnsyncedFile): Reply<unknown> => ({ ok: false, code: "io", message: `${message}: the server has to start again, from the database's log`, fatal: true });
