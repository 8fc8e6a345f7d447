import { keyOf, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists } from "../../apimachinery/status.ts";
import { persistentvolumeclaims, pods } from "../../apis/builtins.ts";
import { ephemeralClaimName, notMadeForPod } from "../../apis/core/volume/pod-claims.ts";
import type { PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod, Volume } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type ReconcileContext } from "../../client/controller.ts";
import { controllerRef, newControllerRef } from "../controller-ref.ts";

const hasEphemeralVolumes = (pod: Frozen<Pod>): boolean => pod.spec?.volumes?.some(({ ephemeral }) => ephemeral) === true;

/** Makes the claims of pods' generic ephemeral volumes; they go with their pod. Source: k8s.io/kubernetes/pkg/controller/volume/ephemeral. */
export const ephemeralVolume = defineController<Pod>({
  name: "ephemeral-volume-controller", eventSource: "ephemeral_volume", writes: [persistentvolumeclaims, { apiGroups: [""], resources: ["pods/finalizers"], verbs: ["update"] }],
  watches: [
    // Volumes of a pod don't change: only a new pod asks for claims.
    watchOf(pods, (pod, old) => (pod && !old && hasEphemeralVolumes(pod) ? [keyOf(pod)] : [])),
    // A claim that was deleted is made again for as long as its pod is there; one in the way of another that went makes room.
    watchOf(persistentvolumeclaims, (claim, old, { lister }) => {
      if (claim || !old) return [];
      const owner = controllerRef(old);
      const waiting = owner?.kind === "Pod" ? [lister(pods).get(`${old.metadata.namespace}/${owner.name}`)] : lister(pods).list(old.metadata.namespace);
      return waiting.filter((pod) => pod?.spec?.volumes?.some(({ name, ephemeral }) => ephemeral && ephemeralClaimName(pod, name) === old.metadata.name)).map((pod) => keyOf(pod!));
    }),
  ],
  async reconcile(key, context) {
    const pod = context.lister(pods).get(key);
    if (!pod || pod.metadata.deletionTimestamp) return;
    for (const volume of pod.spec?.volumes ?? []) {
      if (!volume.ephemeral) continue;
      const failure = await makeClaim(pod, volume, context);
      if (!failure) continue;
      context.recorder.event(pod, "Warning", "FailedBinding", `ephemeral volume ${volume.name}: ${failure.message}`);
      if (failure.cause) throw failure.cause;
      return;
    }
  },
});

/** Why there is no claim for the volume; without a cause where another claim is in its place. */
async function makeClaim(pod: Frozen<Pod>, volume: Frozen<Volume>, { client, lister }: ReconcileContext): Promise<{ message: string; cause?: unknown } | undefined> {
  const name = ephemeralClaimName(pod, volume.name), namespace = pod.metadata.namespace!;
  const existing = lister(persistentvolumeclaims).get(`${namespace}/${name}`);
  if (existing) {
    const conflict = notMadeForPod(pod, existing);
    return conflict === undefined ? undefined : { message: conflict };
  }
  const { metadata: { annotations, labels } = {}, spec } = thaw<PersistentVolumeClaimTemplate>(volume.ephemeral!.volumeClaimTemplate!);
  const claim: PersistentVolumeClaim = {
    apiVersion: "v1", kind: "PersistentVolumeClaim",
    metadata: { name, namespace, ...(annotations ? { annotations } : {}), ...(labels ? { labels } : {}), ownerReferences: [newControllerRef(pods, pod)] },
    spec: spec!,
  };
  try {
    await client.create(persistentvolumeclaims, claim);
    return undefined;
  } catch (error) {
    // Made a moment ago: the next look says whose it is.
    if (isAlreadyExists(error)) throw error;
    return { message: `create PVC ${name}: ${(error as Error).message}`, cause: error };
  }
}
