import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { Pod, Service } from "../../apis/generated/core/v1.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { isPodReady, isPodTerminal } from "../pod-status.ts";
import { addressesOf, familyOf, headlessLabel, hostnameOf, isHeadless, referenceTo, targetPortOf } from "../service-endpoints.ts";

export const serviceNameLabel = "kubernetes.io/service-name";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";
export const managedBy = "endpointslice-controller.k8s.io";
/** Endpoints in one slice at most: `--max-endpoints-per-slice`. */
export const maxEndpoints = 100;

export interface SlicePlan {
  /** Without owner reference. */
  create: EndpointSlice[];
  update: EndpointSlice[];
  /** Names. */
  delete: string[];
}

/** Endpoints that share their ports: the contents of one or more slices. */
interface Group {
  ports: EndpointPort[];
  endpoints: Map<string, Endpoint>;
}

/**
 * Brings a service's slices in line with its pods, changing as few slices as it can, because every agent is sent each changed one.
 * `zoneOf` tells a node's zone. Source: k8s.io/endpointslice reconciler.go.
 */
export function planSlices(service: Frozen<Service>, pods: readonly Frozen<Pod>[], existing: readonly Frozen<EndpointSlice>[], zoneOf: (node: string) => string | undefined): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], delete: [] };
  const families = service.spec?.ipFamilies ?? [service.spec?.clusterIP?.includes(":") ? "IPv6" : "IPv4"];
  for (const slice of existing) if (!families.includes(slice.addressType as "IPv4")) plan.delete.push(slice.metadata.name!);
  for (const family of families) planFamily(service, family, groupPods(service, family, pods, zoneOf), existing.filter((slice) => slice.addressType === family), plan);
  return plan;
}

function groupPods(service: Frozen<Service>, family: string, pods: readonly Frozen<Pod>[], zoneOf: (node: string) => string | undefined): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    const addresses = addressesOf(pod).filter((ip) => familyOf(ip) === family);
    if (addresses.length === 0 || isPodTerminal(pod)) continue;
    const ports = portsOf(service, pod);
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, endpoints: new Map() };
    groups.set(key, group);
    const endpoint = endpointOf(service, pod, addresses, zoneOf);
    group.endpoints.set(identityOf(endpoint), endpoint);
  }
  return groups;
}

function portsOf(service: Frozen<Service>, pod: Frozen<Pod>): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const servicePort of service.spec?.ports ?? []) {
    const port = targetPortOf(pod, servicePort);
    if (port !== undefined) ports.push({ name: servicePort.name ?? "", port, protocol: servicePort.protocol ?? "TCP", ...(servicePort.appProtocol ? { appProtocol: servicePort.appProtocol } : {}) });
  }
  return ports.toSorted((a, b) => (a.name! < b.name! ? -1 : 1));
}

function endpointOf(service: Frozen<Service>, pod: Frozen<Pod>, addresses: string[], zoneOf: (node: string) => string | undefined): Endpoint {
  const serving = isPodReady(pod);
  const terminating = !!pod.metadata.deletionTimestamp;
  const hostname = hostnameOf(pod, service);
  const nodeName = pod.spec.nodeName;
  const zone = nodeName ? zoneOf(nodeName) : undefined;
  return {
    addresses, conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(hostname ? { hostname } : {}), targetRef: referenceTo(pod), ...(nodeName ? { nodeName } : {}), ...(zone ? { zone } : {}),
  };
}

const identityOf = (endpoint: Frozen<Endpoint>): string => `${endpoint.targetRef?.uid ?? ""}/${endpoint.addresses.join(",")}`;

