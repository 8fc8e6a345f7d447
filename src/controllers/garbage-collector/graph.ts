import type { Frozen, KubeObject, OwnerReference } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";

/** Where an object is: `deployments.apps/namespace/name`, with an empty namespace for cluster-scoped ones. */
export type ObjectId = string;

export const resourceName = ({ group, resource }: AnyResource): string => (group ? `${resource}.${group}` : resource);
export const idOf = (card: AnyResource, namespace: string | undefined, name: string): ObjectId => `${resourceName(card)}/${namespace ?? ""}/${name}`;

export function splitId(id: ObjectId): { resource: string; namespace: string; name: string } {
  const [resource, namespace, name] = id.split("/") as [string, string, string];
  return { resource, namespace, name };
}

/** Who depends on whom, by the owner's uid. Holds only objects that have owners. */
export class OwnerGraph {
  readonly #dependents = new Map<string, Set<ObjectId>>();

  /** Takes in a change; `old` and `current` are as an informer tells them. */
  change(id: ObjectId, old: Frozen<KubeObject> | undefined, current: Frozen<KubeObject> | undefined): void {
    const before = ownersOf(old), after = ownersOf(current);
    for (const { uid } of before) if (!after.some((owner) => owner.uid === uid)) this.#remove(uid, id);
    for (const { uid } of after) this.#add(uid, id);
  }

  dependentsOf(uid: string | undefined): readonly ObjectId[] {
    return [...(this.#dependents.get(uid ?? "") ?? [])];
  }

  #add(uid: string, id: ObjectId): void {
    const ids = this.#dependents.get(uid) ?? new Set();
    this.#dependents.set(uid, ids.add(id));
  }

  #remove(uid: string, id: ObjectId): void {
    const ids = this.#dependents.get(uid);
    ids?.delete(id);
    if (ids?.size === 0) this.#dependents.delete(uid);
  }
}

export const ownersOf = (object: Frozen<KubeObject> | undefined): readonly Frozen<OwnerReference>[] => object?.metadata.ownerReferences ?? [];
