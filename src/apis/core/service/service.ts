import { semanticEqual } from "../../../apimachinery/equality.ts";
import { nameIsDns1123Label } from "../../../apimachinery/validation/names.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../../apimachinery/resource.ts";
import type { Service, ServicePort, ServiceSpec } from "../../generated/core/v1.ts";
import { addressWarnings, networkWarnings } from "../../networking/addresses.ts";
import { defaultService, dropFieldsOfOldType, keepAllocations } from "./defaults.ts";
import { validateService, validateServiceStatus, validateServiceUpdate } from "./validation.ts";
export type { Service, ServicePort } from "../../generated/core/v1.ts";

export const services = defineResource<Service>({
  group: "", version: "v1", kind: "Service", resource: "services", scope: "Namespaced", shortNames: ["svc"], categories: ["all"],
  subresources: { status: true, others: ["proxy"] },
  schema: "io.k8s.api.core.v1.Service",
  default: defaultService,
  strategy: {
    prepareForCreate(service) {
      delete service.metadata.generation;
      service.status = { loadBalancer: {} };
      syncClusterIPs(service);
    },
    prepareForUpdate(service, old) {
      keepAllocations(service, old);
      dropFieldsOfOldType(service, old);
      syncClusterIPs(service, old);
    },
    validate: validateService,
    validateUpdate: validateServiceUpdate,
    validateStatusUpdate: validateServiceStatus,
    warnings: serviceWarnings,
    allowCreateOnUpdate: true,
  },
  fieldSelectors: { "spec.clusterIP": (service) => service.spec.clusterIP ?? "", "spec.type": (service) => service.spec.type ?? "" },
  columns: [
    nameColumn(),
    { name: "Type", type: "string", description: "type determines how the Service is exposed. Defaults to ClusterIP. Valid options are ExternalName, ClusterIP, NodePort, and LoadBalancer. \"ClusterIP\" allocates a cluster-internal IP address for load-balancing to endpoints. Endpoints are determined by the selector or if that is not specified, by manual construction of an Endpoints object or EndpointSlice objects. If clusterIP is \"None\", no virtual IP is allocated and the endpoints are published as a set of endpoints rather than a virtual IP. \"NodePort\" builds on ClusterIP and allocates a port on every node which routes to the same endpoints as the clusterIP. \"LoadBalancer\" builds on NodePort and creates an external load-balancer (if supported in the current cloud) which routes to the same endpoints as the clusterIP. \"ExternalName\" aliases this service to the specified externalName. Several other fields do not apply to ExternalName services. More info: https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types", value: (service) => service.spec.type ?? "" },
    { name: "Cluster-IP", type: "string", description: "clusterIP is the IP address of the service and is usually assigned randomly. If an address is specified manually, is in-range (as per system configuration), and is not in use, it will be allocated to the service; otherwise creation of the service will fail. This field may not be changed through updates unless the type field is also being changed to ExternalName (which requires this field to be blank) or the type field is being changed from ExternalName (in which case this field may optionally be specified, as describe above).  Valid values are \"None\", empty string (\"\"), or a valid IP address. Setting this to \"None\" makes a \"headless service\" (no virtual IP), which is useful when direct endpoint connections are preferred and proxying is not required.  Only applies to types ClusterIP, NodePort, and LoadBalancer. If this field is specified when creating a Service of type ExternalName, creation will fail. This field will be wiped when updating a Service to type ExternalName. More info: https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies", value: (service) => service.spec.clusterIPs?.[0] || "<none>" },
    { name: "External-IP", type: "string", description: "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this service.  These IPs are not managed by Kubernetes.  The user is responsible for ensuring that traffic arrives at a node with this IP.  A common example is external load-balancers that are not part of the Kubernetes system.", value: externalIP },
    { name: "Port(s)", type: "string", description: "The list of ports that are exposed by this service. More info: https://kubernetes.io/docs/concepts/services-networking/service/#virtual-ips-and-service-proxies", value: (service) => (service.spec.ports ?? []).map(portOf).join(",") || "<none>" },
    ageColumn(),
    { name: "Selector", type: "string", priority: 1, description: "Route service traffic to pods with label keys and values matching this selector. If empty or not present, the service is assumed to have an external process managing its endpoints, which Kubernetes will not modify. Only applies to types ClusterIP, NodePort, and LoadBalancer. Ignored if type is ExternalName. More info: https://kubernetes.io/docs/concepts/services-networking/service/", value: (service) => selectorOf(service) || "<none>" },
  ],
  // Digits may come first since 1.36 (RelaxedServiceNameValidation).
  validateName: nameIsDns1123Label,
  example: () => ({ apiVersion: "v1", kind: "Service", metadata: { name: "example", namespace: "default" }, spec: { ports: [{ port: 80 }] } }),
});

