import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { logger } from "../../base/log.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import { youngGarbage } from "../../base/young-garbage.ts";
import { StorageError, type Listed, type Storage, type StorageEvent, type WriteOptions } from "../storage.ts";
import { Watchers } from "../watchers.ts";
import { decode, deletedAt, encode } from "./codec.ts";
import type { CacheEvent, Entry, EntryHandler, Page } from "./entry.ts";
import { Freshness } from "./freshness.ts";
import { ResourceSet, resourceOf } from "./resource-set.ts";
import { createSharing } from "./sharing.ts";
import { EventWindow } from "./window.ts";

export type { CacheEvent, Entry, EntryHandler, Page } from "./entry.ts";

/**
 * The one decoded copy of every object in a Storage, with recent history. Reads are synchronous and never touch the disk.
 *
 *   start()                         loads everything, then follows storage.watch; close() ends that
 *   get, list, byIndex, snapshot    reads: of now, and of a past revision
 *   create, update, delete          writes; each resolves once it is durable (or is volatile) and every reader and watcher here has been shown it
 *   watch, onChange, onRevision     what happens: resumable, in process, progress
 *
 * Keys and prefixes are storage's: `/registry/<group or "core">/<resource>/[<namespace>/]<name>`; prefixes end in "/".
 * Errors are StorageErrors.
 */
export class Cacher {
  #storage: Storage;
  #onFatal: (error: Error) => void;
  #resources = new Map<string, ResourceSet>();
  #window: EventWindow;
  #windowSize: number;
  #revision = 0;
  #watchers = new Watchers<CacheEvent>();
  #revisionHandlers = new Set<(revision: number) => void>();
  #sharing = createSharing();
  #arrived = youngGarbage({ every: 128 });
  /** What is known of the bytes of a write on its way through storage. */
  #written = new WeakMap<Uint8Array, Written>();
  #stop = new AbortController();
  #following: Promise<void> | undefined;
  #freshness: Freshness | undefined;

  constructor({ storage, onFatal = () => {}, windowSize = 512, clock = systemClock }: CacherDependencies) {
    this.#storage = storage;
    this.#onFatal = onFatal;
    this.#windowSize = windowSize;
    this.#window = new EventWindow(windowSize, 0);
    if (storage.latest) this.#freshness = new Freshness({ latest: () => storage.latest!(), reached: (revision, signal) => this.reached(revision, signal), clock, closed: this.#stop.signal });
  }

