import { SQLiteError } from "bun:sqlite";
import { StorageError, type StorageErrorCode } from "../storage.ts";

/** SQLite's error codes as ours. Source: https://sqlite.org/rescode.html. */
export function codeOf(error: unknown): StorageErrorCode {
  const code = error instanceof SQLiteError ? (error.code ?? "") : "";
  // The -shm file is grown with plain writes; failing there is a full disk too.
  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_SHMSIZE") return "full";
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") return "corrupt";
  return "io";
}

export function describe(code: StorageErrorCode, path: string, error: unknown): string {
  const detail = error instanceof Error ? error.message : String(error);
  if (code === "full") return `the disk of ${path} is full (${detail}): free some space; writes work again as soon as there is room`;
  if (code === "corrupt") return `${path} is damaged (${detail}): move it away and restore a backup, or start empty; it has not been changed`;
  const system = (error as NodeJS.ErrnoException).code;
  if (system === "EROFS") return `${path} can't be written, for its file system is read-only: that is what becomes of a card or disk that fails ("dmesg" tells); bring a backup back on another`;
  if (system === "EISDIR") return `${path} is a directory and must be a file: move it away, or choose another data directory`;
  return `${path}: ${detail}`;
}

export function toStorageError(path: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const code = codeOf(error);
  return new StorageError(code, describe(code, path, error), { cause: error });
}
