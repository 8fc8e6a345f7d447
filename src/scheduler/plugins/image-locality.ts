import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { definePlugin, maxNodeScore, type AnyPlugin, type Handle } from "../framework.ts";
import { megabyte } from "../resources.ts";
import type { Snapshot } from "../snapshot.ts";

const least = 23 * megabyte;
const mostPerContainer = 1000 * megabyte;

/** `count`: how often the pod names it. `share`: of all nodes, those that have it, as a pod shouldn't go to the one node that happens to. */
interface Image {
  readonly name: string;
  readonly count: number;
  readonly share: number;
}

/** Prefers nodes that needn't pull. Source: kubernetes plugins/imagelocality. */
export function imageLocality(_: unknown, handle: Pick<Handle, "snapshot">): AnyPlugin {
  return definePlugin<undefined, readonly Image[]>({
    name: "ImageLocality",
    preScore({ pod }, _, snapshot) {
      const images = imagesOf(pod, snapshot);
      return images.some(({ share }) => share > 0) ? { state: images } : { skip: true };
    },
    score({ pod }, node, images = imagesOf(pod, handle.snapshot)) {
      let sum = 0;
      for (const { name, count, share } of images) sum += count * Math.trunc((node.images.get(name) ?? 0) * share);
      const most = mostPerContainer * ((pod.spec.initContainers?.length ?? 0) + pod.spec.containers.length);
      return Math.floor((maxNodeScore * (Math.min(most, Math.max(least, sum)) - least)) / (most - least));
    },
  });
}

function imagesOf({ spec }: Frozen<Pod>, { nodes }: Snapshot): readonly Image[] {
  const counts = new Map<string, number>();
  const count = (image = ""): void => void counts.set(withTag(image), (counts.get(withTag(image)) ?? 0) + 1);
  for (const container of spec.initContainers ?? []) count(container.image);
  for (const container of spec.containers) count(container.image);
  for (const { image } of spec.volumes ?? []) if (image) count(image.reference);
  return [...counts].map(([name, times]) => {
    let having = 0;
    for (const { images } of nodes) if (images.has(name)) having++;
    return { name, count: times, share: having / nodes.length };
  });
}

/** A colon before the last slash is a port's. */
const withTag = (image: string): string => (image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image);
