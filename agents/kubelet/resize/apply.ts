import { linuxResources, oomScoreAdjust, type Amounts, type ResourceConfig } from "../runtime/resources.ts";
import type { PodContext } from "../pod/context.ts";
import type { Pod } from "../pod/pod.ts";
import { memoryObjection, orderPodUpdate, type ContainerUpdate, type ResizePlan } from "./plan.ts";

/** Sets what the plan says: memory, then CPU; of what grows the pod's group before its containers, of what shrinks after them. Throws where it can't be done now. */
export async function applyResize(context: Pick<PodContext, "runtime" | "cgroups" | "nodeShape">, granted: Pod, plan: ResizePlan): Promise<void> {
  const { cgroups } = context;
  const objection = memoryObjection(plan, { pod: () => cgroups.memoryUsage(granted), container: (id) => cgroups.memoryUsage(granted, id) });
  if (objection) throw new Error(objection);
  for (const resource of ["memory", "cpu"] as const) {
    const { before, after } = orderPodUpdate(plan.pod, resource);
    const set = (config: ResourceConfig): void => cgroups.limit(granted, config);
    before.forEach(set);
    // CPU comes second: memory is what it is to be by then.
    for (const update of plan[resource]) await updateContainer(context, granted, update, resource === "memory" ? { ...update.desired, cpuRequest: update.current.cpuRequest, cpuLimit: update.current.cpuLimit } : update.desired);
    after.forEach(set);
  }
}

async function updateContainer({ runtime, nodeShape }: Pick<PodContext, "runtime" | "nodeShape">, pod: Pod, { container, id }: ContainerUpdate, amounts: Amounts): Promise<void> {
  await runtime.runtime.updateContainerResources({ containerId: id, linux: linuxResources(amounts, oomScoreAdjust(pod, container, nodeShape.memoryBytes), nodeShape), annotations: {} });
}
