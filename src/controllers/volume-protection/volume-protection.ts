import { splitKey, type Frozen } from "../../apimachinery/meta.ts";
import { persistentvolumeclaims, persistentvolumes, pods } from "../../apis/builtins.ts";
import { claimNameOf, claimNames, notMadeForPod } from "../../apis/core/volume/pod-claims.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { isHeldBy, lacks, withFinalizer, withoutFinalizer } from "../protection-finalizer.ts";

const claimFinalizer = "kubernetes.io/pvc-protection";
const volumeFinalizer = "kubernetes.io/pv-protection";

/** Lets a claim that is deleted go once no pod on a node uses it, and holds those that aren't. Source: pkg/controller/volume/pvcprotection. */
export const persistentVolumeClaimProtection = defineController<PersistentVolumeClaim>({
  name: "pvc-protection-controller", for: persistentvolumeclaims, writes: [persistentvolumeclaims],
  watches: [watchOf(pods, (current, old) => (old && (!current || isShutDown(current) !== isShutDown(old)) ? claimsOf(old) : []))],
  async reconcile(key, { client, lister }) {
    const claim = lister(persistentvolumeclaims).get(key);
    if (!claim) return;
    const { namespace, name } = splitKey(key);
    if (lacks(claim, claimFinalizer)) await client.patch(persistentvolumeclaims, { namespace, name }, withFinalizer(claim, claimFinalizer));
    if (!isHeldBy(claim, claimFinalizer) || lister(pods).list(namespace).some((pod) => uses(pod, claim))) return;
    await client.patch(persistentvolumeclaims, { namespace, name }, withoutFinalizer(claim, claimFinalizer));
  },
});

/** Lets a volume that is deleted go unless it is bound to a claim, and holds those that aren't deleted. Source: pkg/controller/volume/pvprotection. */
export const persistentVolumeProtection = defineController<PersistentVolume>({
  name: "pv-protection-controller", for: persistentvolumes, writes: [persistentvolumes],
  async reconcile(name, { client, lister }) {
    const volume = lister(persistentvolumes).get(name);
    if (!volume) return;
    if (lacks(volume, volumeFinalizer)) await client.patch(persistentvolumes, { name }, withFinalizer(volume, volumeFinalizer));
    if (isHeldBy(volume, volumeFinalizer) && volume.status?.phase !== "Bound") await client.patch(persistentvolumes, { name }, withoutFinalizer(volume, volumeFinalizer));
  },
});

/** Pods on no node count for nothing: no kubelet starts one whose claim is being deleted. */
const uses = (pod: Frozen<Pod>, claim: Frozen<PersistentVolumeClaim>): boolean =>
  Boolean(pod.spec?.nodeName) && (pod.spec?.volumes ?? []).some((volume) => claimNameOf(pod, volume) === claim.metadata.name && (!volume.ephemeral || (!isShutDown(pod) && !notMadeForPod(pod, claim))));

/** Keys of claims that the pod names, and of those made for it. */
const claimsOf = (pod: Frozen<Pod>): string[] => claimNames(pod).map((name) => `${pod.metadata.namespace}/${name}`);

/** The kubelet is done with it, or it was deleted by force; finalizers may keep it. */
const isShutDown = ({ metadata }: Frozen<Pod>): boolean => metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;
