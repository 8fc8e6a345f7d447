import type { Frozen } from "../../../apimachinery/meta.ts";
import { age, ageColumn, nameColumn, type Column } from "../../../apimachinery/resource.ts";
import type { ContainerStatus, Pod } from "../../generated/core/v1.ts";
import { isRestartableInitContainer } from "./resources.ts";

export const podColumns: readonly Column<Pod>[] = [
  nameColumn(),
  { name: "Ready", type: "string", description: "The aggregate readiness state of this pod for accepting traffic.", value: (pod) => summaryOf(pod).ready },
  { name: "Status", type: "string", description: "The aggregate status of the containers in this pod.", value: (pod) => summaryOf(pod).status },
  { name: "Restarts", type: "string", description: "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.", value: restartsOf },
  ageColumn(),
  { name: "IP", type: "string", priority: 1, description: "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.", value: (pod) => pod.status?.podIPs?.[0]?.ip || "<none>" },
  { name: "Node", type: "string", priority: 1, description: "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename", value: (pod) => pod.spec.nodeName || "<none>" },
  { name: "Nominated Node", type: "string", priority: 1, description: "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods. This field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is scheduled.", value: (pod) => pod.status?.nominatedNodeName || "<none>" },
  { name: "Readiness Gates", type: "string", priority: 1, description: "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers are ready AND all conditions specified in the readiness gates have status equal to \"True\" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates", value: readinessGatesOf },
];

interface Summary {
  ready: string;
  status: string;
  restarts: number;
  lastRestart: string | undefined;
}

/** What init containers, or the others, contribute while the pod goes through its phases. */
interface Tally {
  ready: number;
  restarts: number;
  lastRestart: string | undefined;
}

/** The figures of `kubectl get pods`, as k8s.io/kubernetes/pkg/printers computes them. */
export function summaryOf(pod: Frozen<Pod>): Summary {
  const { status = {} } = pod;
  const gated = status.conditions?.some(({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated");
  const phaseReason = gated ? "SchedulingGated" : status.reason || status.phase || "";
  const init = initSummary(pod);
  let reason = init.reason ?? phaseReason;
  let tally: Tally = init;
  if (!init.reason || hasCondition(pod, "Initialized")) {
    const running = runningSummary(pod, init.sidecars);
    reason = running.reason ?? reason;
    tally = running;
  }
  const terminal = status.phase === "Succeeded" || status.phase === "Failed";
  if (pod.metadata.deletionTimestamp && status.reason === "NodeLost") reason = "Unknown";
  else if (pod.metadata.deletionTimestamp && !terminal) reason = "Terminating";
  const total = (pod.spec.containers ?? []).length + (pod.spec.initContainers ?? []).filter(isRestartableInitContainer).length;
  return { ready: `${tally.ready}/${total}`, status: reason, restarts: tally.restarts, lastRestart: tally.lastRestart };
}

/** Walks the init containers up to the first that is not done; `reason` is set when there is one. */
function initSummary(pod: Frozen<Pod>): Tally & { reason?: string; sidecars: Tally } {
  const specs = pod.spec.initContainers ?? [];
  const all: Tally = { ready: 0, restarts: 0, lastRestart: undefined }, sidecars: Tally = { ...all };
  for (const [index, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const sidecar = isRestartableInitContainer(specs.find(({ name }) => name === container.name));
    countRestarts(all, container);
    if (sidecar) countRestarts(sidecars, container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecar && container.started) {
      if (container.ready) sidecars.ready = all.ready += 1;
      continue;
    }
    if (terminated) return { ...all, sidecars, reason: `Init:${terminationReason(terminated)}` };
    const why = waiting?.reason && waiting.reason !== "PodInitializing" ? waiting.reason : `${index}/${specs.length}`;
    return { ...all, sidecars, reason: `Init:${why}` };
  }
  return { ...all, sidecars };
}

function runningSummary(pod: Frozen<Pod>, sidecars: Tally): Tally & { reason?: string } {
  const tally: Tally = { ...sidecars };
  let reason: string | undefined, failure: string | undefined, anyRunning = false;
  for (const container of (pod.status?.containerStatuses ?? []).toReversed()) {
    countRestarts(tally, container);
    const { waiting, terminated, running } = container.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated) {
      reason = terminationReason(terminated);
      if (terminated.exitCode !== 0) failure = reason;
    } else if (container.ready && running) {
      anyRunning = true;
      tally.ready += 1;
    }
  }
  // One container completed while others go on: the pod as a whole is not completed.
  if (reason === "Completed") {
    if (anyRunning && hasCondition(pod, "Ready")) reason = "Running";
    else if (failure) reason = failure;
    else if (anyRunning) reason = "NotReady";
  }
  return { ...tally, ...(reason === undefined ? {} : { reason }) };
}

function countRestarts(tally: Tally, { restartCount, lastState }: Frozen<ContainerStatus>): void {
  tally.restarts += restartCount;
  const finished = lastState?.terminated?.finishedAt;
  if (finished && (!tally.lastRestart || Date.parse(finished) > Date.parse(tally.lastRestart))) tally.lastRestart = finished;
}

function terminationReason({ reason, signal, exitCode }: { readonly reason?: string; readonly signal?: number; readonly exitCode: number }): string {
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}

const hasCondition = (pod: Frozen<Pod>, type: string): boolean => pod.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;

function restartsOf(pod: Frozen<Pod>, now: number): string {
  const { restarts, lastRestart } = summaryOf(pod);
  return restarts !== 0 && lastRestart ? `${restarts} (${age(lastRestart, now)} ago)` : String(restarts);
}

function readinessGatesOf(pod: Frozen<Pod>): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  return `${gates.filter(({ conditionType }) => hasCondition(pod, conditionType)).length}/${gates.length}`;
}
