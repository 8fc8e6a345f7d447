import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { AnyResource } from "../../../apimachinery/resource.ts";
import type { AdmissionAttributes } from "../admission.ts";
import type { ReviewedObjects } from "./review.ts";

/** An object that `from` serves, as `to` serves it: both serve the same stored objects. */
async function convert(object: KubeObject, from: AnyResource, to: AnyResource): Promise<KubeObject> {
  const stored = from.stored ? await from.stored.write(structuredClone(object)) : object;
  const [read] = to.stored ? await to.stored.read([stored]) : [stored];
  return structuredClone(read) as KubeObject;
}

/** The objects of a write in another version of their kind. Bodies of subresources have none. */
export async function objectsAs({ card: own, object, oldObject }: AdmissionAttributes, card: AnyResource): Promise<ReviewedObjects> {
  if (card === own) return { object, oldObject };
  const inVersion = async <T extends Frozen<KubeObject> | KubeObject | undefined>(each: T): Promise<T> =>
    (each && (each.kind === undefined || each.kind === own.kind) ? await convert(each as KubeObject, own, card) : each) as T;
  return { object: await inVersion(object), oldObject: await inVersion(oldObject) };
}

/** Makes `target` the same as `source`, seen in another version: who holds the object goes on with the changed one. */
export async function replaceWith(target: KubeObject, source: KubeObject, from: AnyResource, to: AnyResource): Promise<void> {
  const converted = from === to ? source : await convert(source, from, to);
  for (const field of Object.keys(target)) delete (target as unknown as Record<string, unknown>)[field];
  Object.assign(target, converted);
}