function planFamily(service: Frozen<Service>, family: string, groups: Map<string, Group>, existing: readonly Frozen<EndpointSlice>[], plan: SlicePlan): void {
  const labels = labelsOf(service);
  const slicesByPorts = Map.groupBy(existing, (slice) => (slice.endpoints.length === 0 ? "placeholder" : portKey(slice.ports)));
  const spare = slicesByPorts.get("placeholder") ?? [];
  slicesByPorts.delete("placeholder");
  let kept = 0;
  for (const [key, group] of groups) {
    // An empty slice is taken before a new one is made.
    const slices = [...(slicesByPorts.get(key) ?? []), ...spare.splice(0)];
    slicesByPorts.delete(key);
    kept += planGroup(service, family, labels, group, slices, plan);
  }
  const unwanted = [...slicesByPorts.values()].flat();
  if (kept === 0) {
    const placeholder = spare.shift();
    if (!placeholder) plan.create.push(newSlice(service, family, labels, [], []));
    else if (!sameLabels(placeholder, labels) || placeholder.ports?.length > 0) plan.update.push({ ...thaw<EndpointSlice>(placeholder), metadata: { ...thaw<EndpointSlice>(placeholder).metadata, labels }, ports: [] });
  }
  for (const slice of [...unwanted, ...spare]) plan.delete.push(slice.metadata.name!);
}

const portKey = (ports: Frozen<EndpointPort[]>): string =>
  JSON.stringify([...(ports ?? [])].map(({ name = "", port, protocol, appProtocol }) => ({ name, port, protocol, ...(appProtocol ? { appProtocol } : {}) })).toSorted((a, b) => (a.name < b.name ? -1 : 1)));

/** Returns how many slices the group ends up with. */
function planGroup(service: Frozen<Service>, family: string, labels: Record<string, string>, { ports, endpoints }: Group, existing: readonly Frozen<EndpointSlice>[], plan: SlicePlan): number {
  const missing = new Map(endpoints);
  const slices = existing.map((slice) => {
    const kept = slice.endpoints.map((endpoint) => identityOf(endpoint)).filter((id) => missing.has(id));
    const next = kept.map((id) => endpoints.get(id)!);
    for (const id of kept) missing.delete(id);
    return { slice, next, changed: !sameLabels(slice, labels) || !Bun.deepEquals(slice.endpoints, next) || portKey(slice.ports) !== JSON.stringify(ports) };
  });
  const rest = [...missing.values()];
  // First into slices that change anyway; then, if all fit into one that wouldn't, there; else into new ones.
  for (const entry of slices) if (entry.changed) entry.next.push(...rest.splice(0, maxEndpoints - entry.next.length));
  if (rest.length > 0 && rest.length < maxEndpoints) {
    const roomy = slices.filter((entry) => !entry.changed && entry.next.length + rest.length <= maxEndpoints).toSorted((a, b) => b.next.length - a.next.length)[0];
    if (roomy) {
      roomy.next.push(...rest.splice(0));
      roomy.changed = true;
    }
  }
  let kept = 0;
  for (const { slice, next, changed } of slices) {
    if (next.length === 0) plan.delete.push(slice.metadata.name!);
    else {
      kept++;
      if (changed) plan.update.push({ ...thaw<EndpointSlice>(slice), metadata: { ...thaw<EndpointSlice>(slice).metadata, labels }, endpoints: next, ports });
    }
  }
  for (; rest.length > 0; kept++) plan.create.push(newSlice(service, family, labels, rest.splice(0, maxEndpoints), ports));
  return kept;
}

function labelsOf(service: Frozen<Service>): Record<string, string> {
  const { [headlessLabel]: _headless, [serviceNameLabel]: _name, [managedByLabel]: _manager, ...own } = service.metadata.labels ?? {};
  return { ...own, [serviceNameLabel]: service.metadata.name!, [managedByLabel]: managedBy, ...(isHeadless(service) ? { [headlessLabel]: "" } : {}) };
}

const sameLabels = (slice: Frozen<EndpointSlice>, labels: Record<string, string>): boolean => Bun.deepEquals(slice.metadata.labels ?? {}, labels);

function newSlice(service: Frozen<Service>, addressType: string, labels: Record<string, string>, endpoints: Endpoint[], ports: EndpointPort[]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice",
    metadata: { generateName: `${service.metadata.name}-`, namespace: service.metadata.namespace, labels },
    addressType, endpoints, ports,
  };
}
