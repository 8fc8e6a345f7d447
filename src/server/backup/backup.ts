import { isDeepStrictEqual } from "node:util";
import type { SnapshotHeader } from "../../storage/snapshot/format.ts";
import type { SnapshotSummary } from "../../storage/snapshot/write-snapshot.ts";
import { writeArchive } from "./archive.ts";
import { backedUpFiles } from "./backed-up-files.ts";

/** Writes a snapshot of the state as it lies in the datastore: what is encrypted there stays so. */
export type WriteState = (write: (bytes: Uint8Array) => void | Promise<void>, about: SnapshotHeader) => Promise<SnapshotSummary>;

export interface BackupSource {
  dataDir: string;
  configFile: string;
  nodeName: string;
  /** Of this Skiff. */
  version: string;
  now(): number;
  writeState: WriteState;
}

export interface Backup {
  archive: ReadableStream<Uint8Array>;
  /** Of the state, once the archive has been read to its end. */
  summary(): SnapshotSummary | undefined;
}

/** All that brings the cluster back, as an archive that is made while it is read. */
export function createBackup({ dataDir, configFile, nodeName, version, now, writeState }: BackupSource): Backup {
  const at = now(), files = backedUpFiles({ dataDir, configFile });
  let summary: SnapshotSummary | undefined;
  const archive = writeArchive({
    about: { skiff: version, created: new Date(at).toISOString().replace(/\.\d+/, ""), nodeName }, files,
    async writeState(write) {
      summary = await writeState(write, { by: version, at });
      // What was written meanwhile may be encrypted with a key that these files don't have.
      if (!isDeepStrictEqual(backedUpFiles({ dataDir, configFile }), files)) throw new Error("keys or settings of the server were changed while the backup was made: make it again");
    },
  });
  return { archive, summary: () => summary };
}
