import type { Frozen } from "../../apimachinery/meta.ts";
import { persistentvolumeclaims, persistentvolumes, volumeattributesclasses } from "../../apis/builtins.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import type { VolumeAttributesClass } from "../../apis/generated/storage/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { isHeldBy, lacks, withFinalizer, withoutFinalizer } from "../protection-finalizer.ts";

const finalizer = "kubernetes.io/vac-protection";

/** Lets a VolumeAttributesClass that is deleted go once no volume and no claim uses it, and holds those that aren't. Source: pkg/controller/storage/vacprotection. */
export const volumeAttributesClassProtection = defineController<VolumeAttributesClass>({
  name: "vac-protection-controller", for: volumeattributesclasses, writes: [volumeattributesclasses],
  watches: [
    watchOf(persistentvolumes, (_, old) => (old ? classesOfVolume(old) : [])),
    watchOf(persistentvolumeclaims, (_, old) => (old ? classesOfClaim(old) : [])),
  ],
  async reconcile(name, { client, lister }) {
    const attributes = lister(volumeattributesclasses).get(name);
    if (!attributes) return;
    if (lacks(attributes, finalizer)) await client.patch(volumeattributesclasses, { name }, withFinalizer(attributes, finalizer));
    if (!isHeldBy(attributes, finalizer)) return;
    const used = lister(persistentvolumes).list().some((volume) => classesOfVolume(volume).includes(name)) || lister(persistentvolumeclaims).list().some((claim) => classesOfClaim(claim).includes(name));
    if (!used) await client.patch(volumeattributesclasses, { name }, withoutFinalizer(attributes, finalizer));
  },
});

const named = (...names: (string | undefined)[]): string[] => names.filter((name) => name !== undefined && name !== "") as string[];
const classesOfVolume = ({ spec }: Frozen<PersistentVolume>): string[] => named(spec?.volumeAttributesClassName);
/** What it asks for, what it has, and what it is being changed to. */
const classesOfClaim = ({ spec, status }: Frozen<PersistentVolumeClaim>): string[] =>
  named(spec?.volumeAttributesClassName, status?.currentVolumeAttributesClassName, status?.modifyVolumeStatus?.targetVolumeAttributesClassName);
