import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { configMap, downwardApi, secret } from "./api-volumes.ts";
import { claimedVolumes } from "./claimed.ts";
import { csiVolume } from "./csi.ts";
import { emptyDir } from "./empty-dir.ts";
import { hostPath } from "./host-path.ts";
import { imageVolume } from "./image.ts";
import { mountsBelow, unmountBelow } from "./mount.ts";
import { MountError, named, VolumePending } from "./mount-error.ts";
import { projected } from "./projected.ts";
import { prepareSubPath } from "./sub-path.ts";
import type { MountedVolume, Volume, VolumePlugin, VolumeSources } from "./volume.ts";
import type { Pod } from "../pod/pod.ts";

/** All volumes of one pod, by name. */
export interface PodVolumes {
  mounted: ReadonlyMap<string, MountedVolume>;
  /** When the first must be refreshed; undefined when none wears out. */
  refreshAt?: number;
}

/** As long as Kubernetes waits for volumes before it tells of it (podAttachAndMountTimeout). */
const patienceMs = 123_000;

/** Sets up pods' volumes below `<rootDir>/pods/<uid>/volumes` and takes them away again. */
export class Volumes {
  /** By uid of pod and name of volume, as last set up. */
  readonly #mounted = new Map<string, ReadonlyMap<string, MountedVolume>>();
  readonly #plugins: readonly VolumePlugin[] = [emptyDir, configMap, secret, downwardApi, projected, hostPath, imageVolume, csiVolume(), claimedVolumes()];
  /** Since when pods wait for somebody else's part in their volumes, by uid. */
  readonly #pendingSince = new Map<string, number>();
  constructor(private readonly rootDir: string, private readonly sources: VolumeSources) {}

  podDirectory(uid: string): string {
    return join(this.rootDir, "pods", uid);
  }

  /** Makes or refreshes all volumes, those that can be also when one can't. Throws `MountError` for the first that can't be, or `VolumePending`. */
  async setUp(pod: Pod): Promise<PodVolumes> {
    const uid = pod.metadata.uid!, volumes = pod.spec.volumes ?? [];
    const results = await Promise.allSettled(volumes.map((volume) => this.#setUp(pod, volume)));
    const mounted = new Map(volumes.flatMap(({ name }, index) => {
      const result = results[index]!;
      return result.status === "fulfilled" ? [[name, result.value] as const] : [];
    }));
    this.#mounted.set(uid, mounted);
    const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    if (errors.length > 0) throw errors.find((error) => !(error instanceof VolumePending)) ?? this.#pending(uid, volumes.map(({ name }) => name).filter((name) => !mounted.has(name)), errors[0] as VolumePending);
    this.#pendingSince.delete(uid);
    const refreshAt = Math.min(...[...mounted.values()].map((volume) => volume.refreshAt ?? Infinity));
    return { mounted, ...(refreshAt < Infinity ? { refreshAt } : {}) };
  }

  async #setUp(pod: Pod, volume: Volume): Promise<MountedVolume> {
    const plugin = this.#plugins.find((candidate) => candidate.supports(volume)) ?? (Object.keys(volume).length === 1 ? emptyDir : undefined);
    if (!plugin) throw new MountError(`MountVolume.SetUp failed for volume "${volume.name}" : this kind of volume is not supported on this node`);
    const directory = join(this.podDirectory(pod.metadata.uid!), "volumes", plugin.name, volume.name);
    try {
      return await plugin.setUp({ ...this.sources, pod, volume, directory });
    } catch (error) {
      throw named(volume.name, error);
    }
  }

  /** The wait itself is nothing to tell of, only a long one. */
  #pending(uid: string, names: readonly string[], { message }: VolumePending): Error {
    const now = this.sources.monotonic(), since = this.#pendingSince.get(uid) ?? now;
    this.#pendingSince.set(uid, since);
    const left = patienceMs - (now - since);
    if (left > 0) return new VolumePending(message, left);
    this.#pendingSince.delete(uid);
    const list = `[${names.join(" ")}]`;
    return new MountError(`Unable to attach or mount volumes: unmounted volumes=${list}, unattached volumes=${list}, failed to process volumes=[]: context deadline exceeded`);
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
    this.#pendingSince.delete(uid);
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
