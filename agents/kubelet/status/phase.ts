import type { ContainerStatus, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import { isSidecar, type Pod } from "../pod/pod.ts";

/** Source: k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go getPhase. `finished`: nothing will be started any more. */
export function podPhase(pod: Pod, initStatuses: readonly ContainerStatus[], statuses: readonly ContainerStatus[], finished: boolean): NonNullable<PodStatus["phase"]> {
  let pendingInit = false;
  let failedInit = false;
  for (const [index, container] of (pod.spec.initContainers ?? []).entries()) {
    const status = initStatuses[index];
    if (isSidecar(container)) {
      if (!status?.started && !status?.lastState?.terminated && !status?.state?.terminated) pendingInit = true;
      continue;
    }
    const ended = status?.state?.terminated;
    if (ended && ended.exitCode !== 0) failedInit = true;
    if (!ended || ended.exitCode !== 0) pendingInit = true;
  }
  const begun = statuses.some((status) => status.state?.running ?? status.state?.terminated ?? status.lastState?.terminated);
  if (pendingInit && !begun) return failedInit && (pod.spec.restartPolicy === "Never" || finished) ? "Failed" : finished ? "Failed" : "Pending";

  const running = statuses.filter((status) => status.state?.running).length;
  const ended = statuses.map((status) => status.state?.terminated ?? (status.state?.waiting ? status.lastState?.terminated : undefined)).filter((state) => state !== undefined);
  const waiting = statuses.length - running - ended.length;
  if (running > 0) return waiting > 0 ? "Pending" : "Running";
  if (waiting > 0) return finished ? "Failed" : "Pending";
  const succeeded = ended.every((state) => state.exitCode === 0);
  if (finished) return succeeded ? "Succeeded" : "Failed";
  if (pod.spec.restartPolicy === "Always" || pod.spec.restartPolicy === undefined) return "Running";
  if (succeeded) return "Succeeded";
  return pod.spec.restartPolicy === "Never" ? "Failed" : "Running";
}
