import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { Image } from "../../cri/generated/messages.ts";
import { allContainers, type Pod } from "../pod/pod.ts";
import { readFilesystem, type FilesystemUsage } from "../stats/node-usage.ts";
import { normalizeImageName } from "./image-name.ts";

export interface ImageLimits {
  /** Share of the image filesystem in use, in percent, above which images are deleted, and below which it stops. */
  highPercent: number;
  lowPercent: number;
  /** An image that came, or was used, a shorter time ago stays. */
  minimumAgeMs: number;
  /** One that has not been used for so long goes, however much room there is; 0 for never. */
  maximumAgeMs: number;
}

/** Kubernetes' own. */
export const defaultImageLimits: ImageLimits = { highPercent: 85, lowPercent: 80, minimumAgeMs: 2 * 60_000, maximumAgeMs: 0 };

export interface ImageCollectorOptions {
  runtime: ContainerRuntime;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
  nodeName: string;
  limits: ImageLimits;
  /** Of this node, also those that do not run yet. */
  pods(): readonly Pod[];
  /** References of images that nobody can pull again. */
  pinned(): ReadonlySet<string>;
  /** What is left, by id, after some have gone. */
  onDeleted?(left: ReadonlySet<string>): void;
  filesystem?(mountpoint: string): FilesystemUsage | undefined;
}

/** When an image was first seen by this process, and last seen in use; on the monotonic clock. */
interface Sighting {
  firstSeen: number;
  lastUsed: number;
}

/** An image that may go. */
interface Candidate extends Sighting {
  image: Image;
}

/**
 * Deletes images that no pod of this node needs, those first that have not been used for longest. Never one that is in use, that a pod names, or
 * that was imported: nobody could pull that again. Source: k8s.io/kubernetes/pkg/kubelet/images/image_gc_manager.go.
 */
export class ImageCollector {
  readonly #sightings = new Map<string, Sighting>();
  /** What is found at the first look counts as being there since the start: a full disk needn't wait for a second look. */
  #since: number | undefined;
  constructor(private readonly options: ImageCollectorOptions) {
    this.#since = options.clock.monotonic();
  }

  /** To be called now and then: what is too old goes; and when the disk is too full, what is needed least. Throws `GrpcError`. */
  async collect(): Promise<void> {
    const { clock, limits, recorder, nodeName } = this.options;
    const candidates = await this.#candidates();
    const now = clock.monotonic();
    const tooOld = limits.maximumAgeMs > 0 ? candidates.filter(({ lastUsed }) => now - lastUsed > limits.maximumAgeMs) : [];
    await this.#delete(tooOld, "not used for a long time");
    const wanted = await this.#bytesToFree();
    if (wanted === 0) return;
    const freed = await this.#delete(enough(candidates.filter((candidate) => !tooOld.includes(candidate)).filter(({ firstSeen, lastUsed }) => now - Math.max(firstSeen, lastUsed) >= limits.minimumAgeMs), wanted), "to free disk space");
    if (freed >= wanted) return;
    recorder.event({ kind: "Node", apiVersion: "v1", name: nodeName, uid: nodeName, namespace: "" }, "Warning", "FreeDiskSpaceFailed",
      `Failed to garbage collect required amount of images. Attempted to free ${wanted} bytes, but only found ${freed} bytes eligible to free.`);
  }

  /** Deletes all that may go, however young: the disk is needed for something else. Throws `GrpcError`. */
  async deleteUnused(): Promise<void> {
    await this.#delete(await this.#candidates(), "the disk is short of space");
  }

  /** The longest unused first. */
  async #candidates(): Promise<Candidate[]> {
    const { runtime: { runtime, images }, clock, pods, pinned } = this.options;
    const [{ images: all = [] }, { containers = [] }] = await Promise.all([images.listImages({}), runtime.listContainers({})]);
    const needed = neededNames(containers.flatMap(({ imageRef = "", image }) => [imageRef, image?.image ?? ""]), pods(), pinned());
    const now = clock.monotonic(), since = this.#since ?? now, ids = new Set(all.map(({ id = "" }) => id));
    this.#since = undefined;
    for (const id of this.#sightings.keys()) if (!ids.has(id)) this.#sightings.delete(id);
    return all.flatMap((image): Candidate[] => {
      const seen = this.#sightings.get(image.id ?? "") ?? { firstSeen: since, lastUsed: since };
      this.#sightings.set(image.id ?? "", seen);
      if (!isNeeded(image, needed)) return [{ image, ...seen }];
      seen.lastUsed = now;
      return [];
    }).sort((a, b) => a.lastUsed - b.lastUsed || a.firstSeen - b.firstSeen || (b.image.size ?? 0) - (a.image.size ?? 0));
  }

  async #bytesToFree(): Promise<number> {
    const { runtime, limits, filesystem = readFilesystem } = this.options;
    const { imageFilesystems: [first] = [] } = await runtime.images.imageFsInfo({});
    const usage = first?.fsId?.mountpoint ? filesystem(first.fsId.mountpoint) : undefined;
    if (!usage || (1 - usage.availableBytes / usage.capacityBytes) * 100 < limits.highPercent) return 0;
    return Math.max(0, Math.ceil((usage.capacityBytes * (100 - limits.lowPercent)) / 100 - usage.availableBytes));
  }

  async #delete(candidates: readonly Candidate[], why: string): Promise<number> {
    const { runtime, log, onDeleted } = this.options;
    let freed = 0;
    for (const { image } of candidates) {
      const name = image.repoTags?.[0] ?? image.id ?? "";
      log.info("Deleting an unused image", { image: name, bytes: image.size ?? 0, why });
      try {
        await runtime.images.removeImage({ image: { image: image.id } });
      } catch (error) {
        // The others may go all the same.
        log.warn("An unused image could not be deleted", { image: name, error });
        continue;
      }
      this.#sightings.delete(image.id ?? "");
      freed += image.size ?? 0;
    }
    if (candidates.length > 0) onDeleted?.(new Set(this.#sightings.keys()));
    return freed;
  }
}

/** As many of the first as free so much. The runtime gives space back later: what it says is free now tells nothing yet. */
function enough(candidates: readonly Candidate[], bytes: number): Candidate[] {
  const chosen: Candidate[] = [];
  let freed = 0;
  for (const candidate of candidates) {
    if (freed >= bytes) break;
    chosen.push(candidate);
    freed += candidate.image.size ?? 0;
  }
  return chosen;
}

/** All names under which an image is needed: by containers, by pods that may not run yet, and by being pinned. */
function neededNames(inUse: readonly string[], pods: readonly Pod[], pinned: ReadonlySet<string>): ReadonlySet<string> {
  const named = pods.flatMap((pod) => [...allContainers(pod).map(({ image = "" }) => image), ...(pod.spec.volumes ?? []).map(({ image }) => image?.reference ?? "")]);
  return new Set([...inUse, ...[...named, ...pinned].map(normalizeImageName)]);
}

export const isNeeded = ({ id = "", repoTags = [], repoDigests = [], pinned }: Image, needed: ReadonlySet<string>): boolean =>
  pinned === true || [id, ...repoTags, ...repoDigests].some((name) => needed.has(name) || needed.has(normalizeImageName(name)));
