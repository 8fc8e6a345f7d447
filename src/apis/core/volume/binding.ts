import type { Frozen } from "../../../apimachinery/meta.ts";
import { thaw } from "../../../apimachinery/meta.ts";
import { newestDefault } from "../../../apimachinery/newest-default.ts";
import { compareQuantities, type QuantityLike } from "../../../apimachinery/quantity.ts";
import { fromLabelSelector, matchesLabels } from "../../../apimachinery/selectors/labels.ts";
import type { ObjectReference, PersistentVolume, PersistentVolumeClaim } from "../../generated/core/v1.ts";
import type { StorageClass } from "../../generated/storage/v1.ts";
import { betaStorageClass } from "./access-modes.ts";

/** What claims and volumes say of each other, as whoever binds them reads it: the binder, the scheduler, provisioners. Source: k8s.io/component-helpers/storage/volume. */

type Claim = Frozen<PersistentVolumeClaim>;
type Volume = Frozen<PersistentVolume>;

export const bindingAnnotations = {
  /** On a claim: it has been bound once. */
  bindCompleted: "pv.kubernetes.io/bind-completed",
  /** On either: the binder made the link, not the user. */
  boundByController: "pv.kubernetes.io/bound-by-controller",
  /** On a claim: the node that the scheduler chose; its volume is to be made for that node. */
  selectedNode: "volume.kubernetes.io/selected-node",
  /** On a volume: who made it. */
  provisionedBy: "pv.kubernetes.io/provisioned-by",
  /** On a claim: who is to make its volume. */
  provisioner: "volume.kubernetes.io/storage-provisioner",
  betaProvisioner: "volume.beta.kubernetes.io/storage-provisioner",
} as const;

/** A class of this provisioner has volumes that an administrator makes. */
export const noProvisioner = "kubernetes.io/no-provisioner";

export const hasAnnotation = ({ metadata }: Claim | Volume, name: string): boolean => metadata.annotations?.[name] !== undefined;

export const claimHasClass = (claim: Claim): boolean => hasAnnotation(claim, betaStorageClass) || claim.spec?.storageClassName !== undefined;
/** Empty for none. */
export const classOfClaim = ({ metadata, spec }: Claim): string => metadata.annotations?.[betaStorageClass] ?? spec?.storageClassName ?? "";
export const classOfVolume = ({ metadata, spec }: Volume): string => metadata.annotations?.[betaStorageClass] ?? spec?.storageClassName ?? "";

/** What marks a class as the one for claims that name none. */
export const defaultClassAnnotations = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
export const newestDefaultClass = (classes: readonly Frozen<StorageClass>[]): Frozen<StorageClass> | undefined => newestDefault<StorageClass>(classes, defaultClassAnnotations);

export const waitsForConsumer = (storageClass: Frozen<StorageClass> | undefined): boolean => storageClass?.volumeBindingMode === "WaitForFirstConsumer";

export const requestOf = ({ spec }: Claim): QuantityLike => spec?.resources?.requests?.["storage"] ?? "0";
export const capacityOf = ({ spec }: Volume): QuantityLike => spec?.capacity?.["storage"] ?? "0";

/** Both sides of the bond are made: the claim names its volume and has been through the binder. */
export const isFullyBound = (claim: Claim): boolean => Boolean(claim.spec?.volumeName) && hasAnnotation(claim, bindingAnnotations.bindCompleted);

/** Whether the volume is bound to the claim, or set aside for it by name. */
export function isVolumeBoundToClaim({ spec }: Volume, { metadata: { namespace, name, uid } }: Claim): boolean {
  const ref = spec?.claimRef;
  return ref !== undefined && ref.name === name && ref.namespace === namespace && (!ref.uid || ref.uid === uid);
}

/** The volume with its half of the bond; undefined when it has that already. */
export function bindVolumeToClaim(volume: Volume, claim: Claim): PersistentVolume | undefined {
  const ref = volume.spec?.claimRef, { namespace, name, uid } = claim.metadata;
  const marked = isVolumeBoundToClaim(volume, claim) || hasAnnotation(volume, bindingAnnotations.boundByController);
  const linked = ref?.name === name && ref?.namespace === namespace && ref?.uid === uid;
  if (marked && linked) return undefined;
  const bound = thaw<PersistentVolume>(volume);
  if (!linked) (bound.spec ??= {}).claimRef = claimReference(claim);
  if (!marked) (bound.metadata.annotations ??= {})[bindingAnnotations.boundByController] = "yes";
  return bound;
}

export const claimReference = ({ metadata: { namespace, name, uid, resourceVersion } }: Claim): ObjectReference =>
  ({ apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid, resourceVersion });

export const volumeModesDiffer = (claim: Claim, volume: Volume): boolean => (claim.spec?.volumeMode ?? "Filesystem") !== (volume.spec?.volumeMode ?? "Filesystem");
export const attributesClassesDiffer = (claim: Claim, volume: Volume): boolean => (claim.spec?.volumeAttributesClassName ?? "") !== (volume.spec?.volumeAttributesClassName ?? "");
export const offersAccessModes = (volume: Volume, claim: Claim): boolean => (claim.spec?.accessModes ?? []).every((mode) => volume.spec?.accessModes?.includes(mode));

export interface Match {
  /** Whether the volume can be used where it is needed; without it place doesn't matter. */
  reachable?(volume: Volume): boolean;
  /** Only a volume that is set aside for the claim will do: the scheduler chooses among others. */
  onlySetAside?: boolean;
  /** Names of volumes that are spoken for. */
  taken?: ReadonlySet<string>;
}

/** The volume that is set aside for the claim, or the smallest that will do; undefined when there is none. Source: FindMatchingVolume. */
export function findMatchingVolume(claim: Claim, volumes: Iterable<Volume>, { reachable = () => true, onlySetAside = false, taken }: Match = {}): Volume | undefined {
  const request = requestOf(claim), storageClass = classOfClaim(claim);
  const selector = claim.spec?.selector && fromLabelSelector(claim.spec.selector);
  let smallest: Volume | undefined;
  for (const volume of volumes) {
    if (taken?.has(volume.metadata.name!)) continue;
    const setAside = isVolumeBoundToClaim(volume, claim);
    if (volume.spec?.claimRef && !setAside) continue;
    if (volume.metadata.deletionTimestamp || volumeModesDiffer(claim, volume) || attributesClassesDiffer(claim, volume) || compareQuantities(capacityOf(volume), request) < 0) continue;
    if (setAside) return reachable(volume) ? volume : undefined;
    if (onlySetAside || volume.status?.phase !== "Available" || classOfVolume(volume) !== storageClass) continue;
    if (selector && !matchesLabels(selector, volume.metadata.labels)) continue;
    if (!offersAccessModes(volume, claim) || (smallest && compareQuantities(capacityOf(volume), capacityOf(smallest)) >= 0) || !reachable(volume)) continue;
    smallest = volume;
  }
  return smallest;
}
