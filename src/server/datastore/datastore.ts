import type { MetricsRegistry } from "../../base/metrics.ts";
import { SealedStorage } from "../../storage/sealed/sealed-storage.ts";
import { writeSnapshot } from "../../storage/snapshot/write-snapshot.ts";
import type { WriteState } from "../backup/backup.ts";
import { Encryption } from "../encryption/encryption.ts";
import { KeyFile } from "../encryption/key-file.ts";
import { SharedConfig } from "../encryption/shared-config.ts";
import { type Engine, type EngineDependencies, openEngine } from "./engine.ts";
import { MeasuredStorage } from "./measured-storage.ts";
import { registerDatastoreMetrics } from "./metrics.ts";

export interface DatastoreDependencies extends Omit<EngineDependencies, "onFence"> {
  encryptionFile: string;
  /** PEM of the server CA's key: what servers share of encryption is encrypted with it. */
  clusterKey: string;
  metrics: MetricsRegistry;
}

/** The cluster's state and what is done with it as a whole. Closing the storage closes all of it. */
export interface Datastore extends Engine {
  encryption: Encryption;
  writeState: WriteState;
}

/** Throws a `StorageError` or `UsageError` whose message says what to do: nothing has been changed then. */
export async function openDatastore({ encryptionFile: file, clusterKey, metrics, ...dependencies }: DatastoreDependencies): Promise<Datastore> {
  const { clock, options: { etcd, encryption } } = dependencies;
  const configs = etcd ? new SharedConfig({ file, clusterKey }) : new KeyFile(file, encryption, clock.now());
  const shared = configs instanceof SharedConfig ? configs : undefined;
  const engine = await openEngine({ ...dependencies, ...(shared ? { onFence: shared.onFence } : {}) });
  await shared?.begin(engine.fence!, encryption, clock.now()).catch(async (error: unknown) => {
    await engine.storage.close();
    throw error;
  });
  const sealed = new SealedStorage(engine.storage, configs.keyring, shared && (() => shared.learn()));
  registerDatastoreMetrics(metrics, engine.storage, clock);
  const purge = async (): Promise<void> => {
    await engine.storage.purge();
    await engine.snapshots?.renew();
  };
  return {
    ...engine, storage: new MeasuredStorage(sealed, { metrics, clock }), writeState: (...to) => writeSnapshot(engine.storage, ...to),
    encryption: new Encryption({ configs, storage: sealed, clock, purge, enabledAtStart: encryption.enable }),
  };
}
