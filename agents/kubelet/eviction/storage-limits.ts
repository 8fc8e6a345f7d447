import { canonicalQuantity, value } from "../../../src/apimachinery/quantity.ts";
import type { Pod } from "../pod/pod.ts";
import { podLimits } from "../runtime/resources.ts";
import type { PodDisk } from "../stats/pod-disk.ts";

const storage = "ephemeral-storage";

/** Whether how much disk the pod uses has to be known. A volume in memory is limited by the kernel. */
export const limitsVolumes = ({ spec }: Pod): boolean => spec.volumes?.some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined && emptyDir.medium !== "Memory") ?? false;
export const limitsContainers = ({ spec }: Pod): boolean => [...spec.containers, ...(spec.initContainers ?? [])].some(({ resources }) => resources?.limits?.[storage] !== undefined);

/** Which limit of local storage the pod exceeds, as it is told; undefined when it keeps to all of them. Source: k8s.io/kubernetes/pkg/kubelet/eviction localStorageEviction. */
export function storageViolation(pod: Pod, disk: PodDisk, dedicatedImageFs: boolean): string | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const limit = emptyDir?.sizeLimit, used = disk.volumes.find((volume) => volume.name === name)?.usage.bytes;
    if (limit !== undefined && value(limit) > 0 && used !== undefined && used > value(limit)) return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(canonicalQuantity(limit))}. `;
  }
  const total = podLimits(pod)[storage];
  if (total !== undefined && disk.ephemeral.bytes > value(total)) return `Pod ephemeral local storage usage exceeds the total limit of containers ${canonicalQuantity(total)}. `;
  for (const { name, resources } of pod.spec.containers) {
    const limit = resources?.limits?.[storage], container = disk.containers.get(name);
    if (limit === undefined || !container || value(limit) === 0) continue;
    if (container.logs.bytes + (dedicatedImageFs ? 0 : container.rootfs.bytes) > value(limit)) return `Container ${name} exceeded its local ephemeral storage limit ${JSON.stringify(canonicalQuantity(limit))}. `;
  }
  return undefined;
}
