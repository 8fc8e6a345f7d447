import { keyOf, type Frozen, type KubeObject, type OwnerReference } from "../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../apimachinery/resource.ts";
import { isNotFound, StatusError } from "../apimachinery/status.ts";
import type { Client } from "../client/client.ts";

export const controllerRef = (object: Frozen<KubeObject>): Frozen<OwnerReference> | undefined => object.metadata.ownerReferences?.find((ref) => ref.controller);

export const isControlledBy = (object: Frozen<KubeObject>, owner: Frozen<KubeObject>): boolean => controllerRef(object)?.uid === owner.metadata.uid;

/** The reference that a dependent made by `owner` carries. */
export function newControllerRef(card: AnyResource, owner: Frozen<KubeObject>): OwnerReference {
  return { apiVersion: apiVersionOf(card), kind: card.kind, name: owner.metadata.name!, uid: owner.metadata.uid!, controller: true, blockOwnerDeletion: true };
}

export interface Claim<O> {
  /** Controlled and selected already. */
  owned: O[];
  /** Selected, and nobody's. */
  adopt: O[];
  /** Controlled, but selected no longer. */
  release: O[];
}

/** Which of `objects` are the owner's, which become so and which stop being so. Source: ControllerRefManager of k8s.io/kubernetes/pkg/controller. */
export function planClaim<O extends Frozen<KubeObject>>(owner: Frozen<KubeObject>, objects: readonly O[], selects: (object: O) => boolean): Claim<O> {
  const claim: Claim<O> = { owned: [], adopt: [], release: [] };
  for (const object of objects) {
    const { deletionTimestamp } = object.metadata;
    const ref = controllerRef(object);
    if (ref) {
      if (ref.uid !== owner.metadata.uid) continue;
      if (selects(object)) claim.owned.push(object);
      else if (!owner.metadata.deletionTimestamp) claim.release.push(object);
    } else if (!owner.metadata.deletionTimestamp && !deletionTimestamp && selects(object)) claim.adopt.push(object);
  }
  return claim;
}

export interface Owner {
  client: Client;
  card: AnyResource;
  object: Frozen<KubeObject>;
  /** Comes with its reference, and goes with it. */
  finalizer?: string;
}

/** Writes the references of a claim; returns what the owner has afterwards. */
export async function applyClaim<O extends Frozen<KubeObject>>(owner: Owner, dependents: AnyResource, claim: Claim<O>): Promise<O[]> {
  for (const object of claim.release) await release(owner, dependents, object);
  if (claim.adopt.length === 0) return claim.owned;
  // The lister may be a moment behind for an owner that another process deletes: ask the server before taking what would be left behind.
  const fresh: Frozen<KubeObject> = await owner.client.get(owner.card, keyOfObject(owner.object));
  if (fresh.metadata.uid !== owner.object.metadata.uid || fresh.metadata.deletionTimestamp) return claim.owned;
  const adopted = await Promise.all(claim.adopt.map((object) => adopt(owner, dependents, object)));
  return [...claim.owned, ...adopted.filter((object) => object !== undefined)];
}

const keyOfObject = (object: Frozen<KubeObject>): { namespace?: string; name: string } => ({ namespace: object.metadata.namespace, name: object.metadata.name! });

async function adopt<O extends Frozen<KubeObject>>({ client, card, object: owner, finalizer }: Owner, dependents: AnyResource, object: O): Promise<O | undefined> {
  const body = { metadata: { ownerReferences: [newControllerRef(card, owner)], uid: object.metadata.uid, ...(finalizer ? { finalizers: [finalizer] } : {}) } };
  try {
    return await client.patch<any>(dependents, keyOfObject(object), { type: "application/strategic-merge-patch+json", body });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function release({ client, object: owner, finalizer }: Owner, dependents: AnyResource, object: Frozen<KubeObject>): Promise<void> {
  const body = { metadata: { ownerReferences: [{ $patch: "delete", uid: owner.metadata.uid }], uid: object.metadata.uid, ...(finalizer ? { "$deleteFromPrimitiveList/finalizers": [finalizer] } : {}) } };
  try {
    await client.patch(dependents, keyOfObject(object), { type: "application/strategic-merge-patch+json", body });
  } catch (error) {
    // Gone, or another object of that name (the uid differs): nothing left to release.
    if (!isNotFound(error) && !(error instanceof StatusError && error.reason === "Invalid")) throw error;
  }
}

/** Keys of the owners that might adopt an object that nobody controls. */
export function possibleOwners<O extends Frozen<KubeObject>>(object: Frozen<KubeObject> | undefined, owners: (namespace: string) => readonly O[], selects: (owner: O) => (object: Frozen<KubeObject>) => boolean): string[] {
  if (!object || controllerRef(object)) return [];
  return owners(object.metadata.namespace!).filter((owner) => selects(owner)(object)).map(keyOf);
}
