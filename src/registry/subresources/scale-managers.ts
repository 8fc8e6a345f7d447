import { difference, emptySet, has, isEmpty, setOf, type FieldSet } from "../../apimachinery/managedfields/field-set.ts";
import { identify, readManagers, writeManagers, type Managers } from "../../apimachinery/managedfields/managers.ts";
import { fieldElement } from "../../apimachinery/managedfields/path-element.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import type { ManagedFieldsEntry } from "../../apis/generated/meta/v1.ts";

// Who owns a Scale's replicas owns those of the object. Source: k8s.io/apimachinery pkg/util/managedfields/scalehandler.go.

export const scaleVersion = "autoscaling/v1";
const replicasOfScale = ["f:spec", "f:replicas"];
const scaleSet = setOf(replicasOfScale);

const replicasOf = (card: AnyResource): string[] => (card.subresources.scale?.replicasPath ?? ["spec", "replicas"]).map(fieldElement);

/** The managers of an object that own its replicas, as managers of its Scale. */
export function managersOfScale(card: AnyResource, object: Frozen<KubeObject>): ManagedFieldsEntry[] | undefined {
  const path = replicasOf(card), ofScale: Managers = new Map();
  for (const entry of readManagers(object.metadata.managedFields, true).values()) {
    if (entry.apiVersion !== apiVersionOf(card) || !has(entry.set, path)) continue;
    const seen = { ...entry, apiVersion: scaleVersion, set: scaleSet };
    ofScale.set(identify(seen), seen);
  }
  return writeManagers(ofScale);
}

/** The managers of an object after a write to its Scale: who doesn't own the replicas there any more has lost them, and who is new there has them. */
export function managersOfScaled(card: AnyResource, object: Frozen<KubeObject>, entries: ManagedFieldsEntry[] | undefined): ManagedFieldsEntry[] | undefined {
  const path = replicasOf(card), replicas = setOf(path), apiVersion = apiVersionOf(card);
  const ofScale = readManagers(entries, true), result: Managers = new Map();
  for (const [id, entry] of readManagers(object.metadata.managedFields, true)) {
    const isOwner = entry.apiVersion === apiVersion && has(entry.set, path);
    const set: FieldSet = isOwner && !ofScale.delete(id) ? difference(entry.set, replicas) : entry.set;
    if (!isEmpty(set)) result.set(id, { ...entry, set });
  }
  // As in Kubernetes, theirs are without a time.
  for (const [id, entry] of ofScale) result.set(id, { ...entry, apiVersion, time: undefined, set: has(entry.set, replicasOfScale) ? replicas : emptySet });
  return writeManagers(result);
}
