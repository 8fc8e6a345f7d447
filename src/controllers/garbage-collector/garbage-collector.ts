import { thaw, type Frozen, type KubeObject, type OwnerReference } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { isConflict, isNotFound, noSuchPath } from "../../apimachinery/status.ts";
import type { DeleteOptions } from "../../apis/generated/meta/v1.ts";
import { defineController, type Controller, type Listers, type ReconcileContext, type ServedKinds } from "../../client/controller.ts";
import { GoneOwners } from "./gone-owners.ts";
import { idOf, OwnerGraph, ownersOf, resourceName, splitId, type ObjectId } from "./graph.ts";
import { blocking, foregroundFinalizer, isDeletingDependents, isOrphaning, orphanFinalizer, planObject, type Owner } from "./plan.ts";

const sameOwners = (a: Frozen<KubeObject> | undefined, b: Frozen<KubeObject> | undefined): boolean =>
  a?.metadata.ownerReferences === b?.metadata.ownerReferences || Bun.deepEquals(ownersOf(a), ownersOf(b));

/** Most changes are of something else. */
const changesNothing = (current: Frozen<KubeObject>, old: Frozen<KubeObject>): boolean =>
  !current.metadata.deletionTimestamp && current.metadata.uid === old.metadata.uid && sameOwners(current, old);

/** Deletes what has lost all its owners, and deletes or lets go of dependents as the deletion of an owner asks. Make one for each start. */
export function garbageCollector({ kinds }: { kinds: ServedKinds }): Controller {
  const graph = new OwnerGraph(), gone = new GoneOwners();
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
    if (current && old && changesNothing(current, old)) return;
    const id = idOf(card, metadata.namespace, metadata.name!);
    graph.change(id, old, current);
    if (old && old.metadata.uid !== current?.metadata.uid) yield* bereft(old.metadata.uid!);
    const changed = !sameOwners(current, old);
    if (current && (isOrphaning(current) || isDeletingDependents(current) || (changed && ownersOf(current).length > 0))) yield id;
    // Events run within the commit: other listers may be asked for the owner there.
    if (old && ownersOf(old).length > 0 && (!current || changed)) yield* waitingOwners(old, lister);
  }

  /** Those that depended on what has just gone. */
  function bereft(uid: string): readonly ObjectId[] {
    const ids = graph.dependentsOf(uid);
    if (ids.length > 0) gone.add(uid);
    return ids;
  }

  /** Asks the server itself before an owner is believed to be gone. */
  async function findOwner(object: Frozen<KubeObject>, ref: Frozen<OwnerReference>, context: ReconcileContext): Promise<Owner> {
    if (gone.has(ref.uid)) return { ref, state: "absent" };
    const card = cardOfOwner(ref);
    if (!card) return { ref, state: "unknown" };
    const { lister, client } = context, { namespace = "" } = object.metadata, namespaced = card.scope === "Namespaced";
    if (!namespaced || namespace) {
      const known = lister<KubeObject>(card).get(namespaced ? `${namespace}/${ref.name}` : ref.name);
      const owner = known?.metadata.uid === ref.uid ? known : await client.get<KubeObject>(card, { ...(namespaced ? { namespace } : {}), name: ref.name }).catch(undefinedIfNotFound);
      if (owner?.metadata.uid === ref.uid) return { ref, state: "present", object: owner };
    }
    if (namespaced && lister<KubeObject>(card).list().some(({ metadata }) => metadata.uid === ref.uid)) {
      context.recorder.event(object, "Warning", "OwnerRefInvalidNamespace", `ownerRef [${ref.apiVersion}/${ref.kind}, namespace: ${namespace}, name: ${ref.name}, uid: ${ref.uid}] does not exist in namespace ${JSON.stringify(namespace)}`);
    }
    return { ref, state: namespaced && !namespace ? "elsewhere" : "absent" };
  }

  async function collect(id: ObjectId, object: Frozen<KubeObject>, context: ReconcileContext): Promise<void> {
    const card = cardOfId(id)!;
    const owners = await Promise.all(ownersOf(object).map((ref) => findOwner(object, ref, context)));
    const decision = planObject(object, owners, dependentsOf(object, context.lister));
    if (decision.action === "drop-owners") await dropOwners(card, object, decision.uids, context);
    if (decision.action === "delete") {
      if (decision.unblock) await patchMetadata(card, object, { ownerReferences: ownersOf(object).map((ref) => ({ ...ref, blockOwnerDeletion: false })) }, context);
      await remove(card, object, decision.propagationPolicy, decision.unblock, context);
    }
    // A kind that isn't served may come, and may have no such owner then: tried again, less and less often.
    if (owners.some(({ state }) => state === "unknown")) throw noSuchPath();
  }

  async function orphan(id: ObjectId, object: Frozen<KubeObject>, context: ReconcileContext): Promise<void> {
    await inParallel(graph.dependentsOf(object.metadata.uid), async (dependentId) => {
      const dependent = read(dependentId, context.lister);
      if (dependent) await dropOwners(cardOfId(dependentId)!, dependent, [object.metadata.uid!], context);
    });
    await removeFinalizer(cardOfId(id)!, object, orphanFinalizer, context);
  }

  async function deleteDependents(id: ObjectId, object: Frozen<KubeObject>, context: ReconcileContext): Promise<void> {
    await inParallel(graph.dependentsOf(object.metadata.uid), async (dependentId) => {
      const dependent = read(dependentId, context.lister);
      if (dependent) await collect(dependentId, dependent, context);
    });
    // Those that were deleted at once are gone from the listers already.
    const left = blocking(object, dependentsOf(object, context.lister));
    const fresh = read(id, context.lister);
    if (left.length === 0 && fresh && isDeletingDependents(fresh)) await removeFinalizer(cardOfId(id)!, fresh, foregroundFinalizer, context);
  }

  return defineController({
    name: "generic-garbage-collector", eventSource: "garbage-collector-controller", workers: 5,
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

function undefinedIfNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}

/** Deletes what has no owner any more: the very object, and only if its owners are still those that were looked at. */
async function remove(card: AnyResource, object: Frozen<KubeObject>, propagationPolicy: DeleteOptions["propagationPolicy"], changed: boolean, context: ReconcileContext): Promise<void> {
  const { client } = context, { namespace, name, uid, resourceVersion } = object.metadata, key = { namespace, name: name! };
  const preconditions = changed ? { uid } : { uid, resourceVersion };
  try {
    await client.delete(card, key, { propagationPolicy, preconditions });
  } catch (error) {
    if (isNotFound(error)) return;
    if (!isConflict(error) || changed) throw error;
    const now = await client.get<KubeObject>(card, key).catch(undefinedIfNotFound);
    if (!now) return;
    if (now.metadata.uid !== uid || !Bun.deepEquals(ownersOf(now), ownersOf(object))) throw error;
    // It changes often, but its owners don't.
    await remove(card, object, propagationPolicy, true, context);
  }
}

/** Enough at once for storage to commit them in groups. Goes on past errors, and throws the first. */
const concurrency = 32;

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values(), errors: unknown[] = [];
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, async () => {
    for (const item of queue) await work(item).catch((error: unknown) => errors.push(error));
  }));
  if (errors.length > 0) throw errors[0];
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
