import { keyOf, type Frozen } from "../apimachinery/meta.ts";
import type { Container, ObjectReference, Pod, Service, ServicePort } from "../apis/generated/core/v1.ts";
import type { Listers, Watch } from "../client/controller.ts";
import { watchOf } from "../client/controller.ts";
import { pods, services } from "../apis/builtins.ts";
import { isPodReady, isPodTerminal } from "./pod-status.ts";

/** What the controllers of Endpoints and EndpointSlices have in common. */

export const headlessLabel = "service.kubernetes.io/headless";
/** By these an EndpointSlice says whose it is, and who looks after it. */
export const serviceNameLabel = "kubernetes.io/service-name", managedByLabel = "endpointslice.kubernetes.io/managed-by";
export const isHeadless = (service: Frozen<Service>): boolean => service.spec?.clusterIP === "None" || (!service.spec?.clusterIP && service.spec?.type !== "ExternalName");

/** Whether endpoints are made for this service: those without a selector have theirs made by others. */
export function hasSelector(service: Frozen<Service>): boolean {
  return service.spec?.type !== "ExternalName" && Object.keys(service.spec?.selector ?? {}).length > 0;
}

function selectsPod(service: Frozen<Service>, pod: Frozen<Pod>): boolean {
  return hasSelector(service) && Object.entries(service.spec!.selector!).every(([name, value]) => pod.metadata.labels?.[name] === value);
}

export const podsOf = (service: Frozen<Service>, lister: Listers): Frozen<Pod>[] => lister(pods).list(service.metadata.namespace).filter((pod) => selectsPod(service, pod));

/** Keys of the services that select a pod. */
export const servicesOf = (pod: Frozen<Pod>, lister: Listers): string[] => lister(services).list(pod.metadata.namespace).filter((service) => selectsPod(service, pod)).map(keyOf);

/** The service's own watch of pods: keys of services that select a pod, or did before it changed. */
export const watchPods: Watch<Pod> = watchOf(pods, (current, old, { lister }) => {
  // Without an address it is nobody's endpoint: half of what happens to a pod happens before it has one.
  if (![current, old].some((pod) => pod && addressesOf(pod).length > 0)) return [];
  if (!current || !old) return servicesOf((current ?? old)!, lister);
  const moved = !Bun.deepEquals(current.metadata.labels, old.metadata.labels);
  if (!moved && Bun.deepEquals(endpointFacts(current), endpointFacts(old))) return [];
  return moved ? new Set([...servicesOf(old, lister), ...servicesOf(current, lister)]) : servicesOf(current, lister);
});

/** All of a pod that its endpoint shows and that may change. Most changes of a pod are of none of these. */
const endpointFacts = (pod: Frozen<Pod>): unknown[] =>
  [pod.metadata.uid, Boolean(pod.metadata.deletionTimestamp), pod.spec.nodeName, pod.spec.hostname, pod.spec.subdomain, isPodReady(pod), isPodTerminal(pod), addressesOf(pod)];

/** The number of a service port on this pod; undefined when the pod has no port of that name. Source: podutil.FindPort. */
export function targetPortOf(pod: Frozen<Pod>, { port, targetPort, protocol = "TCP" }: Frozen<ServicePort>): number | undefined {
  if (targetPort === undefined || targetPort === 0 || targetPort === "") return port;
  if (typeof targetPort === "number") return targetPort;
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  const containers: readonly Frozen<Container>[] = [...pod.spec.containers, ...sidecars];
  return containers.flatMap((container) => container.ports ?? []).find((p) => p.name === targetPort && (p.protocol ?? "TCP") === protocol)?.containerPort;
}

/** The pod's own DNS name under a headless service. */
export function hostnameOf(pod: Frozen<Pod>, service: Frozen<Service>): string | undefined {
  const { hostname, subdomain } = pod.spec;
  return hostname && subdomain === service.metadata.name && pod.metadata.namespace === service.metadata.namespace ? hostname : undefined;
}

export const referenceTo = ({ metadata: { namespace, name, uid } }: Frozen<Pod>): ObjectReference => ({ kind: "Pod", namespace, name, uid });

export function addressesOf(pod: Frozen<Pod>): string[] {
  const ips = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
  return ips.length > 0 ? ips : pod.status?.podIP ? [pod.status.podIP] : [];
}

export type IpFamily = "IPv4" | "IPv6";
export const familyOf = (ip: string): IpFamily => (ip.includes(":") ? "IPv6" : "IPv4");

/** The families a service has endpoints of; a headless one that nobody has given any may have both. */
export function familiesOf({ spec }: Frozen<Service>): readonly IpFamily[] {
  if (spec?.ipFamilies?.length) return spec.ipFamilies as readonly IpFamily[];
  return spec?.clusterIP && spec.clusterIP !== "None" ? [familyOf(spec.clusterIP)] : ["IPv4", "IPv6"];
}
