import { constants, Database } from "bun:sqlite";
import { pathToFileURL } from "node:url";

/**
 * A connection to an existing file that no other process uses. All connections of this process share the index of the log in memory;
 * kept in a mapped `-shm` file, as it is by default, it would cost a flash card more than half of what a small commit writes.
 * Source: "unix-excl" in https://sqlite.org/vfs.html#standard_unix_vfses. Its lock on the file is held until the last connection closes.
 */
export function connect(path: string, { readonly = false }: { readonly?: boolean } = {}): Database {
  const mode = readonly ? constants.SQLITE_OPEN_READONLY : constants.SQLITE_OPEN_READWRITE;
  return new Database(`${pathToFileURL(path).href}?vfs=unix-excl`, mode | constants.SQLITE_OPEN_URI);
}
