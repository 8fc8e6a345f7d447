import { cloneJson } from "../apimachinery/clone.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { invalidValue } from "../apimachinery/field-errors.ts";
import { trackUpdate } from "../apimachinery/managedfields/field-manager.ts";
import type { AnyResource, ResourceCard, WriteContext } from "../apimachinery/resource.ts";
import { conflict, invalid, isAlreadyExists, isConflict, notFound } from "../apimachinery/status.ts";
import { validateObjectMetaUpdate } from "../apimachinery/validation/object-meta.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Entry } from "../storage/cacher/cacher.ts";
import type { AdmissionAttributes } from "./admission/admission.ts";
import type { RequestContext } from "./attributes.ts";
import { authorize } from "./authorize.ts";
import { createObject, namespaceItself } from "./create.ts";
import { admit, equalButForTimes, managedWrite } from "./field-management.ts";
import { hookOf, type Machinery } from "./machinery.ts";
import { bumpGeneration, carryMetadata, checkPreconditions, namesRevision, takeKind, takeName, takeNamespace } from "./metadata.ts";
import { dedupOwnerReferences } from "./owner-references.ts";
import { writeOptionsObject } from "./operation-options.ts";
import type { WriteRequest } from "./registry.ts";
import { projectSubresource } from "./subresources/projections.ts";

export interface UpdateRequest<T extends KubeObject> extends WriteRequest {
  subresource?: string;
  /** PATCH never makes an object, whatever the kind allows. */
  mustExist?: boolean;
  /** `change` has written managedFields, as server-side apply does; a missing object is made, unless `mustExist`. */
  applied?: boolean;
  /** What admission sees and may change in place of the object, for a subresource of another kind. */
  seenAs?: SeenAs<T>;
  /** The wanted object from the current one, which is missing when the kind may be created by PUT. The result is the registry's to change. */
  change(current: Frozen<T> | undefined): T;
}

export interface SeenAs<T> {
  subresource: string;
  view(object: Frozen<T>): KubeObject;
  /** Lays what admission has made of the view over the object. */
  take(object: T, view: KubeObject): void;
}

export interface Updated<T extends KubeObject> {
  object: Frozen<T>;
  created: boolean;
}

/**
 * PUT and PATCH of the main resource and of subresources that are views of the same object. A writer that lost a race starts over
 * from the newest state, as often as it takes: each round some writer gets through. A conflict with what the request itself asked for stands.
 */
export async function updateObject<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, request: UpdateRequest<T>): Promise<Updated<T>> {
  for (;;) {
    const entry = await machinery.store.look(card, key);
    try {
      if (!entry) return { object: await createMissing(machinery, context, card, key, request), created: true };
      return { object: await updateOnce(machinery, context, card, key, entry, request), created: false };
    } catch (error) {
      if (!(await lostRace(machinery, card, key, entry as Entry | undefined, error))) throw error;
    }
  }
}

/** Whether a conflict comes of a write that was stored since `entry` was read, or was missing, by another server perhaps. */
export async function lostRace({ store }: Machinery, card: AnyResource, key: ObjectKey, entry: Entry | undefined, error: unknown): Promise<boolean> {
  if (!(entry ? isConflict(error) : isAlreadyExists(error))) return false;
  if (store.revisionOf(card, key) !== entry?.revision) return true;
  await store.cacher.upToDate();
  return store.revisionOf(card, key) !== entry?.revision;
}

async function createMissing<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, request: UpdateRequest<T>): Promise<Frozen<T>> {
  if (request.mustExist) throw notFound(card, key.name);
  const object = request.change(undefined);
  // A PUT of what was read before the object went, as Kubernetes answers it: its clients take the conflict as a call to look again.
  if (object.metadata.uid) throw conflict(card, key.name, `Precondition failed: UID in precondition: ${object.metadata.uid}, UID in object meta: `);
  if (request.subresource || (!card.strategy.allowCreateOnUpdate && !request.applied)) throw notFound(card, key.name);
  if (machinery.authorizer) authorize(machinery.authorizer, context.user, "create", card, { namespace: key.namespace });
  takeName(object, key);
  delete object.metadata.resourceVersion;
  return createObject(machinery, context, card, key.namespace, object, request);
}

