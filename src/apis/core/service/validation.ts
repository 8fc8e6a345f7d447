import { isIP, isIPv6 } from "node:net";
import { duplicate, forbiddenField, invalidValue, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { validateLabels } from "../../../apimachinery/validation/object-meta.ts";
import type { Service, ServicePort, ServiceSpec } from "../../generated/core/v1.ts";
import { cidr, dnsLabel, dnsSubdomain, endpointAddress, given, ipAddress, labelName, oneOf, portNumber, portNumberOrName, unique, within } from "../field-rules.ts";
import { isExternallyAccessible, needsHealthCheckPort } from "./defaults.ts";

const isHeadless = (spec: Frozen<ServiceSpec>): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === "None";
const policies = ["Cluster", "Local"];

/** Addresses and node ports are allocated before or after this; whether they are free, and in range, is the allocators' to say. */
export function validateService({ spec }: Frozen<Service>): FieldError[] {
  return [
    ...validateType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, "spec.selector"),
    ...validateAffinity(spec),
    ...validateClusterIPs(spec),
    ...(spec.externalIPs ?? []).flatMap((address, index) => {
      const at = `spec.externalIPs[${index}]`, wrong = ipAddress(at, address);
      return wrong.length > 0 ? wrong : endpointAddress(at, address);
    }),
    ...validateLoadBalancer(spec),
    ...validateTrafficPolicies(spec),
  ];
}

function validateType(spec: Frozen<ServiceSpec>): FieldError[] {
  const { type, externalName = "" } = spec;
  const errors = oneOf("spec.type", type, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
  if ((type === "LoadBalancer" || type === "NodePort") && isHeadless(spec)) return [...errors, invalidValue("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`)];
  if (type !== "ExternalName") return errors;
  for (const field of ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] as const) if (spec[field]?.length) errors.push(forbiddenField(`spec.${field}`, "may not be set for ExternalName services"));
  const name = externalName.endsWith(".") ? externalName.slice(0, -1) : externalName;
  return [...errors, ...(name ? dnsSubdomain("spec.externalName", name) : [required("spec.externalName")])];
}

function validatePorts(spec: Frozen<ServiceSpec>): FieldError[] {
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== "ExternalName") return [required("spec.ports")];
  const names = new Set<string>(), numbers = new Set<string>(), nodePorts = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`, errors = validatePort(at, port, ports.length > 1, names);
    if (port.nodePort) {
      if (spec.type === "ClusterIP") errors.push(forbiddenField(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
      if (nodePorts.has(`${port.protocol}/${port.nodePort}`)) errors.push(duplicate(`${at}.nodePort`, port.nodePort));
      nodePorts.add(`${port.protocol}/${port.nodePort}`);
    }
    if (numbers.has(`${port.protocol}/${port.port}`)) errors.push(duplicate(at, { port: port.port, protocol: port.protocol }));
    numbers.add(`${port.protocol}/${port.port}`);
    return errors;
  });
}

function validatePort(field: string, { name, port, protocol, targetPort, appProtocol }: Frozen<ServicePort>, nameRequired: boolean, names: Set<string>): FieldError[] {
  return [
    ...(nameRequired && !name ? [required(`${field}.name`)] : []),
    ...given(name, (value) => [...dnsLabel(`${field}.name`, value), ...unique(`${field}.name`, names, value)]),
    ...portNumber(`${field}.port`, port ?? 0),
    ...oneOf(`${field}.protocol`, protocol, ["SCTP", "TCP", "UDP"]),
    ...portNumberOrName(`${field}.targetPort`, targetPort ?? 0),
    ...(appProtocol === undefined ? [] : labelName(`${field}.appProtocol`, appProtocol)),
  ];
}

function validateAffinity({ sessionAffinity, sessionAffinityConfig }: Frozen<ServiceSpec>): FieldError[] {
  const errors = oneOf("spec.sessionAffinity", sessionAffinity, ["ClientIP", "None"]);
  const at = "spec.sessionAffinityConfig";
  if (sessionAffinity === "None" && sessionAffinityConfig) errors.push(forbiddenField(at, "must not be set when session affinity is None"));
  if (sessionAffinity !== "ClientIP") return errors;
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds === undefined) return [...errors, required(`${at}.clientIP.timeoutSeconds`, "when session affinity type is ClientIP")];
  return seconds > 0 && seconds <= 86_400 ? errors : [...errors, invalidValue(`${at}.clientIP.timeoutSeconds`, seconds, "must be greater than 0 and less than 86400")];
}

/** Addresses and families by themselves; whether the cluster has such ones is the allocators' to say. */
export function validateClusterIPs(spec: Frozen<ServiceSpec>): FieldError[] {
  if (spec.type === "ExternalName") return [];
  const { clusterIP, clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec, at = "spec.clusterIPs";
  const families = new Set<string>(), errors: FieldError[] = [];
  if (clusterIP && clusterIPs.length === 0) errors.push(required(at));
  else if (clusterIP && clusterIPs[0] !== clusterIP) errors.push(invalidValue(at, clusterIPs, "first value must match `clusterIP`"));
  else if (!clusterIP && clusterIPs.length > 0) errors.push(invalidValue(at, clusterIPs, "must be empty when `clusterIP` is not specified"));
  for (const [index, family] of ipFamilies.entries()) errors.push(...oneOf(`spec.ipFamilies[${index}]`, family, ["IPv4", "IPv6"]), ...unique(`spec.ipFamilies[${index}]`, families, family));
  errors.push(...given(ipFamilyPolicy, (policy) => oneOf("spec.ipFamilyPolicy", policy, ["PreferDualStack", "RequireDualStack", "SingleStack"])));
  if (clusterIPs[0] === "None") return clusterIPs.length === 1 ? errors : [...errors, invalidValue(at, clusterIPs, "'None' must be the first and only value")];
  const wrong = clusterIPs.flatMap((address, index) => ipAddress(`${at}[${index}]`, address));
  if (clusterIPs.length > 2) wrong.push(invalidValue(at, clusterIPs, "may only hold up to 2 values"));
  if (wrong.length > 0) return [...errors, ...wrong];
  if (clusterIPs.length === 2 && isIPv6(clusterIPs[0]!) === isIPv6(clusterIPs[1]!)) errors.push(invalidValue(at, clusterIPs, "may specify no more than one IP for each IP family"));
  for (const [index, address] of clusterIPs.entries()) {
    const family = ipFamilies[index];
    if (family && (family === "IPv6") !== isIPv6(address)) errors.push(invalidValue(`${at}[${index}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``));
  }
  return errors;
}

