import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Container as ContainerSpec, EphemeralContainer, Pod as PodSpecObject } from "../../../src/apis/generated/core/v1.ts";
import { isRestartableInitContainer } from "../../../src/apis/core/pod/resources.ts";

/** A pod as the API has it; shared, so never changed. */
export type Pod = Frozen<PodSpecObject>;
export type Container = Frozen<ContainerSpec>;

/** An ephemeral container has a container's fields, less those that need a restart to be meaningful. */
const asContainer = (container: Frozen<EphemeralContainer>): Container => container as Container;

export const initContainers = (pod: Pod): readonly Container[] => pod.spec.initContainers ?? [];
export const ephemeralContainers = (pod: Pod): readonly Container[] => (pod.spec.ephemeralContainers ?? []).map(asContainer);
export const allContainers = (pod: Pod): readonly Container[] => [...initContainers(pod), ...pod.spec.containers, ...ephemeralContainers(pod)];
export const findContainer = (pod: Pod, name: string): Container | undefined => allContainers(pod).find((container) => container.name === name);

/** The container in whose process namespace an ephemeral one wants to be. */
export const targetOf = (pod: Pod, name: string): string | undefined => pod.spec.ephemeralContainers?.find((container) => container.name === name)?.targetContainerName;

/** A restartable init container ("sidecar"): starts in order with the init containers, runs beside the others. */
export const isSidecar = (container: Container): boolean => isRestartableInitContainer(container);
export const isInitContainer = (pod: Pod, name: string): boolean => initContainers(pod).some((container) => container.name === name);

/** `namespace/name(uid)`, as Kubernetes' events and logs write it. */
export const podName = (pod: Pod): string => `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;

export const isHostNetwork = (pod: Pod): boolean => pod.spec.hostNetwork === true;
export const isTerminal = (phase: string | undefined): boolean => phase === "Succeeded" || phase === "Failed";

/** Seconds a pod is granted to end: from its deletion, its spec, or where the API has forgotten it from what its containers remember. */
export function gracePeriodSeconds(pod: Pod, remembered = 30): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? remembered;
}
