import { notSupported, render } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Pod } from "../../../apis/generated/core/v1.ts";
import { defineAdmission, type AdmissionAttributes } from "../admission.ts";
import { refuse } from "../refuse.ts";

const lists = ["initContainers", "containers", "ephemeralContainers"] as const;

/** Every image is pulled anew, so that nobody runs one that others have pulled with secrets of theirs. Runs only where it is asked for. */
export const alwaysPullImages = defineAdmission({
  name: "AlwaysPullImages",
  operations: ["CREATE", "UPDATE"],
  resources: ["pods"],
  admit(attributes) {
    if (!bringsImages(attributes)) return;
    const { spec } = attributes.object as Pod;
    for (const list of lists) for (const container of spec[list] ?? []) container.imagePullPolicy = "Always";
    for (const { image } of spec.volumes ?? []) if (image) image.pullPolicy = "Always";
  },
  validate(attributes) {
    if (!bringsImages(attributes)) return;
    const { spec } = attributes.object as Pod;
    for (const list of lists) spec[list]?.forEach(({ imagePullPolicy }, i) => insist(attributes, `spec.${list}[${i}].imagePullPolicy`, imagePullPolicy));
    spec.volumes?.forEach(({ image }, i) => image && insist(attributes, `spec.volumes[${i}].image.pullPolicy`, image.pullPolicy));
  },
});

function insist(attributes: AdmissionAttributes, path: string, policy: string | undefined): void {
  if (policy !== "Always") throw refuse(attributes, render(notSupported(path, policy, ["Always"])));
}

function bringsImages({ operation, object, oldObject }: AdmissionAttributes): boolean {
  if (operation === "CREATE") return true;
  const images = ({ spec }: Frozen<Pod>): (string | undefined)[] => lists.flatMap((list) => (spec[list] ?? []).map(({ image }) => image));
  const before = new Set(images(oldObject as Frozen<Pod>));
  return images(object as Pod).some((image) => !before.has(image));
}
