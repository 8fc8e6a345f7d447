import type { PodCondition, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import { qosClassOf } from "../../../src/apis/core/pod/qos.ts";
import { podRequests } from "../../../src/apis/core/pod/resources.ts";
import type { Verdict } from "../pod/verdict.ts";
import { mayRestartAll, restartAllSources } from "../pod/restart.ts";
import { ephemeralContainers, initContainers, isHostNetwork, isTerminal, type Container, type Pod } from "../pod/pod.ts";
import { podLimits } from "../runtime/resources.ts";
import { currentSandbox, type RuntimePod } from "../runtime/runtime-status.ts";
import { knownConditions, podConditions, restartingCondition } from "./conditions.ts";
import { containerStatus, time, type ContainerView } from "./container-status.ts";
import { podPhase } from "./phase.ts";
import { endUnlocated } from "./unlocated.ts";

export interface StatusView extends ContainerView {
  now: number;
  hostIps: readonly string[];
  /** The addresses the pod had last: a pod that has ended keeps showing them, also when it ended before they were told. */
  podIps: readonly string[];
  /** Why the kubelet ended the pod, such as DeadlineExceeded or Evicted: the pod is Failed then. */
  verdict?: Verdict | undefined;
  /** How far the resources that the pod was granted have come true; only where pods are resized. */
  resize?: { conditions: readonly PodCondition[]; actuated: Pod };
  /** The last status told, which the API may not show yet. */
  told?: PodStatus;
}

/** The status the API should show. Pure: what was, what the runtime says, and the kubelet's own knowledge in; the whole status out. */
export function podStatus(pod: Pod, runtime: RuntimePod, view: StatusView): PodStatus {
  const old = { ...pod.status, ...view.told };
  const restartsAll = mayRestartAll(pod) && (restartAllSources(pod, runtime).length > 0 || (old.conditions ?? []).some(({ type, status: value }) => type === restartingCondition && value === "True"));
  const statusesOf = (containers: readonly Container[], before: PodStatus["containerStatuses"] | undefined) =>
    containers.map((container) => containerStatus(pod, container, runtime, before?.find(({ name }) => name === container.name), { ...view, restartsAll }));
  const initStatuses = statusesOf(initContainers(pod), old.initContainerStatuses as PodStatus["initContainerStatuses"]);
  const statuses = statusesOf(pod.spec.containers, old.containerStatuses as PodStatus["containerStatuses"]);
  const ephemeral = statusesOf(ephemeralContainers(pod), old.ephemeralContainerStatuses as PodStatus["ephemeralContainerStatuses"]);
  if (view.finished) endUnlocated(pod, initStatuses, statuses);
  // A phase that is terminal never changes again.
  const phase = isTerminal(pod.status?.phase) ? pod.status?.phase : view.verdict ? "Failed" : podPhase(pod, initStatuses, statuses, view.finished && !anyRunning(runtime));

  const sandbox = currentSandbox(runtime);
  const hostIps = view.hostIps;
  const podIps = isHostNetwork(pod) ? hostIps : sandbox?.ready && sandbox.ips.length > 0 ? sandbox.ips : view.podIps.length > 0 ? view.podIps : (old.podIPs ?? []).map(({ ip }) => ip);
  const sandboxReady = sandbox?.ready === true && (isHostNetwork(pod) || sandbox.ips.length > 0);

  const status: PodStatus = {
    phase, startTime: old.startTime ?? time(view.now),
    conditions: podConditions(pod, { phase, initStatuses, statuses, sandboxReady, known: knownConditions(pod.status?.conditions, view.told?.conditions), disruption: view.verdict?.disruption, resize: view.resize?.conditions ?? [], restarting: mayRestartAll(pod) ? restartsAll && runtime.containers.length > 0 : undefined, now: view.now }),
    qosClass: old.qosClass ?? qosClassOf(pod), containerStatuses: statuses,
    hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })),
  };
  if (pod.metadata.generation !== undefined) status.observedGeneration = pod.metadata.generation;
  if (initStatuses.length > 0) status.initContainerStatuses = initStatuses;
  if (ephemeral.length > 0) status.ephemeralContainerStatuses = ephemeral;
  if (podIps.length > 0 && (sandbox || old.podIP)) {
    status.podIP = podIps[0];
    status.podIPs = podIps.map((ip) => ({ ip }));
  }
  if (view.resize) Object.assign(status, podLevelResources(pod, view.resize.actuated));
  const { reason, message } = view.verdict ?? old;
  if (reason) status.reason = reason;
  if (message) status.message = message;
  return status;
}

/** Source: k8s.io/kubernetes/pkg/kubelet convertToAPIPodLevelResourcesStatus. */
function podLevelResources(granted: Pod, actuated: Pod): Pick<PodStatus, "allocatedResources" | "resources"> {
  const allocatedResources = podRequests(granted), requests = podRequests(actuated), limits = podLimits(actuated);
  if (Object.keys(allocatedResources).length === 0 && Object.keys(limits).length === 0) return {};
  return {
    allocatedResources,
    resources: { ...(Object.keys(limits).length > 0 ? { limits } : {}), ...(Object.keys(requests).length > 0 ? { requests } : {}) },
  };
}

const anyRunning = (runtime: RuntimePod): boolean => runtime.containers.some((container) => container.state === "running");
