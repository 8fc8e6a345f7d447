import { StorageError } from "../storage.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { compareModRevision, endOf, toKey, type RequestOp } from "./messages.ts";

/** What Skiff keeps of its own in etcd, beside the objects. */
export interface Claim {
  /** Of how things are kept here. */
  version: 1;
  /** A resourceVersion is etcd's revision and this: so that clusters that move to etcd go on counting where they were. */
  revisionOffset: number;
  /** A cluster is being put here, from a file or a backup: nobody may serve it yet. */
  moving?: Moving;
}

export type Moving = "migrate" | "restore";

/** What is Skiff's in etcd beside the objects. */
const own = "/skiff/";
export const claimKey = `${own}datastore`;
export const objects = "/registry/";

export interface Found {
  claim: Claim | undefined;
  /** Of the claim; 0 when there is none. */
  modRevision: number;
  /** How many keys there are where objects are kept. */
  objects: number;
  /** etcd's, now. */
  revision: number;
}

/** Looks, and changes nothing. Throws when a newer Skiff keeps things in another way. */
export async function findClaim(client: EtcdClient): Promise<Found> {
  const { header, responses = [] } = await client.call("Txn", {
    success: [{ requestRange: { key: toKey(claimKey) } }, { requestRange: { key: toKey(objects), rangeEnd: endOf(objects), countOnly: true } }],
  }, { repeatable: true });
  const kv = responses[0]?.responseRange?.kvs?.[0];
  return { claim: kv && parseClaim(kv.value), modRevision: kv?.modRevision ?? 0, objects: responses[1]?.responseRange?.count ?? 0, revision: header!.revision! };
}

/** Writes the claim, and `also` with it, unless it has changed meanwhile; returns its revision, or undefined then. */
export function writeClaim(client: EtcdClient, claim: Claim, { modRevision }: Pick<Found, "modRevision">, also: readonly RequestOp[] = []): Promise<number | undefined> {
  return whileClaimed(client, modRevision, [{ requestPut: { key: toKey(claimKey), value: Buffer.from(JSON.stringify(claim)) } }, ...also]);
}

/** Writes while the claim is the one of that revision; returns the new revision, or undefined when the claim is another. */
export async function whileClaimed(client: EtcdClient, modRevision: number, success: readonly RequestOp[]): Promise<number | undefined> {
  const { succeeded, header } = await client.call("Txn", { compare: [{ target: compareModRevision, key: toKey(claimKey), modRevision }], success: [...success] }, { repeatable: true });
  return succeeded ? header!.revision! : undefined;
}

/** Deletes all that is Skiff's but the claim. */
export const clearing: readonly RequestOp[] = [
  { requestDeleteRange: { key: toKey(objects), rangeEnd: endOf(objects) } },
  { requestDeleteRange: { key: toKey(own), rangeEnd: toKey(claimKey) } },
  { requestDeleteRange: { key: toKey(`${claimKey}\0`), rangeEnd: endOf(own) } },
];

/** The claim by which this etcd is served: made when it is empty, unless `beforeNew` throws. Throws when it is somebody else's, or half filled. */
export async function ensureClaim(client: EtcdClient, beforeNew: () => void = () => {}): Promise<Found & { claim: Claim }> {
  for (;;) {
    const found = await findClaim(client);
    mustBeOurs(found);
    if (found.claim) return { ...found, claim: found.claim };
    beforeNew();
    // Of servers that start together one makes it, and all look again.
    await writeClaim(client, { version: 1, revisionOffset: 0 }, found);
  }
}

/** Throws when it is somebody else's, or half filled. */
export function mustBeOurs({ claim, objects: keys }: Found): void {
  if (claim?.moving === "restore") throw new StorageError("io", "a backup is being restored into this etcd, or that was broken off: give the `skiff restore` again, with --force, which starts anew");
  if (claim?.moving) throw new StorageError("io", "a cluster is being moved to this etcd, or that was broken off: end it with `skiff datastore migrate`, which starts anew");
  if (!claim && keys > 0) throw new StorageError("io", `this etcd holds ${keys} keys under ${objects} that Skiff has not written, as another Kubernetes cluster's: use an empty etcd, nothing has been changed in this one`);
}

function parseClaim(value: Uint8Array | undefined): Claim {
  const text = Buffer.from(value ?? []).toString();
  let claim: Partial<Claim> | undefined;
  try {
    claim = JSON.parse(text) as Partial<Claim>;
  } catch {}
  if (claim?.version !== 1 || !Number.isSafeInteger(claim.revisionOffset)) throw new StorageError("io", `this etcd's ${claimKey} says ${JSON.stringify(text.slice(0, 80))}, which this version of Skiff doesn't understand: update Skiff`);
  return claim as Claim;
}
