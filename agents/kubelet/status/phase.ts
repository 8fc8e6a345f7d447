import type { ContainerStatus, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import { isSidecar, type Pod } from "../pod/pod.ts";
import { restartsAfter } from "../pod/restart.ts";

/** Source: k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go getPhase. `finished`: nothing will be started any more. */
export function podPhase(pod: Pod, initStatuses: readonly ContainerStatus[], statuses: readonly ContainerStatus[], finished: boolean): NonNullable<PodStatus["phase"]> {
  let pendingInit = false;
  let failedForGood = false;
  for (const [index, container] of (pod.spec.initContainers ?? []).entries()) {
    const status = initStatuses[index];
    if (isSidecar(container)) {
      if (!status?.started && !status?.lastState?.terminated && !status?.state?.terminated) pendingInit = true;
      continue;
    }
    const ended = status?.state?.terminated;
    if (ended && ended.exitCode !== 0) failedForGood ||= ended.reason !== restartingAll && !restartsAfter(pod, container, ended.exitCode);
    if (!ended || ended.exitCode !== 0) pendingInit = true;
  }
  const begun = statuses.some((status) => status.state?.running ?? status.state?.terminated ?? status.lastState?.terminated);
  if (failedForGood) return "Failed";
  if (pendingInit && !begun) return finished ? "Failed" : "Pending";

  const running = statuses.filter((status) => status.state?.running).length;
  const ends = statuses.map((status) => status.state?.terminated ?? (status.state?.waiting ? status.lastState?.terminated : undefined));
  const ended = ends.filter((state) => state !== undefined);
  const waiting = statuses.length - running - ended.length;
  if (running > 0) return waiting > 0 ? "Pending" : "Running";
  if (waiting > 0) return finished ? "Failed" : "Pending";
  const succeeded = ended.every((state) => state.exitCode === 0);
  if (finished) return succeeded ? "Succeeded" : "Failed";
  const restarts = pod.spec.containers.some((container, index) => ends[index] && (ends[index].reason === restartingAll || restartsAfter(pod, container, ends[index].exitCode)));
  if (restarts) return "Running";
  return succeeded ? "Succeeded" : "Failed";
}

/** Removed to be started again, for another container has ended so. */
const restartingAll = "RestartingAllContainers";