  /** Loads everything and follows the storage from there. Resolves when all is loaded. */
  async start(): Promise<void> {
    let revision = 0;
    for await (const page of this.#pages()) {
      ({ revision } = page);
      for (const { key, value, revision: written } of page.items) this.#resource(key).put({ key, object: this.#held(value, written), revision: written });
    }
    this.#revision = revision;
    this.#window = new EventWindow(this.#windowSize, revision);
    this.#following = this.#follow(revision).catch((error: Error) => {
      this.#watchers.fail(error);
      this.#onFatal(error);
    });
  }

  /** Whether others write to the storage too. */
  get shared(): boolean {
    return this.#freshness !== undefined;
  }

  /** Set while it is not known what is newest, because the storage doesn't tell. */
  get lost(): boolean {
    return this.#freshness?.lost ?? false;
  }

  /**
   * Resolves when all that was written before now is shown, other servers' writes too. Resolves with false when that can't be known: reads
   * are of what was known last then.
   */
  async upToDate(): Promise<boolean> {
    return this.#freshness?.settle() ?? true;
  }

  /** Ends all watches. The storage stays open. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#watchers.fail(new StorageError("closed", "the cache has been closed"));
    await this.#following;
  }

  /** The newest revision shown to readers and watchers. */
  get revision(): number {
    return this.#revision;
  }

  /** Resolves when `revision` has been shown. Rejects with the signal's reason when it aborts first. */
  async reached(revision: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#revision >= revision) return;
    await new Promise<void>((resolve, reject) => {
      const unsubscribe = this.onRevision((now) => {
        if (now < revision) return;
        unsubscribe();
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = (): void => {
        unsubscribe();
        reject(signal!.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  get<T extends KubeObject = KubeObject>(key: string): Entry<T> | undefined {
    return this.#resources.get(resourceOf(key))?.get(key) as Entry<T> | undefined;
  }

  /** In key order, at `this.revision`; starts behind the key `after`. `prefix` names at least a resource. The array is the caller's. */
  list<T extends KubeObject = KubeObject>(prefix: string, { after }: { after?: string } = {}): Entry<T>[] {
    return (this.#resources.get(resourceOf(prefix))?.list(prefix, after) ?? []) as Entry<T>[];
  }

  /** How many objects `prefix` holds. */
  count(prefix: string): number {
    return this.#resources.get(resourceOf(prefix))?.count(prefix) ?? 0;
  }

  /** A list as it was at a past revision, for the later pages of a chunked list. Throws "compacted" when that is gone. */
  async snapshot<T extends KubeObject = KubeObject>(prefix: string, revision: number, { after, limit }: { after?: string; limit?: number } = {}): Promise<Page<T>> {
    if (revision > this.#revision) throw new StorageError("compacted", `revision ${revision} is ahead of the newest one, ${this.#revision}`);
    // Events may still be here, but a list that could be had by luck alone is none that a client may count on.
    const { compactedRevision } = this.#storage;
    if (revision < compactedRevision) throw new StorageError("compacted", `revision ${revision} has been compacted; the oldest available is ${compactedRevision}`);
    if (revision < this.#window.start) return this.#pastSnapshot(prefix, revision, after, limit);
    const entries = this.#window.undo(this.list(prefix), revision, prefix) as Entry<T>[];
    const rest = after ? entries.slice(entries.findLastIndex(({ key }) => key <= after) + 1) : entries;
    const items = limit ? rest.slice(0, limit) : rest;
    return { items, revision, remaining: rest.length - items.length, more: rest.length > items.length };
  }

  /** Registers an index over a resource's objects; also what exists already. Registering a name again does nothing. */
  index<T extends KubeObject>(resourcePrefix: string, name: string, values: (object: Frozen<T>) => readonly string[]): void {
    this.#resource(resourcePrefix).addIndex(name, values as (object: Frozen<KubeObject>) => readonly string[]);
  }

  /** The entries that have `value` in the index, in key order. */
  byIndex<T extends KubeObject = KubeObject>(resourcePrefix: string, name: string, value: string): Entry<T>[] {
    return this.#resource(resourcePrefix).byIndex(name, value) as Entry<T>[];
  }

  /** Resolves with what readers are shown: the object as its JSON tells it. The one passed in stays the caller's. Throws "exists". */
  create<T extends KubeObject>(key: string, object: T, options?: WriteOptions): Promise<Entry<T>> {
    return this.#write(key, object, (value) => this.#storage.create(key, value, options));
  }

  /** Resolves as `create` does. Throws "conflict" or "notFound". */
  update<T extends KubeObject>(key: string, expectedRevision: number, object: T, options?: WriteOptions): Promise<Entry<T>> {
    return this.#write(key, object, (value) => this.#storage.update(key, expectedRevision, value, options));
  }

  /** Resolves with the last state, carrying the deletion's revision. */
  async delete<T extends KubeObject = KubeObject>(key: string, expectedRevision: number, options?: WriteOptions): Promise<Entry<T>> {
    const last = this.get<T>(key);
    const revision = await this.#storage.delete(key, expectedRevision, options);
    await this.reached(revision);
    // The storage took the revision expected, so the state it deleted is the one seen here.
    return { key, object: deletedAt(last!.object as Frozen<KubeObject>, revision) as Frozen<T>, revision };
  }

  /**
   * All events of `prefix` after `fromRevision`, in order, in batches: from memory, or from storage's history when older, then live.
   * No gap, no repeat. `onEvents` runs synchronously, before the writer's promise resolves. Resolves when `signal` aborts; throws "compacted" when too old.
   * `onLive` is called once all of the past has been delivered: from then on a bookmark at `revision` is true.
   */
  async watch<T extends KubeObject = KubeObject>(prefix: string, fromRevision: number, onEvents: (events: readonly CacheEvent<T>[]) => void, signal: AbortSignal, onLive?: () => void): Promise<void> {
    const deliver = onEvents as (events: readonly CacheEvent[]) => void;
    let from = fromRevision;
    while (from < this.#window.start && !signal.aborted) from = await this.#replayHistory(prefix, from, deliver, signal);
    if (signal.aborted) return;
    // From here to following nothing is awaited, so nothing can be missed.
    const recent = this.#window.after(from, prefix);
    if (recent.length > 0) deliver(recent);
    onLive?.();
    await this.#watchers.follow(prefix, Math.max(from, this.#revision), deliver, signal);
  }

  /** Every change from now on, synchronously, after the whole commit is readable. Handlers must not throw or block. Returns the unsubscription. */
  onChange<T extends KubeObject = KubeObject>(prefix: string, handler: EntryHandler<T>): () => void {
    return this.#resource(prefix).onChange(prefix, handler as EntryHandler);
  }

  /** Called after each commit has been delivered to everyone: what bookmarks need. Returns the unsubscription. */
  onRevision(handler: (revision: number) => void): () => void {
    const own = (revision: number): void => handler(revision);
    this.#revisionHandlers.add(own);
    return () => this.#revisionHandlers.delete(own);
  }

  /** All there is, at one revision. */
  async *#pages(): AsyncGenerator<Listed> {
    for (let after = "", revision: number | undefined; ;) {
      const page = await this.#storage.list(root, { limit: loadPage, after, ...(revision === undefined ? {} : { revision }) });
      yield page;
      if (!page.more) return;
      ({ revision } = page);
      after = page.items.at(-1)!.key;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #follow(from: number): Promise<void> {
    for (let revision = from; ;) {
      try {
        return await this.#storage.watch(root, revision, (events, reached) => this.#apply(events, reached), this.#stop.signal);
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== "compacted") throw error;
        log.warn("The storage could not be followed for longer than it keeps history: loading everything anew", { error });
        revision = await this.#reload();
      }
    }
  }

  /** What has changed while storage could not be followed is told as if it had happened at once; watches have to begin anew. */
  async #reload(): Promise<number> {
    const gone = new Set([...this.#resources.values()].flatMap((resource) => resource.list("").map(({ key }) => key)));
    const events: StorageEvent[] = [];
    let revision = 0;
    for await (const page of this.#pages()) {
      ({ revision } = page);
      for (const { key, value, revision: written } of page.items) {
        gone.delete(key);
        if (this.get(key)?.revision !== written) events.push({ type: "put", key, revision: written, value });
      }
    }
    for (const key of gone) events.push({ type: "delete", key, revision, value: nothing });
    this.#watchers.fail(new StorageError("compacted", "what was written while the storage could not be followed is not known one by one"));
    this.#apply(events.sort((a, b) => a.revision - b.revision), revision);
    this.#window = new EventWindow(this.#windowSize, revision);
    return revision;
  }

  #resource(key: string): ResourceSet {
    const name = resourceOf(key);
    let set = this.#resources.get(name);
    if (!set) this.#resources.set(name, (set = new ResourceSet()));
    return set;
  }

  async #write<T extends KubeObject>(key: string, object: T, write: (value: Uint8Array) => Promise<number>): Promise<Entry<T>> {
    const text = encode(object), value = encoder.encode(text);
    const written: Written = { text };
    this.#written.set(value, written);
    const revision = await write(value);
    await this.reached(revision);
    return { key, object: (written.object ?? decode(text, revision)) as Frozen<KubeObject> as Frozen<T>, revision };
  }

  /** An object as it is held from now on. */
  #held(value: Uint8Array | string, revision: number): Frozen<KubeObject> {
    return this.#sharing.share(decode(value, revision)) as Frozen<KubeObject>;
  }

  /** A commit: first all of it is readable, then everybody is told. */
  #apply(events: readonly StorageEvent[], revision: number): void {
    const changes = events.map((event) => this.#change(event));
    this.#window.push(changes);
    this.#revision = revision;
    for (const change of changes) this.#resource(change.key).notify(change, guarded);
    this.#watchers.publish(changes, revision);
    for (const handler of this.#revisionHandlers) guarded(() => handler(revision));
    this.#arrived(changes.length);
  }

  #change({ type, key, value, revision }: StorageEvent): CacheEvent {
    const resource = this.#resource(key);
    const previous = resource.get(key)?.object;
    if (type === "delete") {
      resource.remove(key);
      return { type: "DELETED", key, object: deletedAt(previous ?? decode(value, revision), revision), ...(previous ? { previous } : {}), revision };
    }
    const written = this.#written.get(value);
    const object = this.#held(written?.text ?? value, revision);
    if (written) written.object = object;
    resource.put({ key, object, revision });
    return previous ? { type: "MODIFIED", key, object, previous, revision } : { type: "ADDED", key, object, revision };
  }

  /** Delivers from storage's history until the window has the rest; says how far it got. */
  async #replayHistory(prefix: string, fromRevision: number, deliver: (events: readonly CacheEvent[]) => void, signal: AbortSignal): Promise<number> {
    let reached = fromRevision;
    const enough = new AbortController();
    await this.#storage.watch(prefix, fromRevision, (events, revision) => {
      if (enough.signal.aborted) return;
      // What the cache itself has not seen yet comes with the window.
      const shown = events.filter((event) => event.revision <= this.#revision);
      if (shown.length > 0) deliver(shown.map(pastEvent));
      reached = Math.min(revision, this.#revision);
      if (reached >= this.#window.start) enough.abort();
    }, AbortSignal.any([signal, enough.signal]));
    return reached;
  }

  async #pastSnapshot<T extends KubeObject>(prefix: string, revision: number, after: string | undefined, limit: number | undefined): Promise<Page<T>> {
    const { items, more, remaining } = await this.#storage.list(prefix, { revision, ...(after ? { after } : {}), ...(limit ? { limit } : {}) });
    const entries = items.map(({ key, value, revision: written }) => ({ key, object: decode(value, written), revision: written }) as Entry as Entry<T>);
    return { items: entries, revision, more, ...(remaining === undefined ? {} : { remaining }) };
  }
}

export interface CacherDependencies {
  storage: Storage;
  /** The storage's watch ended: the cache is frozen in time, and the server had better stop. */
  onFatal?: (error: Error) => void;
  /** Recent events kept in memory; older ones are read from storage's history. */
  windowSize?: number;
  clock?: Clock;
}

interface Written {
  text: string;
  /** Once it has been shown. */
  object?: Frozen<KubeObject>;
}

const root = "/registry/";
const loadPage = 500;
const encoder = new TextEncoder();
const nothing = new Uint8Array();
const log = logger("cacher");

/** One handler's failure must not keep the others, or the cache, from going on. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    log.error("A change handler failed", { error });
  }
}

function pastEvent({ type, key, value, previous, previousRevision, revision }: StorageEvent): CacheEvent {
  const object = decode(value, revision) as Frozen<KubeObject>;
  const before = previous && (decode(previous, previousRevision!) as Frozen<KubeObject>);
  const kind = type === "delete" ? "DELETED" : before ? "MODIFIED" : "ADDED";
  return { type: kind, key, object, ...(before ? { previous: before } : {}), revision };
}
