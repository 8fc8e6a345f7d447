/** The writer thread: the only one that changes what the database holds. Commits and their fsyncs block here and not in the server. */
import type { Database, Statement } from "bun:sqlite";
import { connect } from "./connection.ts";
import { codeOf, describe } from "./errors.ts";
import { ownThread } from "./file-figures.ts";
import { emptyLog as emptyLogOf, lastWords, type Logged, tellLogged, UnsyncedFile } from "./log-to-file.ts";
import { Occupancy } from "./occupancy.ts";
import { pack } from "./packing.ts";
import type { WriteCommand, WriterRequest, WriterTells } from "./protocol.ts";
import { Room } from "./room.ts";
import { pageBytes, revisionBlock, setMeta } from "./schema.ts";
import { SetAside } from "./set-aside.ts";
import type { Reply } from "./thread.ts";

declare const self: Worker;

/** How long one slice of compaction may hold up the writes behind it, and how many rows it looks at between looks at the clock. */
const sliceMs = 3;
const sliceRows = 32;
/** Less to forget is left to the commits that come: each then does some of it, which costs the disk no commit of its own. */
const worthRows = 250;
/** Free pages worth keeping for the next writes, as a share of the file; what is beyond is given back to the disk. */
const keepFreeShare = 0.25;
const vacuumPages = 128;
/** While room is short, the log is taken into the file as soon as there are so many pages in it. */
const shortLogPages = 100;
/** A log that could not be emptied until then, as somebody reads all the time, is waited for. */
const longLogPages = 16_000;
/** How long it may take the other thread to end a checkpoint, when nothing works before. */
const occupiedMs = 5000;

let path = "";
let db: Database;
let room: Room;
let setAside: SetAside;
let occupancy: Occupancy;
let statements: ReturnType<typeof prepare>;
/** What the file has been told: no revision up to `reserved` is given again; history up to `compacted` may be missing. */
let reserved = 0, compacted = 0;
/** History up to `wanted` is to be forgotten; up to `forgotten` it has been. After a crash some of it is looked at again, for nothing. */
let wanted = 0, forgotten = 0;

function prepare(database: Database) {
  const sql = (text: string): Statement => database.prepare(text);
  return {
    put: sql("INSERT INTO log (revision, key, previous, packing, value) VALUES (?2, ?1, (SELECT revision FROM current WHERE key = ?1), ?3, ?4)"),
    point: sql("INSERT INTO current (key, revision) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision"),
    bury: sql("INSERT INTO log (revision, key, previous, packing, value) SELECT ?2, key, revision, 0, NULL FROM current WHERE key = ?1"),
    remove: sql("DELETE FROM current WHERE key = ?1"),
    due: sql("SELECT revision, previous, value IS NULL AS deleted FROM log WHERE revision > ?1 AND revision <= ?2 ORDER BY revision LIMIT ?3"),
    duePart: sql("SELECT count(*) AS rows FROM (SELECT 1 FROM log WHERE revision > ?1 AND revision <= ?2 LIMIT ?3)"),
    drop: sql("DELETE FROM log WHERE revision = ?1"),
    late: sql("SELECT previous FROM log WHERE revision = ?1"),
    volatile: sql("INSERT OR IGNORE INTO volatile VALUES (?1)"),
    meta: sql(setMeta),
    metaOf: sql("SELECT value FROM meta WHERE name = ?1"),
    pages: sql("SELECT (SELECT freelist_count FROM pragma_freelist_count) AS free, (SELECT page_count FROM pragma_page_count) AS total"),
    logged: sql(tellLogged),
  };
}

const logged = (): Logged => statements.logged.get() as Logged;
const pages = (): { free: number; total: number } => statements.pages.get() as { free: number; total: number };

