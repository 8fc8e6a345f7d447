import { randomUUID } from "node:crypto";
import { cloneJson } from "../apimachinery/clone.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource } from "../apimachinery/resource.ts";
import { invalid, methodNotAllowed, notFound, StatusError } from "../apimachinery/status.ts";
import type { Scale } from "../apis/generated/autoscaling/v1.ts";
import type { Clock } from "../base/clock.ts";
import type { ObjectKey } from "../client/client.ts";
import type { Cacher } from "../storage/cacher/cacher.ts";
import { chainAdmission, type Admission, type AdmissionAttributes } from "./admission/admission.ts";
import type { Authorizer, RequestContext } from "./attributes.ts";
import { Bookmarks } from "./bookmarks.ts";
import { createObject } from "./create.ts";
import { deleteCollection } from "./delete-collection.ts";
import { deleteObject } from "./delete.ts";
import { getObject, listObjects } from "./list.ts";
import type { Machinery, WriteHooks } from "./machinery.ts";
import { namesRevision, takeKind, takeNamespace } from "./metadata.ts";
import { writeOptionsObject } from "./operation-options.ts";
import { patchObject } from "./patch.ts";
import { randomSuffix } from "./random-suffix.ts";
import type { Readers } from "./readers.ts";
import type { Registry, WriteRequest } from "./registry.ts";
import { createResourceTable, whileServed } from "./resource-table.ts";
import type { Reviews } from "./reviews.ts";
import { createStore } from "./store.ts";
import { creators } from "./subresources/creator.ts";
import { isProjection } from "./subresources/projections.ts";
import { patchScale, scaleOf, updateScale } from "./subresources/scale.ts";
import { postedBindings } from "./subresources/posted-bindings.ts";
import type { TokenIssuer } from "./token-issuer.ts";
import { updateObject } from "./update.ts";
import { watchObjects } from "./watch.ts";

export interface RegistryDependencies {
  /** Started. */
  cacher: Cacher;
  /** The built-in ones; others join through `registry.resources`. */
  cards: readonly AnyResource[];
  /** In order; see `admission/index.ts`. */
  admission: readonly Admission[];
  clock: Clock;
  /** What kinds need around their writes; see `hooks.ts`. */
  hooks?: WriteHooks;
  /** Kinds that are answered, not stored; see `reviews.ts`. */
  reviews?: Reviews;
  /** Kinds that are read without being stored. */
  readers?: Readers;
  /** Asked whether a PUT that makes a missing object may create it; without one, the right to update is enough. */
  authorizer?: Authorizer;
  /** Without one, serviceaccounts/token answers 405. */
  tokenIssuer?: TokenIssuer;
}

