import { thaw, type Frozen, type KubeObject, type OwnerReference } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { defineController, type Controller, type Listers, type ReconcileContext, type ServedKinds } from "../../client/controller.ts";
import { idOf, OwnerGraph, ownersOf, resourceName, splitId, type ObjectId } from "./graph.ts";
import { blocking, foregroundFinalizer, isDeletingDependents, isOrphaning, orphanFinalizer, planObject, type Owner } from "./plan.ts";

/** Deletes what has lost all its owners, and deletes or lets go of dependents as the deletion of an owner asks. Make one for each start. */
export function garbageCollector({ kinds }: { kinds: ServedKinds }): Controller {
  const graph = new OwnerGraph();
  let indexed: { cards: readonly AnyResource[]; byName: Map<string, AnyResource>; byKind: Map<string, AnyResource> } | undefined;

  function index(): NonNullable<typeof indexed> {
    const { cards } = kinds;
    if (indexed?.cards === cards) return indexed;
    const collected = cards.filter(isCollected);
    return indexed = { cards, byName: new Map(collected.map((card) => [resourceName(card), card])), byKind: new Map(collected.map((card) => [`${card.group}/${card.kind}`, card])) };
  }
  const cardOfOwner = (ref: Frozen<OwnerReference>): AnyResource | undefined => index().byKind.get(`${ref.apiVersion.includes("/") ? ref.apiVersion.split("/")[0] : ""}/${ref.kind}`);

  /** Undefined when its kind is no longer served, and so nothing of it is left. */
  const cardOfId = (id: ObjectId): AnyResource | undefined => index().byName.get(splitId(id).resource);

  function read(id: ObjectId, lister: Listers): Frozen<KubeObject> | undefined {
    const { namespace, name } = splitId(id), card = cardOfId(id);
    return card && lister<KubeObject>(card).get(namespace ? `${namespace}/${name}` : name);
  }

  const dependentsOf = (object: Frozen<KubeObject>, lister: Listers): Frozen<KubeObject>[] =>
    graph.dependentsOf(object.metadata.uid).map((id) => read(id, lister)).filter((dependent) => dependent !== undefined);

  /** Owners that wait for this dependent, whose deletion may now go on. */
  function waitingOwners(object: Frozen<KubeObject>, lister: Listers): ObjectId[] {
    return ownersOf(object).flatMap((ref) => {
      const card = cardOfOwner(ref);
      const id = card && idOf(card, card.scope === "Namespaced" ? object.metadata.namespace : "", ref.name);
      const owner = id && read(id, lister);
      return owner && isDeletingDependents(owner) ? [id] : [];
    });
  }

  function* concerned(card: AnyResource, current: Frozen<KubeObject> | undefined, old: Frozen<KubeObject> | undefined, lister: Listers): Iterable<ObjectId> {
    const { metadata } = (current ?? old)!;
    const id = idOf(card, metadata.namespace, metadata.name!);
    graph.change(id, old, current);
    if (current && old && current.metadata.uid !== old.metadata.uid) yield* graph.dependentsOf(old.metadata.uid);
    if (!current) yield* graph.dependentsOf(metadata.uid);
    else if (isOrphaning(current) || isDeletingDependents(current) || (ownersOf(current).length > 0 && !Bun.deepEquals(ownersOf(current), ownersOf(old)))) yield id;
    // Events run within the commit: other listers may be asked for the owner there.
    if (old && ownersOf(old).length > 0 && (!current || !Bun.deepEquals(ownersOf(current), ownersOf(old)))) yield* waitingOwners(old, lister);
  }

  /** Asks the server itself before an owner is believed to be gone. */
  async function findOwner(object: Frozen<KubeObject>, ref: Frozen<OwnerReference>, context: ReconcileContext): Promise<Owner> {
    const card = cardOfOwner(ref);
    if (!card) return { ref, state: "unknown" };
    const { namespace } = object.metadata;
    if (card.scope === "Namespaced" && !namespace) {
      context.recorder.event(object, "Warning", "OwnerRefInvalidNamespace", `ownerRef ${describe(ref)} is namespaced, but its dependent is not`);
      return { ref, state: "unknown" };
    }
    const key = card.scope === "Namespaced" ? { namespace, name: ref.name } : { name: ref.name };
    const known = context.lister<KubeObject>(card).get(card.scope === "Namespaced" ? `${namespace}/${ref.name}` : ref.name);
    const owner = known?.metadata.uid === ref.uid ? known : await context.client.get<KubeObject>(card, key).catch(undefinedIfNotFound);
    if (owner?.metadata.uid === ref.uid) return { ref, state: "present", object: owner };
    const elsewhere = card.scope === "Namespaced" && context.lister<KubeObject>(card).list().some((other) => other.metadata.uid === ref.uid);
    if (elsewhere) context.recorder.event(object, "Warning", "OwnerRefInvalidNamespace", `ownerRef ${describe(ref)} does not exist in namespace ${JSON.stringify(namespace)}`);
    return { ref, state: "absent" };
  }

  async function collect(id: ObjectId, object: Frozen<KubeObject>, context: ReconcileContext): Promise<void> {
    const card = cardOfId(id)!;
    const owners = await Promise.all(ownersOf(object).map((ref) => findOwner(object, ref, context)));
    const decision = planObject(object, owners, dependentsOf(object, context.lister));
    if (decision.action === "drop-owners") await dropOwners(card, object, decision.uids, context);
    if (decision.action !== "delete") return;
    if (decision.unblock) await patchMetadata(card, object, { ownerReferences: ownersOf(object).map((ref) => ({ ...ref, blockOwnerDeletion: false })) }, context);
    const { namespace, name, uid } = object.metadata;
    // With the resourceVersion: if somebody changed the owners meanwhile, the decision is taken again.
    const preconditions = decision.unblock ? { uid } : { uid, resourceVersion: object.metadata.resourceVersion };
    await context.client.delete(card, { namespace, name: name! }, { propagationPolicy: decision.propagationPolicy, preconditions }).catch(undefinedIfNotFound);
  }

  async function orphan(id: ObjectId, object: Frozen<KubeObject>, context: ReconcileContext): Promise<void> {
    for (const dependentId of graph.dependentsOf(object.metadata.uid)) {
      const dependent = read(dependentId, context.lister);
      if (dependent) await dropOwners(cardOfId(dependentId)!, dependent, [object.metadata.uid!], context);
    }
    await removeFinalizer(cardOfId(id)!, object, orphanFinalizer, context);
  }

  async function deleteDependents(id: ObjectId, object: Frozen<KubeObject>, context: ReconcileContext): Promise<void> {
    for (const dependentId of graph.dependentsOf(object.metadata.uid)) {
      const dependent = read(dependentId, context.lister);
      if (dependent && blocking(object, [dependent]).length > 0) await collect(dependentId, dependent, context);
    }
    // Those that were deleted at once are gone from the listers already.
    const left = blocking(object, dependentsOf(object, context.lister));
    const fresh = read(id, context.lister);
    if (left.length === 0 && fresh && isDeletingDependents(fresh)) await removeFinalizer(cardOfId(id)!, fresh, foregroundFinalizer, context);
  }

  return defineController({
    name: "generic-garbage-collector", workers: 5,
    kinds: { served: kinds, watch: (card) => (isCollected(card) ? (current, old, { lister }) => concerned(card, current, old, lister) : undefined) },
    writes: [{ apiGroups: ["*"], resources: ["*"], verbs: ["delete", "get", "list", "patch", "update", "watch"] }],
    async reconcile(id, context) {
      const object = read(id, context.lister);
      if (!object) return;
      if (isOrphaning(object)) await orphan(id, object, context);
      else if (isDeletingDependents(object)) await deleteDependents(id, object, context);
      else await collect(id, object, context);
    },
  });
}

