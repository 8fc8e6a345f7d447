import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Pod, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";

export interface EndpointAddress {
  ip: string;
  port: number;
}

/** One port of one Service, as the packet filter sees it. */
export interface ServicePort {
  /** `namespace/name:port`, unique. */
  name: string;
  protocol: "tcp" | "udp" | "sctp";
  clusterIp: string;
  port: number;
  nodePort?: number;
  /** externalIPs and load-balancer addresses. */
  externalIps: readonly string[];
  /** Where traffic from inside the cluster goes. */
  endpoints: readonly EndpointAddress[];
  /** Where traffic from outside goes; fewer than `endpoints` under externalTrafficPolicy Local. */
  externalEndpoints: readonly EndpointAddress[];
  /** Keep the client's address on traffic from outside: externalTrafficPolicy Local. */
  preserveClientIp: boolean;
  /** ClientIP session affinity lasts this many seconds. */
  affinitySeconds?: number;
}

export interface HostPort {
  protocol: "tcp" | "udp" | "sctp";
  /** Empty for all addresses of the node. */
  hostIp: string;
  hostPort: number;
  endpoint: EndpointAddress;
}

const defaultAffinitySeconds = 10_800;
const serviceNameLabel = "kubernetes.io/service-name";
/** On a Service: another proxy serves it. */
const otherProxyLabel = "service.kubernetes.io/service-proxy-name";
/** On an EndpointSlice: it is for names alone. */
const headlessLabel = "service.kubernetes.io/headless";
const has = ({ metadata }: Frozen<Service | EndpointSlice>, label: string): boolean => metadata.labels?.[label] !== undefined;

/** All Services that have an address, with their IPv4 endpoints. Headless and ExternalName Services have none and are left out, as are those of another proxy. */
export function servicePorts(services: readonly Frozen<Service>[], slices: readonly Frozen<EndpointSlice>[], nodeName: string): ServicePort[] {
  const slicesOf = new Map<string, Frozen<EndpointSlice>[]>();
  for (const slice of slices) {
    const service = slice.metadata.labels?.[serviceNameLabel];
    if (!service || slice.addressType !== "IPv4" || has(slice, headlessLabel)) continue;
    const key = `${slice.metadata.namespace}/${service}`;
    slicesOf.set(key, [...(slicesOf.get(key) ?? []), slice]);
  }
  return services.filter((service) => !has(service, otherProxyLabel)).flatMap((service) => portsOf(service, slicesOf.get(`${service.metadata.namespace}/${service.metadata.name}`) ?? [], nodeName));
}

function portsOf(service: Frozen<Service>, slices: readonly Frozen<EndpointSlice>[], nodeName: string): ServicePort[] {
  const { spec } = service;
  const clusterIp = spec.clusterIP;
  if (!clusterIp || clusterIp === "None" || spec.type === "ExternalName") return [];
  const localOnly = spec.externalTrafficPolicy === "Local";
  const ingress = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ip && ipMode !== "Proxy" ? [ip] : []));
  return (spec.ports ?? []).map((port) => {
    const all = candidates(slices, port.name ?? "");
    const local = all.filter((endpoint) => endpoint.nodeName === nodeName);
    return {
      name: `${service.metadata.namespace}/${service.metadata.name}:${port.name ?? port.port}`,
      protocol: (port.protocol ?? "TCP").toLowerCase() as ServicePort["protocol"],
      clusterIp, port: port.port, ...(port.nodePort ? { nodePort: port.nodePort } : {}),
      externalIps: [...new Set([...(spec.externalIPs ?? []), ...ingress])],
      endpoints: usable(spec.internalTrafficPolicy === "Local" ? local : all), externalEndpoints: usable(localOnly ? local : all), preserveClientIp: localOnly,
      ...(spec.sessionAffinity === "ClientIP" ? { affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds } : {}),
    };
  });
}

interface Candidate extends EndpointAddress { ready: boolean; serving: boolean; nodeName?: string }

function candidates(slices: readonly Frozen<EndpointSlice>[], portName: string): Candidate[] {
  return slices.flatMap((slice) => {
    const port = slice.ports?.find((p) => (p.name ?? "") === portName)?.port;
    if (port === undefined) return [];
    return (slice.endpoints ?? []).flatMap(({ addresses, conditions, nodeName }) => {
      const ready = conditions?.ready !== false;
      return addresses.slice(0, 1).map((ip) => ({ ip, port, ready, serving: conditions?.serving ?? ready, ...(nodeName ? { nodeName } : {}) }));
    });
  });
}

/** Ready endpoints; while there is none, those that still serve although they are ending (KEP-1669). Sorted, each once. */
function usable(all: readonly Candidate[]): EndpointAddress[] {
  const ready = all.filter((endpoint) => endpoint.ready);
  const chosen = ready.length ? ready : all.filter((endpoint) => endpoint.serving);
  const unique = new Map(chosen.map(({ ip, port }) => [`${ip}:${port}`, { ip, port }]));
  return [...unique.keys()].sort().map((key) => unique.get(key)!);
}

/** Host ports of this node's running pods. Pods on the host's network need none. */
export function hostPorts(pods: readonly Frozen<Pod>[]): HostPort[] {
  return pods.filter((pod) => !pod.spec.hostNetwork && pod.status?.podIP && pod.status.phase !== "Succeeded" && pod.status.phase !== "Failed").flatMap((pod) =>
    [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always")].flatMap(({ ports = [] }) =>
      ports.filter((port) => port.hostPort).map((port) => ({
        protocol: (port.protocol ?? "TCP").toLowerCase() as HostPort["protocol"], hostIp: port.hostIP && port.hostIP !== "0.0.0.0" ? port.hostIP : "",
        hostPort: port.hostPort!, endpoint: { ip: pod.status!.podIP!, port: port.containerPort },
      }))));
}
