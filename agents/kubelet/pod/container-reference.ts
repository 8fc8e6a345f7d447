import type { ObjectReference } from "../../../src/apis/generated/core/v1.ts";
import { isInitContainer, type Container, type Pod } from "./pod.ts";

/** What an Event about a container of a pod names. Source: kubelet/container GenerateContainerRef. */
export function containerReference(pod: Pod, container: Container): ObjectReference {
  const ephemeral = pod.spec.ephemeralContainers?.some(({ name }) => name === container.name);
  const list = ephemeral ? "ephemeralContainers" : isInitContainer(pod, container.name) ? "initContainers" : "containers";
  return { ...podReference(pod), fieldPath: `spec.${list}{${container.name}}` };
}

export function podReference(pod: Pod): ObjectReference {
  const { namespace, name, uid, resourceVersion } = pod.metadata;
  return { kind: "Pod", apiVersion: "v1", namespace, name, uid, resourceVersion };
}
