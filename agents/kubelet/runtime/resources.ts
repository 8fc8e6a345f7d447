import { addQuantities, formatQuantity, milliValue, value } from "../../../src/apimachinery/quantity.ts";
import { qosClassOf } from "../../../src/apis/core/pod/qos.ts";
import { aggregatedRequests, podRequests } from "../../../src/apis/core/pod/resources.ts";
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

const milli = (quantity: string | number | undefined): number => (quantity === undefined ? 0 : milliValue(quantity));
const bytes = (quantity: string | number | undefined): number => (quantity === undefined ? 0 : value(quantity));

type Computed = "cpu" | "memory";

const request = (container: Container, name: Computed): string | number | undefined => container.resources?.requests?.[name] ?? container.resources?.limits?.[name];

/** A container's own limit; one without may use what the pod as a whole may. Source: k8s.io/kubernetes/pkg/kubelet/util GetLimits. */
function limit(pod: Pod, container: Container, name: Computed): string | number | undefined {
  const own = container.resources?.limits?.[name];
  return milli(own) > 0 ? own : pod.spec.resources?.limits?.[name] ?? own;
}

/** CPU in thousandths, memory in bytes; 0 where nothing is stated. */
export interface Amounts {
  cpuRequest: number;
  cpuLimit: number;
  memoryRequest: number;
  memoryLimit: number;
}

/** What a container asks for, and may use at most. */
export const containerAmounts = (pod: Pod, container: Container): Amounts => ({
  cpuRequest: milli(request(container, "cpu")), cpuLimit: milli(limit(pod, container, "cpu")),
  memoryRequest: bytes(request(container, "memory")), memoryLimit: bytes(limit(pod, container, "memory")),
});

export interface NodeShape {
  memoryBytes: number;
  cgroupVersion: 1 | 2;
  /** Containers' swap has a limit of its own. */
  limitsSwap: boolean;
}

export const containerResources = (pod: Pod, container: Container, node: NodeShape): LinuxContainerResources =>
  linuxResources(containerAmounts(pod, container), oomScoreAdjust(pod, container, node.memoryBytes), node);

/** The amounts in the kernel's terms. */
export function linuxResources({ cpuRequest, cpuLimit, memoryLimit }: Amounts, oomScoreAdj: number, node: NodeShape): LinuxContainerResources {
  const resources: LinuxContainerResources = { cpuShares: milliCpuToShares(cpuRequest), cpuPeriod: quotaPeriod, oomScoreAdj };
  const quota = milliCpuToQuota(cpuLimit);
  if (quota !== undefined) resources.cpuQuota = quota;
  if (memoryLimit > 0) resources.memoryLimitInBytes = memoryLimit;
  if (node.cgroupVersion === 2) {
    if (memoryLimit > 0) resources.memorySwapLimitInBytes = memoryLimit;
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
      const requested = bytes(request(container, "memory")) + spareMemory(pod);
      const adjust = Math.min(scoreOf(requested), isSidecar(container) ? scoreOf(smallestMemory(pod) + spareMemory(pod)) : Infinity);
      if (adjust < 3) return 3;
      return adjust === 1000 ? 999 : adjust;
    }
  }
  function scoreOf(requestedBytes: number): number {
    return 1000 - Math.floor((1000 * requestedBytes) / nodeMemoryBytes);
  }
}

/** Memory that is asked for the pod as a whole and not by its containers is shared out evenly among them. */
function spareMemory({ spec }: Pod): number {
  const whole = bytes(spec.resources?.requests?.["memory"]);
  if (whole === 0) return 0;
  return Math.trunc((whole - bytes(aggregatedRequests(spec)["memory"])) / (spec.containers.length + (spec.initContainers?.length ?? 0)));
}

/** A sidecar is not killed before those it serves. */
const smallestMemory = ({ spec }: Pod): number => Math.min(...spec.containers.map((container) => bytes(request(container, "memory"))));

/** What the whole pod may use; undefined where it is not limited. Source: k8s.io/kubernetes/pkg/kubelet/cm ResourceConfigForPod. */
export function podResources(pod: Pod, podPidsLimit?: number): ResourceConfig {
  const config: ResourceConfig = { cpuShares: milliCpuToShares(milli(podRequests(pod)["cpu"])) };
  if (podPidsLimit !== undefined) config.pids = podPidsLimit;
  const limits = podLimits(pod);
  if (isLimited(pod, "cpu")) config.cpuQuota = milliCpuToQuota(milli(limits["cpu"]));
  if (isLimited(pod, "memory")) config.memory = bytes(limits["memory"]) || undefined;
  return config;
}

/** Only where the pod has a limit, or each of its containers has one, is there one for all. */
function isLimited(pod: Pod, name: Computed): boolean {
  return milli(pod.spec.resources?.limits?.[name]) > 0 || [...pod.spec.containers, ...initContainers(pod)].every((container) => milli(container.resources?.limits?.[name]) > 0);
}

/** The sum of the limits there are, as they overlap in time; pod-level ones where given. Source: k8s.io/component-helpers/resource PodLimits. */
export function podLimits({ spec }: Pod): Record<string, string> {
  const asRequests = ({ resources, ...container }: Container): Container => ({ ...container, resources: { requests: resources?.limits } } as Container);
  const limits: Record<string, string> = aggregatedRequests({ ...spec, containers: spec.containers.map(asRequests), initContainers: (spec.initContainers ?? []).map(asRequests) } as Pod["spec"]);
  for (const [name, amount] of Object.entries(spec.resources?.limits ?? {})) limits[name] = String(amount);
  for (const [name, amount] of Object.entries(spec.overhead ?? {})) if (limits[name] !== undefined && value(limits[name]) > 0) limits[name] = formatQuantity(addQuantities(limits[name], amount));
  return limits;
}
