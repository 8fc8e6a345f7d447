import type { Service } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { labelText } from "../table.ts";
import type { Description } from "./description.ts";

export function describeService(text: Description, { metadata = {}, spec = {}, status }: Service, slices: readonly EndpointSlice[]): void {
  text.line(0, `Name:\t${metadata.name}`).line(0, `Namespace:\t${metadata.namespace}`).labels("Labels", metadata.labels).annotations(metadata.annotations);
  text.line(0, `Selector:\t${labelText(spec.selector)}`).line(0, `Type:\t${spec.type ?? ""}`).field(0, "IP Family Policy", spec.ipFamilyPolicy).line(0, `IP Families:\t${spec.ipFamilies?.join(",") || "<none>"}`);
  text.line(0, `IP:\t${spec.clusterIP ?? ""}`).line(0, `IPs:\t${spec.clusterIPs?.join(",") || "<none>"}`);
  text.field(0, "External IPs", spec.externalIPs?.join(",")).field(0, "Desired LoadBalancer IP", spec.loadBalancerIP).field(0, "External Name", spec.externalName);
  text.field(0, "LoadBalancer Ingress", status?.loadBalancer?.ingress?.map(({ ip, hostname, ipMode }) => (ip ? `${ip}${ipMode ? ` (${ipMode})` : ""}` : hostname ?? "")).join(", "));
  for (const { name, port, protocol = "TCP", targetPort = port, appProtocol, nodePort } of spec.ports ?? []) {
    text.line(0, `Port:\t${name || "<unset>"}\t${port}/${protocol}`).line(0, `TargetPort:\t${targetPort}/${protocol}`).field(0, "AppProtocol", appProtocol);
    if (nodePort) text.line(0, `NodePort:\t${name || "<unset>"}\t${nodePort}/${protocol}`);
    text.line(0, `Endpoints:\t${endpointsText(slices, name ?? "")}`);
  }
  text.line(0, `Session Affinity:\t${spec.sessionAffinity ?? ""}`).field(0, "External Traffic Policy", spec.externalTrafficPolicy).field(0, "Internal Traffic Policy", spec.internalTrafficPolicy);
  if (spec.healthCheckNodePort) text.line(0, `HealthCheck NodePort:\t${spec.healthCheckNodePort}`);
  text.field(0, "LoadBalancer Source Ranges", spec.loadBalancerSourceRanges?.join(",")).field(0, "Traffic Distribution", spec.trafficDistribution);
}

const mostEndpoints = 3;

/** Ready addresses of a port: three, and how many more there are. */
export function endpointsText(slices: readonly EndpointSlice[], portName: string): string {
  if (slices.length === 0) return "<none>";
  const addresses = slices.flatMap(({ ports, endpoints }) => (ports ?? []).filter(({ name }) => (name ?? "") === portName).flatMap(({ port }) => (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).flatMap((endpoint) => endpoint.addresses.map((address) => `${address.includes(":") ? `[${address}]` : address}:${port}`))));
  return addresses.slice(0, mostEndpoints).join(",") + (addresses.length > mostEndpoints ? ` + ${addresses.length - mostEndpoints} more...` : "");
}
