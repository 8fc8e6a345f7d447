import type { Frozen } from "../../apimachinery/meta.ts";
import type { EndpointAddress, EndpointPort, EndpointSubset, Pod, Service } from "../../apis/generated/core/v1.ts";
import { repackSubsets } from "../endpoint-subsets.ts";
import { isPodReady, isPodTerminal } from "../pod-status.ts";
import { addressesOf, familiesOf, familyOf, hostnameOf, referenceTo, targetPortOf } from "../service-endpoints.ts";

/** Addresses in one Endpoints object at most; the annotation says when there were more. */
export const maxAddresses = 1000;

/** The subsets of a service in the classic form, of its first family only. Source: endpoints_controller.go. */
export function subsetsOf(service: Frozen<Service>, pods: readonly Frozen<Pod>[]): { subsets: EndpointSubset[]; truncated: boolean } {
  const [family] = familiesOf(service);
  const publish = service.spec?.publishNotReadyAddresses === true;
  const subsets: EndpointSubset[] = [];
  for (const pod of pods) {
    const ip = addressesOf(pod).find((address) => familyOf(address) === family);
    if (!ip || isPodTerminal(pod) || (!publish && pod.metadata.deletionTimestamp)) continue;
    const address = [addressOf(service, pod, ip)];
    const offer = publish || isPodReady(pod) ? { addresses: address } : { notReadyAddresses: address };
    // A service with ports none of which this pod has says nothing of it; a headless one without ports names its address alone.
    if ((service.spec?.ports ?? []).length > 0) for (const port of portsOf(service, pod)) subsets.push({ ...offer, ports: [port] });
    else if (service.spec?.clusterIP === "None") subsets.push(offer);
  }
  return truncate(repackSubsets(subsets));
}

function portsOf(service: Frozen<Service>, pod: Frozen<Pod>): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((servicePort) => {
    const port = targetPortOf(pod, servicePort);
    const { name, protocol = "TCP", appProtocol } = servicePort;
    return port === undefined ? [] : [{ ...(name ? { name } : {}), port, protocol, ...(appProtocol ? { appProtocol } : {}) }];
  });
}

function addressOf(service: Frozen<Service>, pod: Frozen<Pod>, ip: string): EndpointAddress {
  const hostname = hostnameOf(pod, service);
  return { ip, ...(hostname ? { hostname } : {}), ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}), targetRef: referenceTo(pod) };
}

/** Leaves each subset its part of what may be, ready addresses before others. Source: truncateEndpoints. */
function truncate(subsets: EndpointSubset[]): { subsets: EndpointSubset[]; truncated: boolean } {
  const ready = subsets.reduce((sum, { addresses = [] }) => sum + addresses.length, 0);
  const notReady = subsets.reduce((sum, { notReadyAddresses = [] }) => sum + notReadyAddresses.length, 0);
  if (ready + notReady <= maxAddresses) return { subsets, truncated: false };
  const onlyReady = ready > maxAddresses;
  const room = onlyReady ? maxAddresses : maxAddresses - ready;
  let left = room;
  /** The first of a subset's addresses, by its share of all such. */
  const first = (of: EndpointAddress[], total: number): EndpointAddress[] => {
    const kept = of.slice(0, Math.min(left, Math.ceil((of.length / total) * room)));
    left -= kept.length;
    return kept;
  };
  return {
    truncated: true,
    subsets: subsets.map(({ addresses = [], notReadyAddresses = [], ports }) => {
      const kept = onlyReady ? first(addresses, ready) : addresses;
      const unready = onlyReady ? [] : first(notReadyAddresses, notReady);
      return { ...(kept.length > 0 ? { addresses: kept } : {}), ...(unready.length > 0 ? { notReadyAddresses: unready } : {}), ...(ports ? { ports } : {}) };
    }),
  };
}
