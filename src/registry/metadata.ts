import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource, type ResourceCard } from "../apimachinery/resource.ts";
import { badRequest, conflict, modified, StatusError } from "../apimachinery/status.ts";
import { formatTime } from "../apimachinery/time.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Machinery } from "./machinery.ts";

/** Fills in the namespace of the request; a body that names another is refused. */
export function takeNamespace(card: AnyResource, object: KubeObject, namespace: string | undefined): void {
  if (card.scope === "Cluster") {
    if (object.metadata.namespace) delete object.metadata.namespace;
    return;
  }
  object.metadata.namespace ||= namespace;
  if (object.metadata.namespace !== namespace) throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if (!namespace) throw badRequest("an empty namespace may not be set during creation");
}

export function takeKind(card: AnyResource, object: KubeObject): void {
  object.apiVersion = apiVersionOf(card);
  object.kind = card.kind;
}

/** What a client may not say of a new object goes before mutating admission looks: it sees no uid yet (k8s.io/apiserver WipeObjectMetaSystemFields). */
export function wipeSystemMetadata({ metadata }: KubeObject): void {
  delete metadata.uid;
  delete metadata.resourceVersion;
  delete metadata.creationTimestamp;
  delete metadata.selfLink;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
}

/** What only the server decides on a new object, whatever admission has written there (k8s.io/apiserver FillObjectMetaSystemFields). */
export function setSystemMetadata({ clock, newUid, randomSuffix }: Machinery, object: KubeObject): void {
  const { metadata } = object;
  wipeSystemMetadata(object);
  delete metadata.generation;
  metadata.uid = newUid();
  metadata.creationTimestamp = formatTime(clock.now());
  if ("spec" in object) metadata.generation = 1;
  if (!metadata.name && metadata.generateName) metadata.name = generateName(metadata.generateName, randomSuffix());
}

/** Names end in five random characters and stay within 63 (k8s.io/apiserver/pkg/storage/names). */
export const generateName = (base: string, suffix: string): string => base.slice(0, 63 - suffix.length) + suffix;

/** Takes over from the stored object what an update may leave out and may not change (ValidateObjectMetaUpdate's first half). */
export function carryMetadata(object: KubeObject, old: Frozen<KubeObject>): void {
  const { metadata } = object;
  const was = old.metadata;
  delete metadata.selfLink;
  metadata.uid ||= was.uid;
  keep("creationTimestamp");
  keep("generation");
  if (was.deletionTimestamp) {
    keep("deletionTimestamp");
    metadata.deletionGracePeriodSeconds ??= was.deletionGracePeriodSeconds;
  } else {
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
  }

  function keep(field: "creationTimestamp" | "generation" | "deletionTimestamp"): void {
    if (was[field] === undefined) delete metadata[field];
    else (metadata as Record<string, unknown>)[field] = was[field];
  }
}

/** Raises metadata.generation when what the user asks for has changed. */
export function bumpGeneration<T extends KubeObject>(card: ResourceCard<T>, object: T, old: Frozen<T>): void {
  if (old.metadata.generation === undefined) return;
  const { generationChanged = specChanged } = card.strategy;
  if (generationChanged(object as Frozen<T>, old)) object.metadata.generation = (old as Frozen<KubeObject>).metadata.generation! + 1;
}

const specChanged = (object: Frozen<KubeObject>, old: Frozen<KubeObject>): boolean => !Bun.deepEquals((object as WithSpec).spec, (old as WithSpec).spec);
type WithSpec = { spec?: unknown };

/** A body's name, when it has one, must be the URL's. */
export function takeName(object: KubeObject, { name }: ObjectKey): void {
  object.metadata.name ||= name;
  if (object.metadata.name !== name) throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
}

/** "0" asks for no revision in particular, in writes too. Source: k8s.io/apiserver/pkg/storage (Versioner.ObjectResourceVersion). */
export const namesRevision = (resourceVersion: string | undefined): resourceVersion is string => Boolean(resourceVersion) && !/^0+$/.test(resourceVersion!);

/** Refuses a write based on another revision, or meant for an earlier object of the same name. */
export function checkPreconditions(card: AnyResource, current: Frozen<KubeObject>, { uid, resourceVersion }: { uid?: string; resourceVersion?: string }): void {
  const { metadata } = current;
  if (uid && uid !== metadata.uid) throw conflict(card, metadata.name!, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`);
  if (!namesRevision(resourceVersion)) return;
  if (!/^\d+$/.test(resourceVersion)) throw new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`, code: 500 });
  if (resourceVersion !== metadata.resourceVersion) throw conflict(card, metadata.name!, modified);
}
