import type { Frozen } from "../../apimachinery/meta.ts";
import { thaw } from "../../apimachinery/meta.ts";
import { bindingAnnotations, hasAnnotation, volumeModesDiffer } from "../../apis/core/volume/binding.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import type { Told } from "./claim-plan.ts";

type Claim = Frozen<PersistentVolumeClaim>;
type Volume = Frozen<PersistentVolume>;

/** What is to be done for a volume: its phase, which is written and told when it differs, or the end of a bond that the claim doesn't share. */
export type VolumePlan =
  | { action: "none" }
  | { action: "phase"; phase: "Available" | "Bound" | "Released" | "Failed"; told?: Told }
  | { action: "unbind" }
  | { action: "mismatch"; toldVolume: Told; toldClaim: Told };

/** `claim` is the one of the name that the volume refers to, if there is any. Source: k8s.io/kubernetes/pkg/controller/volume/persistentvolume syncVolume. */
export function planVolume(volume: Volume, claim: Claim | undefined): VolumePlan {
  const ref = volume.spec?.claimRef;
  // Free, or set aside for a claim that has yet to come.
  if (!ref?.uid) return phase(volume, "Available");
  if (!claim || claim.metadata.uid !== ref.uid) return planReleased(volume);
  const bound = claim.spec?.volumeName;
  if (!bound) return volumeModesDiffer(claim, volume) ? mismatch(volume, claim) : { action: "none" };
  if (bound === volume.metadata.name) return phase(volume, "Bound");
  // The claim has another volume; one that was made for it is of no use to anybody then.
  const made = hasAnnotation(volume, bindingAnnotations.provisionedBy) && volume.spec?.persistentVolumeReclaimPolicy === "Delete";
  return made ? planReleased(volume) : { action: "unbind" };
}

const phase = (volume: Volume, wanted: "Available" | "Bound"): VolumePlan => (volume.status?.phase === wanted ? { action: "none" } : { action: "phase", phase: wanted });

function planReleased(volume: Volume): VolumePlan {
  const current = volume.status?.phase;
  if (current !== "Released" && current !== "Failed") return { action: "phase", phase: "Released" };
  const told = current === "Failed" ? undefined : reclaimFailure(volume);
  return told ? { action: "phase", phase: "Failed", told } : { action: "none" };
}

/** Why a released volume can't be reclaimed as its policy says; undefined where its provisioner sees to it, or nothing is to be done. */
function reclaimFailure(volume: Volume): Told | undefined {
  const { spec, metadata } = volume;
  switch (spec?.persistentVolumeReclaimPolicy) {
    case "Recycle": return { type: "Warning", reason: "VolumeFailedRecycle", message: "No recycler plugin found for the volume!" };
    case "Delete": {
      const provisioner = metadata.annotations?.[bindingAnnotations.provisionedBy];
      const failed = (message: string): Told => ({ type: "Warning", reason: "VolumeFailedDelete", message });
      if (provisioner) return provisioner.startsWith("kubernetes.io/") ? failed(`no volume plugin matched name: ${provisioner}`) : undefined;
      if (spec.csi) return undefined;
      const known = spec.hostPath ?? spec.nfs ?? spec.fc ?? spec.iscsi;
      return failed(`error getting deleter volume plugin for volume "${metadata.name}": ${known ? "no deletable volume plugin matched" : "no volume plugin matched"}`);
    }
    default: return undefined;
  }
}

function mismatch(volume: Volume, claim: Claim): VolumePlan {
  const told = (message: string): Told => ({ type: "Warning", reason: "VolumeMismatch", message });
  return {
    action: "mismatch",
    toldVolume: told(`Cannot bind PersistentVolume to requested PersistentVolumeClaim "${claim.metadata.name}" due to incompatible volumeMode.`),
    toldClaim: told(`Cannot bind PersistentVolume "${volume.metadata.name}" to requested PersistentVolumeClaim due to incompatible volumeMode.`),
  };
}

/** The volume without its half of the bond: free again, or set aside for the claim's name where the user did that. */
export function unboundVolume(volume: Volume): PersistentVolume {
  const unbound = thaw<PersistentVolume>(volume), { annotations } = unbound.metadata;
  if (annotations?.[bindingAnnotations.boundByController] === undefined) {
    delete unbound.spec!.claimRef!.uid;
    return unbound;
  }
  delete unbound.spec!.claimRef;
  delete annotations[bindingAnnotations.boundByController];
  return unbound;
}
