/**
 * Storage in etcd's model: keys with revisions. One decimal sequence of revisions for the whole store; each write takes the next.
 * Keys are `/registry/<group or "core">/<resource>/[<namespace>/]<name>`; values are opaque bytes (the object's JSON without resourceVersion).
 * A write resolves once it is durable (but for volatile updates), and after every watcher of this process has been handed its event.
 */
export interface Storage {
  /** The newest revision that watchers of this process have seen. */
  readonly revision: number;
  /** The oldest revision that `watch` and `list({revision})` can still serve from. */
  readonly compactedRevision: number;
  get(key: string): Promise<Stored | undefined>;
  /** In key order. `revision` reads the past; throws `StorageError` "compacted" when it is gone. */
  list(prefix: string, options?: { limit?: number; after?: string; revision?: number }): Promise<Listed>;
  /** Throws "exists" when the key is there. */
  create(key: string, value: Uint8Array): Promise<number>;
  /**
   * Throws "conflict" unless the key's revision is `expectedRevision`; "notFound" when the key is gone. A volatile update resolves before it
   * is durable: a crash may take it back (its revision is not given again), and history does not have it, so that watches and lists from
   * before it throw "compacted".
   */
  update(key: string, expectedRevision: number, value: Uint8Array, options?: { volatile?: boolean }): Promise<number>;
  delete(key: string, expectedRevision: number): Promise<number>;
  /**
   * All events of `prefix` after `fromRevision`, in revision order, in batches that share a commit.
   * History first, then live, with no gap and no repeat. Ends when `signal` aborts; throws "compacted" when `fromRevision` is too old.
   * `revision` says how far the watch has got: no event of `prefix` up to it is still to come. A batch may be empty while history is read,
   * and the batch that ends the history tells the revision reached.
   */
  watch(prefix: string, fromRevision: number, onEvents: (events: readonly StorageEvent[], revision: number) => void, signal: AbortSignal): Promise<void>;
  /** Forgets history up to `revision` (or the newest one, if lower), in slices, while serving. */
  compact(revision: number): Promise<void>;
  /** Flushes and closes; later calls throw "closed". */
  close(): Promise<void>;
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
  /** The new value; for a delete, the last one. The very same object a local writer passed in. */
  value: Uint8Array;
  /** The value before this write; undefined for a create. */
  previous?: Uint8Array;
  /** The revision of `previous`. */
  previousRevision?: number;
}

export type StorageErrorCode = "exists" | "notFound" | "conflict" | "compacted" | "full" | "closed" | "corrupt" | "io";

export class StorageError extends Error {
  override readonly name = "StorageError";
  constructor(readonly code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
