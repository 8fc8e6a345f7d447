import type { Storage, StorageError } from "../../storage/storage.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import type { DatastoreOptions } from "./options.ts";

/**
 * Opens what keeps the cluster's state. Throws a `StorageError` whose message says what to do: nothing has been changed then.
 * `onFatal` hears that nothing can be written any more.
 */
export function openDatastore({ options: { maxBytes }, databaseFile, onFatal }: {
  options: DatastoreOptions;
  databaseFile: string;
  onFatal: (error: StorageError) => void;
}): Promise<Storage> {
  return SqliteStorage.open({ path: databaseFile, maxBytes, onFatal });
}
