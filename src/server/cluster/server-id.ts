import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { readIfExists, writeFileAtomic } from "../../base/files.ts";

const fileIn = (dataDir: string): string => join(dataDir, "server/db/server-id");

/** Undefined for one that has never served. */
export const knownServerId = (dataDir: string): string | undefined => readIfExists(fileIn(dataDir))?.trim();

/** What tells this server from all others of its cluster, now and after a restart. It lies with the database: a backup doesn't take it to another machine. */
export function serverId(dataDir: string): string {
  const file = fileIn(dataDir), existing = knownServerId(dataDir);
  if (existing) return existing;
  const id = randomUUID();
  writeFileAtomic(file, `${id}\n`);
  return id;
}
