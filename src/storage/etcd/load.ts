import { readSnapshot, type SnapshotContents } from "../snapshot/read-snapshot.ts";
import type { SnapshotRecord } from "../snapshot/format.ts";
import { restoredRevision } from "../snapshot/restored-revision.ts";
import { StorageError } from "../storage.ts";
import { findClaim, objects, writeClaim, type Found } from "./claim.ts";
import { EtcdClient, type EtcdClientOptions } from "./etcd-client.ts";
import { endOf, toKey } from "./messages.ts";

/** Writes on their way at once: etcd syncs them together. */
const together = 128;

/**
 * Fills an empty etcd from a snapshot. Numbering goes on far above the snapshot's revisions (see `restoredRevision`), and history begins
 * where the filling ended. Until that etcd can't be served; what was broken off begins anew with the next call. Throws a `StorageError`
 * when etcd can't be used or is not empty, and the `SnapshotError` of a snapshot that can't be believed: what has been filled in is no
 * cluster then.
 */
export async function loadEtcd(options: EtcdClientOptions, snapshot: AsyncIterable<Uint8Array>): Promise<SnapshotContents> {
  const client = new EtcdClient(options);
  try {
    await client.meet();
    await begin(client);
    const contents = await readSnapshot(snapshot, (records) => put(client, records));
    await finish(client, contents.revision);
    return contents;
  } finally {
    client.close();
  }
}

async function begin(client: EtcdClient): Promise<void> {
  const found = await findClaim(client);
  if (found.claim && !found.claim.moving) throw new StorageError("exists", "this etcd holds a cluster of Skiff's already: use an empty one; nothing has been changed in it");
  if (!found.claim && found.objects > 0) throw new StorageError("exists", `this etcd holds ${found.objects} keys under ${objects} that Skiff has not written: use an empty one; nothing has been changed in it`);
  await claim(client, { version: 1, revisionOffset: 0, moving: true }, found);
  if (found.objects > 0) await client.call("Txn", { success: [{ requestDeleteRange: { key: toKey(objects), rangeEnd: endOf(objects) } }] }, { repeatable: true });
}

async function finish(client: EtcdClient, newest: number): Promise<void> {
  await claim(client, { version: 1, revisionOffset: restoredRevision(newest) }, await findClaim(client));
  const { revision } = await findClaim(client);
  await client.call("Compact", { revision }, { repeatable: true });
}

async function claim(client: EtcdClient, wanted: Parameters<typeof writeClaim>[1], found: Found): Promise<void> {
  if (!(await writeClaim(client, wanted, found))) throw new StorageError("exists", "somebody else is taking this etcd into use: wait for that to end, and look what it was");
}

/** Each key in a transaction of its own, for each is to have a revision of its own; of two records for one key the later one counts. */
async function put(client: EtcdClient, records: readonly SnapshotRecord[]): Promise<void> {
  const newest = [...new Map(records.map((record) => [record.key, record])).values()];
  for (let from = 0; from < newest.length; from += together) {
    await Promise.all(newest.slice(from, from + together).map(({ key, value }) =>
      client.call("Txn", { success: [value ? { requestPut: { key: toKey(key), value } } : { requestDeleteRange: { key: toKey(key) } }] }, { repeatable: true })));
  }
}
