import type { ContainerStatus } from "../../../src/apis/generated/core/v1.ts";
import { initContainers, isSidecar, type Pod } from "../pod/pod.ts";

/**
 * What a pod that has ended says of containers that the runtime knows no end of: they failed. Those that can't have begun, for the pod was
 * still initialising, go on waiting. Source: k8s.io/kubernetes/pkg/kubelet/status TerminatePod.
 */
export function endUnlocated(pod: Pod, initStatuses: readonly ContainerStatus[], statuses: readonly ContainerStatus[]): void {
  const begun = initStatuses.findLastIndex((status) => !waits(status));
  for (const [index, status] of initStatuses.entries()) if (index <= Math.max(begun, 0)) end(status);
  if (isInitialized(pod, initStatuses, statuses)) for (const status of statuses) end(status);
}

const waits = ({ state, lastState }: ContainerStatus): boolean => state?.waiting !== undefined && !lastState?.terminated;

function isInitialized(pod: Pod, initStatuses: readonly ContainerStatus[], statuses: readonly ContainerStatus[]): boolean {
  const container = initContainers(pod).at(-1), last = initStatuses.at(-1);
  if (!container || !last || statuses.some((status) => !waits(status))) return true;
  return isSidecar(container) ? last.state?.running !== undefined && last.started === true : (last.state?.terminated ?? last.lastState?.terminated)?.exitCode === 0;
}

function end(status: ContainerStatus): void {
  if (status.state?.terminated) return;
  Object.assign(status, { ready: false, started: false, state: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown", message: "The container could not be located when the pod was terminated" } } });
}
