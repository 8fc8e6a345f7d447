import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import { accessModes, type VolumeCapability } from "./csi-api.ts";
import { deviceFolder, filesystemFolder } from "./volume-data.ts";

/** A volume of a driver, for one pod. */
export interface CsiVolume {
  pod: Pod;
  /** Of the PersistentVolume, or of the pod's own volume. */
  name: string;
  driver: string;
  volumeHandle: string;
  /** One of the pod's own, which comes and goes with it. */
  ephemeral: boolean;
  block: boolean;
  readOnly: boolean;
  fsType?: string;
  accessModes: readonly string[];
  mountOptions: readonly string[];
  attributes: Readonly<Record<string, string>>;
  stageSecret?: SecretKey;
  publishSecret?: SecretKey;
  expandSecret?: SecretKey;
  /** What it was claimed with; a volume of the pod's own has none. */
  claimed?: { claim: Frozen<PersistentVolumeClaim>; volume: Frozen<PersistentVolume> };
}

export interface SecretKey {
  namespace: string;
  name: string;
}

export const idOf = (driver: string, volumeHandle: string): string => `${driver}^${volumeHandle}`;

/** As the Node's status and VolumeAttachments name it. */
export const uniqueName = (id: string): string => `kubernetes.io/csi/${id}`;
export const attachmentName = ({ driver, volumeHandle }: Pick<CsiVolume, "driver" | "volumeHandle">, nodeName: string): string => `csi-${sha256(`${volumeHandle}${driver}${nodeName}`)}`;

/** Where a volume lies, as with the kubelet of Kubernetes: drivers that look into its directory find their way. */
export function placesOf(rootDir: string, { pod, driver, volumeHandle, name, block }: CsiVolume): { directory: string; targetPath: string; stagingPath: string } {
  const uid = pod.metadata.uid!, root = join(rootDir, "plugins/kubernetes.io/csi");
  const directory = join(rootDir, "pods", uid, block ? deviceFolder : filesystemFolder, name);
  return block
    ? { directory, targetPath: join(root, "volumeDevices/publish", name, uid), stagingPath: join(root, "volumeDevices/staging", name) }
    : { directory, targetPath: join(directory, "mount"), stagingPath: join(root, driver, sha256(volumeHandle), "globalmount") };
}

/** What is asked of the driver; the first access mode counts. `isPrecise`: the driver tells single writers apart. */
export function capabilityOf({ block, fsType, mountOptions, accessModes: [first = "ReadWriteOnce"] }: CsiVolume, isPrecise: boolean, volumeMountGroup?: string): VolumeCapability {
  const { mode, precise } = accessModes[first] ?? accessModes["ReadWriteOnce"]!;
  const access = { accessMode: { mode: isPrecise ? precise ?? mode : mode } };
  return block ? { block: {}, ...access } : { mount: { ...(fsType ? { fsType } : {}), mountFlags: [...mountOptions], ...(volumeMountGroup ? { volumeMountGroup } : {}) }, ...access };
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
