import { cloneJson } from "../../apimachinery/clone.ts";
import { invalidValue } from "../../apimachinery/field-errors.ts";
import { applyConfiguration, trackUpdate, type ManagedWrite } from "../../apimachinery/managedfields/field-manager.ts";
import { emptySet } from "../../apimachinery/managedfields/field-set.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { thaw } from "../../apimachinery/meta.ts";
import { objectSchemaOf } from "../../apimachinery/object-schema.ts";
import type { JsonObject } from "../../apimachinery/own.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { badRequest, invalid, notFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Scale } from "../../apis/generated/autoscaling/v1.ts";
import type { ObjectKey, Patch } from "../../client/client.ts";
import type { RequestContext } from "../attributes.ts";
import type { Machinery } from "../machinery.ts";
import { isApply, patched, requireName } from "../patch.ts";
import type { WriteRequest } from "../registry.ts";
import { updateObject } from "../update.ts";
import { managersOfScale, managersOfScaled } from "./scale-managers.ts";

const scaleKind = { group: "autoscaling", version: "v1", kind: "Scale", schema: "io.k8s.api.autoscaling.v1.Scale" };

/** An object seen as autoscaling/v1 Scale. */
export function scaleOf(card: AnyResource, object: Frozen<KubeObject>): Scale {
  const mapping = card.subresources.scale!;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = mapping.selector(object);
  return {
    kind: "Scale", apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: mapping.getReplicas(object) },
    status: { replicas: mapping.statusReplicas(object), ...(selector ? { selector } : {}) },
  };
}

/** PUT of scale. A resourceVersion in `wanted` must be the object's. */
export function updateScale(machinery: Machinery, context: RequestContext, card: AnyResource, key: ObjectKey, wanted: Scale, options: WriteRequest = {}): Promise<Scale> {
  return changeScale(machinery, context, card, key, options, (live, write) => {
    const scale = cloneJson(wanted);
    checkNames(scale, key);
    trackUpdate(live as unknown as KubeObject, scale as unknown as KubeObject, write);
    return scale;
  });
}

/** PATCH of scale, in all its kinds. */
export function patchScale(machinery: Machinery, context: RequestContext, card: AnyResource, key: ObjectKey, patch: Patch, options: WriteRequest = {}): Promise<Scale> {
  return changeScale(machinery, context, card, key, options, (live, write) => {
    if (isApply(patch)) {
      const applied = applyConfiguration(live as unknown as KubeObject, cloneJson(patch.body) as JsonObject, write, patch.force ?? false) as unknown as Scale;
      checkNames(applied, key);
      return applied;
    }
    const scale = patched<Scale>(scaleKind, live, patch, options, context.warn);
    requireName(scale as KubeObject, key);
    checkNames(scale, key);
    trackUpdate(live as unknown as KubeObject, scale as unknown as KubeObject, write);
    return scale;
  });
}

type ChangeScale = (live: Scale, write: ManagedWrite) => Scale;

async function changeScale(machinery: Machinery, context: RequestContext, card: AnyResource, key: ObjectKey, options: WriteRequest, change: ChangeScale): Promise<Scale> {
  const mapping = card.subresources.scale;
  if (!mapping) throw notFound(card, key.name);
  const write: ManagedWrite = {
    type: objectSchemaOf(scaleKind).mergeType, ...scaleKind,
    manager: options.fieldManager || (context.defaultManager ?? ""), subresource: "scale", reset: emptySet, now: formatTime(machinery.clock.now()),
  };
  const { object } = await updateObject<KubeObject>(machinery, context, card, key, {
    ...options, subresource: "", mustExist: true, applied: true,
    seenAs: { subresource: "scale", view: (object) => scaleOf(card, object) as KubeObject, take: (object, scale) => takeReplicas(card, key, object, scale as Scale) },
    change: (current) => {
      const live = scaleOf(card, current!);
      const managers = managersOfScale(card, current!);
      if (managers) live.metadata.managedFields = managers;
      const scale = change(live, write);
      const object = thaw<KubeObject>(current!);
      takeReplicas(card, key, object, scale);
      const { uid, resourceVersion, managedFields } = scale.metadata;
      if (uid) object.metadata.uid = uid;
      if (resourceVersion) object.metadata.resourceVersion = resourceVersion;
      const entries = managersOfScaled(card, current!, managedFields);
      if (entries) object.metadata.managedFields = entries;
      else delete object.metadata.managedFields;
      return object;
    },
  });
  return scaleOf(card, object);
}

function checkNames({ metadata }: Scale, { name, namespace }: ObjectKey): void {
  if (metadata.name && metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (metadata.namespace && metadata.namespace !== namespace) throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

function takeReplicas(card: AnyResource, { name }: ObjectKey, object: KubeObject, { spec }: Scale): void {
  const replicas = spec?.replicas ?? 0;
  // What a custom resource may have is for its own validation to say.
  if (replicas < 0 && !card.objectSchema) throw invalid({ group: "autoscaling", kind: "Scale" }, name, [invalidValue("spec.replicas", replicas, "must be greater than or equal to 0")]);
  card.subresources.scale!.setReplicas(object, replicas);
}
