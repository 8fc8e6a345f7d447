import type { GrpcChannel } from "../../base/grpc/channel.ts";
import { toStorageError } from "./errors.ts";
import { defragment, type EtcdClient } from "./etcd-client.ts";
import { codec, methods, toKey } from "./messages.ts";

/** Written so that there is something newer to forget up to. */
const purgeKey = toKey("/skiff/purged");

/**
 * Takes all that was overwritten or deleted out of each member's database, and returns etcd's revision up to which history is forgotten. A member
 * answers that it has forgotten when it has itself, whatever the others have, and to what is news alone: so each is asked on its own.
 * Members' raft logs are beyond reach: they drop what is old by themselves, as they are written on (--snapshot-count).
 * `shown` resolves when a revision has been seen by our watch. Throws a `StorageError`: "unavailable", with nothing done, when a member can't be reached.
 */
export async function purge(client: EtcdClient, shown: (revision: number) => Promise<void>): Promise<number> {
  let revision = 0;
  await client.eachMember(async (member) => {
    do {
      const { header } = await client.call("Txn", { success: [{ requestPut: { key: purgeKey, value: new Uint8Array() } }] }, { repeatable: true });
      revision = header!.revision!;
      await shown(revision);
    } while (!(await forget(member, revision)));
    await defragment(member);
  });
  return revision;
}

/** False when another server has asked for that, or more, since: it isn't known then whether the member has done it. */
async function forget(member: GrpcChannel, revision: number): Promise<boolean> {
  try {
    await member.unary(methods.Compact.path, codec.encode(methods.Compact.request, { revision, physical: true }));
    return true;
  } catch (cause) {
    const error = toStorageError(cause, { repeatable: true });
    if (error.code === "compacted") return false;
    throw error;
  }
}