function validateLoadBalancer({ type, loadBalancerSourceRanges: ranges = [], loadBalancerClass, allocateLoadBalancerNodePorts }: Frozen<ServiceSpec>): FieldError[] {
  const errors = ranges.flatMap((range, index) => cidr(`spec.LoadBalancerSourceRanges[${index}]`, range.trim()));
  if (type === "LoadBalancer") return [...errors, ...given(loadBalancerClass, (name) => labelName("spec.loadBalancerClass", name))];
  const only = "may only be used when `type` is 'LoadBalancer'";
  if (ranges.length > 0) errors.push(forbiddenField("spec.LoadBalancerSourceRanges", only));
  if (allocateLoadBalancerNodePorts !== undefined) errors.push(forbiddenField("spec.allocateLoadBalancerNodePorts", only));
  if (loadBalancerClass !== undefined) errors.push(forbiddenField("spec.loadBalancerClass", only));
  return errors;
}

function validateTrafficPolicies(spec: Frozen<ServiceSpec>): FieldError[] {
  const { externalTrafficPolicy: external, internalTrafficPolicy: internal, healthCheckNodePort: healthCheck } = spec;
  const errors: FieldError[] = [];
  if (isExternallyAccessible(spec)) errors.push(...oneOf("spec.externalTrafficPolicy", external, policies));
  else if (external) errors.push(invalidValue("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services"));
  if (healthCheck) {
    if (needsHealthCheckPort(spec)) errors.push(...within("spec.healthCheckNodePort", healthCheck, 1, 65535));
    else errors.push(invalidValue("spec.healthCheckNodePort", healthCheck, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"));
  }
  errors.push(...(spec.type === "ExternalName" ? given(internal, (policy) => oneOf("spec.internalTrafficPolicy", policy, policies)) : oneOf("spec.internalTrafficPolicy", internal, policies)));
  return [...errors, ...given(spec.trafficDistribution, (value) => oneOf("spec.trafficDistribution", value, ["PreferClose", "PreferSameNode", "PreferSameZone"]))];
}

export function validateServiceUpdate(service: Frozen<Service>, old: Frozen<Service>): FieldError[] {
  const errors = [...validateClusterIPsUpdate(service.spec, old.spec), ...validateFamiliesUpdate(service.spec, old.spec)];
  const { spec } = service;
  if (spec.type === "LoadBalancer" && old.spec.type === "LoadBalancer" && spec.loadBalancerClass !== old.spec.loadBalancerClass) {
    errors.push(invalidValue("spec.loadBalancerClass", spec.loadBalancerClass, "may not change once set"));
  }
  if (needsHealthCheckPort(spec) && needsHealthCheckPort(old.spec) && old.spec.healthCheckNodePort && spec.healthCheckNodePort !== old.spec.healthCheckNodePort) {
    errors.push(forbiddenField("spec.healthCheckNodePort", "field is immutable"));
  }
  return [...errors, ...validateService(service)];
}

/** An address stays for the life of the service; a second one, of the other family, may come and go. Source: validateUpgradeDowngradeClusterIPs. */
function validateClusterIPsUpdate(spec: Frozen<ServiceSpec>, old: Frozen<ServiceSpec>): FieldError[] {
  if (spec.type === "ExternalName" || old.type === "ExternalName" || (isHeadless(spec) && isHeadless(old))) return [];
  const { clusterIPs = [] } = spec, was = old.clusterIPs ?? [], at = "spec.clusterIPs";
  if (was.length > 0 && clusterIPs.length === 0) return [invalidValue(`${at}[0]`, clusterIPs, "primary clusterIP can not be unset")];
  const errors = was.flatMap((address, index) => (index < clusterIPs.length && clusterIPs[index] !== address ? [invalidValue(`${at}[${index}]`, clusterIPs, "may not change once set")] : []));
  if (was.length > clusterIPs.length && spec.ipFamilyPolicy !== "SingleStack") {
    errors.push(invalidValue("spec.ipFamilyPolicy", spec.ipFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary clusterIP"));
  }
  return errors;
}

/** So do families; those of a headless service may change. Source: validateUpgradeDowngradeIPFamilies. */
function validateFamiliesUpdate(spec: Frozen<ServiceSpec>, old: Frozen<ServiceSpec>): FieldError[] {
  if (spec.type === "ExternalName" || old.type === "ExternalName" || isHeadless(spec) || isHeadless(old)) return [];
  const { ipFamilies = [] } = spec, was = old.ipFamilies ?? [], at = "spec.ipFamilies[0]";
  if (was.length > 0 && ipFamilies.length === 0) return [invalidValue(at, ipFamilies, "primary ipFamily can not be unset")];
  const errors = was.flatMap((family, index) => (index < ipFamilies.length && ipFamilies[index] !== family ? [invalidValue(at, ipFamilies, "may not change once set")] : []));
  if (was.length > ipFamilies.length && spec.ipFamilyPolicy !== "SingleStack") {
    errors.push(invalidValue("spec.ipFamilyPolicy", spec.ipFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary ipFamily"));
  }
  return errors;
}

/** A load balancer's addresses. Those it had before are kept, however they are written. Source: ValidateLoadBalancerStatus. */
export function validateServiceStatus({ spec, status }: Frozen<Service>, old: Frozen<Service>): FieldError[] {
  const ingress = status?.loadBalancer?.ingress ?? [], field = "status.loadBalancer.ingress";
  if (spec.type !== "LoadBalancer") return ingress.length === 0 ? [] : [forbiddenField(field, "may only be used when `spec.type` is 'LoadBalancer'")];
  const known = new Set((old.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip));
  return ingress.flatMap(({ ip, ipMode, hostname }, index) => {
    const at = `${field}[${index}]`;
    return [
      ...given(ip, (address) => (known.has(address) ? [] : ipAddress(`${at}.ip`, address))),
      ...(ip ? oneOf(`${at}.ipMode`, ipMode, ["Proxy", "VIP"]) : ipMode === undefined ? [] : [forbiddenField(`${at}.ipMode`, "may not be specified when `ip` is not set")]),
      ...given(hostname, (name) => [...dnsSubdomain(`${at}.hostname`, name), ...(isIP(name) ? [invalidValue(`${at}.hostname`, name, "must be a DNS name, not an IP address")] : [])]),
    ];
  });
}
