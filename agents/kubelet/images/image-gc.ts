import { statfsSync } from "node:fs";
import type { Logger } from "../../../src/base/log.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { Image } from "../../cri/generated/messages.ts";
import { allContainers, type Pod } from "../pod/pod.ts";
import { normalizeImageName } from "./image-name.ts";

export interface ImageGcLimits {
  /** Share of the image filesystem in use above which images are deleted, and below which it stops. */
  high: number;
  low: number;
}

export const defaultImageGc: ImageGcLimits = { high: 0.85, low: 0.8 };

/** Deletes images that no pod of this node needs, largest first, while the disk is fuller than `low`; only once it is fuller than `high`. */
export async function collectImages({ runtime, images }: ContainerRuntime, pods: readonly Pod[], limits: ImageGcLimits, log: Logger): Promise<void> {
  const { imageFilesystems = [] } = await images.imageFsInfo({});
  const mountpoint = imageFilesystems[0]?.fsId?.mountpoint;
  if (!mountpoint || fullness(mountpoint) < limits.high) return;
  const [{ images: all = [] }, { containers = [] }] = await Promise.all([images.listImages({}), runtime.listContainers({})]);
  const inUse = new Set(containers.flatMap(({ imageRef = "", image }) => [imageRef, image?.image ?? ""]));
  for (const image of unused(all, inUse, pods)) {
    if (fullness(mountpoint) < limits.low) return;
    log.info("Deleting an unused image to free disk space", { image: image.repoTags?.[0] ?? image.id ?? "", bytes: image.size ?? 0 });
    await images.removeImage({ image: { image: image.id } });
  }
}

/** Images that are not pinned, used by no container, and named by no pod, even one that is not running yet. */
export function unused(images: readonly Image[], inUse: ReadonlySet<string>, pods: readonly Pod[]): Image[] {
  const named = new Set(pods.flatMap((pod) => imagesOf(pod).map(normalizeImageName)));
  const needed = ({ id = "", repoTags = [], repoDigests = [] }: Image): boolean => [id, ...repoTags, ...repoDigests].some((name) => inUse.has(name) || named.has(normalizeImageName(name)));
  return images.filter((image) => !image.pinned && !needed(image)).sort((a, b) => (b.size ?? 0) - (a.size ?? 0));
}

const imagesOf = (pod: Pod): string[] => [...allContainers(pod).map(({ image = "" }) => image), ...(pod.spec.volumes ?? []).flatMap(({ image }) => image?.reference ?? [])];

function fullness(mountpoint: string): number {
  const { bavail, blocks } = statfsSync(mountpoint);
  return 1 - bavail / blocks;
}
