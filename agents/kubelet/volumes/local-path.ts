import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { nodes } from "../../../src/apis/core/node.ts";
import { releaseAnnotation, volumesToRelease } from "../../../src/apis/core/volume/local-path.ts";
import type { Node, PersistentVolume } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { Informer } from "../../../src/client/informer.ts";
import { mountsBelow } from "./mount.ts";

/**
 * The directory of a volume of the class `local-path`, made when it isn't there, for anybody to write to. Where it lies is this node's affair:
 * of the volume's path only the name counts, and nothing outside the storage directory is ever touched.
 */
export function makeVolumeDirectory(storageDirectory: string, { metadata, spec }: Frozen<PersistentVolume>): string {
  const name = basename(spec!.local!.path);
  if (!name.startsWith(`${metadata.name}_`)) throw new Error(`the path of volume "${metadata.name}" must end in a name that begins with the volume's`);
  const directory = join(storageDirectory, name);
  const present = lstatSync(directory, { throwIfNoEntry: false });
  if (present && !present.isDirectory()) throw new Error(`${directory} is not a directory`);
  if (present) return directory;
  mkdirSync(storageDirectory, { recursive: true, mode: 0o711 });
  mkdirSync(directory);
  // Not subject to the umask, as the mode of mkdir would be.
  chmodSync(directory, 0o777);
  return directory;
}

export interface ReleaseOptions {
  /** This node alone. */
  own: Informer<Node>;
  client: Client;
  clock: Clock;
  log: Logger;
  nodeName: string;
  storageDirectory: string;
}

const retryMs = 10_000;

/** Deletes directories of volumes that are to go, as the node's annotations say, and says so there; until `signal` aborts. */
export async function releaseVolumes({ own, client, clock, log, nodeName, storageDirectory }: ReleaseOptions, signal: AbortSignal): Promise<void> {
  let woken = Promise.withResolvers<void>();
  const wake = (): void => woken.resolve();
  const unsubscribe = own.onChange((_, node) => {
    if (volumesToRelease(node).length > 0) wake();
  });
  signal.addEventListener("abort", wake, { once: true });
  while (!signal.aborted) {
    await woken.promise;
    woken = Promise.withResolvers<void>();
    try {
      for (const name of volumesToRelease(own.lister.get(nodeName))) {
        await deleteVolumeDirectory(storageDirectory, name);
        await client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { metadata: { annotations: { [releaseAnnotation(name)]: "released" } } } });
        log.info("Volume deleted", { volume: name });
      }
    } catch (error) {
      if (signal.aborted) break;
      log.warn("A volume's directory was not deleted, will try again", { error });
      void clock.sleep(retryMs, signal).then(wake, wake);
    }
  }
  unsubscribe();
}

/** Deletes what lies in the storage directory under the volume's name. What is mounted there is left alone, and links are not followed. */
export async function deleteVolumeDirectory(storageDirectory: string, volumeName: string): Promise<void> {
  const names = await readdir(storageDirectory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const name of names.filter((each) => each.startsWith(`${volumeName}_`))) {
    const directory = join(storageDirectory, name);
    const busy = mountsBelow(directory)[0];
    if (busy) throw new Error(`still mounted, not deleting: ${busy}`);
    await rm(directory, { recursive: true, force: true });
  }
}
