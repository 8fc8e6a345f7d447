import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { thaw } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { isNotFound } from "../apimachinery/status.ts";
import { formatTime } from "../apimachinery/time.ts";
import type { DeleteOptions, Status } from "../apis/generated/meta/v1.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Entry } from "../storage/cacher/cacher.ts";
import type { RequestContext } from "./attributes.ts";
import { namespaceItself } from "./create.ts";
import { checkDeletePreconditions, validateDeleteOptions } from "./delete-options.ts";
import { finalizersForDeletion } from "./garbage-collection.ts";
import { hookOf, type Machinery } from "./machinery.ts";
import { deleteOptionsObject } from "./operation-options.ts";
import { lostRace } from "./update.ts";

export interface Deleted<T extends KubeObject> {
  /** Set when deletion only began, and for kinds that answer with what is gone. */
  object?: Frozen<T>;
  /** Set when the object is gone. */
  status?: Status;
}

/**
 * DELETE. With finalizers or a grace period the object stays, marked with a deletionTimestamp; else it goes at once.
 * Source: k8s.io/apiserver pkg/registry/generic/registry/store.go (Delete) and pkg/registry/rest/delete.go (BeforeDelete).
 */
export async function deleteObject<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<Deleted<T>> {
  validateDeleteOptions(options);
  for (;;) {
    const entry = await machinery.store.mustGet(card, key);
    try {
      checkDeletePreconditions(card, entry.object as Frozen<KubeObject>, options);
      return await deleteOnce(machinery, context, card, key, entry, options);
    } catch (error) {
      if (!(await lostRace(machinery, card, key, entry as Entry, error))) throw error;
    }
  }
}

async function deleteOnce<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, key: ObjectKey, entry: Entry<T>, options: DeleteOptions): Promise<Deleted<T>> {
  const { store, admission } = machinery;
  const old = entry.object;
  const dryRun = options.dryRun?.includes("All") ?? false;
  const attributes = { context, operation: "DELETE" as const, card, subresource: "", namespace: key.namespace ?? namespaceItself(card, key.name), name: key.name, oldObject: old as Frozen<KubeObject>, dryRun, options: deleteOptionsObject(options) };
  await admission.admit(attributes);
  await admission.validate(attributes);

  const plan = planDeletion(machinery, card, old, options);
  if (plan === "wait") return { object: old };
  if (plan === "remove") {
    if (!dryRun) {
      await store.delete(card, key, entry.revision, { volatile: card.strategy.isVolatile?.(undefined, old) ?? false }).catch(ignoreGone);
      await hookOf(machinery, card).afterWrite?.(machinery, undefined, old);
    }
    return card.strategy.returnDeletedObject ? { object: old } : { status: success(card, old as Frozen<KubeObject>) };
  }
  return { object: dryRun ? (plan as Frozen<T>) : await store.update(card, key, entry.revision, plan) };
}

/** Somebody else finished the same deletion: that is what was asked for. */
function ignoreGone(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}

/** What a DELETE comes to: nothing more than what is under way, removal, or the object as it shall stay for now. */
export function planDeletion<T extends KubeObject>(machinery: Machinery, card: ResourceCard<T>, old: Frozen<T>, options: DeleteOptions): T | "wait" | "remove" {
  const { metadata } = old as Frozen<KubeObject>;
  const finalizers = finalizersForDeletion(card, metadata.finalizers ?? [], options);
  const held = finalizers.length > 0 || (hookOf(machinery, card).holdsDeletion?.(old) ?? false);
  const grace = graceOf(card, old, options);
  if (grace === "pending") {
    if (Bun.deepEquals(finalizers, metadata.finalizers ?? [])) return "wait";
  } else if (!held && !grace) {
    return "remove";
  }
  const object = thaw<T>(old);
  if (finalizers.length) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
  if (grace !== "pending") markDeleting(machinery, card, object, grace ?? 0);
  return Bun.deepEquals(object, old) ? "wait" : object;
}

/** Seconds to grant from now; undefined when the kind has no graceful deletion; "pending" when an earlier, shorter one runs. */
function graceOf<T extends KubeObject>(card: ResourceCard<T>, old: Frozen<T>, { gracePeriodSeconds }: DeleteOptions): number | undefined | "pending" {
  const { deletionTimestamp, deletionGracePeriodSeconds: running } = (old as Frozen<KubeObject>).metadata;
  if (!card.strategy.gracePeriod) return undefined;
  if (!deletionTimestamp) return card.strategy.gracePeriod(old, gracePeriodSeconds);
  if (running === undefined) return undefined;
  return gracePeriodSeconds === undefined || gracePeriodSeconds >= running ? "pending" : Math.max(gracePeriodSeconds, 0);
}

function markDeleting<T extends KubeObject>({ clock }: Machinery, card: ResourceCard<T>, object: T, grace: number): void {
  const { metadata } = object;
  if (metadata.deletionTimestamp) {
    const began = Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
    const until = Math.max(began + grace * 1000, Math.min(clock.now(), Date.parse(metadata.deletionTimestamp)));
    metadata.deletionTimestamp = formatTime(until);
  } else {
    metadata.deletionTimestamp = formatTime(clock.now() + grace * 1000);
    if (metadata.generation && !card.strategy.deletionStampOnly) metadata.generation++;
    card.strategy.beginDeletion?.(object);
  }
  if (!card.strategy.deletionStampOnly) metadata.deletionGracePeriodSeconds = grace;
}

const success = (card: AnyResource, { metadata: { name, uid } }: Frozen<KubeObject>): Status => ({
  kind: "Status", apiVersion: "v1", metadata: {}, status: "Success",
  details: { name, ...(card.group ? { group: card.group } : {}), kind: card.resource, uid },
});
