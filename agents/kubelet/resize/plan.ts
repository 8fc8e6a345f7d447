import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";
import { latestContainer } from "../runtime/runtime-status.ts";
import { containerAmounts, podResources, type Amounts, type ResourceConfig } from "../runtime/resources.ts";
import { initContainers, type Container, type Pod } from "../pod/pod.ts";

/** A running container whose amounts are to change while it runs. */
export interface ContainerUpdate {
  container: Container;
  id: string;
  current: Amounts;
  desired: Amounts;
}

/** What a pod's group was limited to, and is to be. */
export interface PodUpdate {
  current: ResourceConfig;
  desired: ResourceConfig;
}

/** Containers by resource, those that get less before those that get more. */
export interface ResizePlan {
  memory: readonly ContainerUpdate[];
  cpu: readonly ContainerUpdate[];
  pod: PodUpdate;
}

export interface ActuatedView {
  /** What the container was last made to have; undefined where nobody knows. */
  amounts(container: RuntimeContainer): Amounts | undefined;
  /** The pod with the resources that its group was last set by. */
  pod: Pod;
}

/** Containers that can be resized while they run: all but ephemeral ones. */
export const resizableContainers = (pod: Pod): readonly Container[] => [...initContainers(pod), ...pod.spec.containers];

/** Whether the container has to be started anew to have what it was granted, as its resizePolicy says. */
export function resizeRestarts(container: Container, current: Amounts, desired: Amounts): boolean {
  const restarts = (name: "cpu" | "memory"): boolean => container.resizePolicy?.some(({ resourceName, restartPolicy }) => resourceName === name && restartPolicy === "RestartContainer") ?? false;
  return (differs("memory", current, desired) && restarts("memory")) || (differs("cpu", current, desired) && restarts("cpu"));
}

/** What must be set so that the running pod has what it was granted; undefined when it has. Source: kuberuntime's computePodResizeAction and doPodResizeAction. */
export function planResize(pod: Pod, runtime: RuntimePod, actuated: ActuatedView): ResizePlan | undefined {
  const updates = resizableContainers(pod).flatMap((container): ContainerUpdate[] => {
    const running = latestContainer(runtime, container.name);
    const current = running?.state === "running" ? actuated.amounts(running) : undefined;
    return current ? [{ container, id: running!.id, current, desired: containerAmounts(pod, container) }] : [];
  }).filter(({ container, current, desired }) => !resizeRestarts(container, current, desired));
  const change: PodUpdate = { current: podResources(actuated.pod), desired: podResources(pod) };
  const memory = lessFirst("memory", updates), cpu = lessFirst("cpu", updates);
  const { current, desired } = change;
  const samePod = current.cpuShares === desired.cpuShares && current.cpuQuota === desired.cpuQuota && current.memory === desired.memory;
  return memory.length === 0 && cpu.length === 0 && samePod ? undefined : { memory, cpu, pod: change };
}

function differs(resource: "cpu" | "memory", a: Amounts, b: Amounts): boolean {
  return resource === "cpu" ? a.cpuLimit !== b.cpuLimit || a.cpuRequest !== b.cpuRequest : a.memoryLimit !== b.memoryLimit || a.memoryRequest !== b.memoryRequest;
}

/** Without a limit a container may have everything. */
const unlimited = (limit: number): number => limit || Infinity;

function grows(resource: "cpu" | "memory", { current, desired }: ContainerUpdate): boolean {
  const [was, is] = resource === "cpu" ? [current.cpuLimit, desired.cpuLimit] : [current.memoryLimit, desired.memoryLimit];
  if (was !== is) return unlimited(is) > unlimited(was);
  return resource === "cpu" ? desired.cpuRequest > current.cpuRequest : desired.memoryRequest > current.memoryRequest;
}

function lessFirst(resource: "cpu" | "memory", updates: readonly ContainerUpdate[]): readonly ContainerUpdate[] {
  const changed = updates.filter(({ current, desired }) => differs(resource, current, desired));
  return [...changed.filter((update) => !grows(resource, update)), ...changed.filter((update) => grows(resource, update))];
}

/** The parts of a change to the pod's group that belong before the containers' changes, and after them: its limit never lies below theirs. */
export function orderPodUpdate({ current, desired }: PodUpdate, resource: "cpu" | "memory"): { before: readonly ResourceConfig[]; after: readonly ResourceConfig[] } {
  const before: ResourceConfig[] = [], after: ResourceConfig[] = [];
  const [was, is] = resource === "cpu" ? [current.cpuQuota, desired.cpuQuota] : [current.memory, desired.memory];
  // A limit that is taken away altogether stays as it was: the API does not allow it.
  const limit: ResourceConfig | undefined = is === undefined || is === was ? undefined : resource === "cpu" ? { cpuQuota: is } : { memory: is };
  if (limit && is! > (was ?? Infinity)) before.push(limit);
  if (resource === "cpu" && desired.cpuShares !== current.cpuShares) (desired.cpuShares! > current.cpuShares! ? before : after).push({ cpuShares: desired.cpuShares });
  if (limit && is! < (was ?? Infinity)) after.push(limit);
  return { before, after };
}

/** What speaks against lowering memory limits below what is in use. Source: kuberuntime's validateMemoryResizeAction, whose words these are. */
export function memoryObjection(plan: ResizePlan, usage: { pod(): number | undefined; container(id: string): number | undefined }): string | undefined {
  const { current, desired } = plan.pod;
  const errors: string[] = [];
  if (desired.memory !== undefined && desired.memory < (current.memory ?? Infinity)) {
    const used = usage.pod();
    if (used !== undefined && used >= desired.memory) errors.push(`attempting to set pod memory limit (${desired.memory}) below current usage (${used})`);
  }
  for (const { container, id, current: was, desired: is } of plan.memory) {
    if (is.memoryLimit === 0 || is.memoryLimit >= unlimited(was.memoryLimit)) continue;
    const used = usage.container(id);
    if (used !== undefined && used >= is.memoryLimit) errors.push(`attempting to set container ${JSON.stringify(container.name)} memory limit (${is.memoryLimit}) below current usage (${used})`);
  }
  if (errors.length === 0) return undefined;
  return `cannot decrease memory limits: ${errors.length === 1 ? errors[0] : `[${errors.join(", ")}]`}`;
}
