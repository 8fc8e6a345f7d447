import { existsSync, rmSync } from "node:fs";
import { connect } from "./connection.ts";
import { lostLogGap } from "./schema.ts";

/**
 * A revision that a database which nobody uses has not given to anybody, nor any above it: for what takes its place. As far as can be read of one
 * that is damaged; 0 when that is nothing.
 */
export function beyondGiven(path: string): number {
  if (!existsSync(path)) return 0;
  try {
    const db = connect(path, { readonly: true });
    try {
      using statement = db.prepare("SELECT max(value) AS promised FROM meta");
      return (statement.get() as { promised: number }).promised + lostLogGap;
    } finally {
      db.close();
      rmSync(`${path}-shm`, { force: true });
    }
  } catch {
    return 0;
  }
}
