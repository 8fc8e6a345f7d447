import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { trackUpdate } from "../apimachinery/managedfields/field-manager.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { alreadyExists, badRequest, invalid, isAlreadyExists } from "../apimachinery/status.ts";
import { validateObjectMeta } from "../apimachinery/validation/object-meta.ts";
import type { ObjectKey } from "../client/client.ts";
import type { AdmissionAttributes } from "./admission/admission.ts";
import type { RequestContext } from "./attributes.ts";
import { admit, managedWrite } from "./field-management.ts";
import { hookOf, type Machinery } from "./machinery.ts";
import { generateName, namesRevision, setSystemMetadata, takeKind, takeNamespace, wipeSystemMetadata } from "./metadata.ts";
import { dedupOwnerReferences } from "./owner-references.ts";
import { writeOptionsObject } from "./operation-options.ts";
import type { WriteRequest } from "./registry.ts";

/** As many tries as Kubernetes makes to find a free generated name. */
const generateNameAttempts = 8;

/** POST, and a PUT that makes a missing object. The order of the steps is Kubernetes' (k8s.io/apiserver/pkg/registry/rest/create.go). */
export async function createObject<T extends KubeObject>(machinery: Machinery, context: RequestContext, card: ResourceCard<T>, namespace: string | undefined, object: T, options: WriteRequest & { applied?: boolean } = {}): Promise<Frozen<T>> {
  takeNamespace(card, object, namespace);
  if (namesRevision(object.metadata.resourceVersion)) throw badRequest("resourceVersion should not be set on objects to be created");
  takeKind(card, object);
  wipeSystemMetadata(object);
  card.default?.(object);
  if (!options.applied) {
    dedupOwnerReferences(object, context, false);
    trackUpdate(undefined, object, managedWrite(machinery, context, card, "", options.fieldManager));
  }
  const attributes = createAttributes(context, card, object, options);
  await admit(machinery, attributes);
  dedupOwnerReferences(object, context, true);
  const generated = !object.metadata.name && Boolean(object.metadata.generateName);
  setSystemMetadata(machinery, object);
  card.strategy.prepareForCreate?.(object, { user: context.user, now: machinery.clock.now() });
  const reserved = hookOf(machinery, card).beforeWrite?.(object, undefined);
  try {
    validateNew(card, object);
    for (const text of card.strategy.warnings?.(object as Frozen<T>) ?? []) context.warn(text);
    await machinery.admission.validate({ ...attributes, name: object.metadata.name! });
    if (options.dryRun) return refuseExisting(machinery, card, object);
    await reserved?.confirm();
    const stored = await (generated ? storeUnderFreeName(machinery, card, object) : machinery.store.create(card, keyOfNew(object), object));
    await hookOf(machinery, card).afterWrite?.(machinery, stored, undefined);
    return stored;
  } finally {
    reserved?.settle();
  }
}

function createAttributes(context: RequestContext, card: AnyResource, object: KubeObject, options: WriteRequest): AdmissionAttributes {
  const name = object.metadata.name ?? "";
  return { context, operation: "CREATE", card, subresource: "", object, dryRun: options.dryRun ?? false, options: writeOptionsObject("CreateOptions", options), namespace: object.metadata.namespace ?? namespaceItself(card, name), name };
}

/** A Namespace is, for admission, in itself. */
export const namespaceItself = (card: { group: string; resource: string }, name: string): string => (card.group === "" && card.resource === "namespaces" ? name : "");

function validateNew<T extends KubeObject>(card: ResourceCard<T>, object: T): void {
  const errors = [...validateObjectMeta(object.metadata, { namespaced: card.scope === "Namespaced", validateName: card.validateName, anyFinalizer: card.anyFinalizer }), ...card.strategy.validate?.(object as Frozen<T>) ?? []];
  if (errors.length) throw invalid(card, object.metadata.name ?? "", errors);
}

const keyOfNew = ({ metadata: { namespace, name } }: KubeObject): ObjectKey => ({ namespace, name: name! });

function refuseExisting<T extends KubeObject>({ store }: Machinery, card: ResourceCard<T>, object: T): Frozen<T> {
  if (store.revisionOf(card, keyOfNew(object)) !== undefined) throw alreadyExists(card, object.metadata.name!);
  return object as Frozen<T>;
}

/** Stores an object whose name was generated; when that is taken, tries others. */
async function storeUnderFreeName<T extends KubeObject>({ store, randomSuffix }: Machinery, card: ResourceCard<T>, object: T): Promise<Frozen<T>> {
  const { metadata } = object;
  for (let attempt = 1; ; attempt++) {
    try {
      return await store.create(card, keyOfNew(object), object);
    } catch (error) {
      if (attempt === generateNameAttempts || !isAlreadyExists(error)) throw error;
      metadata.name = generateName(metadata.generateName!, randomSuffix());
      // What was defaulted from the name, such as a namespace's label, follows it.
      card.default?.(object);
    }
  }
}
