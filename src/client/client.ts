import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { DeleteOptions } from "../apis/generated/meta/v1.ts";

/**
 * How components read and write the API. In the server process it calls the registry directly (same admission, validation and RBAC
 * as HTTP, no encoding between); elsewhere it speaks HTTPS. Every method throws `StatusError`. Objects returned may be shared: treat as frozen.
 */
export interface Client {
  get<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, options?: { subresource?: string; signal?: AbortSignal }): Promise<Frozen<T>>;
  list<T extends KubeObject>(card: ResourceCard<T>, options?: ListOptions): Promise<ObjectList<T>>;
  create<T extends KubeObject>(card: ResourceCard<T>, object: T, options?: WriteOptions): Promise<Frozen<T>>;
  /** Posts another kind to a subresource: a Binding to pods/binding, a TokenRequest to serviceaccounts/token, an Eviction. */
  createSubresource<R>(card: ResourceCard<never> | ResourceCard<any>, key: ObjectKey, subresource: string, body: unknown, options?: WriteOptions): Promise<R>;
  update<T extends KubeObject>(card: ResourceCard<T>, object: T, options?: WriteOptions & { subresource?: string }): Promise<Frozen<T>>;
  patch<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, patch: Patch, options?: WriteOptions & { subresource?: string }): Promise<Frozen<T>>;
  delete<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  deleteCollection<T extends KubeObject>(card: ResourceCard<T>, options?: ListOptions & { delete?: DeleteOptions }): Promise<void>;
  /** Events after `resourceVersion`, until `signal` aborts. Throws a 410 StatusError when it is too old. */
  watch<T extends KubeObject>(card: ResourceCard<T>, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent<T>>;
}

export interface ObjectKey {
  /** Omitted for cluster-scoped kinds. */
  namespace?: string;
  name: string;
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: string;
}

export interface WatchOptions extends ListOptions {
  allowWatchBookmarks?: boolean;
  sendInitialEvents?: boolean;
  timeoutSeconds?: number;
  /** What the watcher has by a key (`namespace/name`, or the name): where a server can, it sends only what became of that. */
  known?(key: string): Frozen<KubeObject> | undefined;
}

export interface WriteOptions {
  dryRun?: boolean;
  fieldManager?: string;
  signal?: AbortSignal;
}

export interface ObjectList<T> {
  items: readonly Frozen<T>[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

export type Patch =
  | { type: "application/json-patch+json"; body: readonly unknown[] }
  | { type: "application/merge-patch+json"; body: unknown }
  | { type: "application/strategic-merge-patch+json"; body: unknown }
  /** Server-side apply: `body` is the configuration, and WriteOptions name the field manager. */
  | { type: "application/apply-patch+yaml"; body: unknown; force?: boolean };

export type WatchEvent<T> =
  /** `previous` is what the object was before, where that is known. */
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: Frozen<T>; previous?: Frozen<T> }
  /** Carries only metadata.resourceVersion, and the annotation that ends a streaming list. */
  | { type: "BOOKMARK"; object: Frozen<KubeObject> };
