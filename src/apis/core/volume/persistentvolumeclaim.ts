import type { Frozen } from "../../../apimachinery/meta.ts";
import { formatQuantity, quantityOf } from "../../../apimachinery/quantity.ts";
import { ageColumn, defineResource, nameColumn } from "../../../apimachinery/resource.ts";
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from "../../generated/core/v1.ts";
import { betaStorageClass, formatAccessModes } from "./access-modes.ts";
import { defaultClaim } from "./claim-defaults.ts";
import { claimSpecWarnings } from "./claim-warnings.ts";
import { validateClaimSpec, validateClaimStatusUpdate, validateClaimUpdate } from "./claim-validation.ts";
export type { PersistentVolumeClaim } from "../../generated/core/v1.ts";

export const persistentvolumeclaims = defineResource<PersistentVolumeClaim>({
  group: "", version: "v1", kind: "PersistentVolumeClaim", resource: "persistentvolumeclaims", scope: "Namespaced", shortNames: ["pvc"],
  subresources: { status: true },
  schema: "io.k8s.api.core.v1.PersistentVolumeClaim",
  default: defaultClaim,
  strategy: {
    prepareForCreate(claim) {
      delete claim.metadata.generation;
      claim.status = { phase: "Pending" };
      prepareDataSources(claim.spec ??= {});
    },
    prepareForUpdate(claim, old) {
      prepareDataSources(claim.spec ??= {}, old.spec);
    },
    validate: ({ spec }) => validateClaimSpec("spec", spec ?? {}),
    validateUpdate: validateClaimUpdate,
    validateStatusUpdate: validateClaimStatusUpdate,
    warnings: ({ metadata, spec }) => [
      ...(metadata.annotations?.[betaStorageClass] === undefined ? [] : [`metadata.annotations[${betaStorageClass}]: deprecated since v1.8; use "storageClassName" attribute instead`]),
      ...claimSpecWarnings("spec", spec ?? {}),
    ],
  },
  fieldSelectors: { name: ({ metadata }) => metadata.name ?? "" },
  columns: [
    nameColumn(),
    { name: "Status", type: "string", description: "phase represents the current phase of PersistentVolumeClaim.", value: ({ metadata, status }) => (metadata.deletionTimestamp ? "Terminating" : status?.phase ?? "") },
    { name: "Volume", type: "string", description: "volumeName is the binding reference to the PersistentVolume backing this claim.", value: ({ spec }) => spec?.volumeName ?? "" },
    { name: "Capacity", type: "string", description: "capacity represents the actual resources of the underlying volume.", value: ({ spec, status }) => (spec?.volumeName ? formatQuantity(quantityOf(status?.capacity?.["storage"] ?? "0")) : "") },
    { name: "Access Modes", type: "string", description: "accessModes contains the actual access modes the volume backing the PVC has. More info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes-1", value: ({ spec, status }) => (spec?.volumeName ? formatAccessModes(status?.accessModes) : "") },
    { name: "StorageClass", type: "string", description: "StorageClass of the pvc", value: ({ metadata, spec }) => metadata.annotations?.[betaStorageClass] ?? spec?.storageClassName ?? "" },
    { name: "VolumeAttributesClass", type: "string", description: "VolumeAttributesClass of the pvc", value: ({ spec }) => spec?.volumeAttributesClassName ?? "<unset>" },
    ageColumn(),
    { name: "VolumeMode", type: "string", priority: 1, description: "volumeMode defines what type of volume is required by the claim. Value of Filesystem is implied when not included in claim spec.", value: ({ spec }) => spec?.volumeMode ?? "<unset>" },
  ],
  example: () => ({
    apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "example", namespace: "default" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  }),
});

/** Field and group of what older clients may name as a source; the rest is dropped for them as it always was. */
function isClassicSource({ apiGroup, kind }: { readonly apiGroup?: string; readonly kind: string }): boolean {
  return (kind === "PersistentVolumeClaim" && !apiGroup) || (kind === "VolumeSnapshot" && apiGroup === "snapshot.storage.k8s.io");
}

/** `dataSource` and `dataSourceRef` say the same, unless the latter names another namespace, which is an alpha feature and not served. */
function prepareDataSources(spec: PersistentVolumeClaimSpec, old?: Frozen<PersistentVolumeClaimSpec>): void {
  if (spec.dataSourceRef?.namespace && !old?.dataSourceRef) delete spec.dataSourceRef;
  const inUse = old?.dataSource || old?.dataSourceRef;
  if (!inUse && !spec.dataSourceRef && spec.dataSource && !isClassicSource(spec.dataSource)) delete spec.dataSource;
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    const { namespace: _, ...source } = spec.dataSourceRef;
    spec.dataSource = source;
  }
}
