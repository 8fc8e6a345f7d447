import { claimHasClass, newestDefaultClass } from "../../../apis/core/volume/binding.ts";
import type { PersistentVolumeClaim } from "../../../apis/generated/core/v1.ts";
import type { StorageClass } from "../../../apis/generated/storage/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";

/** Gives the default class to claims that name none; an empty name is a choice. Source: kubernetes plugin/pkg/admission/storage/storageclass/setdefault. */
export function defaultStorageClass({ listers }: { listers: Listers }): Admission {
  const classes = listers<StorageClass>("storage.k8s.io", "storageclasses");
  return defineAdmission({
    name: "DefaultStorageClass",
    operations: ["CREATE"],
    resources: ["persistentvolumeclaims"],
    admit({ object }) {
      const claim = object as PersistentVolumeClaim;
      if (!claim.spec || claimHasClass(claim)) return;
      const name = newestDefaultClass(classes.list())?.metadata.name;
      if (name) claim.spec.storageClassName = name;
    },
  });
}
