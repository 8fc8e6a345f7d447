import type { Frozen, KubeObject } from "../apimachinery/meta.ts";

/** For `prepareForStatusUpdate` of kinds whose status doesn't bring labels and the like with it. Source: metav1.ResetObjectMetaForStatus. */
export function keepMetadata({ metadata }: KubeObject, { metadata: old }: Frozen<KubeObject>): void {
  for (const field of ["labels", "annotations", "finalizers", "ownerReferences"] as const) {
    if (old[field] === undefined) delete metadata[field];
    else metadata[field] = structuredClone(old[field]) as never;
  }
}
