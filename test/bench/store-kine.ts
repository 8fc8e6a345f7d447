// A worker: keys in SQLite the way K3s' kine keeps them, a row for each revision with the value before beside the new one, and a transaction for each write.
import { Database } from "bun:sqlite";
import { ownThread } from "../../src/storage/sqlite/file-figures.ts";

declare const self: Worker;

export type KineRequest = { type: "open"; path: string } | { type: "write"; key: string; value: Uint8Array } | { type: "list"; prefix: string } | { type: "close" };
/** open: the thread; write: the revision; list: the values. */
export type KineReply = { thread?: string; revision?: number; values?: Uint8Array[]; failure?: string };

const tables = `
CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created INTEGER, deleted INTEGER, create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB);
CREATE INDEX kine_name ON kine (name);
CREATE INDEX kine_name_id ON kine (name, id);
CREATE INDEX kine_id_deleted ON kine (id, deleted);
CREATE INDEX kine_prev_revision ON kine (prev_revision);
CREATE UNIQUE INDEX kine_name_prev_revision ON kine (name, prev_revision);
`;

let db: Database;
let newest: ReturnType<Database["prepare"]>, insert: ReturnType<Database["prepare"]>, list: ReturnType<Database["prepare"]>;

function open(path: string): void {
  db = new Database(path, { create: true });
  // Its promise to writers is to be ours: what is answered survives a power cut.
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${tables}`);
  newest = db.prepare("SELECT id, create_revision AS created, value FROM kine WHERE name = ?1 ORDER BY id DESC LIMIT 1");
  insert = db.prepare("INSERT INTO kine (name, created, deleted, create_revision, prev_revision, lease, value, old_value) VALUES (?1, ?2, 0, ?3, ?4, 0, ?5, ?6)");
  list = db.prepare("SELECT value FROM kine WHERE id IN (SELECT max(id) FROM kine WHERE name >= ?1 AND name < ?2 GROUP BY name) AND deleted = 0 ORDER BY name");
}

function write(key: string, value: Uint8Array): number {
  const before = newest.get(key) as { id: number; created: number; value: Uint8Array } | null;
  const { lastInsertRowid } = insert.run(key, before ? 0 : 1, before?.created ?? 0, before?.id ?? 0, value, before?.value ?? null);
  return Number(lastInsertRowid);
}

function answer(request: KineRequest): KineReply {
  switch (request.type) {
    case "open": open(request.path); return { thread: ownThread()! };
    case "write": return { revision: write(request.key, request.value) };
    case "list": return { values: (list.all(request.prefix, `${request.prefix}\u{10FFFF}`) as { value: Uint8Array }[]).map(({ value }) => value) };
    case "close": db.close(); return {};
  }
}

self.onmessage = ({ data }: MessageEvent<KineRequest>) => {
  let reply: KineReply;
  try {
    reply = answer(data);
  } catch (error) {
    reply = { failure: String(error) };
  }
  self.postMessage(reply);
};
