import type { Frozen, KubeObject, ObjectMeta, OwnerReference } from "./meta.ts";
import { apiVersionOf } from "./resource.ts";

type HasMeta = { metadata: Frozen<ObjectMeta> | ObjectMeta };

/** The reference to what controls an object: metav1.GetControllerOf. */
export function controllerOf(object: HasMeta): Frozen<OwnerReference> | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

export const isControlledBy = (object: HasMeta, owner: HasMeta): boolean => controllerOf(object)?.uid === owner.metadata.uid && owner.metadata.uid !== undefined;

/** metav1.NewControllerRef: blocks the owner's foreground deletion. */
export function newControllerRef(owner: Frozen<KubeObject> | KubeObject, card: { group: string; version: string; kind: string }): OwnerReference {
  return { apiVersion: apiVersionOf(card), kind: card.kind, name: owner.metadata.name!, uid: owner.metadata.uid!, controller: true, blockOwnerDeletion: true };
}
