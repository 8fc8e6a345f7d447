import { cloneJson } from "./clone.ts";
import type { ObjectMeta } from "../apis/generated/meta/v1.ts";
export type { Condition, LabelSelector, LabelSelectorRequirement, ListMeta, ObjectMeta, OwnerReference } from "../apis/generated/meta/v1.ts";

/** What every object of the API has. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** Deeply read-only: what a lister or the cache returns is shared. `thaw` it to change it. */
export type Frozen<T> = T extends (infer U)[] ? readonly Frozen<U>[] : T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** A changeable copy of a shared object. */
export function thaw<T>(object: Frozen<T> | T): T {
  return cloneJson(object) as T;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of queues and listers. */
export function keyOf(object: { metadata: Frozen<ObjectMeta> | ObjectMeta }): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name!;
}

/** The inverse of `keyOf`. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { namespace: "", name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
