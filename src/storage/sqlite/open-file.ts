import { Database } from "bun:sqlite";
import { closeSync, existsSync, mkdirSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { StorageError } from "../storage.ts";
import { codeOf, toStorageError } from "./errors.ts";
import { connect } from "./connection.ts";
import { checkIntegrity } from "./integrity.ts";
import { applicationId, lostLogGap, pageBytes, schemaVersion, tables, type FileState } from "./schema.ts";

/**
 * Keeps other processes (and other storages of this one) off the file while held: an exclusive transaction on an empty database beside it,
 * which the kernel drops with the process. SQLite's own locks on the file cannot do it, because the main thread reads beside the writer.
 */
export function lockFile(path: string): { release(): void } {
  const lockPath = `${path}.lock`;
  const lock = atTheDoor(lockPath, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Closing any descriptor of a file drops all this process's locks on it, so an existing one is not touched.
    if (!existsSync(lockPath)) closeSync(openSync(lockPath, "a", 0o600));
    return new Database(lockPath, { readwrite: true, create: false });
  });
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (codeOf(error) !== "io") throw toStorageError(lockPath, error);
    throw new StorageError("io", `${path} is in use by another server: stop it first, or give this one a data directory of its own`);
  }
  return { release: () => lock.close() };
}

/** Makes the file when it is missing, refuses a foreign or damaged one without touching it, and says where it stands. */
export function prepareFile(path: string): FileState {
  return atTheDoor(path, () => {
    closeSync(openSync(path, "a", 0o600));
    // Whatever an interrupted creation has written is undone by its journal first.
    if (existsSync(`${path}-journal`) || !hasHeader(path)) create(path);
    // Before anything is opened, which may make one.
    const log = stateOfLog(path);
    const look = (readonly: boolean): FileState => {
      const db = connect(path, { readonly });
      try {
        return inspect(db, path, log);
      } finally {
        db.close();
        // A connection that only reads keeps its index of the log here when it is the first; those after it have theirs in memory (see connect).
        rmSync(`${path}-shm`, { force: true });
      }
    };
    try {
      // Read-only: closing it does not move the log of a crashed server into a file we may refuse.
      return look(true);
    } catch (error) {
      // On a full disk there is no room for that index.
      if (codeOf(error) !== "full") throw error;
      return look(false);
    }
  });
}

/** False for an empty file; throws for anything that is not ours. Reads the header only: https://sqlite.org/fileformat.html#the_database_header. */
function hasHeader(path: string): boolean {
  const header = Buffer.alloc(100);
  const fd = openSync(path, "r");
  const read = readSync(fd, header, 0, 100, 0);
  closeSync(fd);
  if (read === 0) return false;
  if (read < 100 || header.toString("latin1", 0, 16) !== "SQLite format 3\0") throw new StorageError("corrupt", `${path} is damaged or not a SQLite database: ${mend}`);
  if (header.readUInt32BE(68) !== applicationId) throw new StorageError("foreign", `${path} belongs to another program: ${mend}`);
  return true;
}

const mend = "move it away and restore a backup, or choose another data directory; the file has not been changed";

/** Makes the tables in one transaction; opening the file has rolled back an earlier try that a crash cut short. */
function create(path: string): void {
  const db = connect(path);
  try {
    if (rows<{ n: number }>(db, "SELECT count(*) AS n FROM sqlite_schema")[0]!.n > 0) hasHeader(path);
    // Said outside of the transaction, auto_vacuum would be one of its own, which leaves a file without our mark for a moment.
    else db.exec(`PRAGMA page_size = ${pageBytes}; BEGIN; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; ${tables} COMMIT`);
    db.exec("PRAGMA journal_mode = WAL");
  } finally {
    db.close();
  }
}

function inspect(db: Database, path: string, log: LogState): FileState {
  const version = rows<{ user_version: number }>(db, "PRAGMA user_version")[0]!.user_version;
  if (version > schemaVersion) throw new StorageError("newer", `${path} was written by a newer Skiff (its schema is ${version}, this one reads ${schemaVersion}): install that version again; the file has not been changed`);
  if (version < schemaVersion) throw new StorageError("foreign", `${path} was written by a Skiff from before its first release: move it away and start empty; the file has not been changed`);
  const meta = Object.fromEntries(rows<{ name: string; value: number }>(db, "SELECT name, value FROM meta").map(({ name, value }) => [name, value]));
  const clean = meta.clean === 1, compacted = meta.compacted ?? 0;
  const values = checkIntegrity(db, { path, bytes: statSync(path).size, clean });
  const written = rows<{ revision: number | null }>(db, "SELECT max(revision) AS revision FROM log")[0]!.revision;
  const volatile = rows<{ prefix: string }>(db, "SELECT prefix FROM volatile").map(({ prefix }) => prefix);
  const given = clean ? meta.revision ?? 0 : (meta.reserved ?? 0) + (log === "whole" ? 0 : lostLogGap);
  const keys = rows<{ keys: number }>(db, "SELECT count(*) AS keys FROM current")[0]!.keys;
  const volatileKeys = rows<{ keys: number }>(db, "SELECT count(*) AS keys FROM volatile JOIN current ON key >= prefix AND key < prefix || char(0x10FFFF)")[0]!.keys;
  return { revision: Math.max(written ?? 0, compacted, given), compacted, replaced: values - keys, volatile, volatileKeys, clean, logLost: !clean && log === "gone" };
}

type LogState = "whole" | "cut" | "gone";

/** What a file that was not closed should have beside it: a header and whole frames, https://sqlite.org/fileformat2.html#walformat. */
function stateOfLog(path: string): LogState {
  const log = `${path}-wal`;
  const bytes = existsSync(log) ? statSync(log).size : 0;
  if (bytes === 0) return "gone";
  return (bytes - 32) % (24 + pageBytes) === 0 ? "whole" : "cut";
}

/** A statement that is not finalized would keep its connection open behind `close`. */
function rows<T>(db: Database, sql: string): T[] {
  using statement = db.prepare(sql);
  return statement.all() as T[];
}

function atTheDoor<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw toStorageError(path, error);
  }
}
