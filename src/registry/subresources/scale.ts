import { invalidValue } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { thaw } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { badRequest, invalid, notFound } from "../../apimachinery/status.ts";
import type { Scale } from "../../apis/generated/autoscaling/v1.ts";
import type { ObjectKey } from "../../client/client.ts";
import type { RequestContext } from "../attributes.ts";
import type { Machinery } from "../machinery.ts";
import type { WriteRequest } from "../registry.ts";
import { updateObject } from "../update.ts";

export const scaleSchema = "io.k8s.api.autoscaling.v1.Scale";

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

/** PUT and PATCH of scale: `change` gets the current Scale. A resourceVersion in the result must be the object's. */
export async function updateScale(machinery: Machinery, context: RequestContext, card: AnyResource, key: ObjectKey, change: (current: Scale) => Scale, options: WriteRequest = {}): Promise<Scale> {
  const mapping = card.subresources.scale;
  if (!mapping) throw notFound(card, key.name);
  const { object } = await updateObject<KubeObject>(machinery, context, card, key, {
    ...options, subresource: "", through: "scale", mustExist: true,
    change: (current) => {
      const wanted = change(scaleOf(card, current!));
      checkScale(wanted, key);
      const object = thaw<KubeObject>(current!);
      mapping.setReplicas(object, wanted.spec?.replicas ?? 0);
      if (wanted.metadata.uid) object.metadata.uid = wanted.metadata.uid;
      if (wanted.metadata.resourceVersion) object.metadata.resourceVersion = wanted.metadata.resourceVersion;
      return object;
    },
  });
  return scaleOf(card, object);
}

function checkScale({ metadata, spec }: Scale, { name, namespace }: ObjectKey): void {
  if (metadata.name && metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (metadata.namespace && metadata.namespace !== namespace) throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  const replicas = spec?.replicas ?? 0;
  if (replicas < 0) throw invalid({ group: "autoscaling", kind: "Scale" }, name, [invalidValue("spec.replicas", replicas, "must be greater than or equal to 0")]);
}
