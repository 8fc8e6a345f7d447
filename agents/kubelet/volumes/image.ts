import { mkdirSync } from "node:fs";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { isMountPoint, mount, mountFlags } from "./mount.ts";
import type { MountedVolume, VolumePlugin } from "./volume.ts";

/**
 * The files of an image. Only the place is made with the pod's other volumes: the image is pulled when the first container that mounts it starts,
 * and that container tells of its failures as of its own image's. Source: KEP-4639, https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/
 */
export const imageVolume: VolumePlugin = {
  name: "kubernetes.io~image",
  supports: (volume) => volume.image !== undefined,
  refreshes: false,
  setUp({ directory }) {
    mkdirSync(directory, { recursive: true });
    return { path: directory, readOnly: true };
  },
};

/** Puts the files of an image, which is there, at a volume's place, if they aren't yet; or leaves it to the runtime where it can't be done otherwise. */
export async function mountImage(runtime: ContainerRuntime, image: string, volume: MountedVolume): Promise<MountedVolume> {
  if (isMountPoint(volume.path)) return volume;
  const files = await runtime.imageFiles(image);
  if (!files) return { ...volume, image };
  for (const { type, source, options } of files) {
    const { flags, data } = mountFlags(options);
    mount(source, volume.path, type, flags, data);
  }
  return volume;
}
