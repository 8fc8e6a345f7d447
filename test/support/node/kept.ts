import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../eventually.ts";
import type { ClusterMember } from "./cluster.ts";

/** Until what a node has written down for the next boot holds all of these; it writes in batches, to spare its disk. */
export function untilKept({ node }: ClusterMember, ...texts: string[]): Promise<void> {
  const file = join(node.layout.agentDir, "node.db"), copy = `${file}.copy`;
  return eventually(() => {
    for (const suffix of ["", "-wal"]) copyFileSync(file + suffix, copy + suffix);
    const db = new Database(copy);
    try {
      const kept = (db.query("SELECT body FROM objects").all() as { body: string | Uint8Array }[]).map(({ body }) => (typeof body === "string" ? body : "")).join("\n");
      for (const text of texts) expect(kept.includes(text)).toBe(true);
    } finally {
      db.close();
      for (const suffix of ["", "-wal", "-shm"]) rmSync(copy + suffix, { force: true });
    }
  }, { interval: 250 });
}
