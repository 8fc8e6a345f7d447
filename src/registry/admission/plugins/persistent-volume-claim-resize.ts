import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities } from "../../../apimachinery/quantity.ts";
import type { PersistentVolumeClaim } from "../../../apis/generated/core/v1.ts";
import type { StorageClass } from "../../../apis/generated/storage/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";
import { refuse } from "../refuse.ts";

type Claim = Frozen<PersistentVolumeClaim>;
const sizeOf = ({ spec }: Claim): string | number => spec?.resources?.requests?.["storage"] ?? "0";
const classOf = ({ metadata, spec }: Claim): string => metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";

/** A claim grows when it is bound and its class lets it. Source: kubernetes plugin/pkg/admission/storage/persistentvolume/resize. */
export function persistentVolumeClaimResize({ listers }: { listers: Listers }): Admission {
  const classes = listers<StorageClass>("storage.k8s.io", "storageclasses");
  return defineAdmission({
    name: "PersistentVolumeClaimResize",
    operations: ["UPDATE"],
    resources: ["persistentvolumeclaims"],
    validate(attributes) {
      const claim = attributes.object as Claim, old = attributes.oldObject as Claim;
      if (compareQuantities(sizeOf(claim), sizeOf(old)) <= 0) return;
      if (old.status?.phase !== "Bound") throw refuse(attributes, "Only bound persistent volume claims can be expanded");
      const name = classOf(claim);
      if (name === "" || name !== classOf(old) || !classes.get(name)?.allowVolumeExpansion) {
        throw refuse(attributes, "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize");
      }
    },
  });
}
