import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../base/files.ts";

/** What tells this server from all others of its cluster, now and after a restart. It lies with the database: a backup doesn't take it to another machine. */
export function serverId(dataDir: string): string {
  const file = join(dataDir, "server/db/server-id");
  const existing = readIfExists(file)?.trim();
  if (existing) return existing;
  const id = randomUUID();
  writeFileAtomic(file, `${id}\n`);
  return id;
}
