import { semanticEqual } from "../../../src/apimachinery/equality.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { milliValue } from "../../../src/apimachinery/quantity.ts";
import { podRequests } from "../../../src/apis/core/pod/resources.ts";
import type { ResourceRequirements } from "../../../src/apis/generated/core/v1.ts";
import { initContainers, type Container, type Pod } from "../pod/pod.ts";

type Resources = Frozen<ResourceRequirements>;

/** What of a pod's spec may change while it runs: its resources as a whole, and its containers'. */
export interface PodResources {
  pod?: Resources;
  /** By container; those of ephemeral ones are not among them. */
  containers: Readonly<Record<string, Resources>>;
}

export function resourcesOf({ spec }: Pod): PodResources {
  const containers = Object.fromEntries([...spec.containers, ...(spec.initContainers ?? [])].map(({ name, resources = {} }) => [name, resources]));
  return { ...(spec.resources ? { pod: spec.resources } : {}), containers };
}

/** The pod with these resources in place of its own: the same object where they are equal. Containers that `resources` doesn't name keep theirs. */
export function withResources(pod: Pod, { pod: whole, containers }: PodResources): Pod {
  const kept = (container: Container): boolean => containers[container.name] === undefined || semanticEqual(container.resources ?? {}, containers[container.name]);
  if (semanticEqual(pod.spec.resources ?? {}, whole ?? {}) && pod.spec.containers.every(kept) && initContainers(pod).every(kept)) return pod;
  const exchanged = (container: Container): Container => (kept(container) ? container : { ...container, resources: containers[container.name]! });
  return {
    ...pod,
    spec: {
      ...pod.spec, containers: pod.spec.containers.map(exchanged), ...(pod.spec.initContainers ? { initContainers: pod.spec.initContainers.map(exchanged) } : {}),
      ...(whole ?? pod.spec.resources ? { resources: whole } : {}),
    },
  };
}

/** Whether the pod asks for more CPU or memory than it did. */
export function asksMore(before: Pod, after: Pod): boolean {
  const [was, is] = [podRequests(before), podRequests(after)];
  return ["cpu", "memory"].some((name) => milliValue(is[name] ?? 0) > milliValue(was[name] ?? 0));
}

/** All containers and their resources, as Events of a resize tell them. Source: k8s.io/kubernetes/pkg/kubelet/events/resize.go. */
export function resizeSummary(pod: Pod, generation: number, error?: string): string {
  const listOf = (containers: readonly Container[]): unknown => (containers.length > 0 ? containers.map(({ name, resources = {} }) => ({ name, resources: ordered(resources) })) : undefined);
  return JSON.stringify({ initContainers: listOf(initContainers(pod)), containers: listOf(pod.spec.containers), generation, error });
}

const ordered = ({ limits, requests }: Resources): unknown => ({ limits: sorted(limits), requests: sorted(requests) });
const sorted = (amounts: Resources["limits"]): unknown => amounts && Object.fromEntries(Object.entries(amounts).toSorted(([a], [b]) => (a < b ? -1 : 1)));
