/** The writer thread: the only connection that changes the file. Commits, fsyncs and checkpoints block here and not in the server. */
import type { Database, Statement } from "bun:sqlite";
import { connect } from "./connection.ts";
import { codeOf, describe } from "./errors.ts";
import { ownThread } from "./file-figures.ts";
import type { WriteCommand, WriterReply, WriterRequest } from "./protocol.ts";
import { revisionBlock, setMeta } from "./schema.ts";

declare const self: Worker;

/** How long one slice of compaction may hold up the writes behind it, and how many rows it deletes between looks at the clock. */
const sliceMs = 5;
const sliceRows = 32;
/** Free pages worth keeping for the next writes, as a share of the file; what is beyond is given back to the disk. */
const keepFreeShare = 0.25;
const vacuumPages = 64;

let path = "";
let db: Database;
let reserved = 0;
let statements: ReturnType<typeof prepare>;

function prepare(database: Database) {
  const sql = (text: string): Statement => database.prepare(text);
  return {
    put: sql("INSERT INTO current (key, revision, value) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, value = excluded.value"),
    created: sql("INSERT INTO history (revision, key, deleted) VALUES (?2, ?1, 0)"),
    changed: sql("INSERT INTO history (revision, key, deleted, previous_revision, previous) SELECT ?2, key, ?3, revision, value FROM current WHERE key = ?1"),
    remove: sql("DELETE FROM current WHERE key = ?1"),
    forget: sql(`DELETE FROM history WHERE revision IN (SELECT revision FROM history WHERE revision <= ?1 ORDER BY revision LIMIT ${sliceRows})`),
    volatile: sql("INSERT OR IGNORE INTO volatile VALUES (?1)"),
    meta: sql(setMeta),
    reserved: sql("SELECT value FROM meta WHERE name = 'reserved'"),
    pages: sql("SELECT (SELECT freelist_count FROM pragma_freelist_count) AS free, (SELECT page_count FROM pragma_page_count) AS total"),
  };
}

function open(request: { path: string; maxBytes?: number }): void {
  path = request.path;
  db = connect(path);
  db.exec("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 8388608");
  if (request.maxBytes !== undefined) db.exec(`PRAGMA max_page_count = ${Math.floor(request.maxBytes / 4096)}`);
  statements = prepare(db);
  reserved = (statements.reserved.get() as { value: number }).value;
  transaction(() => statements.meta.run("clean", 0));
}

function transaction(body: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    body();
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function commit(writes: readonly WriteCommand[], last: number): void {
  const promise = last > reserved - revisionBlock / 2 ? last + revisionBlock : reserved;
  transaction(() => {
    for (const write of writes) apply(write);
    if (promise !== reserved) statements.meta.run("reserved", promise);
  });
  reserved = promise;
}

function apply(write: WriteCommand): void {
  if (write.type === "volatile") {
    statements.volatile.run(write.prefix);
    return;
  }
  const { changes } = statements.changed.run(write.key, write.revision, write.type === "delete" ? 1 : 0);
  if (write.type === "delete") {
    statements.remove.run(write.key);
    return;
  }
  if (changes === 0) statements.created.run(write.key, write.revision);
  statements.put.run(write.key, write.revision, write.value);
}

function compact(revision: number): boolean {
  const deadline = performance.now() + sliceMs;
  let done = false;
  transaction(() => {
    statements.meta.run("compacted", revision);
    while (!done && performance.now() < deadline) done = statements.forget.run(revision).changes === 0;
  });
  if (!done) return false;
  const { free, total } = statements.pages.get() as { free: number; total: number };
  if (free < vacuumPages * 2 || free < total * keepFreeShare) return true;
  db.exec(`PRAGMA incremental_vacuum(${vacuumPages})`);
  return false;
}

/** Freed pages, and what is unused of others, still hold what was there: the new file has none of it. */
function purge(): void {
  db.exec("VACUUM");
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

function close(revision: number): void {
  transaction(() => {
    statements.meta.run("revision", revision);
    statements.meta.run("clean", 1);
  });
  for (const statement of Object.values(statements)) statement.finalize();
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}

function answer(request: WriterRequest): WriterReply {
  switch (request.type) {
    case "open": open(request); return { ok: true, thread: ownThread() };
    case "commit": commit(request.writes, request.revision); return { ok: true };
    case "compact": return { ok: true, done: compact(request.revision) };
    case "purge": purge(); return { ok: true };
    case "close": close(request.revision); return { ok: true };
  }
}

self.onmessage = ({ data }: MessageEvent<WriterRequest>) => {
  let reply: WriterReply;
  try {
    reply = answer(data);
  } catch (error) {
    const code = codeOf(error);
    reply = { ok: false, code, message: describe(code, path, error) };
  }
  self.postMessage(reply);
};
