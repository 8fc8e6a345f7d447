import type { Database } from "bun:sqlite";
import { StorageError } from "../storage.ts";
import { isWhole } from "./packing.ts";

/** SQLite's own check costs several times the reading of a file; past this size a start after a crash must not wait for it. */
const quickCheckBytes = 256 * 1024 * 1024;

/**
 * Reads all that the file has and throws "corrupt" when some of it is not what was written. After a clean stop every value and its place are
 * looked at; after a crash SQLite looks at its structures too. Nothing is changed. Returns how many values there are, past ones too.
 */
export function checkIntegrity(db: Database, { path, bytes, clean }: { path: string; bytes: number; clean: boolean }): number {
  const damaged = (finding: string): StorageError => new StorageError("corrupt", `${path} is damaged (${finding}): move it away and restore a backup, or start empty; the file has not been changed`);
  if (!clean && bytes <= quickCheckBytes) checkStructures(db, damaged);
  const values = checkValues(db, damaged);
  checkCurrent(db, damaged);
  return values;
}

type Damaged = (finding: string) => StorageError;

function checkStructures(db: Database, damaged: Damaged): void {
  using statement = db.prepare("PRAGMA quick_check(1)");
  const finding = (statement.get() as { quick_check: string } | null)?.quick_check;
  if (finding !== undefined && finding !== "ok") throw damaged(finding);
}

function checkValues(db: Database, damaged: Damaged): number {
  let values = 0;
  using statement = db.prepare("SELECT key, value FROM log WHERE value IS NOT NULL");
  for (const { key, value } of statement.iterate() as Iterable<{ key: string; value: Uint8Array }>) {
    if (!isWhole(key, value)) throw damaged(`what it has of ${key} is another than was written`);
    values++;
  }
  return values;
}

/** What is there now must have a value. */
function checkCurrent(db: Database, damaged: Damaged): void {
  using statement = db.prepare("SELECT current.key AS key FROM current LEFT JOIN log ON log.revision = current.revision AND log.key = current.key WHERE log.value IS NULL LIMIT 1");
  const row = statement.get() as { key: string } | null;
  if (row) throw damaged(`what it had of ${row.key} is not there`);
}
