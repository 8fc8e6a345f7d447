import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Service, ServiceSpec } from "../../apis/generated/core/v1.ts";
import { services } from "../../apis/core/service/service.ts";
import { ipaddresses } from "../../apis/networking/ipaddress.ts";
import { servicecidrs } from "../../apis/networking/servicecidr.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { WriteHook } from "../machinery.ts";
import type { Claims } from "./claims.ts";
import { refused, Taken } from "./taken.ts";
import { recordAddresses } from "./ip-addresses.ts";
import { isHeadless, preferenceStays, setFamilies, type IpFamily } from "./ip-families.ts";
import { NodePorts, type PortRange } from "./node-ports.ts";
import { ServiceNetworks } from "./service-networks.ts";

export interface ServiceAllocatorOptions {
  /** One or two, of different families, such as 10.43.0.0/16; the first one's family is what services get that don't say. */
  serviceCidrs: readonly string[];
  /** Addresses only for who asks for them: the cluster DNS's. The first address, the kubernetes Service's, is always among them. */
  reserved?: readonly string[];
  nodePorts?: PortRange;
  /** Where other servers hand out the same. */
  claims?: Claims;
}

/**
 * Gives services their IP families, an address of each, and node ports, as Kubernetes' alloc.go does. What is taken is learned
 * from the informers' services, at start and with each commit; the IPAddress objects beside them follow.
 */
export function serviceAllocators(informers: InformerFactory, { serviceCidrs, reserved, nodePorts, claims }: ServiceAllocatorOptions): WriteHook<Service> {
  const [serviceInformer, addressInformer] = [informers.informer(services), informers.informer(ipaddresses)];
  const networks = serviceCidrs.map((serviceCidr) => new ServiceNetworks({ serviceCidr, reserved, services: serviceInformer.lister, ipAddresses: addressInformer.lister }));
  const configured = networks.map(({ family }) => family);
  const ports = new NodePorts(nodePorts);
  serviceInformer.onChange((old, current) => {
    for (const ips of networks) ips.observeService(old, current);
    ports.observe(old, current);
  });
  addressInformer.onChange((old, current) => networks.forEach((ips) => ips.observeAddress(old, current)));
  informers.informer(servicecidrs).onChange((old, current) => networks.forEach((ips) => ips.observeRange(old, current)));

  return {
    beforeWrite(service, old) {
      const taken = new Taken(networks, ports, service, claims);
      try {
        if (service.spec && needsClusterIp(service.spec)) {
          const errors = setFamilies(service.spec, old?.spec, configured);
          if (errors.length > 0) throw refused(service, errors);
          takeClusterIps(service, old, taken);
        }
        takeNodePorts(service, old, taken);
      } catch (error) {
        taken.settle();
        throw error;
      }
      return taken;
    },
    afterWrite: recordAddresses,
  };
}

const needsClusterIp = ({ type }: Frozen<ServiceSpec>): boolean => type !== "ExternalName";
const needsNodePorts = ({ type, allocateLoadBalancerNodePorts }: Frozen<ServiceSpec>): boolean =>
  type === "NodePort" || (type === "LoadBalancer" && allocateLoadBalancerNodePorts !== false);

/** An address of each family: what it has it keeps, what it wants it is given if that is free. */
function takeClusterIps(service: Service, old: Frozen<Service> | undefined, taken: Taken): void {
  const { spec } = service;
  if (isHeadless(spec)) {
    spec.clusterIP = "None";
    spec.clusterIPs = ["None"];
    return;
  }
  if (old && preferenceStays(spec, old.spec)) return;
  const wanted = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  spec.clusterIPs = spec.ipFamilies!.map((family, index) => {
    const address = wanted[index];
    if (!address) return taken.address(family as IpFamily);
    const refusal = old?.spec?.clusterIPs?.includes(address) ? undefined : taken.claimAddress(address);
    if (refusal) throw refused(service, [invalidValue("spec.clusterIPs", wanted, `failed to allocate IP ${address}: ${refusal}`)]);
    return address;
  });
  spec.clusterIP ||= spec.clusterIPs[0]!;
}

function takeNodePorts(service: Service, old: Frozen<Service> | undefined, taken: Taken): void {
  const { spec } = service;
  if (!spec) return;
  const had = new Set(old?.spec?.ports?.map(({ nodePort }) => nodePort));
  const errors: FieldError[] = [];
  spec.ports?.forEach(({ nodePort }, index) => {
    if (!nodePort || had.has(nodePort)) return;
    const refusal = taken.claimPort(nodePort);
    if (refusal) errors.push(invalidValue(`spec.ports[${index}].nodePort`, nodePort, refusal));
  });
  if (errors.length) throw refused(service, errors);
  if (needsNodePorts(spec)) for (const port of spec.ports ?? []) port.nodePort ||= sharedNodePort(spec, port) ?? taken.port();
  takeHealthCheckPort(service, old, taken);
}

/** A port served over two protocols has one node port. */
const sharedNodePort = ({ ports = [] }: ServiceSpec, { port, protocol }: { port: number; protocol?: string }): number | undefined =>
  ports.find((other) => other.port === port && other.protocol !== protocol && other.nodePort)?.nodePort;

function takeHealthCheckPort(service: Service, old: Frozen<Service> | undefined, taken: Taken): void {
  const { spec } = service;
  if (spec.type !== "LoadBalancer" || spec.externalTrafficPolicy !== "Local") return;
  const wanted = spec.healthCheckNodePort;
  if (!wanted) {
    spec.healthCheckNodePort = taken.port();
  } else if (wanted !== old?.spec?.healthCheckNodePort) {
    const refusal = taken.claimPort(wanted);
    if (refusal) throw refused(service, [invalidValue("spec.healthCheckNodePort", wanted, refusal)]);
  }
}
