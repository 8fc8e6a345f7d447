import type { Frozen } from "../../apimachinery/meta.ts";
import { persistentvolumeclaims, persistentvolumes, volumeattributesclasses } from "../../apis/builtins.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import type { VolumeAttributesClass } from "../../apis/generated/storage/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";

const finalizer = "kubernetes.io/vac-protection";

/** Lets a VolumeAttributesClass that is deleted go once no volume and no claim uses it. Source: pkg/controller/storage/vacprotection. */
export const volumeAttributesClassProtection = defineController<VolumeAttributesClass>({
  name: "vac-protection-controller", for: volumeattributesclasses, writes: [volumeattributesclasses],
  watches: [
    watchOf(persistentvolumes, (_, old) => (old ? classesOfVolume(old) : [])),
    watchOf(persistentvolumeclaims, (_, old) => (old ? classesOfClaim(old) : [])),
  ],
  async reconcile(name, { client, lister }) {
    const attributes = lister(volumeattributesclasses).get(name);
    const { deletionTimestamp, uid, finalizers = [] } = attributes?.metadata ?? {};
    if (!deletionTimestamp || !finalizers.includes(finalizer)) return;
    const used = lister(persistentvolumes).list().some((volume) => classesOfVolume(volume).includes(name)) || lister(persistentvolumeclaims).list().some((claim) => classesOfClaim(claim).includes(name));
    if (!used) await client.patch(volumeattributesclasses, { name }, { type: "application/merge-patch+json", body: { metadata: { uid, finalizers: finalizers.filter((one) => one !== finalizer) } } });
  },
});

const named = (...names: (string | undefined)[]): string[] => names.filter((name) => name !== undefined && name !== "") as string[];
const classesOfVolume = ({ spec }: Frozen<PersistentVolume>): string[] => named(spec?.volumeAttributesClassName);
/** What it asks for, what it has, and what it is being changed to. */
const classesOfClaim = ({ spec, status }: Frozen<PersistentVolumeClaim>): string[] =>
  named(spec?.volumeAttributesClassName, status?.currentVolumeAttributesClassName, status?.modifyVolumeStatus?.targetVolumeAttributesClassName);
