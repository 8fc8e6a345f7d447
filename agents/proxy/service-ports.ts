import { isIP } from "node:net";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { chooseEndpoints, endpointsOf, type EndpointAddress, type Place } from "./endpoints.ts";
import { canonical, type IpFamily, ofFamily } from "./family.ts";

export type Protocol = "tcp" | "udp" | "sctp";

/** One port of one Service in one address family, as the packet filter sees it. */
export interface ServicePort {
  /** `namespace/name:port`, unique. */
  name: string;
  protocol: Protocol;
  clusterIp: string;
  port: number;
  nodePort?: number;
  externalIps: readonly string[];
  /** Addresses of status.loadBalancer that traffic goes to as it is (ipMode VIP). */
  loadBalancerIps: readonly string[];
  /** Who may use the load balancer's addresses, as networks; empty for everybody. */
  sourceRanges: readonly string[];
  /** Where traffic to the cluster IP goes. */
  internalEndpoints: readonly EndpointAddress[];
  /** Where traffic goes that came in from outside, and what pods and the node itself send to outside addresses; the same without Local. */
  externalEndpoints: readonly EndpointAddress[];
  clusterEndpoints: readonly EndpointAddress[];
  /** externalTrafficPolicy Local: the client's address is kept, and only endpoints of this node are used. */
  externalLocal: boolean;
  /** Some node has endpoints: where this one has none to send to, packets are dropped, not refused. */
  anyEndpoints: boolean;
  /** All that serve anywhere, whatever policy says: flows to these are left alone. */
  serving: readonly EndpointAddress[];
  /** On this node: a pod among these may talk to itself. */
  localEndpoints: readonly EndpointAddress[];
  /** ClientIP session affinity lasts this many seconds. */
  affinitySeconds?: number;
}

const defaultAffinitySeconds = 10_800;
const serviceNameLabel = "kubernetes.io/service-name";
/** On a Service: another proxy serves it. */
const otherProxyLabel = "service.kubernetes.io/service-proxy-name";
/** On an EndpointSlice: it is for names alone. */
const headlessLabel = "service.kubernetes.io/headless";

/** The key, `namespace/name`, of the Service whose endpoints a slice has; undefined when they are for no proxy. */
export function serviceOf({ metadata: { labels, namespace } }: Frozen<EndpointSlice>): string | undefined {
  const name = labels?.[serviceNameLabel];
  return name && labels[headlessLabel] === undefined ? `${namespace}/${name}` : undefined;
}

/**
 * The ports of a Service that has an address of this family. Headless and ExternalName Services have none, nor has one of another proxy.
 * `slices` are the Service's own.
 */
export function servicePorts(service: Frozen<Service>, slices: readonly Frozen<EndpointSlice>[], family: IpFamily, place: Place): ServicePort[] {
  const { spec, metadata: { namespace, name, labels } } = service;
  const [clusterIp] = ofFamily(family, spec.clusterIPs ?? [spec.clusterIP ?? ""]).filter((address) => isIP(address));
  if (!clusterIp || spec.type === "ExternalName" || labels?.[otherProxyLabel] !== undefined) return [];
  const own = slices.filter(({ addressType }) => addressType === family);
  const addresses = (these: readonly string[]): string[] => [...new Set(ofFamily(family, these.filter((address) => isIP(address)).map(canonical)))];
  const loadBalancerIps = addresses((service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ip && ipMode !== "Proxy" ? [ip] : [])));
  const externalLocal = spec.externalTrafficPolicy === "Local";
  return (spec.ports ?? []).map((port) => {
    const protocol = port.protocol ?? "TCP";
    const all = endpointsOf(own, port.name ?? "", protocol, place), { cluster, local, any } = chooseEndpoints(all, place);
    return {
      name: `${namespace}/${name}:${port.name ?? port.port}`, protocol: protocol.toLowerCase() as Protocol,
      clusterIp: canonical(clusterIp), port: port.port, ...(port.nodePort ? { nodePort: port.nodePort } : {}),
      externalIps: addresses(spec.externalIPs ?? []).filter((address) => !loadBalancerIps.includes(address)), loadBalancerIps,
      sourceRanges: loadBalancerIps.length > 0 ? ofFamily(family, (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim())) : [],
      internalEndpoints: spec.internalTrafficPolicy === "Local" ? local : cluster, externalEndpoints: externalLocal ? local : cluster, clusterEndpoints: cluster,
      externalLocal, anyEndpoints: any, serving: all.filter(({ serving }) => serving), localEndpoints: all.filter((endpoint) => endpoint.local),
      ...(spec.sessionAffinity === "ClientIP" ? { affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds } : {}),
    };
  });
}