/** Events are many, have no owners that matter and go by themselves. */
const isCollected = (card: AnyResource): boolean => card.resource !== "events" && ["list", "watch", "delete", "patch"].every((verb) => card.verbs.includes(verb as "list"));

const describe = ({ apiVersion, kind, name, uid }: Frozen<OwnerReference>): string => `[${apiVersion}/${kind}, name: ${name}, uid: ${uid}]`;

function undefinedIfNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}

const dropOwners = (card: AnyResource, object: Frozen<KubeObject>, uids: readonly string[], context: ReconcileContext): Promise<void> =>
  patchMetadata(card, object, { ownerReferences: ownersOf(object).filter((ref) => !uids.includes(ref.uid)) }, context);

const removeFinalizer = (card: AnyResource, object: Frozen<KubeObject>, finalizer: string, context: ReconcileContext): Promise<void> =>
  patchMetadata(card, object, { finalizers: (object.metadata.finalizers ?? []).filter((name) => name !== finalizer) }, context);

/** Writes a list of metadata whole, on what the server has now: a conflict is tried again. */
async function patchMetadata(card: AnyResource, object: Frozen<KubeObject>, lists: Partial<Frozen<KubeObject["metadata"]>>, { client }: ReconcileContext): Promise<void> {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  try {
    await client.patch(card, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { uid, resourceVersion, ...thaw(lists) } } });
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
}
