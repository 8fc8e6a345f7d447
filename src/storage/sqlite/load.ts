import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { sync } from "../../base/files.ts";
import { readSnapshot, type SnapshotContents } from "../snapshot/read-snapshot.ts";
import { restoredRevision } from "../snapshot/restored-revision.ts";
import { StorageError } from "../storage.ts";
import { connect } from "./connection.ts";
import { toStorageError } from "./errors.ts";
import { lockFile, prepareFile } from "./open-file.ts";
import { pack } from "./packing.ts";
import { setMeta } from "./schema.ts";

/**
 * Makes a database of a snapshot. Keys keep their revisions, and new ones begin far above them (see `restoredRevision`). The file appears
 * whole or not at all, also when the power goes. Rejects with "exists" when there is a database, which is left alone, with "io" while a
 * server runs on it, and with the `SnapshotError` of a snapshot that can't be believed. Numbering goes on above `beyond`, too.
 */
export async function restoreSqlite(path: string, snapshot: AsyncIterable<Uint8Array>, { beyond = 0 }: { beyond?: number } = {}): Promise<SnapshotContents> {
  const lock = lockFile(path);
  const unfinished = `${path}.restoring`;
  try {
    if (existsSync(path)) throw new StorageError("exists", `${path} exists already: move it away first`);
    remove(unfinished);
    const contents = await fill(unfinished, snapshot, beyond);
    sync(unfinished);
    // The log of a database that was here before would be taken for this one's.
    for (const stale of [`${path}-wal`, `${path}-shm`, `${path}-journal`]) rmSync(stale, { force: true });
    sync(dirname(path));
    renameSync(unfinished, path);
    sync(dirname(path));
    return contents;
  } catch (error) {
    remove(unfinished);
    throw error;
  } finally {
    lock.release();
  }
}

async function fill(path: string, snapshot: AsyncIterable<Uint8Array>, beyond: number): Promise<SnapshotContents> {
  prepareFile(path);
  const db = connect(path);
  try {
    // Nothing is believed before the end, where the file is synced as a whole.
    db.exec("PRAGMA synchronous = OFF");
    using put = db.prepare("INSERT INTO log (revision, key, previous, packing, value) VALUES (?2, ?1, NULL, ?3, ?4)");
    using point = db.prepare("INSERT INTO current (key, revision) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision");
    using forget = db.prepare("DELETE FROM log WHERE revision = (SELECT revision FROM current WHERE key = ?1)");
    using remove = db.prepare("DELETE FROM current WHERE key = ?1");
    using meta = db.prepare(setMeta);
    const contents = await readSnapshot(snapshot, db.transaction((records) => {
      for (const { key, revision, value } of records) {
        forget.run(key);
        if (!value) {
          remove.run(key);
          continue;
        }
        const packed = pack(key, value);
        put.run(key, revision, packed.packing, packed.value);
        point.run(key, revision);
      }
    }));
    const revision = Math.max(restoredRevision(contents.revision), beyond);
    for (const name of ["revision", "reserved", "compacted", "forgotten"]) meta.run(name, revision);
    meta.run("clean", 1);
    return contents;
  } catch (error) {
    throw (error as Error).name === "SQLiteError" ? toStorageError(path, error) : error;
  } finally {
    // The last connection takes the log into the file as it closes.
    db.close();
  }
}

function remove(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) rmSync(file, { force: true });
}
