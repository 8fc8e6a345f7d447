import { defineAdmission } from "../admission.ts";

const finalizers: Readonly<Record<string, string>> = {
  persistentvolumeclaims: "kubernetes.io/pvc-protection",
  persistentvolumes: "kubernetes.io/pv-protection",
  volumeattributesclasses: "kubernetes.io/vac-protection",
};

/** Claims and volumes stay while something uses them: controllers take these finalizers off. */
export const storageObjectInUseProtection = defineAdmission({
  name: "StorageObjectInUseProtection",
  operations: ["CREATE"],
  resources: ["persistentvolumeclaims", "persistentvolumes", "volumeattributesclasses.storage.k8s.io"],
  admit({ card, object }) {
    const finalizer = finalizers[card.resource]!;
    const { metadata } = object!;
    if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...metadata.finalizers ?? [], finalizer];
  },
});
