import { readSnapshot, type SnapshotContents } from "../snapshot/read-snapshot.ts";
import type { SnapshotRecord } from "../snapshot/format.ts";
import { restoredRevision } from "../snapshot/restored-revision.ts";
import { StorageError } from "../storage.ts";
import { clearing, findClaim, objects, whileClaimed, writeClaim, type Moving } from "./claim.ts";
import { EtcdClient, type EtcdClientOptions } from "./etcd-client.ts";
import { toKey, type RequestOp } from "./messages.ts";

/** Writes on their way at once: etcd syncs them together. */
const together = 128;

export interface LoadOptions extends EtcdClientOptions {
  /** What is being done, for who finds it broken off. */
  moving?: Moving;
  /** A cluster of Skiff's that is there gives way; the caller has seen to it that no server uses it. */
  replace?: boolean;
  /** Numbering goes on above this, too. */
  beyond?: number;
  /** Keys beside the objects that appear with them. */
  also?: readonly { key: string; value: Uint8Array }[];
  /** Called when all is in etcd, just before it counts; what it throws leaves that etcd as one whose filling was broken off. */
  beforeEnd?(): void;
}

/**
 * Fills an empty etcd from a snapshot. Numbering goes on far above the snapshot's revisions (see `restoredRevision`) and above those that were
 * given there before, and history begins where the filling ended. Until that etcd can't be served; what was broken off begins anew with the next
 * call, and of two calls at once one fails. Throws a `StorageError` when etcd can't be used or is not empty, and the `SnapshotError` of a
 * snapshot that can't be believed: what has been filled in is no cluster then.
 */
export async function loadEtcd({ moving = "migrate", replace = false, beyond = 0, also = [], beforeEnd, ...options }: LoadOptions, snapshot: AsyncIterable<Uint8Array>): Promise<SnapshotContents> {
  const client = new EtcdClient(options);
  try {
    await client.meet();
    const begun = await begin(client, { moving, replace });
    const contents = await readSnapshot(snapshot, (records) => put(client, begun.claimed, records));
    beforeEnd?.();
    const revisionOffset = Math.max(restoredRevision(contents.revision), begun.offset, beyond);
    const ended = mustBeOurs(await writeClaim(client, { version: 1, revisionOffset }, { modRevision: begun.claimed }, also.map(({ key, value }) => ({ requestPut: { key: toKey(key), value } }))));
    await client.call("Compact", { revision: ended }, { repeatable: true });
    return contents;
  } finally {
    client.close();
  }
}

/** Returns the claim's revision: whatever is written must find it unchanged; and the offset of what was there. */
async function begin(client: EtcdClient, { moving, replace }: { moving: Moving; replace: boolean }): Promise<{ claimed: number; offset: number }> {
  const found = await findClaim(client), offset = found.claim?.revisionOffset ?? 0;
  if (found.claim && !found.claim.moving && !replace) throw new StorageError("exists", "this etcd holds a cluster of Skiff's already: use an empty one; nothing has been changed in it");
  if (!found.claim && found.objects > 0) throw new StorageError("exists", `this etcd holds ${found.objects} keys under ${objects} that Skiff has not written: use an empty one; nothing has been changed in it`);
  const claimed = mustBeOurs(await writeClaim(client, { version: 1, revisionOffset: offset, moving }, found));
  mustBeOurs(await whileClaimed(client, claimed, clearing));
  return { claimed, offset };
}

function mustBeOurs(revision: number | undefined): number {
  if (revision === undefined) throw new StorageError("exists", "somebody else is taking this etcd into use: wait for that to end, and look what it was");
  return revision;
}

/** Each key in a transaction of its own, for each is to have a revision of its own; of two records for one key the later one counts. */
async function put(client: EtcdClient, claimed: number, records: readonly SnapshotRecord[]): Promise<void> {
  const newest = [...new Map(records.map((record) => [record.key, record])).values()];
  for (let from = 0; from < newest.length; from += together) {
    await Promise.all(newest.slice(from, from + together).map(async ({ key, value }) => {
      const write: RequestOp = value ? { requestPut: { key: toKey(key), value } } : { requestDeleteRange: { key: toKey(key) } };
      mustBeOurs(await whileClaimed(client, claimed, [write]));
    }));
  }
}
