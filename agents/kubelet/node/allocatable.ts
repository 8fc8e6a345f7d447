import { milliValue, value } from "../../../src/apimachinery/quantity.ts";
import type { KubeletSettings } from "../../../src/apis/kubeletconfig/kubelet-settings.ts";
import { defaultThresholds, parseThresholds, unitsOf, type Signal } from "../eviction/thresholds.ts";
import { milliCpuToShares, type ResourceConfig } from "../runtime/resources.ts";

/** What the machine has. */
export interface Machine {
  cpus: number;
  memoryBytes: number;
  /** Of the file system of the node's own files. */
  diskBytes: number;
  /** By resource, such as `hugepages-2Mi`, in bytes. */
  hugePages: Readonly<Record<string, number>>;
  mostPids: number;
}

/** In Kubernetes' quantities. */
export interface NodeCapacity {
  capacity: Record<string, string>;
  /** Capacity less what is reserved for the system and the kubelet, and less what is kept free by eviction. */
  allocatable: Record<string, string>;
}

export interface NodeResources extends NodeCapacity {
  /** What all pods together may use: capacity less reservations. Told whole, so that what was reserved once is not any more. */
  forPods: ResourceConfig;
}

const defaultMaxPods = 110;

/**
 * What of a machine is for pods. Throws an Error when more is reserved than there is.
 * Source: https://kubernetes.io/docs/tasks/administer-cluster/reserve-compute-resources/
 */
export function nodeResources({ cpus, memoryBytes, diskBytes, hugePages, mostPids }: Machine, settings: KubeletSettings): NodeResources {
  const { maxPods = defaultMaxPods, kubeReserved = {}, systemReserved = {}, evictionHard = [...defaultThresholds.hard] } = settings;
  const thresholds = parseThresholds({ hard: evictionHard });
  const evicted = (signal: Signal, capacity: number): number => {
    const threshold = thresholds.find((each) => each.signal === signal);
    return threshold ? unitsOf(threshold.amount, capacity) : 0;
  };
  const left = (resource: string, capacity: number, read: (quantity: string) => number): number => {
    const reserved = read(kubeReserved[resource] ?? "0") + read(systemReserved[resource] ?? "0");
    if (reserved > capacity) throw new Error(`invalid Node Allocatable configuration: ${resource} has a reservation of ${reserved} but a capacity of ${capacity}; lower the kubelet's kube-reserved or system-reserved`);
    return capacity - reserved;
  };
  const milliCpus = left("cpu", cpus * 1000, milliValue), memory = left("memory", memoryBytes, value), disk = left("ephemeral-storage", diskBytes, value), pids = left("pid", mostPids, value);
  const hugeBytes = Object.values(hugePages).reduce((sum, bytes) => sum + bytes, 0);
  const shared = { pods: String(maxPods), ...Object.fromEntries(Object.entries(hugePages).map(([resource, bytes]) => [resource, bytes === 0 ? "0" : `${bytes / 2 ** 20}Mi`])) };
  return {
    capacity: { cpu: String(cpus), ...shared, memory: kibibytes(memoryBytes), "ephemeral-storage": kibibytes(diskBytes) },
    allocatable: {
      cpu: milliCpus % 1000 === 0 ? String(milliCpus / 1000) : `${milliCpus}m`, ...shared,
      // Huge pages are taken from memory, once and for all.
      memory: kibibytes(Math.max(0, memory - evicted("memory.available", memoryBytes) - hugeBytes)),
      "ephemeral-storage": String(Math.max(0, Math.floor(disk - evicted("nodefs.available", diskBytes)))),
    },
    forPods: { cpuShares: milliCpuToShares(milliCpus), memory, ...(Number.isFinite(pids) ? { pids } : {}) },
  };
}

const kibibytes = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;
