import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import type { DeleteOptions, Status } from "../apis/generated/meta/v1.ts";
import type { ListOptions, ObjectKey, ObjectList, Patch, WatchEvent, WatchOptions } from "../client/client.ts";
import type { RequestContext } from "./attributes.ts";
import type { ResourceTable } from "./resource-table.ts";

/** What each verb means for each kind. Knows nothing of HTTP. Callers have authorized; every method throws `StatusError`. */
export interface Registry {
  /** What is served; custom resources join and leave at run time. */
  readonly resources: ResourceTable;
  /** All of `resources`, built-in ones first. */
  readonly cards: readonly AnyResource[];
  find(group: string, version: string, resource: string): AnyResource | undefined;

  get<T extends KubeObject>(card: ResourceCard<T>, key: ObjectKey, options?: { resourceVersion?: string }): Promise<Frozen<T>>;
  list<T extends KubeObject>(card: ResourceCard<T>, options: ListOptions): Promise<ObjectList<T>>;
  /**
   * Calls `onEvents` with batches that share a commit, first synthetic ADDED events where asked, then live ones.
   * Resolves when `signal` aborts; throws 410 Expired when resourceVersion is too old.
   * The objects are the cacher's own: one object per revision, so an encoder may cache by identity.
   */
  watch<T extends KubeObject>(card: ResourceCard<T>, options: WatchOptions, onEvents: (events: readonly WatchEvent<T>[]) => void, signal: AbortSignal): Promise<void>;

  /** `object` is decoded (see `apimachinery/schema`), not yet defaulted; the registry takes ownership of it. */
  create<T extends KubeObject>(context: RequestContext, card: ResourceCard<T>, namespace: string | undefined, object: T, options?: WriteRequest): Promise<Frozen<T>>;
  /** PUT. `created` tells 201 from 200 for kinds that allow create on update. */
  update<T extends KubeObject>(context: RequestContext, card: ResourceCard<T>, key: ObjectKey, object: T, options?: WriteRequest & { subresource?: string }): Promise<{ object: Frozen<T>; created: boolean }>;
  patch<T extends KubeObject>(context: RequestContext, card: ResourceCard<T>, key: ObjectKey, patch: Patch, options?: WriteRequest & { subresource?: string }): Promise<{ object: Frozen<T>; created: boolean }>;
  /** The object when deletion only began (finalizers, grace), else a Success Status. */
  delete<T extends KubeObject>(context: RequestContext, card: ResourceCard<T>, key: ObjectKey, options?: DeleteOptions): Promise<{ object?: Frozen<T>; status?: Status }>;
  deleteCollection<T extends KubeObject>(context: RequestContext, card: ResourceCard<T>, options: ListOptions, deleteOptions?: DeleteOptions): Promise<ObjectList<T>>;

  /** GET of status or scale; scale answers an autoscaling/v1 Scale. */
  getSubresource(context: RequestContext, card: AnyResource, key: ObjectKey, subresource: string): Promise<unknown>;
  /** Asks admission whether a connection may be opened: exec, attach, portforward or proxy. `options` has kind and apiVersion, such as PodExecOptions. */
  admitConnect(context: RequestContext, card: AnyResource, key: ObjectKey, subresource: string, options: Readonly<Record<string, unknown>>): Promise<void>;
  /** POST to a subresource that `registry/subresources` knows: pods/binding, pods/eviction, serviceaccounts/token. */
  createSubresource(context: RequestContext, card: AnyResource, key: ObjectKey, subresource: string, body: unknown, options?: WriteRequest): Promise<unknown>;
  /** PUT of a subresource whose body is another kind (scale). */
  updateSubresource(context: RequestContext, card: AnyResource, key: ObjectKey, subresource: string, body: unknown, options?: WriteRequest): Promise<unknown>;
  patchSubresource(context: RequestContext, card: AnyResource, key: ObjectKey, subresource: string, patch: Patch, options?: WriteRequest): Promise<unknown>;
}

export interface WriteRequest {
  dryRun?: boolean;
  fieldManager?: string;
  /** How unknown and duplicate fields of a patch's result are met; bodies were checked when they were decoded. */
  fieldValidation?: "Strict" | "Warn" | "Ignore";
  /** What was found amiss in a patch's text, such as a field that comes twice: met as `fieldValidation` says. */
  complaints?: readonly string[];
}
