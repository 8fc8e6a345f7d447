import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { value } from "../../../src/apimachinery/quantity.ts";
import { isMountPoint, mount } from "./mount.ts";
import { applyFsGroup } from "./ownership.ts";
import type { VolumePlugin } from "./volume.ts";

/** Lives as long as the pod: on disk, or in memory (tmpfs) up to its size limit. */
export const emptyDir: VolumePlugin = {
  name: "kubernetes.io~empty-dir",
  supports: (volume) => volume.emptyDir !== undefined,
  refreshes: false,
  async setUp({ pod, volume, directory }) {
    const made = !existsSync(directory);
    mkdirSync(directory, { recursive: true });
    const inMemory = volume.emptyDir?.medium === "Memory";
    if (inMemory && !isMountPoint(directory)) {
      const limit = volume.emptyDir?.sizeLimit;
      mount("tmpfs", directory, "tmpfs", 0, limit !== undefined && value(limit) > 0 ? `size=${value(limit)},mode=0777` : "mode=0777");
    }
    if (made || inMemory) chmodSync(directory, 0o777);
    const gid = pod.spec.securityContext?.fsGroup;
    if (gid !== undefined) await applyFsGroup(directory, gid, pod.spec.securityContext?.fsGroupChangePolicy === "OnRootMismatch");
    return { path: directory };
  },
};
