import { chmodSync, closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file so that a power cut leaves the old or the new content, never half; makes its directory. */
export function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, "w", mode);
  try {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } catch (error) {
    // On a full disk it has what others need.
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  sync(dirname(path));
}

/** Makes a file durable, or which names a directory has. */
export function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The same where nobody is to wait for the disk. */
export async function synced(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** As `writeFileAtomic`, where the file has another content, or not the mode that is asked for: a disk that is full, or made of flash, is left alone otherwise. */
export function ensureFile(path: string, content: string, mode?: number): void {
  if (readIfExists(path) !== content) writeFileAtomic(path, content, mode);
  else if (mode !== undefined && (statSync(path).mode & 0o777) !== mode) chmodSync(path, mode);
}

/**
 * As `ensureFile`, for what is made anew at each start: where the disk is full, the file's own room serves. A power cut amid that leaves
 * it damaged, and a file that has too little room is left as it is.
 */
export function ensureFileOnFullDisk(path: string, content: string, mode?: number): void {
  try {
    ensureFile(path, content, mode);
  } catch (error) {
    if (!isDiskFull(error) || !overwrite(path, Buffer.from(content))) throw error;
  }
}

function overwrite(path: string, content: Uint8Array): boolean {
  const { blocks = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (content.length > blocks * 512) return false;
  const file = openSync(path, "r+");
  try {
    writeFileSync(file, content);
    ftruncateSync(file, content.length);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return true;
}

/** Or what its owner may take of it is. */
export const isDiskFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");

export const readIfExists = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, "utf8") : undefined);

export const removeIfExists = (path: string): void => rmSync(path, { force: true });
