import { cloneJson } from "../apimachinery/clone.ts";
import type { KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { objectSchemaOf } from "../apimachinery/object-schema.ts";
import { parseFieldSelector, requiredValue } from "../apimachinery/selectors/fields.ts";
import type { Client, ListOptions, ObjectKey, WatchEvent, WatchOptions } from "../client/client.ts";
import type { Authorizer, RequestContext, UserInfo } from "./attributes.ts";
import { authorize } from "./authorize.ts";
import { managerOfComponent } from "./field-management.ts";
import type { Registry } from "./registry.ts";

export interface LocalClientDependencies {
  registry: Registry;
  authorizer: Authorizer;
  /** On whose behalf. */
  user: UserInfo;
}

/**
 * The API in process: authorization, admission and validation as over HTTP, no encoding. Objects that come in are copied,
 * read by their type as HTTP bodies are; objects that go out are the cache's own.
 */
export function createLocalClient({ registry, authorizer, user }: LocalClientDependencies): Client {
  const context: RequestContext = { user, warn: () => undefined, defaultManager: managerOfComponent(user.name) };

  const allow = (verb: string, card: AnyResource, key?: Partial<ObjectKey>, subresource?: string): void => authorize(authorizer, user, verb, card, key, subresource);
  const taken = <T extends KubeObject>(card: ResourceCard<T>, object: T): T => objectSchemaOf(card).decode<T>(object).object;

  return {
    async get(card, key, { subresource = "" } = {}) {
      allow("get", card, key, subresource);
      return subresource ? await registry.getSubresource(context, card, key, subresource) as never : registry.get(card, key);
    },
    async list(card, options = {}) {
      allow("list", card, selected(options));
      return registry.list(card, options);
    },
    async create(card, object, options) {
      const { namespace } = object.metadata;
      allow("create", card, { namespace });
      return registry.create(context, card, namespace, taken(card, object), options);
    },
    async createSubresource(card, key, subresource, body, options) {
      const of = card as AnyResource;
      allow("create", of, key, subresource);
      return await registry.createSubresource(context, of, key, subresource, cloneJson(body), options) as never;
    },
    async update(card, object, options = {}) {
      const { namespace, name = "" } = object.metadata;
      const { subresource } = options;
      allow("update", card, { namespace, name }, subresource);
      if (subresource === "scale") return await registry.updateSubresource(context, card, { namespace, name }, subresource, cloneJson(object), options) as never;
      return (await registry.update(context, card, { namespace, name }, taken(card, object), options)).object;
    },
    async patch(card, key, patch, options = {}) {
      const { subresource } = options;
      allow("patch", card, key, subresource);
      if (subresource === "scale") return await registry.patchSubresource(context, card, key, subresource, patch, options) as never;
      return (await registry.patch(context, card, key, patch, options)).object;
    },
    async delete(card, key, options) {
      allow("delete", card, key);
      await registry.delete(context, card, key, cloneJson(options));
    },
    async deleteCollection(card, { delete: deleteOptions, ...options } = {}) {
      allow("deletecollection", card, selected(options));
      await registry.deleteCollection(context, card, options, cloneJson(deleteOptions));
    },
    watch<T extends KubeObject>(card: ResourceCard<T>, options: WatchOptions, signal: AbortSignal) {
      allow("watch", card, selected(options));
      const { timeoutSeconds } = options;
      const until = timeoutSeconds ? AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]) : signal;
      return eventsOf<T>((onEvents, ended) => registry.watch(card, options, onEvents, ended), until);
    },
  };
}

/** A list or watch of one name is authorized for that name, as over HTTP. */
const selected = ({ namespace, fieldSelector }: ListOptions): Partial<ObjectKey> =>
  ({ namespace, name: fieldSelector ? requiredValue(parseFieldSelector(fieldSelector), "metadata.name") : undefined });

type Watch<T> = (onEvents: (events: readonly WatchEvent<T>[]) => void, signal: AbortSignal) => Promise<void>;

/** A watch as an iteration: batches queue until they are taken; leaving the loop ends the watch. */
async function* eventsOf<T>(watch: Watch<T>, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
  const stop = new AbortController();
  let queue: WatchEvent<T>[] = [];
  let wake = Promise.withResolvers<void>();
  let failure: unknown;
  let done = false;
  const watching = watch((events) => {
    queue.push(...events);
    wake.resolve();
  }, AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
    failure = error;
  }).finally(() => {
    done = true;
    wake.resolve();
  });
  try {
    for (;;) {
      await wake.promise;
      wake = Promise.withResolvers();
      const ending = done;
      const batch = queue;
      queue = [];
      yield* batch;
      if (queue.length > 0 || done) wake.resolve();
      if (!ending || queue.length > 0) continue;
      if (failure !== undefined) throw failure;
      return;
    }
  } finally {
    stop.abort();
    await watching;
  }
}
