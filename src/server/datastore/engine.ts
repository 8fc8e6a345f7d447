import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import { gitVersion } from "../../base/version.ts";
import { EtcdStorage } from "../../storage/etcd/etcd-storage.ts";
import type { Fence, OnFence } from "../../storage/etcd/fence.ts";
import { StorageError, type Storage } from "../../storage/storage.ts";
import { UsageError } from "../settings.ts";
import { movedAside } from "./migrate.ts";
import type { DatastoreOptions } from "./options.ts";
import { openOrRecover, type Recovery, sentenceOf } from "./recovery.ts";
import { Shortage } from "./shortage.ts";
import { Snapshots } from "./snapshots.ts";
import { tellingRoom } from "./telling-room.ts";

const log = logger("datastore");

export interface EngineDependencies {
  options: DatastoreOptions;
  databaseFile: string;
  clock: Clock;
  /** Aborts when the server is to stop. */
  stopping?: AbortSignal;
  /** Hears that nothing can be written any more. */
  onFatal: (error: StorageError) => void;
  /** Of engines that other servers write to as well. */
  onFence?: OnFence;
}

/** What keeps the cluster's state, and looks after that by itself. */
export interface Engine {
  storage: Storage;
  /** Of engines that other servers write to as well. */
  fence?: Fence;
  /** Of engines whose data lies here alone. */
  snapshots?: Snapshots;
  /** What was found damaged at this start, and mended. */
  recovery?: Recovery;
  /** Of an engine elsewhere as far as its answers tell. */
  shortage: Shortage;
}

/** Throws a `StorageError` or `UsageError` whose message says what to do: nothing has been changed then. */
export async function openEngine({ options: { etcd, maxBytes }, databaseFile, clock, stopping, onFatal, onFence }: EngineDependencies): Promise<Engine> {
  const shortage = new Shortage();
  shortage.onChange(logRoom);
  if (etcd) {
    const storage = await EtcdStorage.open({ ...etcd, clock, onFatal, ...(stopping ? { stopping } : {}), ...(onFence ? { onFence } : {}), beforeNew: () => mustNotHoldCluster(databaseFile) });
    return { shortage, storage: tellingRoom(storage, shortage), fence: storage.fence };
  }
  const directory = join(dirname(databaseFile), "snapshots");
  const isNew = !existsSync(databaseFile), moved = isNew ? movedAside(databaseFile) : undefined;
  if (moved) throw new UsageError(`this server's cluster has been moved to etcd: start it with --datastore-endpoint, or with --server where etcd runs beside each; to begin an empty one instead, move ${moved} away first`);
  const { storage, recovery } = await openOrRecover({ path: databaseFile, maxBytes, onFatal, onRoom: (why) => shortage.tell(why), snapshotsDirectory: directory, now: clock.now() });
  if (isNew && !recovery && existsSync(join(dirname(directory), "../kubeconfig-path"))) log.warn("An empty cluster begins, though this server has served one before: its database is gone, and no snapshot is beside it. If that isn't meant, stop Skiff before nodes drop their pods, and restore a backup", { database: databaseFile });
  if (storage.logLost) log.warn("The database was not closed and the log of its last writes is gone: those may be lost");
  if (recovery) log.error(sentenceOf(recovery), { damage: recovery.damage, passedOver: recovery.passedOver });
  return { storage, shortage, snapshots: new Snapshots({ directory, storage, clock, by: gitVersion }), ...(recovery ? { recovery } : {}) };
}

function logRoom(why: string | undefined): void {
  if (why === undefined) log.info("There is room for the datastore again");
  else log.error(`Nothing new can be stored: ${why}`);
}

/** Who adds --datastore-endpoint to a cluster that lives in a file would find it empty. */
export function mustNotHoldCluster(databaseFile: string): void {
  if (!existsSync(databaseFile)) return;
  throw new StorageError("io", `etcd is empty, and this server's cluster is in ${databaseFile}: move it with "skiff datastore migrate", or move that file away to begin anew`);
}
