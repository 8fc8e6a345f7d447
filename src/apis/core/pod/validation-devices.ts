import { invalidValue, notFoundValue, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Container, Volume } from "../../generated/core/v1.ts";

/** Volumes that a container sees as block devices: those of claims. */
export function validateDevices(field: string, { volumeDevices, volumeMounts = [] }: Frozen<Container>, names: ReadonlySet<string>, volumes: Frozen<Volume[]> = []): FieldError[] {
  const paths = new Set<string>(), taken = new Set<string>();
  return (volumeDevices ?? []).flatMap(({ name = "", devicePath: path = "" }, index) => {
    const at = `${field}[${index}]`, errors: FieldError[] = name ? [] : [required(`${at}.name`)];
    const volume = names.has(name) ? volumes.find((one) => one.name === name) : undefined;
    if (taken.has(name)) errors.push(invalidValue(`${at}.name`, name, "must be unique"));
    if (!volume) errors.push(notFoundValue(`${at}.name`, name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) errors.push(invalidValue(`${at}.name`, name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"));
    if (!path) errors.push(required(`${at}.devicePath`));
    if (paths.has(path)) errors.push(invalidValue(`${at}.devicePath`, path, "must be unique"));
    if (path.split("/").includes("..")) errors.push(invalidValue(`${at}.devicePath`, path, "can not contain backsteps ('..')"));
    else paths.add(path);
    if (volumeMounts.some((mount) => mount.name === name)) errors.push(invalidValue(`${at}.name`, name, "must not already exist in volumeMounts"));
    if (volumeMounts.some((mount) => mount.mountPath === path)) errors.push(invalidValue(`${at}.devicePath`, path, "must not already exist as a path in volumeMounts"));
    if (name) taken.add(name);
    return errors;
  });
}
