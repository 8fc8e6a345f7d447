import type { Clock } from "../../base/clock.ts";
import { Keyring } from "../../storage/sealed/keyring.ts";
import { SealedStorage } from "../../storage/sealed/sealed-storage.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import type { Storage } from "../../storage/storage.ts";
import type { WriteState } from "../backup/backup.ts";
import { Encryption } from "../encryption/encryption.ts";
import { encryptionAtStart, keyringOf } from "../encryption/key-file.ts";
import { type EngineDependencies, openEngine } from "./engine.ts";

export interface DatastoreDependencies extends EngineDependencies {
  encryptionFile: string;
  clock: Clock;
}

/** The cluster's state and what is done with it as a whole. Closing the storage closes all of it. */
export interface Datastore {
  storage: Storage;
  encryption: Encryption;
  writeState: WriteState;
}

/** Throws a `StorageError` or `UsageError` whose message says what to do: nothing has been changed then. */
export async function openDatastore({ encryptionFile, clock, ...dependencies }: DatastoreDependencies): Promise<Datastore> {
  const config = encryptionAtStart(encryptionFile, dependencies.options.encryption, clock.now());
  const engine = await openEngine(dependencies);
  const storage = new SealedStorage(engine, new Keyring(keyringOf(config)));
  return { storage, writeState: (...to) => writeSnapshot(engine, ...to), encryption: new Encryption({ file: encryptionFile, config, storage, clock, purge: () => engine.purge() }) };
}
