import { Keyring } from "../../storage/sealed/keyring.ts";
import { SealedStorage } from "../../storage/sealed/sealed-storage.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import type { WriteState } from "../backup/backup.ts";
import { Encryption } from "../encryption/encryption.ts";
import { encryptionAtStart, keyringOf } from "../encryption/key-file.ts";
import { type Engine, type EngineDependencies, openEngine } from "./engine.ts";

export interface DatastoreDependencies extends EngineDependencies {
  encryptionFile: string;
}

/** The cluster's state and what is done with it as a whole. Closing the storage closes all of it. */
export interface Datastore extends Engine {
  encryption: Encryption;
  writeState: WriteState;
}

/** Throws a `StorageError` or `UsageError` whose message says what to do: nothing has been changed then. */
export async function openDatastore({ encryptionFile, ...dependencies }: DatastoreDependencies): Promise<Datastore> {
  const { clock } = dependencies;
  const config = encryptionAtStart(encryptionFile, dependencies.options.encryption, clock.now());
  const engine = await openEngine(dependencies);
  const storage = new SealedStorage(engine.storage, new Keyring(keyringOf(config)));
  const purge = async (): Promise<void> => {
    await engine.storage.purge();
    await engine.snapshots?.renew();
  };
  return { ...engine, storage, writeState: (...to) => writeSnapshot(engine.storage, ...to), encryption: new Encryption({ file: encryptionFile, config, storage, clock, purge }) };
}
