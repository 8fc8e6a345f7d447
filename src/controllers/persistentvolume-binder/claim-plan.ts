import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities, value } from "../../apimachinery/quantity.ts";
import {
  attributesClassesDiffer, bindingAnnotations, capacityOf, claimHasClass, classOfClaim, classOfVolume, findMatchingVolume, hasAnnotation, isVolumeBoundToClaim,
  offersAccessModes, requestOf, volumeModesDiffer, waitsForConsumer,
} from "../../apis/core/volume/binding.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import type { StorageClass } from "../../apis/generated/storage/v1.ts";
import type { EventType } from "../../client/recorder.ts";

type Claim = Frozen<PersistentVolumeClaim>;
type Volume = Frozen<PersistentVolume>;

/** What is told of a claim or a volume. */
export interface Told {
  type: EventType;
  reason: string;
  message: string;
}

/** What is to be done for a claim. */
export type ClaimPlan =
  /** Make both halves of the bond, or what is missing of it. */
  | { action: "bind"; volume: Volume }
  /** Its volume is gone, or somebody else's, for good: said once, when the phase changes. */
  | { action: "lose"; told: Told }
  /** It stays, or becomes, Pending. */
  | { action: "wait"; told?: Told }
  /** Give it the default class, and look again. */
  | { action: "assignClass"; storageClass: string }
  /** Ask a provisioner for a volume. */
  | { action: "provision"; provisioner: string; told: Told }
  /** It can't be bound as it is; its phase stays. */
  | { action: "tell"; told: Told };

export interface ClaimWorld {
  volume(name: string): Volume | undefined;
  /** Asked for only when the claim names no volume. */
  volumes(): readonly Volume[];
  storageClass(name: string): Frozen<StorageClass> | undefined;
  /** The newest of those marked as default. */
  defaultClass(): string | undefined;
  /** Names of the active pods that use the claim and have no node. */
  unscheduledPods(): readonly string[];
}

const normal = (reason: string, message: string): Told => ({ type: "Normal", reason, message });
const warning = (reason: string, message: string): Told => ({ type: "Warning", reason, message });

/** Source: k8s.io/kubernetes/pkg/controller/volume/persistentvolume syncClaim. */
export const planClaim = (claim: Claim, world: ClaimWorld): ClaimPlan =>
  hasAnnotation(claim, bindingAnnotations.bindCompleted) ? planBound(claim, world) : claim.spec?.volumeName ? planRequested(claim, world) : planUnbound(claim, world);

function planBound(claim: Claim, world: ClaimWorld): ClaimPlan {
  const name = claim.spec?.volumeName;
  if (!name) return { action: "lose", told: warning("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!") };
  const volume = world.volume(name);
  if (!volume) return { action: "lose", told: warning("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!") };
  const ref = volume.spec?.claimRef;
  if (!ref || ref.uid === claim.metadata.uid) return { action: "bind", volume };
  return { action: "lose", told: warning("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly") };
}

/** The user, or whoever makes volumes, has named a volume. */
function planRequested(claim: Claim, world: ClaimWorld): ClaimPlan {
  const name = claim.spec!.volumeName!;
  const volume = world.volume(name);
  if (!volume) return { action: "wait" };
  if (!volume.spec?.claimRef) {
    const mismatch = whyNot(volume, claim);
    return mismatch ? { action: "wait", told: warning("VolumeMismatch", `Cannot bind to requested volume "${name}": ${mismatch}`) } : { action: "bind", volume };
  }
  if (isVolumeBoundToClaim(volume, claim)) return { action: "bind", volume };
  const told = warning("FailedBinding", `volume "${name}" already bound to a different claim.`);
  // Somebody took the mark of a finished bond from the claim.
  return { action: hasAnnotation(claim, bindingAnnotations.boundByController) ? "tell" : "wait", told };
}

/** Why a volume that was asked for by name won't do. Source: checkVolumeSatisfyClaim. */
function whyNot(volume: Volume, claim: Claim): string | undefined {
  if (volume.metadata.deletionTimestamp) return `the volume is marked for deletion "${volume.metadata.name}"`;
  if (value(capacityOf(volume)) < value(requestOf(claim))) return "requested PV is too small";
  if (classOfVolume(volume) !== classOfClaim(claim)) return "storageClassName does not match";
  if (attributesClassesDiffer(claim, volume)) return "volumeAttributesClassName does not match";
  if (volumeModesDiffer(claim, volume)) return "incompatible volumeMode";
  return offersAccessModes(volume, claim) ? undefined : "incompatible accessMode";
}

