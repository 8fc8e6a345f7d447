import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { keyOf } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { StatusError } from "../../apimachinery/status.ts";
import type { Lister } from "../../client/informer.ts";
import { handles, type Admission, type AdmissionAttributes } from "../admission/admission.ts";
import type { Listers } from "../listers.ts";
import { admin } from "./fixture.ts";

/** Listers over plain objects, by resource. */
export function listersOf(objects: Record<string, readonly KubeObject[]>): Listers {
  return <T extends KubeObject>(_: string, resource: string) => {
    const all = (objects[resource] ?? []) as readonly Frozen<T>[];
    const lister: Lister<T> = {
      get: (key) => all.find((object) => keyOf(object as Frozen<KubeObject>) === key),
      list: () => all,
      controlledBy: () => [],
      resourceVersion: "1",
    };
    return lister;
  };
}

/** A write by an administrator, unless said otherwise. Namespace and name come from the object. */
export function attributesOf(card: AnyResource, rest: Partial<AdmissionAttributes>): AdmissionAttributes {
  const metadata = rest.object?.metadata ?? rest.oldObject?.metadata;
  return {
    context: { user: admin, warn: () => undefined }, operation: "CREATE", card, subresource: "", dryRun: false,
    namespace: metadata?.namespace ?? "", name: metadata?.name ?? "", ...rest,
  };
}

/** Runs a plugin as the chain would; the reason it refused with, or "". */
export async function run(plugin: Admission, attributes: AdmissionAttributes): Promise<string> {
  if (!handles(plugin, attributes)) return "";
  try {
    await plugin.admit?.(attributes);
    await plugin.validate?.(attributes);
    return "";
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.message}`;
    throw error;
  }
}