async function updateOnce<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, entry: Entry<T>, request: UpdateRequest<T>): Promise<Frozen<T>> {
  const old = entry.object;
  const { subresource = "", dryRun = false } = request;
  const wanted = request.change(old);
  checkRequest(card, key, wanted, old);
  const object = subresource ? projectSubresource(card, subresource, wanted, old) : wanted;
  carryMetadata(object, old);
  object.metadata.resourceVersion = old.metadata.resourceVersion;
  card.default?.(object);
  if (!request.mustExist && !request.applied) dedupOwnerReferences(object, context, false);
  if (!request.applied) trackUpdate(old as Frozen<KubeObject>, object, managedWrite(machinery, context, card, subresource, request.fieldManager));
  else if (wanted.metadata.managedFields) object.metadata.managedFields = wanted.metadata.managedFields;
  else delete object.metadata.managedFields;
  const { seenAs } = request;
  const attributes: AdmissionAttributes = {
    context, operation: "UPDATE", card, dryRun, options: writeOptionsObject("UpdateOptions", request), namespace: key.namespace ?? namespaceItself(card, key.name), name: key.name,
    ...(seenAs ? { subresource: seenAs.subresource, object: seenAs.view(object as Frozen<T>), oldObject: seenAs.view(old) as Frozen<KubeObject> } : { subresource, object, oldObject: old }),
  };
  await admit(machinery, attributes);
  seenAs?.take(object, attributes.object!);
  dedupOwnerReferences(object, context, true);
  prepare(card, object, old, subresource, { user: context.user, now: machinery.clock.now() });
  const reserved = subresource ? undefined : hookOf(machinery, card).beforeWrite?.(object, old);
  try {
    validateChange(card, object, old, subresource);
    for (const text of card.strategy.warnings?.(object as Frozen<T>, old) ?? []) context.warn(text);
    await machinery.admission.validate(attributes);
    if (equalButForTimes(object, old as Frozen<KubeObject>) && !machinery.store.isStale(card, key)) return old;
    if (dryRun) return object as Frozen<T>;
    await reserved?.confirm();
    const ends = deletionIsComplete(machinery, card, object, old);
    const volatile = card.strategy.isVolatile?.(ends ? undefined : object as Frozen<T>, old) ?? false;
    const stored = await (ends ? machinery.store.delete(card, key, entry.revision, { volatile }) : machinery.store.update(card, key, entry.revision, object, { volatile }));
    await hookOf(machinery, card).afterWrite?.(machinery, ends ? undefined : stored, old);
    // What has ended is answered as the update left it.
    return ends ? { ...object, metadata: { ...object.metadata, resourceVersion: (stored as Frozen<KubeObject>).metadata.resourceVersion } } as Frozen<T> : stored;
  } finally {
    reserved?.settle();
  }
}

function checkRequest<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, wanted: T, old: Frozen<T>): void {
  takeKind(card, wanted);
  takeName(wanted, key);
  takeNamespace(card, wanted, key.namespace);
  const { uid, resourceVersion } = wanted.metadata;
  if (!namesRevision(resourceVersion) && card.strategy.allowUnconditionalUpdate === false) {
    throw invalid({ group: card.group, kind: card.resource }, key.name, [invalidValue("metadata.resourceVersion", 0, "must be specified for an update")]);
  }
  checkPreconditions(card, old as Frozen<KubeObject>, { uid, resourceVersion });
}

function prepare<T extends KubeObject>(card: ResourceCard<T>, object: T, old: Frozen<T>, subresource: string, context: WriteContext): void {
  if (subresource === "status") return card.strategy.prepareForStatusUpdate?.(object, old, context);
  const view = card.strategy.views?.[subresource];
  if (view) return view.prepareForUpdate?.(object, old, context);
  if (!subresource) {
    if (card.subresources.status) keepStatus(object as WithStatus, old as WithStatus);
    card.strategy.prepareForUpdate?.(object, old);
  }
  bumpGeneration(card, object, old);
}

type WithStatus = { status?: unknown };

/** The main resource leaves status alone. */
function keepStatus(object: WithStatus, old: WithStatus): void {
  if (old.status === undefined) delete object.status;
  else object.status = cloneJson(old.status);
}

function validateChange<T extends KubeObject>(card: ResourceCard<T>, object: T, old: Frozen<T>, subresource: string): void {
  const { validateUpdate, validateStatusUpdate, views } = card.strategy;
  const validate = subresource === "status" ? validateStatusUpdate : views?.[subresource]?.validateUpdate ?? validateUpdate;
  const errors = [...validateObjectMetaUpdate(object.metadata, (old as Frozen<KubeObject>).metadata, { anyFinalizer: card.anyFinalizer }), ...validate?.(object as Frozen<T>, old) ?? []];
  if (errors.length) throw invalid(card, object.metadata.name!, errors);
}

/** An update that takes away the last thing an object being deleted waited for ends it. */
function deletionIsComplete<T extends KubeObject>(machinery: Machinery, card: ResourceCard<T>, object: T, old: Frozen<T>): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = (old as Frozen<KubeObject>).metadata;
  if (!deletionTimestamp || deletionGracePeriodSeconds || object.metadata.finalizers?.length) return false;
  return !hookOf(machinery, card).holdsDeletion?.(object as Frozen<T>);
}
