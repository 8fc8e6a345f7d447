import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { alreadyExists, conflict, expired, insufficientStorage, internalError, modified, notFound, requestEntityTooLarge, serviceUnavailable } from "../apimachinery/status.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Cacher, Entry } from "../storage/cacher/cacher.ts";
import { StorageError, type WriteOptions } from "../storage/storage.ts";
import { servedEntry, type MaybePromise } from "./stored-form.ts";

/** What storage keys need to know of a card. */
export interface Stored {
  group: string;
  resource: string;
  stored?: { group: string; resource: string };
}

/** The prefix of a kind's keys, or of its keys in one namespace. Ends in "/". */
export function prefixOf(card: Stored, namespace?: string): string {
  const { group, resource } = card.stored ?? card;
  const kind = `/registry/${group || "core"}/${resource}/`;
  return namespace ? `${kind}${namespace}/` : kind;
}

export const storageKey = (card: Stored, { namespace, name }: ObjectKey): string => prefixOf(card, namespace) + name;

/** The only place that writes to storage. Objects go in and come out as the card serves them. Errors are StatusErrors that name the object. */
export interface Store {
  readonly cacher: Cacher;
  get<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): MaybePromise<Entry<T> | undefined>;
  /** As `get`, but what isn't there may have been made by another server a moment ago. */
  look<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): Promise<Entry<T> | undefined>;
  /** As `look`, but throws 404. */
  mustGet<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): Promise<Entry<T>>;
  /** The object's newest revision, undefined when there is none. */
  revisionOf(card: AnyResource, key: ObjectKey): number | undefined;
  /** Whether the object is stored in a form that a write would bring up to date, even one that changes nothing. */
  isStale(card: AnyResource, key: ObjectKey): boolean;
  create<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, object: T): Promise<Frozen<T>>;
  /** A volatile write resolves before it is durable; see `WriteOptions`. */
  update<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, expectedRevision: number, object: T, options?: WriteOptions): Promise<Frozen<T>>;
  /** Resolves with the last state. */
  delete<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, expectedRevision: number, options?: WriteOptions): Promise<Frozen<T>>;
}

export function createStore(cacher: Cacher): Store {
  const get = <T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): MaybePromise<Entry<T> | undefined> => servedEntry(card, cacher.get(storageKey(card, key)));
  const written = async <T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, result: Promise<Entry>): Promise<Frozen<T>> =>
    (await servedEntry(card, await translated(card, key, result)))!.object;
  const look = async <T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey): Promise<Entry<T> | undefined> => {
    const known = await get(card, key);
    if (known || !cacher.shared) return known;
    await cacher.upToDate();
    return get(card, key);
  };
  return {
    cacher,
    get,
    look,
    async mustGet(card, key) {
      const entry = await look(card, key);
      if (!entry) throw notFound(card, key.name);
      return entry;
    },
    revisionOf: (card, key) => cacher.get(storageKey(card, key))?.revision,
    isStale(card, key) {
      const entry = card.stored?.isStale && cacher.get(storageKey(card, key));
      return entry ? card.stored!.isStale!(entry.object) : false;
    },
    async create(card, key, object) {
      const volatile = card.strategy.isVolatile?.(object as Frozen<typeof object>, undefined) ?? false;
      return written(card, key, cacher.create(storageKey(card, key), await toStored(card, object), { volatile }));
    },
    update: async (card, key, revision, object, options) => written(card, key, cacher.update(storageKey(card, key), revision, await toStored(card, object), options)),
    delete: (card, key, revision, options) => written(card, key, cacher.delete(storageKey(card, key), revision, options)),
  };
}

const toStored = <T extends KubeObject>({ stored }: ResourceCard<T>, object: T): MaybePromise<KubeObject> => (stored ? stored.write(object) : object);

async function translated<R>(card: AnyResource, key: ObjectKey, result: Promise<R>): Promise<R> {
  try {
    return await result;
  } catch (error) {
    throw translate(error, card, key.name);
  }
}

const tooOldToWatch = "The resourceVersion for the provided watch is too old.";
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
    case "full": return insufficientStorage(error.message);
    case "unavailable": case "outdated": return serviceUnavailable(error.message);
    case "tooLarge": return requestEntityTooLarge(error.message);
    case "corrupt": case "foreign": case "newer": case "io": return internalError(error);
  }
}
