import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ContainerRestartRule } from "../../../src/apis/generated/core/v1.ts";
import { latestContainer, type RuntimeContainer, type RuntimePod } from "../runtime/runtime-status.ts";
import { initContainers, isInitContainer, isSidecar, type Container, type Pod } from "./pod.ts";

/** How a container that ended is treated when nothing is known of its exit code: its own policy, or else the pod's. Sidecars always come back. */
export function restartPolicyOf(pod: Pod, container: Container): "Always" | "OnFailure" | "Never" {
  if (pod.spec.ephemeralContainers?.some(({ name }) => name === container.name)) return "Never";
  const own = container.restartPolicy as "Always" | "OnFailure" | "Never" | undefined;
  const policy = own ?? pod.spec.restartPolicy ?? "Always";
  // An init container has done its work once it succeeds.
  return isInitContainer(pod, container.name) && !isSidecar(container) && policy === "Always" ? "OnFailure" : policy;
}

/** Whether a container that ended so starts again. Source: k8s.io/kubernetes/pkg/api/v1/pod ContainerShouldRestart. */
export function restartsAfter(pod: Pod, container: Container, exitCode: number): boolean {
  if (container.restartPolicy !== undefined && matchingRule(container, exitCode)) return true;
  const policy = restartPolicyOf(pod, container);
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** The first rule for this exit code. Without codes a rule says nothing. */
function matchingRule({ restartPolicyRules = [] }: Container, exitCode: number): Frozen<ContainerRestartRule> | undefined {
  return restartPolicyRules.find(({ exitCodes }) => exitCodes && (exitCodes.values ?? []).includes(exitCode) === (exitCodes.operator === "In"));
}

const ownContainers = (pod: Pod): readonly Container[] => [...initContainers(pod), ...pod.spec.containers];

/** Whether the end of one container may start all of them again. */
export const mayRestartAll = (pod: Pod): boolean => ownContainers(pod).some(({ restartPolicyRules }) => restartPolicyRules?.some(({ action }) => action === "RestartAllContainers"));

/** The containers whose end starts all of them again; the newest of each name counts. */
export function restartAllSources(pod: Pod, runtime: RuntimePod): readonly RuntimeContainer[] {
  return ownContainers(pod).flatMap((container) => {
    const latest = latestContainer(runtime, container.name);
    return latest?.state === "exited" && matchingRule(container, latest.exitCode)?.action === "RestartAllContainers" ? [latest] : [];
  });
}

/**
 * All that the runtime has of the pod's containers, in the order in which it is to be ended and removed: those whose end is the cause come last,
 * so that a kubelet which takes over in the middle knows what to do.
 */
export function containersToReset(pod: Pod, runtime: RuntimePod): readonly RuntimeContainer[] {
  const sources = new Set(restartAllSources(pod, runtime));
  const isInit = ({ name }: RuntimeContainer): boolean => isInitContainer(pod, name);
  const own = runtime.containers.filter(({ name }) => ownContainers(pod).some((container) => container.name === name));
  const order = (container: RuntimeContainer): number => (sources.has(container) ? 2 : 0) + (isInit(container) ? 1 : 0);
  return own.toSorted((a, b) => order(a) - order(b));
}
