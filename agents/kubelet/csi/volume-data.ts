import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What lies beside a volume that a pod has been given, so that it can be taken back also by a kubelet that knows nothing else of it. */
export interface VolumeData {
  driverName: string;
  volumeHandle: string;
  /** Name of the PersistentVolume, or of the pod's volume that is one of its own. */
  specVolID: string;
  targetPath: string;
  /** Where the volume was staged; missing when it was not. */
  stagingPath?: string;
  /** Its VolumeAttachment; missing when it needs none. */
  attachmentID?: string;
  /** All has been done: the pod can use it. */
  published?: boolean;
}

const fileName = "vol_data.json";
/** The folders of a pod's directory that hold volumes of drivers: filesystems, and block devices. */
export const filesystemFolder = "volumes/kubernetes.io~csi", deviceFolder = "volumeDevices/kubernetes.io~csi";

export function writeVolumeData(directory: string, data: VolumeData): void {
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  const file = join(directory, fileName);
  writeFileSync(`${file}.tmp`, JSON.stringify(data), { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}

/** Of all volumes below a pod's directory, with the directory of each. */
export function volumeDataBelow(podDirectory: string): { directory: string; data: VolumeData }[] {
  return [filesystemFolder, deviceFolder].map((folder) => join(podDirectory, folder)).filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))).flatMap((directory) => {
      const data = readVolumeData(directory);
      return data ? [{ directory, data }] : [];
    });
}

/** Undefined when nothing was given yet: what is unreadable was cut off while it was written for the first time. */
export function readVolumeData(directory: string): VolumeData | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, fileName), "utf8")) as VolumeData;
  } catch {
    return undefined;
  }
}
