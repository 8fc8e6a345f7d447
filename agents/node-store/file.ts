import { constants, Database } from "bun:sqlite";
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Logger } from "../../src/base/log.ts";

/** Written into the file; a file of another version is of no use to this one. */
const schemaVersion = 1;

const pageBytes = 4096;
/** To check a file means to read it: past this size, in bytes, a start must not wait for that. */
const checkLimit = 64 * 1024 * 1024;

/**
 * `collections`: one informer's objects each, complete as of `resource_version`. `objects`: JSON, or sealed JSON.
 * `answers`: sealed.
 */
const tables = `
CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, resource_version TEXT NOT NULL);
CREATE TABLE objects (collection INTEGER NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (collection, key));
CREATE TABLE answers (name TEXT PRIMARY KEY, body BLOB NOT NULL);
`;

/**
 * The file of a node's store, made when it is missing. One that is damaged, or of another version, is set aside for whoever wants to look at it,
 * and an empty one takes its place: all that is lost is what the server will say again. Where no file can be had, on a disk that is full or
 * broken, the node does without: its pods are worth more than its memory. Throws when another process has the file.
 */
export function openStoreFile(path: string, { log, mostBytes }: { log: Logger; mostBytes: number }): Database {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      return open(path, mostBytes);
    } catch (error) {
      if (!isUseless(error)) throw error;
      const aside = setAside(path);
      log.error("The node's store can't be read and was set aside: without the server, pods of this node can't be started until it has been heard again", { file: path, aside, error });
      return open(path, mostBytes);
    }
  } catch (error) {
    if (/SQLITE_(BUSY|LOCKED)/.test(codeOf(error))) throw new Error(`${path} is in use by another agent: stop it first, or give this one a data directory of its own`, { cause: error });
    log.error("The node's store can't be opened: until Skiff is started again with room on the disk, the node forgets with its power what it knows of the cluster", { file: path, error });
    const db = new Database(":memory:");
    db.run(tables);
    return db;
  }
}

/** A file that tells us nothing, rather than a disk that doesn't let us. */
const isUseless = (error: unknown): boolean => error instanceof UselessFile || /SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error));

class UselessFile extends Error {}

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code);

function open(path: string, mostBytes: number): Database {
  if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  // Its lock says who has the file, and its index of the log is not a file: that would be written more often than the log itself.
  const db = new Database(`${pathToFileURL(path).href}?vfs=unix-excl`, constants.SQLITE_OPEN_READWRITE | constants.SQLITE_OPEN_URI);
  try {
    if (one(db, "SELECT count(*) AS value FROM sqlite_schema") === 0) db.run(`PRAGMA auto_vacuum = INCREMENTAL; BEGIN; PRAGMA user_version = ${schemaVersion}; ${tables} COMMIT`);
    const version = one(db, "PRAGMA user_version");
    if (version !== schemaVersion) throw new UselessFile(`its schema is ${version}, this Skiff reads ${schemaVersion}`);
    const finding = statSync(path).size > checkLimit ? "ok" : one(db, "PRAGMA quick_check(1)");
    if (finding !== "ok") throw new UselessFile(`it is damaged: ${finding}`);
    db.run(`PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 1048576; PRAGMA cache_size = -512; PRAGMA max_page_count = ${Math.floor(mostBytes / pageBytes)}`);
    shrink(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function one(db: Database, sql: string): unknown {
  using statement = db.prepare<Record<string, unknown>, []>(sql);
  return Object.values(statement.get() ?? {})[0];
}

/** Gives back what is not used any more. Needs room first, which a full disk doesn't have. */
function shrink(db: Database): void {
  try {
    db.run("PRAGMA incremental_vacuum");
  } catch {
    // Another time.
  }
}

/** With its log, which belongs to it. Returns the new name. */
function setAside(path: string): string {
  let aside = `${path}.damaged`;
  for (let n = 2; existsSync(aside); n++) aside = `${path}.damaged-${n}`;
  renameSync(path, aside);
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  return aside;
}
