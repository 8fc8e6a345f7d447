import type { Database, Statement } from "bun:sqlite";
import type { Stored, StorageEvent } from "../storage.ts";
import { connect } from "./connection.ts";
import { unpack } from "./packing.ts";

/** Events read at once: bounds the pause and the memory of a watch that catches up. */
export const pageRows = 200;

interface Row {
  key: string;
  revision: number;
  packing: number;
  /** Never NULL where the file is whole. */
  value: Uint8Array | null;
}

interface EventRow {
  key: string;
  revision: number;
  packing: number;
  /** None for a deletion. */
  value: Uint8Array | null;
  previousRevision: number | null;
  previousPacking: number;
  previous: Uint8Array | null;
}

/**
 * The main thread's read-only handle. The writer may have committed more than watchers have seen, so everything here reads
 * at a revision; see `schema.ts` for how the past is told.
 */
export class Reader {
  #db: Database;
  #statements: ReturnType<typeof prepare>;

  constructor(path: string) {
    this.#db = connect(path, { readonly: true });
    this.#db.exec("PRAGMA busy_timeout = 5000");
    this.#statements = prepare(this.#db);
  }

  /** The newest committed state of a key. */
  head(key: string): Stored | undefined {
    return toStored(this.#statements.head.get(key) as Row | null);
  }

  get(key: string, revision: number): Stored | undefined {
    const head = this.#statements.head.get(key) as Row | null;
    return toStored(head && head.revision <= revision ? head : this.#statements.replaced.get(key, revision) as Row | null);
  }

  list(prefix: string, after: string, revision: number, limit: number): Stored[] {
    // One bound, or SQLite begins at the prefix and passes over all keys up to the other.
    const from = after < prefix ? prefix : `${after}\0`;
    return (this.#statements.list.all(from, prefixEnd(prefix), revision, limit) as Row[]).map(stored);
  }

  history(prefix: string, from: number, to: number): { events: StorageEvent[]; reached: number } {
    const { rows, last } = this.#statements.pageEnd.get(from, to) as { rows: number; last: number | null };
    const reached = rows < pageRows ? to : last!;
    const found = rows === 0 ? [] : this.#statements.page.all(from, reached, prefix, prefixEnd(prefix)) as EventRow[];
    return { events: found.map(toEvent), reached };
  }

  /** Whether history tells of a write to the key between the two. */
  wrote(key: string, after: number, before: number): boolean {
    return this.#statements.wrote.get(key, after, before) !== null;
  }

  /** Of the engine, and of the file: bytes that the next writes take before it grows. */
  figures(): { version: string; freeBytes: number } {
    return this.#statements.figures.get() as { version: string; freeBytes: number };
  }

  close(): void {
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#db.close();
  }
}

function prepare(db: Database) {
  const sql = (text: string): Statement => db.prepare(text);
  return {
    head: sql("SELECT current.key, current.revision, packing, value FROM current LEFT JOIN log USING (revision) WHERE current.key = ?1"),
    replaced: sql(`SELECT was.key, was.revision, was.packing, was.value FROM log later JOIN log was ON was.revision = later.previous
      WHERE later.revision > ?2 AND later.previous <= ?2 AND later.key = ?1`),
    list: sql(`SELECT current.key, current.revision, packing, value FROM current LEFT JOIN log USING (revision)
        WHERE current.key >= ?1 AND current.key < ?2 AND current.revision <= ?3
      UNION ALL SELECT was.key, was.revision, was.packing, was.value FROM log later JOIN log was ON was.revision = later.previous
        WHERE later.revision > ?3 AND later.previous <= ?3 AND later.key >= ?1 AND later.key < ?2
      ORDER BY 1 LIMIT ?4`),
    pageEnd: sql(`SELECT count(*) AS rows, max(revision) AS last FROM (SELECT revision FROM log WHERE revision > ?1 AND revision <= ?2 ORDER BY revision LIMIT ${pageRows})`),
    page: sql(`SELECT event.key, event.revision, event.packing, event.value, was.revision AS previousRevision, was.packing AS previousPacking, was.value AS previous
      FROM log event LEFT JOIN log was ON was.revision = event.previous
      WHERE event.revision > ?1 AND event.revision <= ?2 AND event.key >= ?3 AND event.key < ?4 ORDER BY event.revision`),
    wrote: sql("SELECT 1 FROM log WHERE revision > ?2 AND revision < ?3 AND key = ?1 LIMIT 1"),
    figures: sql("SELECT sqlite_version() AS version, (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size) AS freeBytes"),
  };
}

const stored = ({ key, revision, packing, value }: Row): Stored => ({ key, revision, value: unpack(key, packing, value) });

const toStored = (row: Row | null): Stored | undefined => (row ? stored(row) : undefined);

function toEvent({ key, revision, packing, value, previousRevision, previousPacking, previous }: EventRow): StorageEvent {
  const before = previous && unpack(key, previousPacking, previous);
  return { type: value ? "put" : "delete", key, revision, value: value ? unpack(key, packing, value) : before!, ...(before ? { previous: before, previousRevision: previousRevision! } : {}) };
}

/** The first string behind all that start with `prefix`. */
const prefixEnd = (prefix: string): string => `${prefix}\u{10FFFF}`;
