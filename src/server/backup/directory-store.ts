import { randomBytes } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { synced } from "../../base/files.ts";
import { UsageError } from "../settings.ts";
import { defaultPatienceMs, Patience } from "./patience.ts";
import { type BackupStore, listed, NameTakenError, timeOfName } from "./store.ts";

/**
 * Backups in a directory, which is made when the first is put there. They are for root alone: whoever has one is the cluster. Another disk, or
 * another machine's, may be behind it: nothing here holds up the process, and what hangs is given up after `patienceMs`.
 */
export function directoryStore(directory: string, { patienceMs = defaultPatienceMs } = {}): BackupStore {
  const locate = (name: string): string => join(directory, name);
  const patient = patientWith(directory, patienceMs);
  return {
    locate,
    async put(name, content, { replace = false } = {}) {
      const path = locate(name), partial = join(directory, `.${name}.${randomBytes(4).toString("hex")}.partial`), reader = content.getReader();
      const refuse = async (): Promise<void> => {
        if (!replace && await exists(path)) throw new NameTakenError(path);
      };
      try {
        return await patient(async (patience) => {
          await refuse();
          await mkdir(directory, { recursive: true, mode: 0o700 });
          await removeAbandoned(directory);
          try {
            const bytes = await write(partial, patience.renewedBy(reader));
            await refuse();
            await rename(partial, path);
            await synced(directory);
            return bytes;
          } catch (error) {
            await rm(partial, { force: true });
            throw error;
          }
        });
      } catch (error) {
        await reader.cancel(error).catch(() => undefined);
        throw usable(error, path);
      }
    },
    list: () => patient(async () => {
      if (!(await exists(directory))) return [];
      const names = (await readdir(directory)).filter((name) => timeOfName(name) !== undefined);
      // Somebody else may be deleting them.
      const found = await Promise.all(names.map(async (name) => ({ name, bytes: (await statIfExists(locate(name)))?.size })));
      return listed(found.flatMap(({ name, bytes }) => (bytes === undefined ? [] : [{ name, bytes }])));
    }),
    open(name) {
      return new Response(contentOf(locate(name))).body!;
    },
    remove: (name) => patient(async () => {
      if (!(await exists(locate(name)))) throw missing(locate(name));
      await rm(locate(name));
      await synced(directory);
    }),
  };
}

/** Gives up what shows no progress. While it hangs nothing else is begun there: each would keep a thread. */
function patientWith(directory: string, patienceMs: number) {
  let hanging = 0;
  const silent = (): UsageError => new UsageError(`${directory} has not answered for ${patienceMs / 1000} seconds: see whether the disk, or the machine behind it, is well`);
  return async <T>(act: (patience: Patience) => Promise<T>): Promise<T> => {
    if (hanging > 0) throw silent();
    const patience = new Patience(patienceMs), acting = act(patience);
    try {
      return await Promise.race([acting, patience.over]);
    } catch (error) {
      if (error !== patience) throw error;
      hanging++;
      acting.catch(() => undefined).finally(() => hanging--);
      throw silent();
    } finally {
      patience.end();
    }
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

async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  if (!(await statIfExists(path))?.isFile()) throw missing(path);
  yield* createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
}

const exists = async (path: string): Promise<boolean> => (await statIfExists(path)) !== undefined;

async function statIfExists(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code!)) return undefined;
    throw error;
  }
}

/** What a crash left, and not what somebody makes now. */
async function removeAbandoned(directory: string): Promise<void> {
  const anHourAgo = Date.now() - 3_600_000;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (/^\..+\.partial$/.test(name) && ((await statIfExists(path))?.mtimeMs ?? Infinity) < anHourAgo) await rm(path, { force: true });
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
