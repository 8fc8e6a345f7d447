import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";

/** Reads one kind from memory. Objects are shared and frozen. */
export interface Lister<T extends KubeObject> {
  /** `namespace/name`, or `name` for cluster-scoped kinds. */
  get(key: string): Frozen<T> | undefined;
  list(namespace?: string): readonly Frozen<T>[];
  /** Objects whose controller owner reference has this uid. */
  controlledBy(ownerUid: string): readonly Frozen<T>[];
  /** The resourceVersion this view has reached. */
  readonly resourceVersion: string;
}

/** `old` is undefined when added, `current` when deleted. */
export type ChangeHandler<T> = (old: Frozen<T> | undefined, current: Frozen<T> | undefined) => void;

export interface Informer<T extends KubeObject> {
  readonly lister: Lister<T>;
  /** Called for everything present, then for each change, in order. Handlers must not throw or block. Returns the unsubscription. */
  onChange(handler: ChangeHandler<T>): () => void;
  /** Resolves when the lister holds a complete list. */
  synced(signal?: AbortSignal): Promise<void>;
}

/** Shares one informer per card and scope. In the server process informers read the cacher's own objects. */
export interface InformerFactory {
  informer<T extends KubeObject>(card: ResourceCard<T>, scope?: { namespace?: string; fieldSelector?: string; labelSelector?: string }): Informer<T>;
}
