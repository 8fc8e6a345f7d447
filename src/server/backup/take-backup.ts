import { readFileSync } from "node:fs";
import type { SnapshotSummary } from "../../storage/snapshot/write-snapshot.ts";
import { UsageError } from "../settings.ts";
import type { Backup } from "./backup.ts";
import { type BackupOccasion, backupName, type BackupStore, planRetention } from "./store.ts";

export interface TakenBackup {
  name: string;
  bytes: number;
  state: SnapshotSummary;
}

export async function takeBackup({ backup, store, occasion, nodeName, at, passphrase }: {
  backup: Backup;
  store: BackupStore;
  occasion: BackupOccasion;
  nodeName: string;
  at: number;
  passphrase?: string;
}): Promise<TakenBackup> {
  const name = backupName({ occasion, nodeName, at, encrypted: passphrase !== undefined });
  const bytes = await store.put(name, passphrase === undefined ? backup.archive : await encrypted(backup.archive, passphrase));
  return { name, bytes, state: backup.summary()! };
}

/** Loaded when it is needed: a server that encrypts no backups has no use for the library's memory. */
const encrypted: typeof import("./passphrase.ts").encrypted = async (...of) => (await import("./passphrase.ts")).encrypted(...of);

/** Removes what is beyond `keep`, and returns what that was. */
export async function prune(store: BackupStore, options: { occasion: BackupOccasion; nodeName: string; keep: number; made?: string }): Promise<string[]> {
  const surplus = planRetention(await store.list(), options);
  for (const { name } of surplus) await store.remove(name);
  return surplus.map(({ name }) => store.locate(name));
}

/** The first line of a file. Throws a `UsageError`. */
export function passphraseIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`the passphrase for backups can't be read from ${file} (${(error as NodeJS.ErrnoException).code}): put it there, for root alone to read`, { cause: error });
  }
  const [passphrase = ""] = text.split(/\r?\n/, 1);
  if (passphrase === "") throw new UsageError(`${file} holds no passphrase: its first line must be one`);
  return passphrase;
}
