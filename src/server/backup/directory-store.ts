import { randomBytes } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { sync } from "../../base/files.ts";
import { UsageError } from "../settings.ts";
import { type BackupStore, listed, timeOfName } from "./store.ts";

/** Backups in a directory, which is made when the first is put there. They are for root alone: whoever has one is the cluster. */
export function directoryStore(directory: string): BackupStore {
  const locate = (name: string): string => join(directory, name);
  return {
    locate,
    async put(name, content, { replace = false } = {}) {
      const path = locate(name), partial = join(directory, `.${name}.${randomBytes(4).toString("hex")}.partial`);
      const refuse = (): void => {
        if (!replace && existsSync(path)) throw new UsageError(`${path} exists already: choose another name, or replace it with --force`);
      };
      try {
        refuse();
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        removeAbandoned(directory);
        const bytes = await write(partial, content);
        refuse();
        renameSync(partial, path);
        sync(directory);
        return bytes;
      } catch (error) {
        await content.cancel(error).catch(() => undefined);
        if (existsSync(partial)) rmSync(partial);
        throw usable(error, path);
      }
    },
    async list() {
      if (!existsSync(directory)) return [];
      return listed(readdirSync(directory).filter((name) => timeOfName(name) !== undefined).map((name) => ({ name, bytes: statSync(locate(name)).size })));
    },
    open(name) {
      const path = locate(name);
      if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw missing(path);
      return Readable.toWeb(createReadStream(path, { highWaterMark: 256 * 1024 })) as unknown as ReadableStream<Uint8Array>;
    },
    async remove(name) {
      if (!existsSync(locate(name))) throw missing(locate(name));
      rmSync(locate(name));
      sync(directory);
    },
  };
}

async function write(path: string, content: ReadableStream<Uint8Array>): Promise<number> {
  const file = await open(path, "wx", 0o600);
  let bytes = 0;
  try {
    for await (const chunk of content as unknown as AsyncIterable<Uint8Array>) {
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return bytes;
}

/** What a crash left, and not what somebody makes now. */
function removeAbandoned(directory: string): void {
  const anHourAgo = Date.now() - 3_600_000;
  for (const name of readdirSync(directory)) {
    if (/^\..+\.partial$/.test(name) && statSync(join(directory, name)).mtimeMs < anHourAgo) rmSync(join(directory, name));
  }
}

const missing = (path: string): UsageError => new UsageError(`there is no backup ${path}: "skiff backup list" shows those there are`);

function usable(error: unknown, path: string): unknown {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return new UsageError(`there is no room for ${path}: make some, or keep backups elsewhere; nothing is left of this one`, { cause: error });
  if (["EACCES", "EROFS", "EPERM"].includes(code)) return new UsageError(`${path} can't be written (${code}): run as root, or choose another place`, { cause: error });
  if (["EEXIST", "EIO", "EISDIR", "ENAMETOOLONG", "ENOENT", "ENOTDIR"].includes(code)) return new UsageError(`${path} can't be written (${code}): choose another place`, { cause: error });
  return error;
}
