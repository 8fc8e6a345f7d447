import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { value, type QuantityLike } from "../../../src/apimachinery/quantity.ts";
import type { Allocatable } from "../env/resource-field-ref.ts";
import type { Pod } from "../pod/pod.ts";
import { podResources } from "../runtime/resources.ts";
import { isMountPoint, mount, mountTmpfs } from "./mount.ts";
import { applyFsGroup } from "./ownership.ts";
import type { VolumePlugin } from "./volume.ts";

/** Lives as long as the pod: on disk, in huge pages, or in memory (tmpfs), up to its size limit and to what the pod may use. */
export const emptyDir: VolumePlugin = {
  name: "kubernetes.io~empty-dir",
  supports: (volume) => volume.emptyDir !== undefined,
  refreshes: false,
  async setUp({ pod, volume, directory, allocatable }) {
    const { medium = "", sizeLimit } = volume.emptyDir ?? {};
    const pageSize = medium.startsWith("HugePages") ? pageSizeOf(pod, medium) : undefined;
    const made = !existsSync(directory);
    mkdirSync(directory, { recursive: true });
    const inMemory = medium === "Memory";
    if (inMemory && !isMountPoint(directory)) mountTmpfs(directory, memoryBytes(pod, sizeLimit, allocatable));
    if (pageSize !== undefined && !isMountPoint(directory)) mount("nodev", directory, "hugetlbfs", 0, `pagesize=${pageSize}`);
    if (made && !inMemory) chmodSync(directory, 0o777);
    const gid = pod.spec.securityContext?.fsGroup;
    if (gid !== undefined) await applyFsGroup(directory, gid, pod.spec.securityContext?.fsGroupChangePolicy === "OnRootMismatch");
    return { path: directory };
  },
};

const hugePages = "hugepages-";

/** Which huge pages the medium means: those it names, or the only ones that the pod asks for. Source: k8s.io/kubernetes/pkg/volume/emptydir getPageSizeMountOption. */
export function pageSizeOf({ spec }: Pod, medium: string): string {
  const named = medium.toLowerCase().startsWith(hugePages) ? medium.slice(hugePages.length) : undefined;
  const requests = [spec.resources, ...[...spec.containers, ...(spec.initContainers ?? [])].map(({ resources }) => resources)].flatMap((resources) => Object.keys(resources?.requests ?? resources?.limits ?? {}));
  const asked = new Map(requests.filter((name) => name.startsWith(hugePages)).map((name) => name.slice(hugePages.length)).map((size) => [value(size), size]));
  if (named === undefined && asked.size > 1) throw new Error(`medium: ${medium} can't be used if container requests multiple huge page sizes`);
  const size = named === undefined ? [...asked.values()][0] : asked.get(value(named));
  if (size === undefined) throw new Error(`medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`);
  return size;
}

/** The smallest of what the volume, its pod and all pods together may take. Source: k8s.io/kubernetes/pkg/volume/emptydir calculateEmptyDirMemorySize. */
export function memoryBytes(pod: Pod, sizeLimit: QuantityLike | undefined, allocatable: Allocatable): number {
  const limits = [value(allocatable["memory"] ?? 0), podResources(pod).memory ?? 0, sizeLimit === undefined ? 0 : value(sizeLimit)];
  return Math.min(...limits.filter((bytes) => bytes > 0));
}
