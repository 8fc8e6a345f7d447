import type { MetricsRegistry } from "../../base/metrics.ts";
import { Keyring } from "../../storage/sealed/keyring.ts";
import { SealedStorage } from "../../storage/sealed/sealed-storage.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import type { WriteState } from "../backup/backup.ts";
import { Encryption } from "../encryption/encryption.ts";
import { encryptionAtStart, keyringOf } from "../encryption/key-file.ts";
import { type Engine, type EngineDependencies, openEngine } from "./engine.ts";
import { MeasuredStorage } from "./measured-storage.ts";
import { registerDatastoreMetrics } from "./metrics.ts";

export interface DatastoreDependencies extends EngineDependencies {
  encryptionFile: string;
  metrics: MetricsRegistry;
}

/** The cluster's state and what is done with it as a whole. Closing the storage closes all of it. */
export interface Datastore extends Engine {
  encryption: Encryption;
  writeState: WriteState;
}

/** Throws a `StorageError` or `UsageError` whose message says what to do: nothing has been changed then. */
export async function openDatastore({ encryptionFile, metrics, ...dependencies }: DatastoreDependencies): Promise<Datastore> {
  const { clock } = dependencies;
  const config = encryptionAtStart(encryptionFile, dependencies.options.encryption, clock.now());
  const engine = await openEngine(dependencies);
  const sealed = new SealedStorage(engine.storage, new Keyring(keyringOf(config)));
  registerDatastoreMetrics(metrics, engine.storage, clock);
  const purge = async (): Promise<void> => {
    await engine.storage.purge();
    await engine.snapshots?.renew();
  };
  return {
    ...engine, storage: new MeasuredStorage(sealed, { metrics, clock }), writeState: (...to) => writeSnapshot(engine.storage, ...to),
    encryption: new Encryption({ file: encryptionFile, config, storage: sealed, clock, purge }),
  };
}
