import { keyOf, splitKey, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import { persistentvolumeclaims, persistentvolumes, pods } from "../../apis/builtins.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";

const claimFinalizer = "kubernetes.io/pvc-protection";
const volumeFinalizer = "kubernetes.io/pv-protection";

/** Lets a claim that is deleted go once no pod on a node uses it. Source: pkg/controller/volume/pvcprotection. */
export const persistentVolumeClaimProtection = defineController<PersistentVolumeClaim>({
  name: "pvc-protection-controller", for: persistentvolumeclaims, writes: [persistentvolumeclaims],
  watches: [watchOf(pods, (current, old) => (old && (!current || isShutDown(current) !== isShutDown(old)) ? claimsOf(old) : []))],
  async reconcile(key, { client, lister }) {
    const claim = lister(persistentvolumeclaims).get(key);
    if (!claim || !isHeldBy(claim, claimFinalizer)) return;
    const { namespace, name } = splitKey(key);
    if (lister(pods).list(namespace).some((pod) => uses(pod, claim))) return;
    await client.patch(persistentvolumeclaims, { namespace, name }, without(claim, claimFinalizer));
  },
});

/** Lets a volume that is deleted go unless it is bound to a claim. Source: pkg/controller/volume/pvprotection. */
export const persistentVolumeProtection = defineController<PersistentVolume>({
  name: "pv-protection-controller", for: persistentvolumes, writes: [persistentvolumes],
  async reconcile(name, { client, lister }) {
    const volume = lister(persistentvolumes).get(name);
    if (!volume || !isHeldBy(volume, volumeFinalizer) || volume.status?.phase === "Bound") return;
    await client.patch(persistentvolumes, { name }, without(volume, volumeFinalizer));
  },
});

const isHeldBy = ({ metadata }: Frozen<KubeObject>, finalizer: string): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(finalizer) === true;

const without = ({ metadata: { uid, resourceVersion, finalizers = [] } }: Frozen<KubeObject>, finalizer: string) =>
  ({ type: "application/merge-patch+json", body: { metadata: { uid, resourceVersion, finalizers: finalizers.filter((one) => one !== finalizer) } } }) as const;

/** Pods on no node count for nothing: no kubelet starts one whose claim is being deleted. */
function uses(pod: Frozen<Pod>, { metadata }: Frozen<PersistentVolumeClaim>): boolean {
  const isOwn = (): boolean => metadata.ownerReferences?.some(({ controller, uid }) => controller && uid === pod.metadata.uid) === true;
  return Boolean(pod.spec?.nodeName) && (pod.spec?.volumes ?? []).some(({ name, persistentVolumeClaim, ephemeral }) =>
    persistentVolumeClaim?.claimName === metadata.name
    || (ephemeral && !isShutDown(pod) && ephemeralClaim(pod, name) === metadata.name && isOwn()));
}

/** Keys of claims that the pod names, and of those made for it. */
const claimsOf = (pod: Frozen<Pod>): string[] => (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
  const claim = persistentVolumeClaim?.claimName ?? (ephemeral ? ephemeralClaim(pod, name) : undefined);
  return claim === undefined ? [] : [keyOf({ metadata: { namespace: pod.metadata.namespace, name: claim } })];
});

const ephemeralClaim = (pod: Frozen<Pod>, volume: string): string => `${pod.metadata.name}-${volume}`;

/** The kubelet is done with it, or it was deleted by force; finalizers may keep it. */
const isShutDown = ({ metadata }: Frozen<Pod>): boolean => metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;
