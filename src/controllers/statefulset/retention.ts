import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import { pods, statefulsets } from "../../apis/builtins.ts";
import type { StatefulSet } from "../../apis/generated/apps/v1.ts";
import type { PersistentVolumeClaim, Pod } from "../../apis/generated/core/v1.ts";
import type { OwnerReference } from "../../apis/generated/meta/v1.ts";
import { newControllerRef } from "../controller-ref.ts";
import { isInRange } from "./identity.ts";

/**
 * Which owners a claim has, so that the garbage collector deletes it when persistentVolumeClaimRetentionPolicy says: the set for whenDeleted, a
 * pod that is scaled away for whenScaled. Source: KEP-1847 and stateful_set_utils.go of Kubernetes' StatefulSet controller.
 */

type Claim = Frozen<PersistentVolumeClaim>;
type Ref = Frozen<OwnerReference>;
type Owned = Frozen<StatefulSet> | Frozen<Pod>;

const names = (ref: Ref, card: AnyResource, object: Owned): boolean => ref.apiVersion === apiVersionOf(card) && ref.kind === card.kind && ref.name === object.metadata.name;
const refs = (claim: Claim): readonly Ref[] => claim.metadata.ownerReferences ?? [];

/** A reference to an object of that name, which was another. A pod that is not made yet has no uid: any reference to its name is stale. */
export function isStale(claim: Claim, card: AnyResource, object: Owned): boolean {
  const ref = refs(claim).find((candidate) => names(candidate, card, object));
  return ref !== undefined && ref.uid !== (object.metadata.uid ?? "");
}

/** Whether the set deletes claims of pods that are scaled away: then a claim that waits for it must not serve a new pod. */
export const deletesScaled = (set: Frozen<StatefulSet>): boolean => set.spec?.persistentVolumeClaimRetentionPolicy?.whenScaled === "Delete";
const deletesWithSet = (set: Frozen<StatefulSet>): boolean => set.spec?.persistentVolumeClaimRetentionPolicy?.whenDeleted === "Delete";

/** Whether somebody else manages the claim, while the set should. */
export function hasOtherController(claim: Claim, set: Frozen<StatefulSet>, pod: Frozen<Pod>): boolean {
  if (!deletesScaled(set) && !deletesWithSet(set)) return false;
  return refs(claim).some((ref) => {
    if (names(ref, statefulsets, set)) return ref.uid !== set.metadata.uid;
    if (names(ref, pods, pod)) return ref.uid !== (pod.metadata.uid ?? "");
    return ref.controller === true;
  });
}

/** The owner, if any, that the policy wants. */
function owner(set: Frozen<StatefulSet>, pod: Frozen<Pod>): OwnerReference | undefined {
  if (deletesScaled(set) && !isInRange(set, pod)) return newControllerRef(pods, pod);
  return deletesWithSet(set) && (!deletesScaled(set) || isInRange(set, pod)) ? newControllerRef(statefulsets, set) : undefined;
}

/** The claim with the owners it should have, when it hasn't. What another incarnation of the set or the pod left is not touched. */
export function retained(claim: Claim, set: Frozen<StatefulSet>, pod: Frozen<Pod>): PersistentVolumeClaim | undefined {
  if (isStale(claim, statefulsets, set) || isStale(claim, pods, pod)) return undefined;
  const other = hasOtherController(claim, set, pod);
  const target = other ? undefined : owner(set, pod);
  const present = refs(claim).filter(({ uid }) => uid === set.metadata.uid || uid === pod.metadata.uid);
  const right = target ? present.length === 1 && present[0]!.uid === target.uid && present[0]!.controller === true : present.length === 0;
  if (right) return undefined;
  const copy = thaw<PersistentVolumeClaim>(claim);
  const kept = (copy.metadata.ownerReferences ?? []).filter((ref) => !names(ref, statefulsets, set) && !names(ref, pods, pod));
  copy.metadata.ownerReferences = target ? [...kept, target] : kept;
  return copy;
}

/** A claim that is made now, with its owner if it is to have one. */
export function withOwners(claim: PersistentVolumeClaim, set: Frozen<StatefulSet>, pod: Frozen<Pod>): PersistentVolumeClaim {
  const target = owner(set, pod);
  return target ? { ...claim, metadata: { ...claim.metadata, ownerReferences: [target] } } : claim;
}
