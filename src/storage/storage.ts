/**
 * Storage in etcd's model: keys with revisions. One decimal sequence of revisions for the whole store; each write takes one above all that are seen (not always the next).
 * Keys are `/registry/<group or "core">/<resource>/[<namespace>/]<name>`; values are opaque bytes (the object's JSON without resourceVersion).
 * A write resolves once it is durable (but for volatile ones), and after every watcher of this process has been handed its event.
 */
export interface Storage {
  /** The newest revision that watchers of this process have seen. */
  readonly revision: number;
  /** The oldest revision that `watch` and `list({revision})` can still serve from, but for keys with volatile writes, which may be forgotten sooner. */
  readonly compactedRevision: number;
  /**
   * How many past states have become history, those that were when it was opened included: grows by one with each write that replaces or
   * deletes a state that would otherwise be kept, and never shrinks. Where revisions leave no gaps it may count those instead.
   */
  readonly replaced: number;
  get(key: string): Promise<Stored | undefined>;
  /** In key order. `revision` reads the past; throws `StorageError` "compacted" when it is gone. */
  list(prefix: string, options?: { limit?: number; after?: string; revision?: number }): Promise<Listed>;
  /** Throws "exists" when the key is there; "full" when there is no room, as `update` does. */
  create(key: string, value: Uint8Array, options?: WriteOptions): Promise<number>;
  /** Throws "conflict" unless the key's revision is `expectedRevision`; "notFound" when the key is gone. */
  update(key: string, expectedRevision: number, value: Uint8Array, options?: WriteOptions): Promise<number>;
  /** Throws as `update` does, but never "full" for the storage's own bounds: deleting is how room is made. */
  delete(key: string, expectedRevision: number, options?: WriteOptions): Promise<number>;
  /**
   * All events of `prefix` after `fromRevision`, in revision order, in batches that share a commit.
   * History first, then live, with no gap and no repeat. Ends when `signal` aborts; throws "compacted" when `fromRevision` is too old.
   * `revision` says how far the watch has got: no event of `prefix` up to it is still to come. A batch may be empty while history is read,
   * and the batch that ends the history tells the revision reached.
   */
  watch(prefix: string, fromRevision: number, onEvents: (events: readonly StorageEvent[], revision: number) => void, signal: AbortSignal): Promise<void>;
  /** The newest revision there is, other servers' writes included; there only where others can write. A read is up to date once it is from then or later. */
  latest?(): Promise<number>;
  /** Forgets history up to `revision` (or the newest one, if lower), in slices, while serving. */
  compact(revision: number): Promise<void>;
  /**
   * Forgets all history, and leaves nothing in its files of what was overwritten or deleted before: for what must not be read there any more.
   * Writes wait meanwhile, reads don't.
   */
  purge(): Promise<void>;
  /** How it does. Cheap: fit to be asked for each scrape of metrics. */
  status(): Promise<StorageStatus>;
  /** Flushes and closes; later calls throw "closed". */
  close(): Promise<void>;
}

export interface WriteOptions {
  /**
   * The write may resolve before it is durable, and a crash may take it back: it costs the disk little or nothing. Until then it is as any
   * other: its revision is its own, watches and lists have it. After a crash no revision is given again, what is left of such keys has
   * newer ones than were seen, and nothing is hidden: `watch` and `list` from before it throw "compacted" for all prefixes that such keys
   * begin with, so that their readers look anew. A later write to the key that isn't volatile makes its state durable; stopping cleanly makes
   * durable what was so before its last volatile write, and a bounded number of the newest keys that never were. An engine may make any
   * volatile write durable; etcd's makes all.
   */
  volatile?: boolean;
  /** Of engines that several servers write to: which state of what they all must know this write follows. Throws "outdated", with nothing written, when there is a newer one. */
  fence?: number;
}

export interface StorageStatus {
  engine: "sqlite" | "etcd" | "memory";
  /** The engine's own version. */
  version?: string;
  /** What it takes of the disk. */
  sizeBytes: number;
  /** Of that, what isn't free for the next writes. */
  sizeInUseBytes: number;
  /** Where creates and updates end ("full"). */
  maxBytes?: number;
  /** The newest revision that a restart would find; volatile writes alone don't move it. */
  durableRevision: number;
  /** NOSPACE: creates and updates are refused until there is room. CORRUPT: the data is damaged. As etcd names its alarms. */
  alarms: readonly ("NOSPACE" | "CORRUPT")[];
  /** Bytes the engine has written to files since it was opened; known only to engines of this process. */
  writtenBytes?: number;
}

export interface Stored {
  key: string;
  value: Uint8Array;
  /** The revision of the last write to this key. */
  revision: number;
}

export interface Listed {
  items: Stored[];
  /** The revision the list was read at. */
  revision: number;
  more: boolean;
  /** Keys after those returned; known only where it is cheap. */
  remaining?: number;
}

export interface StorageEvent {
  type: "put" | "delete";
  key: string;
  revision: number;
  /** The new value; for a delete, the last one. Of a put by a local writer, the very same object that was passed in. */
  value: Uint8Array;
  /** The value before this write; undefined for a create. */
  previous?: Uint8Array;
  /** The revision of `previous`. */
  previousRevision?: number;
}

export type StorageErrorCode = "exists" | "notFound" | "conflict" | "compacted" | "full" | "closed" | "corrupt" | "foreign" | "newer" | "io" | "unavailable" | "tooLarge" | "outdated";

/**
 * "corrupt": the data is damaged. "foreign": it is another program's. "newer": a newer version's. "io": what failed, and whether a
 * write has happened, is not known. "unavailable": nothing has happened, and the same may work later. "tooLarge": the engine takes no such value.
 * "outdated": see `WriteOptions.fence`.
 */
export class StorageError extends Error {
  override readonly name = "StorageError";
  constructor(readonly code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