function open(request: WriterRequest & { type: "open" }): void {
  path = request.path;
  occupancy = new Occupancy(request.occupancy);
  db = connect(path);
  // When the log is taken into the file is said by whoever sees how long it is: see `Checkpointer`.
  db.exec("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 8388608");
  if (request.maxBytes !== undefined) db.exec(`PRAGMA max_page_count = ${Math.floor(request.maxBytes / pageBytes)}`);
  statements = prepare(db);
  room = new Room(path, request.maxBytes);
  const meta = (name: string): number => (statements.metaOf.get(name) as { value: number }).value;
  reserved = meta("reserved");
  compacted = wanted = meta("compacted");
  forgotten = meta("forgotten");
  const promise = (request.revision ?? 0) > reserved ? request.revision! + revisionBlock : reserved;
  transaction(() => {
    statements.meta.run("clean", 0);
    statements.meta.run("reserved", promise);
  });
  reserved = promise;
  setAside = new SetAside(path);
  setAside.follow(pages());
  room.look(pages());
  // In the file itself, so that one whose log is gone never passes for closed; what little room a full disk has, the start needs for more.
  if (!room.isShort) emptyLog("PASSIVE");
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

/** Where the log can't grow, the room that it has serves once more when all in it is in the file. */
function commit(request: WriterRequest & { type: "commit" }): void {
  try {
    tryCommit(request);
  } catch (error) {
    if (codeOf(error) !== "full" || !emptyLog("RESTART")) throw error;
    tryCommit(request);
  }
}

function tryCommit({ writes, revision: last, compacted: upTo }: WriterRequest & { type: "commit" }): void {
  wanted = Math.max(wanted, upTo);
  const promise = last > reserved - revisionBlock / 2 ? last + revisionBlock : reserved;
  let reached = forgotten;
  transaction(() => {
    for (const write of writes) apply(write);
    if (promise !== reserved) statements.meta.run("reserved", promise);
    if (forgotten < wanted) reached = forget(forgotten, writes.length * 2 + 8);
  });
  reserved = promise;
  if (reached > forgotten) compacted = wanted;
  forgotten = reached;
}

function apply(write: WriteCommand): void {
  if (write.type === "volatile") {
    statements.volatile.run(write.prefix);
    return;
  }
  const { key, revision } = write;
  if (write.type === "put") {
    const { packing, value } = pack(key, write.value);
    statements.put.run(key, revision, packing, value);
    statements.point.run(key, revision);
  } else {
    statements.bury.run(key, revision);
    statements.remove.run(key);
  }
  // A volatile state that is made durable late may be older than what compaction has looked at already.
  if (revision <= forgotten) forgetRow(statements.late.get(revision) as { previous: number | null } | null, revision, write.type === "delete");
}

/** Deletes what at most `rows` writes after `from` replaced or deleted; says how far it got. To be called in a transaction. */
function forget(from: number, rows: number): number {
  // The file must not seem to have history that it hasn't.
  if (compacted < wanted) statements.meta.run("compacted", wanted);
  const due = statements.due.all(from, wanted, rows) as { revision: number; previous: number | null; deleted: number }[];
  for (const row of due) forgetRow(row, row.revision, row.deleted === 1);
  return due.length < rows ? wanted : due.at(-1)!.revision;
}

function forgetRow(row: { previous: number | null } | null, revision: number, deleted: boolean): void {
  if (row?.previous != null) statements.drop.run(row.previous);
  if (deleted) statements.drop.run(revision);
}

/** Forgets for a few milliseconds, or frees some of the file. True when there is nothing left that is worth a commit of its own. */
function compact(revision: number): boolean {
  wanted = Math.max(wanted, revision);
  const backlog = (statements.duePart.get(forgotten, wanted, worthRows) as { rows: number }).rows;
  if (backlog >= worthRows || (backlog > 0 && room.isShort)) {
    forgetFor(sliceMs);
    return false;
  }
  const { free, total } = pages();
  if (free < vacuumPages * 2 || free < total * keepFreeShare) return true;
  db.exec(`PRAGMA incremental_vacuum(${vacuumPages})`);
  return false;
}

function forgetFor(ms: number): void {
  const deadline = performance.now() + ms;
  let reached = forgotten;
  transaction(() => {
    while (reached < wanted && performance.now() < deadline) reached = forget(reached, sliceRows);
    statements.meta.run("forgotten", reached);
  });
  compacted = wanted;
  forgotten = reached;
}

/** Freed pages, and what is unused of others, still hold what was there: the new file has none of it. */
function purge(revision: number): void {
  wanted = Math.max(wanted, revision);
  while (forgotten < wanted) forgetFor(sliceMs);
  db.exec("VACUUM");
  if (!emptyLog("TRUNCATE")) throw new Error("the database's log could not be emptied");
}

function finish(revision: number): void {
  transaction(() => {
    for (const [name, value] of Object.entries({ revision, forgotten, compacted: wanted, clean: 1 })) statements.meta.run(name, value);
  });
  for (const statement of Object.values(statements)) statement.finalize();
  emptyLog("TRUNCATE");
}

function close(): void {
  db.close();
  setAside.close();
}

/** Of a log that is full of pages which nobody could take into the file, as somebody reads all the time, all is waited for. */
function checkpoint(): void {
  emptyLog(logged().log < longLogPages ? "PASSIVE" : "RESTART");
}

/** While the other thread is at it, this one leaves the file alone, or waits when it must: see `UnsyncedFile`. False when the log could not be emptied. */
function emptyLog(how: "PASSIVE" | "RESTART" | "TRUNCATE"): boolean {
  return occupancy.wait(how === "PASSIVE" ? 0 : occupiedMs) && emptyLogOf(db, path, how);
}

/** What has been committed is so, whether or not the disk still answers. */
function lookAround(): WriterTells {
  try {
    return { room: room.look(pages()), logged: logged() };
  } catch {
    return {};
  }
}

function answer(request: WriterRequest): WriterTells {
  switch (request.type) {
    case "open": open(request); return { thread: ownThread(), room: room.look(pages()) };
    case "commit": commit(request); return lookAround();
    case "compact": return { done: compact(request.revision), ...lookAround() };
    case "checkpoint": checkpoint(); return {};
    case "look": return { room: room.look(pages()) };
    case "purge": purge(request.revision); return {};
    case "finish": finish(request.revision); return {};
    case "close": close(); return {};
  }
}

/** Answers nothing more. */
function giveUp(error: UnsyncedFile): void {
  self.onmessage = null;
  self.postMessage(lastWords(error));
}

self.onmessage = ({ data }: MessageEvent<WriterRequest>) => {
  let reply: Reply<WriterTells>;
  try {
    reply = { ok: true, ...answer(data) };
  } catch (error) {
    if (error instanceof UnsyncedFile) return giveUp(error);
    const code = codeOf(error);
    reply = { ok: false, code, message: describe(code, path, error) };
  }
  self.postMessage(reply);
  if (data.type !== "commit" && data.type !== "compact") return;
  try {
    // Where room is short, the log takes none of it.
    if (room.isShort && logged().log >= shortLogPages) checkpoint();
    // Some file systems let nobody change a file that is being synced.
    if (occupancy.wait(0)) setAside.follow(pages());
  } catch (error) {
    if (error instanceof UnsyncedFile) return giveUp(error);
    // A disk that fails, say: the next commit tells.
  }
};