/** The registry over one cacher. */
export function createRegistry({ cacher, cards, admission, clock, hooks = {}, reviews = {}, readers = {}, authorizer, tokenIssuer }: RegistryDependencies): Registry {
  const machinery: Machinery = { store: createStore(cacher), admission: chainAdmission(admission), clock, hooks, authorizer, newUid: randomUUID, randomSuffix };
  const resources = createResourceTable(cards);
  const watching = { cacher, bookmarks: new Bookmarks(() => cacher.revision) };

  const answered: Reviews = { ...postedBindings(() => registry), ...reviews };
  const readerOf = ({ resource, group }: AnyResource): Readers[string] | undefined => readers[`${resource}.${group}`];
  const registry: Registry = {
    resources,
    get cards() {
      return resources.cards;
    },
    find: (group, version, resource) => resources.find(group, version, resource),
    async get(card, key, options) {
      const reader = readerOf(card);
      if (!reader) return getObject(cacher, card, key, options);
      const object = await reader.get(key);
      if (!object) throw notFound(card, key.name);
      return object as never;
    },
    async list(card, options) {
      const reader = readerOf(card);
      return reader ? { items: await reader.list(options) as never, metadata: { resourceVersion: "" } } : listObjects(cacher, card, options);
    },
    watch(card, options, onEvents, signal) {
      // Custom resources alone come and go; their watches end with what they were read by, and clients come again.
      if (!card.objectSchema) return watchObjects(watching, card, options, onEvents, signal);
      return whileServed(resources, card, signal, (until) => watchObjects(watching, card, options, onEvents, until));
    },
    create: async (context, card, namespace, object, options) => {
      const review = answered[`${card.resource}.${card.group}`];
      if (review) return review(context, reviewed(card, namespace, object), options) as never;
      return onWhatIsNewest(cacher, object, (own) => createObject(machinery, context, card, namespace, own, options));
    },
    update: (context, card, key, object, options = {}) => updateObject(machinery, context, card, key, { ...options, change: onceThenCopies(object) }),
    patch: (context, card, key, patch, options) => patchObject(machinery, context, card, key, patch, options),
    delete: (context, card, key, options) => deleteObject(machinery, context, card, key, options),
    deleteCollection: (context, card, options, deleteOptions) => deleteCollection(machinery, context, card, options, deleteOptions),

    async getSubresource(_, card, key, subresource) {
      const { object } = await machinery.store.mustGet<KubeObject>(card, key);
      if (subresource === "scale" && card.subresources.scale) return scaleOf(card, object);
      if (isProjection(subresource)) return object;
      throw notFound(card, key.name);
    },
    async admitConnect(context, card, key, subresource, options) {
      const attributes: AdmissionAttributes = { context, operation: "CONNECT", card, subresource, namespace: key.namespace ?? "", name: key.name, object: options as unknown as KubeObject, dryRun: false };
      await machinery.admission.admit(attributes);
      await machinery.admission.validate(attributes);
    },
    async createSubresource(context, card, key, subresource, body, options = {}) {
      const create = creators[`${card.resource}/${subresource}`];
      if (!create) throw methodNotAllowed();
      const attributes = subresourceAttributes(context, card, key, subresource, body, options);
      await machinery.admission.admit(attributes);
      await machinery.admission.validate(attributes);
      return create({ machinery, context, card, key, body, options, tokenIssuer });
    },
    async updateSubresource(context, card, key, subresource, body, options) {
      if (subresource !== "scale") throw methodNotAllowed();
      return updateScale(machinery, context, card, key, body as Scale, options);
    },
    async patchSubresource(context, card, key, subresource, patch, options = {}) {
      if (subresource !== "scale") throw methodNotAllowed();
      return patchScale(machinery, context, card, key, patch, options);
    },
  };
  return registry;
}

/**
 * Does it again when it was refused because of something that was not there, such as a namespace, and another server has written since: the
 * cache may not have shown what this client has just made there.
 */
async function onWhatIsNewest<T extends KubeObject, R>(cacher: Cacher, object: T, attempt: (object: T) => Promise<R>): Promise<R> {
  if (!cacher.shared) return attempt(object);
  const original = cloneJson(object), before = cacher.revision;
  try {
    return await attempt(object);
  } catch (error) {
    if (!(error instanceof StatusError) || (error.code !== 404 && error.code !== 403)) throw error;
    await cacher.upToDate();
    if (cacher.revision === before) throw error;
    return attempt(original);
  }
}

/** A review request, checked as an object to be created would be. */
function reviewed(card: AnyResource, namespace: string | undefined, object: KubeObject): KubeObject {
  object.metadata ??= {};
  takeKind(card, object);
  takeNamespace(card, object, namespace);
  const errors = card.strategy.validate?.(object) ?? [];
  if (errors.length) throw invalid(card, object.metadata.name ?? "", errors);
  return object;
}

/**
 * An update that lost a race starts over from what the client sent, which the first try may have changed; if that names the object and its
 * revision, nothing else of it will count, as neither can be there any more.
 */
function onceThenCopies<T extends KubeObject>(object: T): (current: Frozen<T> | undefined) => T {
  const { uid, resourceVersion } = object.metadata;
  if (uid && namesRevision(resourceVersion)) return () => object;
  const original = cloneJson(object);
  let used = false;
  return () => {
    if (used) return cloneJson(original);
    used = true;
    return object;
  };
}

function subresourceAttributes(context: RequestContext, card: AnyResource, key: ObjectKey, subresource: string, body: unknown, options: WriteRequest): AdmissionAttributes {
  return { context, operation: "CREATE", card, subresource, namespace: key.namespace ?? "", name: key.name, object: body as KubeObject, dryRun: options.dryRun ?? false, options: writeOptionsObject("CreateOptions", options) };
}
