import { chmodSync, mkdirSync } from "node:fs";
import { writeAtomically, type Payload } from "./atomic-writer.ts";
import { isMountPoint, mountTmpfs } from "./mount.ts";
import { configMapFiles, downwardApiFiles, secretFiles } from "./payload.ts";
import type { MountedVolume, VolumeContext, VolumePlugin } from "./volume.ts";

const readable = 0o644;
/** Of a volume in memory; objects of the API are smaller by far. */
const mostBytes = 64 * 2 ** 20;

export const configMap: VolumePlugin = {
  name: "kubernetes.io~configmap",
  supports: (volume) => volume.configMap !== undefined,
  refreshes: true,
  async setUp(context) {
    const { name = "", items, optional, defaultMode = readable } = context.volume.configMap!;
    return write(context, await configMapFiles(context, name, { items, optional, mode: defaultMode }), "disk");
  },
};

/** In memory, so that secrets never reach the disk. */
export const secret: VolumePlugin = {
  name: "kubernetes.io~secret",
  supports: (volume) => volume.secret !== undefined,
  refreshes: true,
  async setUp(context) {
    const { secretName = "", items, optional, defaultMode = readable } = context.volume.secret!;
    return write(context, await secretFiles(context, secretName, { items, optional, mode: defaultMode }), "memory");
  },
};

export const downwardApi: VolumePlugin = {
  name: "kubernetes.io~downward-api",
  supports: (volume) => volume.downwardAPI !== undefined,
  refreshes: true,
  setUp(context) {
    const { items = [], defaultMode = readable } = context.volume.downwardAPI!;
    return write(context, downwardApiFiles(context, items, defaultMode), "disk");
  },
};

/** Writes a version of the files. A pod with an fsGroup can read them by it; no container may write to them. */
export function write({ pod, directory, now }: VolumeContext, files: Payload, medium: "disk" | "memory"): MountedVolume {
  mkdirSync(directory, { recursive: true });
  if (medium === "disk") chmodSync(directory, 0o777);
  else if (!isMountPoint(directory)) mountTmpfs(directory, mostBytes);
  writeAtomically(directory, files, { gid: pod.spec.securityContext?.fsGroup, now: now() });
  return { path: directory, readOnly: true };
}
