import { ageColumn, defineResource, nameColumn } from "../../../apimachinery/resource.ts";
import { formatQuantity, quantityOf } from "../../../apimachinery/quantity.ts";
import { formatTime } from "../../../apimachinery/time.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { PersistentVolume } from "../../generated/core/v1.ts";
import { nodeTermWarnings } from "../node-labels.ts";
import { roundAmounts } from "../round-amounts.ts";
import { betaStorageClass, formatAccessModes } from "./access-modes.ts";
import { defaultNetworkVolume } from "./network-sources.ts";
import { validateVolumeSpec, validateVolumeUpdate } from "./volume-validation.ts";
export type { PersistentVolume } from "../../generated/core/v1.ts";

export const persistentvolumes = defineResource<PersistentVolume>({
  group: "", version: "v1", kind: "PersistentVolume", resource: "persistentvolumes", scope: "Cluster", shortNames: ["pv"],
  subresources: { status: true },
  schema: "io.k8s.api.core.v1.PersistentVolume",
  default: defaultVolume,
  strategy: {
    prepareForCreate(volume) {
      delete volume.metadata.generation;
      volume.status = { phase: "Pending", lastPhaseTransitionTime: volume.metadata.creationTimestamp! };
    },
    prepareForStatusUpdate: keepTransitionTime,
    validate: ({ metadata, spec }) => validateVolumeSpec(spec ?? {}, metadata.name ?? ""),
    validateUpdate: validateVolumeUpdate,
    warnings: volumeWarnings,
  },
  fieldSelectors: { name: ({ metadata }) => metadata.name ?? "" },
  columns: [
    nameColumn(),
    { name: "Capacity", type: "string", description: "capacity is the description of the persistent volume's resources and capacity. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#capacity", value: ({ spec }) => formatQuantity(quantityOf(spec?.capacity?.["storage"] ?? "0")) },
    { name: "Access Modes", type: "string", description: "accessModes contains all ways the volume can be mounted. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes", value: ({ spec }) => formatAccessModes(spec?.accessModes) },
    { name: "Reclaim Policy", type: "string", description: "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its claim. Valid options are Retain (default for manually created PersistentVolumes), Delete (default for dynamically provisioned PersistentVolumes), and Recycle (deprecated). Recycle must be supported by the volume plugin underlying this PersistentVolume. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#reclaiming", value: ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? "" },
    { name: "Status", type: "string", description: "phase indicates if a volume is available, bound to a claim, or released by a claim. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#phase", value: ({ metadata, status }) => (metadata.deletionTimestamp ? "Terminating" : status?.phase ?? "") },
    { name: "Claim", type: "string", description: "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding", value: ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}` : "") },
    { name: "StorageClass", type: "string", description: "StorageClass of the pv", value: ({ metadata, spec }) => metadata.annotations?.[betaStorageClass] ?? spec?.storageClassName ?? "" },
    { name: "VolumeAttributesClass", type: "string", description: "VolumeAttributesClass of the pv", value: ({ spec }) => spec?.volumeAttributesClassName ?? "<unset>" },
    { name: "Reason", type: "string", description: "reason is a brief CamelCase string that describes any failure and is meant for machine parsing and tidy display in the CLI.", value: ({ status }) => status?.reason ?? "" },
    ageColumn(),
    { name: "VolumeMode", type: "string", priority: 1, description: "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw block state. Value of Filesystem is implied when not included in spec.", value: ({ spec }) => spec?.volumeMode ?? "<unset>" },
  ],
  example: () => ({
    apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "example" },
    spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, hostPath: { path: "/srv/example" } },
  }),
});

function defaultVolume(volume: PersistentVolume): void {
  const spec = (volume.spec ??= {}), status = (volume.status ??= {});
  status.phase ||= "Pending";
  spec.persistentVolumeReclaimPolicy ||= "Retain";
  spec.volumeMode ??= "Filesystem";
  roundAmounts(spec.capacity);
  if (spec.hostPath) spec.hostPath.type ??= "";
  defaultNetworkVolume(spec);
}

/** Says when the phase last changed, unless the client does. */
function keepTransitionTime(volume: PersistentVolume, old: Frozen<PersistentVolume>): void {
  const status = (volume.status ??= {}), was = old.status?.lastPhaseTransitionTime;
  if (status.phase === old.status?.phase) {
    if (was !== undefined) status.lastPhaseTransitionTime ??= was;
  } else if (status.lastPhaseTransitionTime === undefined || status.lastPhaseTransitionTime === was) {
    status.lastPhaseTransitionTime = formatTime(Date.now());
  }
}

const retired = [
  ["cephfs", "deprecated in v1.28, non-functional in v1.31+"], ["photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  ["scaleIO", "deprecated in v1.16, non-functional in v1.22+"], ["storageos", "deprecated in v1.22, non-functional in v1.25+", "storageOS"],
  ["glusterfs", "deprecated in v1.25, non-functional in v1.26+"], ["rbd", "deprecated in v1.28, non-functional in v1.31+"],
] as const;

function volumeWarnings({ metadata, spec }: Frozen<PersistentVolume>): string[] {
  const warnings: string[] = [];
  if (metadata.annotations?.[betaStorageClass] !== undefined) warnings.push(`metadata.annotations[${betaStorageClass}]: deprecated since v1.8; use "storageClassName" attribute instead`);
  if (metadata.annotations?.["volume.beta.kubernetes.io/mount-options"] !== undefined) warnings.push("metadata.annotations[volume.beta.kubernetes.io/mount-options]: deprecated since v1.31; use \"mountOptions\" attribute instead");
  if (spec?.persistentVolumeReclaimPolicy === "Recycle") warnings.push("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.");
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  warnings.push(...terms.flatMap((term, index) => nodeTermWarnings(`spec.nodeAffinity.required.nodeSelectorTerms[${index}]`, term, false)));
  for (const [name, text, shown] of retired) if (spec?.[name]) warnings.push(`spec.${shown ?? name}: ${text}`);
  return warnings;
}
