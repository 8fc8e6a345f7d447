import { milliValue, value } from "../../../src/apimachinery/quantity.ts";
import { qosClassOf } from "../../../src/apis/core/pod/qos.ts";
import type { LinuxContainerResources } from "../../cri/generated/messages.ts";
import { initContainers, isSidecar, type Container, type Pod } from "../pod/pod.ts";

/** Source: k8s.io/kubernetes/pkg/kubelet/cm/helpers_linux.go. */
const minShares = 2;
const maxShares = 262_144;
export const quotaPeriod = 100_000;
const minQuota = 1_000;

/** Limits of a cgroup; undefined means "as the kernel has it". Memory in bytes. */
export interface ResourceConfig {
  cpuShares?: number;
  cpuQuota?: number;
  memory?: number;
  pids?: number;
}

export const milliCpuToShares = (milli: number): number => (milli === 0 ? minShares : Math.min(maxShares, Math.max(minShares, Math.floor((milli * 1024) / 1000))));
export const milliCpuToQuota = (milli: number): number | undefined => (milli === 0 ? undefined : Math.max(minQuota, Math.floor((milli * quotaPeriod) / 1000)));
/** The cgroup v2 weight that stands for v1 shares, as runc converts them. */
export const sharesToWeight = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262_142);

const request = (container: Container, name: "cpu" | "memory"): string | number | undefined => container.resources?.requests?.[name] ?? container.resources?.limits?.[name];
const limit = (container: Container, name: "cpu" | "memory"): string | number | undefined => container.resources?.limits?.[name];
const milli = (quantity: string | number | undefined): number => (quantity === undefined ? 0 : milliValue(quantity));
const bytes = (quantity: string | number | undefined): number => (quantity === undefined ? 0 : value(quantity));

export interface NodeShape {
  memoryBytes: number;
  cgroupVersion: 1 | 2;
  /** Containers' swap has a limit of its own. */
  limitsSwap: boolean;
}

export function containerResources(pod: Pod, container: Container, node: NodeShape): LinuxContainerResources {
  const memory = bytes(limit(container, "memory"));
  const resources: LinuxContainerResources = {
    cpuShares: milliCpuToShares(milli(request(container, "cpu"))),
    cpuPeriod: quotaPeriod,
    oomScoreAdj: oomScoreAdjust(pod, container, node.memoryBytes),
  };
  const quota = milliCpuToQuota(milli(limit(container, "cpu")));
  if (quota !== undefined) resources.cpuQuota = quota;
  if (memory > 0) resources.memoryLimitInBytes = memory;
  if (node.cgroupVersion === 2) {
    if (memory > 0) resources.memorySwapLimitInBytes = memory;
    // One process of a container killed for memory takes the others along, so that the container ends as OOMKilled.
    resources.unified = { "memory.oom.group": "1" };
    // As a kubelet's NoSwap behaviour: without a limit of memory no container swaps either.
    if (node.limitsSwap) resources.unified["memory.swap.max"] = "0";
  }
  return resources;
}

/** Source: k8s.io/kubernetes/pkg/kubelet/qos/policy.go GetContainerOOMScoreAdjust. */
export function oomScoreAdjust(pod: Pod, container: Container, nodeMemoryBytes: number): number {
  if ((pod.spec.priority ?? 0) >= 2_000_000_000) return -997;
  switch (qosClassOf(pod)) {
    case "Guaranteed":
      return -997;
    case "BestEffort":
      return 1000;
    case "Burstable": {
      const adjust = 1000 - Math.floor((1000 * bytes(request(container, "memory"))) / nodeMemoryBytes);
      if (adjust < 3) return 3;
      return adjust === 1000 ? 999 : adjust;
    }
  }
}

/** What the whole pod may use. Source: ResourceConfigForPod; init containers count as they overlap with the others. */
export function podResources(pod: Pod, podPidsLimit?: number): ResourceConfig {
  const config: ResourceConfig = { cpuShares: milliCpuToShares(sumOverPod(pod, (container) => milli(request(container, "cpu")))) };
  if (podPidsLimit !== undefined) config.pids = podPidsLimit;
  const everyLimit = (name: "cpu" | "memory"): boolean => [...pod.spec.containers, ...initContainers(pod)].every((container) => limit(container, name) !== undefined);
  if (everyLimit("cpu")) config.cpuQuota = milliCpuToQuota(sumOverPod(pod, (container) => milli(limit(container, "cpu"))));
  if (everyLimit("memory")) config.memory = sumOverPod(pod, (container) => bytes(limit(container, "memory"))) || undefined;
  return config;
}

/** Source: k8s.io/component-helpers/resource PodRequests. An init container runs beside the sidecars started before it. */
export function sumOverPod(pod: Pod, amount: (container: Container) => number): number {
  let running = pod.spec.containers.reduce((sum, container) => sum + amount(container), 0);
  let sidecars = 0;
  let peak = 0;
  for (const container of initContainers(pod)) {
    if (isSidecar(container)) {
      sidecars += amount(container);
      running += amount(container);
      peak = Math.max(peak, sidecars);
    } else {
      peak = Math.max(peak, sidecars + amount(container));
    }
  }
  return Math.max(running, peak);
}
