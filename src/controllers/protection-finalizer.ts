import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { Patch } from "../client/client.ts";

/** Whether the object is being deleted and this finalizer holds it. */
export const isHeldBy = ({ metadata }: Frozen<KubeObject>, finalizer: string): boolean => metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(finalizer) === true;

/** Whether the object should have the finalizer and hasn't: admission gives it to new ones, users may take it away. */
export const lacks = ({ metadata }: Frozen<KubeObject>, finalizer: string): boolean => metadata.deletionTimestamp === undefined && !metadata.finalizers?.includes(finalizer);

export const withFinalizer = (object: Frozen<KubeObject>, finalizer: string): Patch => finalizersPatch(object, [...object.metadata.finalizers ?? [], finalizer]);
export const withoutFinalizer = (object: Frozen<KubeObject>, finalizer: string): Patch => finalizersPatch(object, (object.metadata.finalizers ?? []).filter((one) => one !== finalizer));

/** Of this very object, and no other version of it. */
export const finalizersPatch = ({ metadata: { uid, resourceVersion } }: Frozen<KubeObject>, finalizers: readonly string[]): Patch =>
  ({ type: "application/merge-patch+json", body: { metadata: { uid, resourceVersion, finalizers } } });
