import type { Frozen } from "../../apimachinery/meta.ts";
import type { EndpointAddress, EndpointPort, EndpointSubset, Pod, Service } from "../../apis/generated/core/v1.ts";
import { isPodReady, isPodTerminal } from "../pod-status.ts";
import { addressesOf, familyOf, hostnameOf, referenceTo, targetPortOf } from "../service-endpoints.ts";

/** Addresses in one Endpoints object at most; the annotation says when there were more. */
export const maxAddresses = 1000;

/** The subsets of a service in the classic form: addresses with the same ports together, in a stable order. Source: endpoints.RepackSubsets. */
export function subsetsOf(service: Frozen<Service>, pods: readonly Frozen<Pod>[]): { subsets: EndpointSubset[]; truncated: boolean } {
  const groups = new Map<string, { ports: EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  const family = service.spec?.ipFamilies?.[0] ?? (service.spec?.clusterIP?.includes(":") ? "IPv6" : "IPv4");
  const publish = service.spec?.publishNotReadyAddresses === true;
  const sorted = pods.toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1)).filter((pod) => !isPodTerminal(pod) && (publish || !pod.metadata.deletionTimestamp));
  let count = 0;
  for (const pod of sorted) {
    const ip = addressesOf(pod).find((address) => familyOf(address) === family);
    if (!ip) continue;
    if (++count > maxAddresses) break;
    const ports = portsOf(service, pod);
    // A service with ports none of which this pod has says nothing of it; one without ports names its address alone.
    if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue;
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, ready: [], notReady: [] };
    groups.set(key, group);
    (publish || isPodReady(pod) ? group.ready : group.notReady).push(addressOf(service, pod, ip));
  }
  const byIp = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : 1);
  const subsets = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, { ports, ready, notReady }]) => ({
    ...(ready.length > 0 ? { addresses: ready.toSorted(byIp) } : {}), ...(notReady.length > 0 ? { notReadyAddresses: notReady.toSorted(byIp) } : {}), ...(ports.length > 0 ? { ports } : {}),
  }));
  return { subsets, truncated: count > maxAddresses };
}

function portsOf(service: Frozen<Service>, pod: Frozen<Pod>): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const servicePort of service.spec?.ports ?? []) {
    const port = targetPortOf(pod, servicePort);
    const { name, protocol = "TCP", appProtocol } = servicePort;
    if (port !== undefined) ports.push({ ...(name ? { name } : {}), port, protocol, ...(appProtocol ? { appProtocol } : {}) });
  }
  return ports.toSorted((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
}

function addressOf(service: Frozen<Service>, pod: Frozen<Pod>, ip: string): EndpointAddress {
  const hostname = hostnameOf(pod, service);
  return { ip, ...(hostname ? { hostname } : {}), ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}), targetRef: referenceTo(pod) };
}