function planUnbound(claim: Claim, world: ClaimWorld): ClaimPlan {
  const className = classOfClaim(claim);
  const storageClass = className ? world.storageClass(className) : undefined;
  const delayed = waitsForConsumer(storageClass);
  const volume = closestVolume(claim, world.volumes(), delayed);
  if (volume) return { action: "bind", volume };
  const assigned = claimHasClass(claim) ? undefined : world.defaultClass();
  if (assigned) return { action: "assignClass", storageClass: assigned };
  if (delayed && !hasAnnotation(claim, bindingAnnotations.selectedNode)) return { action: "wait", told: waitingFor(world.unscheduledPods()) };
  if (!className) return { action: "wait", told: normal("FailedBinding", "no persistent volumes available for this claim and no storage class is set") };
  if (!storageClass) return { action: "tell", told: warning("ProvisioningFailed", `storageclass.storage.k8s.io "${className}" not found`) };
  return planProvisioning(storageClass);
}

function planProvisioning({ provisioner }: Frozen<StorageClass>): ClaimPlan {
  // Kubernetes' own provisioners, of which none is left, and the one that stands for none.
  if (provisioner.startsWith("kubernetes.io/")) return { action: "tell", told: warning("ProvisioningFailed", `no volume plugin matched name: ${provisioner}`) };
  return {
    action: "provision", provisioner,
    told: normal("ExternalProvisioning", `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`),
  };
}

function waitingFor(pods: readonly string[]): Told {
  if (pods.length === 0) return normal("WaitForFirstConsumer", "waiting for first consumer to be created before binding");
  return normal("WaitForPodScheduled", `waiting for ${pods.length > 1 ? "pods" : "pod"} ${pods.join(",")} to be scheduled`);
}

/** Of the volumes that offer the access modes those that offer the fewest besides; of these the smallest that will do. */
function closestVolume(claim: Claim, volumes: readonly Volume[], onlySetAside: boolean): Volume | undefined {
  const byModes = Map.groupBy(volumes.filter((volume) => offersAccessModes(volume, claim)), ({ spec }) => new Set(spec?.accessModes).size);
  for (const count of [...byModes.keys()].sort((a, b) => a - b)) {
    const found = findMatchingVolume(claim, byModes.get(count)!, { onlySetAside });
    if (found) return found;
  }
  return undefined;
}

/** The claim's status in a phase, with its volume or without; undefined when it is that already. Source: updateClaimStatus. */
export function claimStatusIn(phase: "Pending" | "Bound" | "Lost", claim: Claim, volume: Volume | undefined): PersistentVolumeClaim["status"] | undefined {
  const old = claim.status ?? {}, { accessModes, capacity, currentVolumeAttributesClassName: attributes, ...rest } = structuredClone(old) as NonNullable<PersistentVolumeClaim["status"]>;
  if (!volume) {
    if (old.phase === phase && !accessModes && !capacity && attributes === undefined) return undefined;
    return { ...rest, phase };
  }
  const becomes = old.phase !== phase;
  const modes = [...volume.spec?.accessModes ?? []];
  const sameModes = modes.length === (accessModes?.length ?? 0) && modes.every((mode, index) => mode === accessModes![index]);
  if (!becomes && sameModes) return undefined;
  const size = volume.metadata.annotations?.["volume.alpha.kubernetes.io/pre-resize-capacity"] ?? capacityOf(volume);
  // A size that differs later on is meant: the file system may not have grown with its device yet.
  const sized = becomes && (capacity?.["storage"] === undefined || compareQuantities(capacity["storage"], size) !== 0) ? { ...capacity, storage: String(size) } : capacity;
  const current = becomes && old.phase === "Pending" ? volume.spec?.volumeAttributesClassName : attributes;
  return { ...rest, phase, accessModes: modes, ...(sized ? { capacity: sized } : {}), ...(current === undefined ? {} : { currentVolumeAttributesClassName: current }) };
}
