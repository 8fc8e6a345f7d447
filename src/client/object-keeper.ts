import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";

/** Which objects of a kind an informer follows. */
export interface Scope {
  namespace?: string;
  fieldSelector?: string;
  labelSelector?: string;
}

/** Remembers over restarts what informers knew, so that a process begins with that instead of waiting for the server. */
export interface ObjectKeeper {
  /** One for each kind and scope, and always the same one. */
  collection<T extends KubeObject>(card: ResourceCard<T>, scope: Scope): KeptCollection<T>;
}

/** What one informer knows. Calls return at once and never throw; what they say reaches the disk later, in their order. */
export interface KeptCollection<T extends KubeObject> {
  /** What was known when the process last ran; undefined when that was not a complete list. */
  load(): { resourceVersion: string; objects: readonly Frozen<T>[] } | undefined;
  set(object: Frozen<T>, old: Frozen<T> | undefined): void;
  delete(key: string, old: Frozen<T>): void;
  /** The collection is complete as of this resourceVersion, from the first call on. */
  reached(resourceVersion: string): void;
  /** Nobody follows these objects any more. */
  forget(): void;
}

/** Identifies a kind and scope; also for telling apart informers of one process. */
export const collectionName = ({ group, version, resource }: AnyResource, { namespace = "", fieldSelector = "", labelSelector = "" }: Scope): string =>
  [group, version, resource, namespace, fieldSelector, labelSelector].join("\0");

/** Remembers single answers of the server over restarts, unreadable to whoever takes the disk away. Names are the caller's own. */
export interface ValueKeeper {
  get(name: string): string | undefined;
  /** `undefined` forgets it. What was kept already and only got newer need not be written for that alone. */
  set(name: string, value: string | undefined): void;
  /** All whose names begin so. */
  forget(prefix: string): void;
}