function serviceWarnings({ metadata, spec }: Frozen<Service>): string[] {
  const headless = spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === "None", external = Boolean(spec.externalIPs?.length), named = spec.type === "ExternalName";
  const warnings: (string | false)[] = [
    metadata.annotations?.["service.kubernetes.io/topology-aware-hints"] !== undefined && "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead",
    ...(headless ? [] : warningsOf(spec, "clusterIPs")),
    headless && Boolean(spec.loadBalancerIP) && "spec.loadBalancerIP is ignored for headless services",
    headless && external && "spec.externalIPs is ignored for headless services",
    headless && spec.sessionAffinity !== "None" && "spec.SessionAffinity is ignored for headless services",
    ...warningsOf(spec, "externalIPs"),
    external && !headless && !named && "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    ...(spec.loadBalancerIP ? addressWarnings("spec.loadBalancerIP", spec.loadBalancerIP) : []),
    ...(spec.loadBalancerSourceRanges ?? []).flatMap((range, index) => networkWarnings(`spec.loadBalancerSourceRanges[${index}]`, range)),
    named && external && "spec.externalIPs is ignored when spec.type is \"ExternalName\"",
    !named && Boolean(spec.externalName) && "spec.externalName is ignored when spec.type is not \"ExternalName\"",
    spec.trafficDistribution === "PreferClose" && "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
  ];
  return warnings.filter((warning) => warning !== false);
}

const warningsOf = (spec: Frozen<ServiceSpec>, list: "clusterIPs" | "externalIPs"): string[] =>
  (spec[list] ?? []).flatMap((address, index) => addressWarnings(`spec.${list}[${index}]`, address));

const selectorOf = ({ spec }: Frozen<Service>): string => Object.entries(spec.selector ?? {}).map(([key, value]) => `${key}=${value}`).toSorted().join(",");
const portOf = ({ port, nodePort, protocol }: Frozen<ServicePort>): string => (nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`);

function externalIP({ spec, status }: Frozen<Service>): string {
  if (spec.type === "ExternalName") return spec.externalName ?? "";
  const external = [...(spec.externalIPs ?? [])];
  if (spec.type !== "LoadBalancer") return external.join(",") || "<none>";
  const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || "").filter((address) => address !== "");
  return [...new Set(ingress)].toSorted().concat(external).join(",") || "<pending>";
}

/** `clusterIP` and the first of `clusterIPs` are one value; a client that knows only the former changes both. */
function syncClusterIPs(service: Service, old?: Frozen<Service>): void {
  const { spec } = service;
  if (!old) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    else if (!spec.clusterIP && spec.clusterIPs?.length) spec.clusterIP = spec.clusterIPs[0];
    return;
  }
  const listLeftAlone = !spec.clusterIPs?.length || semanticEqual(spec.clusterIPs, old.spec.clusterIPs);
  if ((spec.clusterIP ?? "") === (old.spec.clusterIP ?? "") || !listLeftAlone) return;
  if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
  else delete spec.clusterIPs;
}
