import type { Storage, StorageError } from "../../storage/storage.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import type { DatastoreOptions } from "./options.ts";

export interface EngineDependencies {
  options: DatastoreOptions;
  databaseFile: string;
  /** Hears that nothing can be written any more. */
  onFatal: (error: StorageError) => void;
}

/** Opens what keeps the cluster's state. Throws a `StorageError` whose message says what to do: nothing has been changed then. */
export function openEngine({ options: { maxBytes }, databaseFile, onFatal }: EngineDependencies): Promise<Storage> {
  return SqliteStorage.open({ path: databaseFile, maxBytes, onFatal });
}
