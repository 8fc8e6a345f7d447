import type { Frozen } from "../../../apimachinery/meta.ts";
import { badRequest } from "../../../apimachinery/status.ts";
import type { Pod } from "../../../apis/generated/core/v1.ts";

/** The container that a client means; required when the pod has several. Source: k8s.io/kubernetes/pkg/registry/core/pod validateContainer. */
export function chooseContainer(pod: Frozen<Pod>, asked: string | null): string {
  const { name } = pod.metadata;
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  if (asked) {
    if (![...containers, ...initContainers, ...ephemeralContainers].some((container) => container.name === asked)) throw badRequest(`container ${asked} is not valid for pod ${name}`);
    return asked;
  }
  if (containers.length === 1) return containers[0]!.name;
  const names = (list: readonly { readonly name: string }[]): string => `[${list.map((container) => container.name).join(" ")}]`;
  const orInit = initContainers.length ? ` or one of the init containers: ${names(initContainers)}` : "";
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: ${names(containers)}${orInit}`);
}

/** Throws 400 for a pod that is not scheduled yet. */
export function hostOf(pod: Frozen<Pod>): string {
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return pod.spec.nodeName;
}
