import { createHash } from "node:crypto";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../../src/apis/generated/core/v1.ts";
import type { CsiVolume } from "../csi/csi-volume.ts";
import type { Pod } from "../pod/pod.ts";
import { oncePerPod } from "./once-per-pod.ts";
import type { VolumePlugin } from "./volume.ts";

/** A volume that a driver makes for the pod alone. Source: https://kubernetes-csi.github.io/docs/ephemeral-local-volumes.html */
export const csiVolume = (): VolumePlugin => oncePerPod({
  name: "kubernetes.io~csi",
  supports: (volume) => volume.csi !== undefined,
  open({ pod, volume, csi }) {
    const { driver, fsType, readOnly = false, volumeAttributes = {}, nodePublishSecretRef } = volume.csi!;
    const namespace = pod.metadata.namespace!;
    return csi.setUp({
      pod, name: volume.name, driver, volumeHandle: `csi-${createHash("sha256").update(`${pod.metadata.uid}${volume.name}`).digest("hex")}`, ephemeral: true, block: false, readOnly,
      ...(fsType ? { fsType } : {}), accessModes: ["ReadWriteOnce"], mountOptions: [], attributes: volumeAttributes,
      ...(nodePublishSecretRef?.name ? { publishSecret: { namespace, name: nodePublishSecretRef.name } } : {}),
    });
  },
});

/** What a PersistentVolume says of its driver's volume. */
export function csiVolumeOf(pod: Pod, claim: Frozen<PersistentVolumeClaim>, volume: Frozen<PersistentVolume>, readOnly: boolean): CsiVolume {
  const { metadata, spec } = volume;
  const { driver, volumeHandle, fsType, volumeAttributes = {}, nodeStageSecretRef, nodePublishSecretRef, nodeExpandSecretRef, readOnly: alwaysReadOnly = false } = spec!.csi!;
  const secret = (reference: typeof nodeStageSecretRef): { namespace: string; name: string } | undefined => (reference?.name && reference.namespace ? { namespace: reference.namespace, name: reference.name } : undefined);
  const stageSecret = secret(nodeStageSecretRef), publishSecret = secret(nodePublishSecretRef), expandSecret = secret(nodeExpandSecretRef);
  return {
    pod, name: metadata.name!, driver, volumeHandle, ephemeral: false, block: spec!.volumeMode === "Block", readOnly: readOnly || alwaysReadOnly,
    ...(fsType ? { fsType } : {}), accessModes: spec!.accessModes ?? [], mountOptions: spec!.mountOptions ?? [], attributes: volumeAttributes,
    ...(stageSecret ? { stageSecret } : {}), ...(publishSecret ? { publishSecret } : {}), ...(expandSecret ? { expandSecret } : {}), claimed: { claim, volume },
  };
}
