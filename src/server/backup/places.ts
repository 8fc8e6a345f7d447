import { basename, dirname, resolve } from "node:path";
import { statSync } from "node:fs";
import { UsageError } from "../settings.ts";
import { directoryStore } from "./directory-store.ts";
import type { BackupOptions } from "./options.ts";
import { s3Store } from "./s3-store.ts";
import type { BackupStore } from "./store.ts";

/** The stores that backups go to by the settings; the first is written first, the others get copies. */
export function configuredStores({ directory, s3: { bucket, ...s3 } }: BackupOptions): [BackupStore, ...BackupStore[]] {
  const inBucket = bucket ? [s3Store({ ...s3, bucket })] : [];
  const [first, ...rest] = [...(directory ? [directoryStore(directory)] : []), ...inBucket];
  return [first!, ...rest];
}

/** A store, and the name in it where one was given. */
export interface Place {
  store: BackupStore;
  name?: string;
}

/** What a user calls `s3://bucket/folder/name`, a file, or a directory. */
export function placeOf(text: string, { s3 }: BackupOptions): Place {
  if (text.startsWith("s3://")) {
    const [, bucket, path = ""] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(text) ?? [];
    if (!bucket) throw new UsageError(`${JSON.stringify(text)} names no bucket: write s3://BUCKET/FOLDER/NAME`);
    const name = path.slice(path.lastIndexOf("/") + 1), folder = path.slice(0, path.length - name.length).replace(/\/+$/, "");
    return { store: s3Store({ ...s3, bucket, folder }), ...(name ? { name } : {}) };
  }
  const path = resolve(text);
  if (text.endsWith("/") || statSync(path, { throwIfNoEntry: false })?.isDirectory()) return { store: directoryStore(path) };
  return { store: directoryStore(dirname(path)), name: basename(path) };
}
