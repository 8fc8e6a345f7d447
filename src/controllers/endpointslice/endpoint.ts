import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Pod, Service } from "../../apis/generated/core/v1.ts";
import type { Endpoint, EndpointPort } from "../../apis/generated/discovery/v1.ts";
import { isPodReady } from "../pod-status.ts";
import { addressesOf, familyOf, hostnameOf, referenceTo, targetPortOf, type IpFamily } from "../service-endpoints.ts";

export const zoneLabel = "topology.kubernetes.io/zone";

/** A pod as one endpoint of a service; undefined when it has no address of that family. */
export function endpointOf(service: Frozen<Service>, family: IpFamily, pod: Frozen<Pod>, node: Frozen<Node> | undefined): Endpoint | undefined {
  const addresses = addressesOf(pod).filter((ip) => familyOf(ip) === family);
  if (addresses.length === 0) return undefined;
  const serving = isPodReady(pod);
  const terminating = !!pod.metadata.deletionTimestamp;
  const hostname = hostnameOf(pod, service);
  const nodeName = pod.spec.nodeName;
  const zone = node?.metadata.labels?.[zoneLabel];
  return {
    addresses, conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(hostname ? { hostname } : {}), targetRef: referenceTo(pod), ...(nodeName ? { nodeName } : {}), ...(zone ? { zone } : {}),
  };
}

/** The ports of a service as this pod has them; named ones may differ from pod to pod, or be missing. */
export function portsOf(service: Frozen<Service>, pod: Frozen<Pod>): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const servicePort of service.spec?.ports ?? []) {
    const port = targetPortOf(pod, servicePort);
    if (port !== undefined) ports.push({ name: servicePort.name ?? "", port, protocol: servicePort.protocol ?? "TCP", ...(servicePort.appProtocol ? { appProtocol: servicePort.appProtocol } : {}) });
  }
  return ports.toSorted((a, b) => (a.name! < b.name! ? -1 : 1));
}

/** Whether ports are to be looked for on each pod; otherwise all pods have the same. */
export const hasNamedTargets = ({ spec }: Frozen<Service>): boolean => (spec?.ports ?? []).some(({ targetPort }) => typeof targetPort === "string");

/** Equal for ports that mean the same, in whatever order and with whatever defaults left out. */
export const portKey = (ports: Frozen<EndpointPort[]> | undefined): string =>
  JSON.stringify([...(ports ?? [])].map(({ name = "", port, protocol = "TCP", appProtocol }) => ({ name, port, protocol, ...(appProtocol ? { appProtocol } : {}) })).toSorted((a, b) => (a.name < b.name ? -1 : 1)));

/** What makes an endpoint the same one when the rest of it changes. Source: hashEndpoint of k8s.io/endpointslice. */
export const identityOf = ({ addresses, hostname, targetRef }: Frozen<Endpoint>): string =>
  `${addresses.length === 1 ? addresses[0] : addresses.toSorted().join(",")}/${hostname ?? ""}/${targetRef?.namespace ?? ""}/${targetRef?.name ?? ""}`;

/** Whether two endpoints of one identity say the same, whatever their hints. */
export function sameEndpoint(a: Frozen<Endpoint>, b: Frozen<Endpoint>): boolean {
  return a.nodeName === b.nodeName && a.zone === b.zone && a.targetRef?.uid === b.targetRef?.uid && a.targetRef?.kind === b.targetRef?.kind
    && a.conditions?.ready === b.conditions?.ready && a.conditions?.serving === b.conditions?.serving && a.conditions?.terminating === b.conditions?.terminating;
}
