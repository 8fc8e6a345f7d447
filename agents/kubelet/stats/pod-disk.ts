import { join } from "node:path";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { VolumeFigures } from "../csi/csi-driver.ts";
import { allContainers, type Pod } from "../pod/pod.ts";
import { containerNameLabel, podUidLabel } from "../runtime/labels.ts";
import { podLogFolder } from "../runtime/sandbox-config.ts";
import type { DiskUsages, DiskUsage } from "./disk-usage.ts";
import type { MountedVolume } from "../volumes/volume.ts";
import { readFilesystem, type FilesystemUsage } from "./node-usage.ts";

/** What a pod takes of the node's disks. */
export interface PodDisk {
  containers: ReadonlyMap<string, ContainerDisk>;
  volumes: readonly VolumeDisk[];
  /** What counts as ephemeral storage: writable layers, logs, and volumes that end with the pod and are not in memory. */
  ephemeral: DiskUsage;
}

export interface ContainerDisk {
  /** The writable layer, as the runtime last counted it. */
  rootfs: DiskUsage;
  logs: DiskUsage;
}

export interface VolumeDisk {
  name: string;
  usage: DiskUsage;
  filesystem?: FilesystemUsage;
  claim?: string;
  /** Ends with the pod and takes its disk. */
  ephemeral: boolean;
  /** Its driver says that something is wrong with it; undefined where none looks after that. */
  abnormal?: boolean;
}

export interface PodDisksOptions {
  usages: Pick<DiskUsages, "of">;
  logDir: string;
  /** Where each volume of the pod lies, by name. */
  volumes(uid: string): ReadonlyMap<string, Pick<MountedVolume, "path" | "device" | "driver">>;
}

/** By uid of pod and name of container. */
export type WritableLayers = ReadonlyMap<string, DiskUsage>;
const layerKey = (uid: string, container: string): string => `${uid}/${container}`;

/** Of all containers, in one call. Throws `GrpcError`. */
export async function writableLayers({ runtime }: ContainerRuntime): Promise<WritableLayers> {
  const { stats = [] } = await runtime.listContainerStats({});
  return new Map(stats.map(({ attributes, writableLayer }) => [
    layerKey(attributes?.labels?.[podUidLabel] ?? "", attributes?.labels?.[containerNameLabel] ?? ""),
    { bytes: writableLayer?.usedBytes?.value ?? 0, inodes: writableLayer?.inodesUsed?.value ?? 0 },
  ]));
}

/** Counted when somebody asks, once a minute at most. */
export class PodDisks {
  constructor(private readonly options: PodDisksOptions) {}

  async of(pod: Pod, layers: WritableLayers): Promise<PodDisk> {
    const { namespace, name, uid } = pod.metadata;
    const logs = join(this.options.logDir, podLogFolder({ namespace: namespace!, name: name!, uid: uid! }));
    const [containers, volumes] = await Promise.all([
      Promise.all(allContainers(pod).map(async ({ name: container }): Promise<[string, ContainerDisk]> =>
        [container, { rootfs: layers.get(layerKey(uid!, container)) ?? nothing, logs: await this.options.usages.of(join(logs, container)) }])),
      this.volumes(pod),
    ]);
    const ephemeral = [...containers.flatMap(([, { rootfs, logs: log }]) => [rootfs, log]), ...volumes.filter((volume) => volume.ephemeral).map(({ usage }) => usage)].reduce(sum, nothing);
    return { containers: new Map(containers), volumes, ephemeral };
  }

  /** What the pod's volumes hold, but for directories of the node. */
  async volumes(pod: Pod): Promise<VolumeDisk[]> {
    const paths = this.options.volumes(pod.metadata.uid!);
    const found = await Promise.all((pod.spec.volumes ?? []).map(async (volume): Promise<VolumeDisk | undefined> => {
      const { path, device, driver } = paths.get(volume.name) ?? {};
      // A directory of the node is nobody's in particular, and may be the whole of it.
      if (path === undefined || volume.hostPath) return undefined;
      const claim = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${pod.metadata.name}-${volume.name}` : undefined);
      if (driver) {
        // Of volumes of drivers only their drivers know.
        const figures = await driver.figures().catch(() => undefined);
        return figures && { name: volume.name, ...ofDriver(figures), ...(claim ? { claim } : {}), ephemeral: false };
      }
      if (device) return undefined;
      return {
        name: volume.name, usage: await this.options.usages.of(path), filesystem: readFilesystem(path), ...(claim ? { claim } : {}),
        ephemeral: !claim && !volume.image && volume.emptyDir?.medium !== "Memory",
      };
    }));
    return found.filter((volume) => volume !== undefined);
  }
}

function ofDriver({ bytes = {}, inodes = {}, abnormal }: VolumeFigures): Pick<VolumeDisk, "usage" | "filesystem" | "abnormal"> {
  return {
    usage: { bytes: bytes.used ?? 0, inodes: inodes.used ?? 0 }, ...(abnormal === undefined ? {} : { abnormal }),
    filesystem: { capacityBytes: bytes.total ?? 0, availableBytes: bytes.available ?? 0, usedBytes: bytes.used ?? 0, inodes: inodes.total ?? 0, inodesFree: inodes.available ?? 0 },
  };
}

const nothing: DiskUsage = { bytes: 0, inodes: 0 };
const sum = (a: DiskUsage, b: DiskUsage): DiskUsage => ({ bytes: a.bytes + b.bytes, inodes: a.inodes + b.inodes });
