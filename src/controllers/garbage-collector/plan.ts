import type { Frozen, KubeObject, OwnerReference } from "../../apimachinery/meta.ts";

export const orphanFinalizer = "orphan";
export const foregroundFinalizer = "foregroundDeletion";

const has = (object: Frozen<KubeObject>, finalizer: string): boolean => object.metadata.finalizers?.includes(finalizer) ?? false;
const isDeleting = (object: Frozen<KubeObject>): boolean => !!object.metadata.deletionTimestamp;
export const isOrphaning = (object: Frozen<KubeObject>): boolean => isDeleting(object) && has(object, orphanFinalizer);
/** Deleted in the foreground: waits for its dependents to go. */
export const isDeletingDependents = (object: Frozen<KubeObject>): boolean => isDeleting(object) && has(object, foregroundFinalizer);

/**
 * `absent`: the server has no such object with that uid, where the dependent may have its owners. `unknown`: its kind isn't served (a CRD that
 * is gone, or not here yet); `elsewhere`: a cluster-scoped object names an owner in a namespace. These two count as present, for safety.
 */
export type Owner = { ref: Frozen<OwnerReference>; state: "absent" | "unknown" | "elsewhere" } | { ref: Frozen<OwnerReference>; state: "present"; object: Frozen<KubeObject> };

export type Decision =
  | { action: "keep" }
  /** Let go of these owners (their uids). */
  | { action: "drop-owners"; uids: string[] }
  | { action: "delete"; propagationPolicy: "Background" | "Foreground" | "Orphan"; unblock: boolean };

/**
 * What becomes of an object, by its owners. `dependents` are the objects it owns. Source: attemptToDeleteItem of
 * k8s.io/kubernetes/pkg/controller/garbagecollector.
 */
export function planObject(object: Frozen<KubeObject>, owners: readonly Owner[], dependents: readonly Frozen<KubeObject>[]): Decision {
  if (owners.length === 0 || isDeleting(object)) return { action: "keep" };
  const waiting = owners.filter((owner) => owner.state === "present" && isDeletingDependents(owner.object));
  const absent = owners.filter((owner) => owner.state === "absent");
  const solid = owners.length - waiting.length - absent.length;
  const gone = [...absent, ...waiting].map(({ ref }) => ref.uid);
  if (solid > 0) return gone.length > 0 ? { action: "drop-owners", uids: gone } : { action: "keep" };
  if (waiting.length > 0 && dependents.length > 0) {
    // Objects that wait for each other in a circle would wait for ever: this one no longer blocks its owner.
    return { action: "delete", propagationPolicy: "Foreground", unblock: dependents.some(isDeletingDependents) };
  }
  const propagationPolicy = has(object, orphanFinalizer) ? "Orphan" : has(object, foregroundFinalizer) ? "Foreground" : "Background";
  return { action: "delete", propagationPolicy, unblock: false };
}

/** The dependents that an owner deleted in the foreground waits for. */
export function blocking(owner: Frozen<KubeObject>, dependents: readonly Frozen<KubeObject>[]): Frozen<KubeObject>[] {
  return dependents.filter((dependent) => dependent.metadata.ownerReferences?.some((ref) => ref.uid === owner.metadata.uid && ref.blockOwnerDeletion));
}
