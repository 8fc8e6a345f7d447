import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { configMap, downwardApi, secret } from "./api-volumes.ts";
import { claimedVolumes } from "./claimed.ts";
import { csiVolume } from "./csi.ts";
import { emptyDir } from "./empty-dir.ts";
import { hostPath } from "./host-path.ts";
import { imageVolume } from "./image.ts";
import { mountsBelow, unmountBelow } from "./mount.ts";
import { projected } from "./projected.ts";
import { prepareSubPath } from "./sub-path.ts";
import type { MountedVolume, VolumePlugin, VolumeSources } from "./volume.ts";
import type { Pod } from "../pod/pod.ts";

/** A volume could not be set up: what the FailedMount event says. */
export class MountError extends Error {
  override readonly name = "MountError";
}

/** All volumes of one pod, by name. */
export interface PodVolumes {
  mounted: ReadonlyMap<string, MountedVolume>;
  /** When the first must be refreshed; undefined when none wears out. */
  refreshAt?: number;
}

/** Sets up pods' volumes below `<rootDir>/pods/<uid>/volumes` and takes them away again. */
export class Volumes {
  /** By uid of pod and name of volume, as last set up. */
  readonly #mounted = new Map<string, ReadonlyMap<string, MountedVolume>>();
  readonly #plugins: readonly VolumePlugin[] = [emptyDir, configMap, secret, downwardApi, projected, hostPath, imageVolume, csiVolume, claimedVolumes()];
  constructor(private readonly rootDir: string, private readonly sources: VolumeSources) {}

  podDirectory(uid: string): string {
    return join(this.rootDir, "pods", uid);
  }

  /** Makes or refreshes all volumes. Throws `MountError` for the first that can't be. */
  async setUp(pod: Pod): Promise<PodVolumes> {
    const mounted = new Map<string, MountedVolume>();
    let refreshAt: number | undefined;
    for (const volume of pod.spec.volumes ?? []) {
      const plugin = this.#plugins.find((candidate) => candidate.supports(volume)) ?? (Object.keys(volume).length === 1 ? emptyDir : undefined);
      if (!plugin) throw new MountError(`MountVolume.SetUp failed for volume "${volume.name}" : this kind of volume is not supported on this node`);
      const directory = join(this.podDirectory(pod.metadata.uid!), "volumes", plugin.name, volume.name);
      try {
        const result = await plugin.setUp({ ...this.sources, pod, volume, directory });
        mounted.set(volume.name, result);
        if (result.refreshAt !== undefined) refreshAt = Math.min(refreshAt ?? Infinity, result.refreshAt);
      } catch (error) {
        throw new MountError(`MountVolume.SetUp failed for volume "${volume.name}" : ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    this.#mounted.set(pod.metadata.uid!, mounted);
    return { mounted, refreshAt };
  }

  /** What the pod has been given, as far as this process has looked. */
  mountedBy(uid: string): ReadonlyMap<string, MountedVolume> {
    return this.#mounted.get(uid) ?? new Map();
  }

  /** The path to mount for a volume's subPath. */
  subPath(pod: Pod, volumeName: string, volumePath: string, subPath: string, container: string, index: number): string {
    return prepareSubPath(volumePath, subPath, join(this.podDirectory(pod.metadata.uid!), "volume-subpaths", volumeName, container, String(index)));
  }

  /** Unmounts and deletes all of the pod: volumes, hosts file, termination logs. */
  async tearDown(uid: string): Promise<void> {
    await this.sources.csi.tearDown(uid);
    this.#mounted.delete(uid);
    for (const plugin of this.#plugins) plugin.forget?.(uid);
    this.sources.forget(uid);
    const directory = this.podDirectory(uid);
    if (!existsSync(directory)) return;
    unmountBelow(directory);
    const busy = mountsBelow(directory)[0];
    if (busy) throw new MountError(`still mounted, not deleting: ${busy}`);
    rmSync(directory, { recursive: true, force: true });
  }

  /** Uids of pods that something is left of. */
  leftovers(): string[] {
    const directory = join(this.rootDir, "pods");
    mkdirSync(directory, { recursive: true });
    return readdirSync(directory);
  }
}
