import type { PersistentVolumeClaim } from "../../../apis/generated/core/v1.ts";
import type { StorageClass } from "../../../apis/generated/storage/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";
import { newestDefault } from "./default-class.ts";

const defaultAnnotations = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
const classAnnotation = "volume.beta.kubernetes.io/storage-class";

/** Gives the default class to claims that name none; an empty name is a choice. Source: kubernetes plugin/pkg/admission/storage/storageclass/setdefault. */
export function defaultStorageClass({ listers }: { listers: Listers }): Admission {
  const classes = listers<StorageClass>("storage.k8s.io", "storageclasses");
  return defineAdmission({
    name: "DefaultStorageClass",
    operations: ["CREATE"],
    resources: ["persistentvolumeclaims"],
    admit({ object }) {
      const claim = object as PersistentVolumeClaim;
      if (!claim.spec || claim.spec.storageClassName !== undefined || claim.metadata.annotations?.[classAnnotation] !== undefined) return;
      const name = newestDefault<StorageClass>(classes.list(), defaultAnnotations)?.metadata.name;
      if (name) claim.spec.storageClassName = name;
    },
  });
}
