import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { alreadyExists, conflict, expired, internalError, modified, notFound, serviceUnavailable, StatusError } from "../apimachinery/status.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Cacher, Entry } from "../storage/cacher/cacher.ts";
import { StorageError } from "../storage/storage.ts";

/** The prefix of a kind's keys, or of its keys in one namespace. Ends in "/". */
export function prefixOf(card: { group: string; resource: string }, namespace?: string): string {
  const kind = `/registry/${card.group || "core"}/${card.resource}/`;
  return namespace ? `${kind}${namespace}/` : kind;
}

export const storageKey = (card: { group: string; resource: string }, { namespace, name }: ObjectKey): string => prefixOf(card, namespace) + name;

/** The only place that writes to storage. Errors come out as StatusErrors that name the object. */
export interface Store {
  readonly cacher: Cacher;
  get<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): Entry<T> | undefined;
  /** As `get`, but throws 404. */
  mustGet<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): Entry<T>;
  create<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, object: T): Promise<Frozen<T>>;
  update<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, expectedRevision: number, object: T): Promise<Frozen<T>>;
  /** Resolves with the last state. */
  delete<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, expectedRevision: number): Promise<Frozen<T>>;
}

export function createStore(cacher: Cacher): Store {
  const get = <T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): Entry<T> | undefined => cacher.get<T>(storageKey(card, key));
  return {
    cacher,
    get,
    mustGet(card, key) {
      const entry = get(card, key);
      if (!entry) throw notFound(card, key.name);
      return entry;
    },
    create: async (card, key, object) => (await translated(card, key, cacher.create(storageKey(card, key), object))).object,
    update: async (card, key, revision, object) => (await translated(card, key, cacher.update(storageKey(card, key), revision, object))).object,
    delete: async <T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, revision: number) =>
      (await translated(card, key, cacher.delete<T>(storageKey(card, key), revision))).object,
  };
}

async function translated<R>(card: AnyResource, key: ObjectKey, result: Promise<R>): Promise<R> {
  try {
    return await result;
  } catch (error) {
    throw translate(error, card, key.name);
  }
}

export const tooOldToWatch = "The resourceVersion for the provided watch is too old.";
export const tooOldToList = "The resourceVersion for the provided list is too old.";

/** A StorageError as clients know it from Kubernetes; anything else passes through. */
export function translate(error: unknown, of: { group: string; resource: string }, name: string): unknown {
  if (!(error instanceof StorageError)) return error;
  switch (error.code) {
    case "exists": return alreadyExists(of, name);
    case "notFound": return notFound(of, name);
    case "conflict": return conflict(of, name, modified);
    case "compacted": return expired(tooOldToWatch);
    case "closed": return serviceUnavailable("the server is shutting down");
    case "full": return new StatusError({
      kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 507, reason: "InsufficientStorage",
      message: `the server's disk is full: ${error.message}. Delete objects or free disk space, then try again`,
    }, { cause: error });
    case "corrupt": case "io": return internalError(error);
  }
}
