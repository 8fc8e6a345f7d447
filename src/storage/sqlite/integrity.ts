import type { Database } from "bun:sqlite";
import { StorageError } from "../storage.ts";
import { isWhole } from "./packing.ts";

/** SQLite's own check costs several times the reading of a file; past this size a start after a crash must not wait for it. */
const quickCheckBytes = 256 * 1024 * 1024;

/**
 * Reads all that the file has and throws "corrupt" when some of it is not what was written. After a clean stop every value and its place are
 * looked at; after a crash SQLite looks at its structures too. Nothing is changed.
 */
export function checkIntegrity(db: Database, { path, bytes, clean }: { path: string; bytes: number; clean: boolean }): void {
  const finding = (!clean && bytes <= quickCheckBytes ? quickCheck(db) : undefined) ?? damagedValue(db) ?? missingValue(db);
  if (finding !== undefined) throw new StorageError("corrupt", `${path} is damaged (${finding}): move it away and restore a backup, or start empty; the file has not been changed`);
}

function quickCheck(db: Database): string | undefined {
  using statement = db.prepare("PRAGMA quick_check(1)");
  const finding = (statement.get() as { quick_check: string } | null)?.quick_check;
  return finding === "ok" ? undefined : finding;
}

function damagedValue(db: Database): string | undefined {
  using statement = db.prepare("SELECT key, value FROM log WHERE value IS NOT NULL");
  for (const { key, value } of statement.iterate() as Iterable<{ key: string; value: Uint8Array }>) {
    if (!isWhole(key, value)) return `what it has of ${key} is another than was written`;
  }
  return undefined;
}

function missingValue(db: Database): string | undefined {
  using statement = db.prepare("SELECT current.key AS key FROM current LEFT JOIN log ON log.revision = current.revision AND log.key = current.key WHERE log.value IS NULL LIMIT 1");
  const row = statement.get() as { key: string } | null;
  return row ? `what it had of ${row.key} is not there` : undefined;
}
