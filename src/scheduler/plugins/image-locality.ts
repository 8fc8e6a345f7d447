import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { definePlugin, maxNodeScore } from "../framework.ts";
import { megabyte } from "../resources.ts";

const least = 23 * megabyte;
const mostPerContainer = 1000 * megabyte;

/** An image of the pod and the share of nodes that have it: a pod shouldn't go to the one node that happens to. */
interface Image {
  readonly name: string;
  readonly share: number;
}

/** Prefers nodes that needn't pull. Source: kubernetes plugins/imagelocality. */
export const imageLocality = definePlugin<undefined, readonly Image[]>({
  name: "ImageLocality",
  preScore({ pod }, _, { nodes }) {
    const images = imagesOf(pod).map((name) => ({ name, share: nodes.filter(({ images: known }) => known.has(name)).length / nodes.length }));
    return images.some(({ share }) => share > 0) ? { state: images } : { skip: true };
  },
  score(_, node, images) {
    let sum = 0;
    for (const { name, share } of images) sum += Math.floor((node.images.get(name) ?? 0) * share);
    const most = mostPerContainer * images.length;
    return Math.floor((maxNodeScore * (Math.min(most, Math.max(least, sum)) - least)) / (most - least));
  },
});

const imagesOf = ({ spec }: Frozen<Pod>): string[] => [...(spec.initContainers ?? []), ...spec.containers].map(({ image = "" }) => withTag(image));

/** A colon before the last slash is a port's. */
const withTag = (image: string): string => (image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image);
