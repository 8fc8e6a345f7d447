import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { formatQuantity, milliValue } from "../../../src/apimachinery/quantity.ts";
import type { ContainerStatus, ResourceRequirements } from "../../../src/apis/generated/core/v1.ts";
import type { LinuxContainerResources } from "../../cri/generated/messages.ts";
import type { Container } from "../pod/pod.ts";
import type { RuntimeContainer } from "../runtime/runtime-status.ts";

type Amounts = Record<string, string | number>;

/** At or below these, what the kernel has says less than what was asked for. */
const leastMilliLimit = 10;
const leastMilliRequest = 2;

/**
 * What a container was granted, and what it has: for one that runs as the runtime says, in the lists that its spec has.
 * Source: k8s.io/kubernetes/pkg/kubelet convertContainerStatusResources.
 */
export function containerResourceStatus(granted: Container, current: RuntimeContainer, old: Frozen<ContainerStatus> | undefined): Pick<ContainerStatus, "allocatedResources" | "resources"> {
  const { limits, requests } = granted.resources ?? {};
  const resources: ResourceRequirements = { ...(limits ? { limits: { ...limits } } : {}), ...(requests ? { requests: { ...requests } } : {}) };
  if (current.state === "running") {
    const before = old?.state?.running && old.containerID === `containerd://${current.id}` ? old.resources : undefined;
    const actual = actualResources(current.limits ?? {});
    if (resources.limits) {
      show(resources.limits, "cpu", actual.cpuLimit, before?.limits, leastMilliLimit);
      show(resources.limits, "memory", actual.memoryLimit, before?.limits);
    }
    if (resources.requests) {
      show(resources.requests, "cpu", actual.cpuRequest, before?.requests, leastMilliRequest);
    }
  }
  return { ...(requests ? { allocatedResources: { ...requests } } : {}), resources };
}

/** The runtime's word counts; without one, what was said before. */
function show(list: Amounts, name: "cpu" | "memory", actual: string | undefined, before: Frozen<Amounts> | undefined, leastMilli = 0): void {
  if (actual === undefined) {
    if (before?.[name] !== undefined) list[name] = before[name];
  } else if (leastMilli === 0 || milliValue(actual) > leastMilli || milliValue(list[name] ?? 0) > leastMilli) list[name] = actual;
}

function actualResources({ cpuPeriod = 0, cpuQuota = 0, cpuShares = 0, memoryLimitInBytes = 0 }: LinuxContainerResources): { cpuLimit?: string; cpuRequest?: string; memoryLimit?: string } {
  const milliLimit = cpuPeriod > 0 && cpuQuota > 0 ? Math.floor((cpuQuota * 1000) / cpuPeriod) : 0;
  const milliRequest = cpuShares > 0 ? Math.ceil((cpuShares * 1000) / 1024) : 0;
  return {
    ...(milliLimit > 0 ? { cpuLimit: formatQuantity({ nano: BigInt(milliLimit) * 1_000_000n, format: "DecimalSI" }) } : {}),
    ...(milliRequest > 0 ? { cpuRequest: formatQuantity({ nano: BigInt(milliRequest) * 1_000_000n, format: "DecimalSI" }) } : {}),
    ...(memoryLimitInBytes > 0 ? { memoryLimit: formatQuantity({ nano: BigInt(memoryLimitInBytes) * 1_000_000_000n, format: "BinarySI" }) } : {}),
  };
}
