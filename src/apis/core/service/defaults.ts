import { semanticEqual } from "../../../apimachinery/equality.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Service, ServiceSpec } from "../../generated/core/v1.ts";

const threeHours = 10_800;

export function defaultService(service: Service): void {
  const spec = (service.spec ??= {});
  spec.sessionAffinity ||= "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP" && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: threeHours } };
  }
  spec.type ||= "ClusterIP";
  for (const port of spec.ports ?? []) {
    port.protocol ||= "TCP";
    port.targetPort ||= port.port;
  }
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ||= "Cluster";
  if (spec.type !== "ExternalName") spec.internalTrafficPolicy ??= "Cluster";
  if (spec.type !== "LoadBalancer") return;
  spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of service.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= "VIP";
}

export const isExternallyAccessible = (spec: Frozen<ServiceSpec>): boolean =>
  spec.type === "LoadBalancer" || spec.type === "NodePort" || (spec.type === "ClusterIP" && (spec.externalIPs ?? []).length > 0);

/** Node ports are allocated for these. */
export const needsNodePort = ({ type }: Frozen<ServiceSpec>): boolean => type === "NodePort" || type === "LoadBalancer";

/** A load balancer probes this port of each node to learn where local endpoints are. */
export const needsHealthCheckPort = (spec: Frozen<ServiceSpec>): boolean => spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";

/** What the allocators gave is kept when an update, such as one made from a manifest, leaves it out. */
export function keepAllocations({ spec }: Service, { spec: old }: Frozen<Service>): void {
  if (old.type !== "ExternalName" && spec.type !== "ExternalName") {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    if (!spec.clusterIPs?.length && old.clusterIPs && spec.clusterIP === old.clusterIP) spec.clusterIPs = [...old.clusterIPs];
  }
  if (needsNodePort(old) && needsNodePort(spec)) keepNodePorts(spec, old);
  if (needsHealthCheckPort(old) && needsHealthCheckPort(spec) && old.healthCheckNodePort) spec.healthCheckNodePort ||= old.healthCheckNodePort;
}

function keepNodePorts(spec: ServiceSpec, old: Frozen<ServiceSpec>): void {
  const key = ({ port, protocol }: { port: number; protocol?: string }): string => `${protocol ?? "TCP"}/${port}`;
  const given = new Map((old.ports ?? []).map((port) => [key(port), port.nodePort]));
  const taken = new Set((spec.ports ?? []).map(({ nodePort }) => nodePort));
  for (const port of spec.ports ?? []) {
    const nodePort = given.get(key(port));
    if (port.nodePort || !nodePort || taken.has(nodePort)) continue;
    port.nodePort = nodePort;
    taken.add(nodePort);
  }
}

/** On a change of type, clears what the old type needed, the new one does not, and the client did not touch. */
export function dropFieldsOfOldType(service: Service, { spec: old }: Frozen<Service>): void {
  const { spec } = service;
  if (old.type !== "ExternalName" && spec.type === "ExternalName") {
    for (const field of ["clusterIPs", "clusterIP", "ipFamilies", "ipFamilyPolicy"] as const) if (semanticEqual(spec[field], old[field])) delete spec[field];
  }
  if (needsNodePort(old) && !needsNodePort(spec)) {
    const known = new Set((old.ports ?? []).map(({ nodePort }) => nodePort));
    if ((spec.ports ?? []).every(({ nodePort }) => !nodePort || known.has(nodePort))) for (const port of spec.ports ?? []) delete port.nodePort;
  }
  const drop = (applies: (spec: Frozen<ServiceSpec>) => boolean, field: "healthCheckNodePort" | "allocateLoadBalancerNodePorts" | "loadBalancerClass" | "externalTrafficPolicy"): void => {
    if (applies(old) && !applies(spec) && spec[field] === old[field]) delete spec[field];
  };
  const isLoadBalancer = ({ type }: Frozen<ServiceSpec>): boolean => type === "LoadBalancer";
  drop(needsHealthCheckPort, "healthCheckNodePort");
  drop(isLoadBalancer, "allocateLoadBalancerNodePorts");
  drop(isLoadBalancer, "loadBalancerClass");
  drop(isExternallyAccessible, "externalTrafficPolicy");
}
