import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { Storage } from "../storage.ts";

/** An object as the cache holds it: decoded once, shared by everybody, `metadata.resourceVersion` set to `revision`. */
export interface Entry<T extends KubeObject = KubeObject> {
  readonly key: string;
  readonly object: Frozen<T>;
  readonly revision: number;
}

/** `object` of a DELETED event is the last state with the deletion's revision as resourceVersion; `previous` is missing when ADDED. */
export interface CacheEvent<T extends KubeObject = KubeObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly key: string;
  readonly object: Frozen<T>;
  readonly previous?: Frozen<T>;
  readonly revision: number;
}

/** `old` is undefined when added, `current` when deleted. */
export type EntryHandler<T extends KubeObject = KubeObject> = (old: Frozen<T> | undefined, current: Frozen<T> | undefined, revision: number) => void;

export interface Page<T extends KubeObject = KubeObject> {
  items: readonly Entry<T>[];
  /** The revision the page was read at. */
  revision: number;
  /** Entries after those returned; undefined where counting would cost. */
  remaining?: number;
  more: boolean;
}

/**
 * The one decoded copy of every object in a Storage, with recent history. Reads are synchronous and never touch the disk.
 *
 *   start()                         loads everything, then follows storage.watch; close() ends that
 *   get, list, byIndex, snapshot    reads: of now, and of a past revision
 *   create, update, delete          writes; each resolves once it is durable and every reader and watcher here has been shown it
 *   watch, onChange, onRevision     what happens: resumable, in process, progress
 *   jsonOf                          an object's JSON bytes with resourceVersion, made once and shared
 *
 * Keys and prefixes are storage's: `/registry/<group or "core">/<resource>/[<namespace>/]<name>`; prefixes end in "/".
 * Errors are StorageErrors.
 */
export declare class Cacher {
  constructor(dependencies: { storage: Storage; onFatal?: (error: Error) => void; windowSize?: number });
  start(): Promise<void>;
  close(): Promise<void>;

  /** The newest revision shown to readers and watchers. */
  readonly revision: number;
  /** Resolves when `revision` has been shown. Rejects with the signal's reason when it aborts first. */
  reached(revision: number, signal?: AbortSignal): Promise<void>;

  get<T extends KubeObject = KubeObject>(key: string): Entry<T> | undefined;
  /** In key order, at `this.revision`; starts behind the key `after`. `prefix` names at least a resource. The array is the caller's. */
  list<T extends KubeObject = KubeObject>(prefix: string, options?: { after?: string }): Entry<T>[];
  /** How many objects `prefix` holds. */
  count(prefix: string): number;
  /** A list as it was at a past revision, for the later pages of a chunked list. Throws "compacted" when that is gone. */
  snapshot<T extends KubeObject = KubeObject>(prefix: string, revision: number, options?: { after?: string; limit?: number }): Promise<Page<T>>;

  /** Registers an index over a resource's objects; also what exists already. Registering a name again does nothing. */
  index<T extends KubeObject>(resourcePrefix: string, name: string, values: (object: Frozen<T>) => readonly string[]): void;
  /** In key order. */
  byIndex<T extends KubeObject = KubeObject>(resourcePrefix: string, name: string, value: string): Entry<T>[];

  /** The cacher takes the object over (it becomes the shared one); throws "exists". */
  create<T extends KubeObject>(key: string, object: T): Promise<Entry<T>>;
  /** Throws "conflict" or "notFound". */
  update<T extends KubeObject>(key: string, expectedRevision: number, object: T): Promise<Entry<T>>;
  /** Resolves with the last state, carrying the deletion's revision. */
  delete<T extends KubeObject = KubeObject>(key: string, expectedRevision: number): Promise<Entry<T>>;

  /**
   * All events of `prefix` after `fromRevision`, in order, in batches: from memory, or from storage's history when older, then live.
   * No gap, no repeat. `onEvents` runs synchronously, before the writer's promise resolves. Resolves when `signal` aborts; throws "compacted" when too old.
   */
  watch<T extends KubeObject = KubeObject>(prefix: string, fromRevision: number, onEvents: (events: readonly CacheEvent<T>[]) => void, signal: AbortSignal): Promise<void>;
  /** Every change from now on, synchronously, after the whole commit is readable. Handlers must not throw or block. Returns the unsubscription. */
  onChange<T extends KubeObject = KubeObject>(prefix: string, handler: EntryHandler<T>): () => void;
  /** Called after each commit has been delivered to everyone: what bookmarks need. Returns the unsubscription. */
  onRevision(handler: (revision: number) => void): () => void;

  /** The object's JSON with resourceVersion. Shared: do not change it. Works for any object, caches by identity. */
  jsonOf(object: Frozen<KubeObject>): Buffer;
}
