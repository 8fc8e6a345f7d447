import type { Database, Statement } from "bun:sqlite";
import type { Stored, StorageEvent } from "../storage.ts";
import { connect } from "./connection.ts";

/** Rows of history read at once: bounds the pause and the memory of a watch that catches up. */
export const pageRows = 200;

interface HistoryRow {
  revision: number;
  key: string;
  deleted: number;
  value: Uint8Array;
  previous: Uint8Array | null;
  previousRevision: number | null;
}

/**
 * The main thread's read-only handle. The writer may have committed more than watchers have seen, so everything here reads
 * at a revision; see `schema.ts` for how the past is told.
 */
export class Reader {
  #db: Database;
  #head: Statement;
  #get: Statement;
  #list: Statement;
  #pageEnd: Statement;
  #page: Statement;
  #wrote: Statement;
  #figures: Statement;

  constructor(path: string) {
    const db = this.#db = connect(path, { readonly: true });
    db.exec("PRAGMA busy_timeout = 5000");
    this.#head = db.prepare("SELECT revision, value FROM current WHERE key = ?1");
    this.#get = db.prepare(`SELECT key, revision, value FROM current WHERE key = ?1 AND revision <= ?2
      UNION ALL SELECT key, previous_revision, previous FROM history WHERE key = ?1 AND revision > ?2 AND previous_revision <= ?2`);
    this.#list = db.prepare(`SELECT key, revision, value FROM current WHERE key >= ?1 AND key > ?2 AND key < ?3 AND revision <= ?4
      UNION ALL SELECT key, previous_revision, previous FROM history WHERE key >= ?1 AND key > ?2 AND key < ?3 AND revision > ?4 AND previous_revision <= ?4
      ORDER BY key LIMIT ?5`);
    this.#pageEnd = db.prepare(`SELECT count(*) AS rows, max(revision) AS last FROM (SELECT revision FROM history WHERE revision > ?1 AND revision <= ?2 ORDER BY revision LIMIT ${pageRows})`);
    // The unary plus keeps the planner on the revision range instead of sorting all history of the keys.
    this.#page = db.prepare(`SELECT revision, key, deleted, previous, previous_revision AS previousRevision, CASE WHEN deleted THEN previous ELSE coalesce(
        (SELECT next.previous FROM history next WHERE next.key = event.key AND next.revision > event.revision ORDER BY next.revision LIMIT 1),
        (SELECT value FROM current WHERE current.key = event.key)) END AS value
      FROM history event WHERE revision > ?1 AND revision <= ?2 AND +key >= ?3 AND +key < ?4 ORDER BY revision`);
    this.#wrote = db.prepare("SELECT 1 FROM history WHERE key = ?1 AND revision > ?2 AND revision < ?3 LIMIT 1");
    this.#figures = db.prepare("SELECT sqlite_version() AS version, (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size) AS freeBytes");
  }

  /** The newest committed state of a key. */
  head(key: string): { revision: number; value: Uint8Array } | undefined {
    return (this.#head.get(key) as { revision: number; value: Uint8Array } | null) ?? undefined;
  }

  get(key: string, revision: number): Stored | undefined {
    return (this.#get.get(key, revision) as Stored | null) ?? undefined;
  }

  list(prefix: string, after: string, revision: number, limit: number): Stored[] {
    return this.#list.all(prefix, after, prefixEnd(prefix), revision, limit) as Stored[];
  }

  history(prefix: string, from: number, to: number): { events: StorageEvent[]; reached: number } {
    const { rows, last } = this.#pageEnd.get(from, to) as { rows: number; last: number | null };
    const reached = rows < pageRows ? to : last!;
    const found = rows === 0 ? [] : this.#page.all(from, reached, prefix, prefixEnd(prefix)) as HistoryRow[];
    return { events: found.map(toEvent), reached };
  }

  /** Of the engine, and of the file: bytes that the next writes take before it grows. */
  figures(): { version: string; freeBytes: number } {
    return this.#figures.get() as { version: string; freeBytes: number };
  }

  /** Whether history tells of a write to the key between the two. */
  wrote(key: string, after: number, before: number): boolean {
    return this.#wrote.get(key, after, before) !== null;
  }

  close(): void {
    for (const statement of [this.#head, this.#get, this.#list, this.#pageEnd, this.#page, this.#wrote, this.#figures]) statement.finalize();
    this.#db.close();
  }
}

const toEvent = ({ revision, key, deleted, value, previous, previousRevision }: HistoryRow): StorageEvent => ({
  type: deleted ? "delete" : "put", key, revision, value, ...(previous ? { previous, previousRevision: previousRevision! } : {}),
});

/** The first string behind all that start with `prefix`. */
const prefixEnd = (prefix: string): string => `${prefix}\u{10FFFF}`;
