import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { internalError, invalid } from "../../apimachinery/status.ts";
import type { Service, ServiceSpec } from "../../apis/generated/core/v1.ts";
import { services } from "../../apis/core/service/service.ts";
import { ipaddresses } from "../../apis/networking/ipaddress.ts";
import { servicecidrs } from "../../apis/networking/servicecidr.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { WriteHook } from "../machinery.ts";
import { recordAddresses } from "./ip-addresses.ts";
import { NodePorts, type PortRange } from "./node-ports.ts";
import { ServiceNetworks } from "./service-networks.ts";

export interface ServiceAllocatorOptions {
  /** Such as 10.43.0.0/16. */
  serviceCidr: string;
  /** Addresses only for who asks for them: the cluster DNS's. The first address, the kubernetes Service's, is always among them. */
  reserved?: readonly string[];
  nodePorts?: PortRange;
}

/**
 * Gives services their addresses, node ports and IP families (IPv4, single stack), as Kubernetes' alloc.go does. What is taken is
 * learned from the informers' services, at start and with each commit; the IPAddress objects beside them follow.
 */
export function serviceAllocators(informers: InformerFactory, { serviceCidr, reserved, nodePorts }: ServiceAllocatorOptions): WriteHook<Service> {
  const [serviceInformer, addressInformer] = [informers.informer(services), informers.informer(ipaddresses)];
  const ips = new ServiceNetworks({ serviceCidr, reserved, services: serviceInformer.lister, ipAddresses: addressInformer.lister });
  const ports = new NodePorts(nodePorts);
  serviceInformer.onChange((old, current) => {
    ips.observeService(old, current);
    ports.observe(old, current);
  });
  addressInformer.onChange((old, current) => ips.observeAddress(old, current));
  informers.informer(servicecidrs).onChange((old, current) => ips.observeRange(old, current));

  return {
    beforeWrite(service, old) {
      const taken = new Taken(ips, ports, service.metadata.uid!);
      try {
        setFamilies(service);
        takeClusterIp(service, old, taken);
        takeNodePorts(service, old, taken);
      } catch (error) {
        taken.settle();
        throw error;
      }
      return () => taken.settle();
    },
    afterWrite: recordAddresses,
  };
}

/** The reservations of one write. */
class Taken {
  readonly #addresses: string[] = [];
  readonly #ports: number[] = [];

  constructor(private readonly ips: ServiceNetworks, private readonly nodePorts: NodePorts, private readonly uid: string) {}

  address(): string {
    const address = this.ips.allocate(this.uid);
    if (address === undefined) throw internalError("failed to allocate a serviceIP: range is full");
    this.#addresses.push(address);
    return address;
  }

  /** Says why not. */
  claimAddress(address: string): string | undefined {
    const refusal = this.ips.claim(address, this.uid);
    if (!refusal) this.#addresses.push(address);
    return refusal;
  }

  port(): number {
    const port = this.nodePorts.allocate();
    if (port === undefined) throw internalError("failed to allocate a nodePort: range is full");
    this.#ports.push(port);
    return port;
  }

  claimPort(port: number): string | undefined {
    if (this.#ports.includes(port)) return undefined;
    const refusal = this.nodePorts.claim(port, this.uid);
    if (!refusal) this.#ports.push(port);
    return refusal;
  }

  settle(): void {
    this.#addresses.forEach((address) => this.ips.settle(address));
    this.#ports.forEach((port) => this.nodePorts.settle(port));
  }
}

const needsClusterIp = ({ type }: Frozen<ServiceSpec>): boolean => type !== "ExternalName";
const isHeadless = ({ clusterIP, clusterIPs }: Frozen<ServiceSpec>): boolean => (clusterIPs?.[0] ?? clusterIP) === "None";
const needsNodePorts = ({ type, allocateLoadBalancerNodePorts }: Frozen<ServiceSpec>): boolean =>
  type === "NodePort" || (type === "LoadBalancer" && allocateLoadBalancerNodePorts !== false);

/** A headless service without selector may be of any family, whatever the cluster has; all others are IPv4, single stack. */
function setFamilies({ metadata, spec }: Service): void {
  if (!spec || !needsClusterIp(spec)) return;
  if (isHeadless(spec) && !Object.keys(spec.selector ?? {}).length) {
    spec.ipFamilyPolicy ??= spec.ipFamilies?.length === 1 ? "SingleStack" : "RequireDualStack";
    if (!spec.ipFamilies?.length) spec.ipFamilies = spec.ipFamilyPolicy === "SingleStack" ? ["IPv4"] : ["IPv4", "IPv6"];
    return;
  }
  const errors: FieldError[] = [];
  if (spec.ipFamilyPolicy === "RequireDualStack") errors.push(invalidValue("spec.ipFamilyPolicy", spec.ipFamilyPolicy, "this cluster is not configured for dual-stack services"));
  spec.ipFamilies?.forEach((family, index) => {
    if (family === "IPv6") errors.push(invalidValue(`spec.ipFamilies[${index}]`, family, "not configured on this cluster"));
  });
  if (errors.length) throw invalid({ group: "", kind: "Service" }, metadata.name!, errors);
  spec.ipFamilyPolicy ??= "SingleStack";
  // Other words than these two are validation's to refuse.
  if (!spec.ipFamilies?.length) spec.ipFamilies = ["IPv4"];
}

function takeClusterIp({ metadata, spec }: Service, old: Frozen<Service> | undefined, taken: Taken): void {
  if (!spec || !needsClusterIp(spec) || isHeadless(spec)) {
    if (spec && isHeadless(spec)) setClusterIp(spec, "None");
    return;
  }
  const wanted = spec.clusterIPs?.[0] ?? spec.clusterIP;
  if (!wanted) return setClusterIp(spec, taken.address());
  setClusterIp(spec, wanted);
  if (old?.spec?.clusterIPs?.includes(wanted)) return;
  const refusal = taken.claimAddress(wanted);
  if (refusal) throw invalid({ group: "", kind: "Service" }, metadata.name!, [invalidValue("spec.clusterIPs", [wanted], `failed to allocate IP ${wanted}: ${refusal}`)]);
}

function setClusterIp(spec: ServiceSpec, address: string): void {
  spec.clusterIP ||= address;
  spec.clusterIPs = spec.clusterIPs?.length ? spec.clusterIPs : [address];
}

function takeNodePorts({ metadata, spec }: Service, old: Frozen<Service> | undefined, taken: Taken): void {
  if (!spec) return;
  const had = new Set(old?.spec?.ports?.map(({ nodePort }) => nodePort));
  const errors: FieldError[] = [];
  spec.ports?.forEach(({ nodePort }, index) => {
    if (!nodePort || had.has(nodePort)) return;
    const refusal = taken.claimPort(nodePort);
    if (refusal) errors.push(invalidValue(`spec.ports[${index}].nodePort`, nodePort, refusal));
  });
  if (errors.length) throw invalid({ group: "", kind: "Service" }, metadata.name!, errors);
  if (needsNodePorts(spec)) for (const port of spec.ports ?? []) port.nodePort ||= sharedNodePort(spec, port) ?? taken.port();
  takeHealthCheckPort({ metadata, spec }, old, taken);
}

/** A port served over two protocols has one node port. */
const sharedNodePort = ({ ports = [] }: ServiceSpec, { port, protocol }: { port: number; protocol?: string }): number | undefined =>
  ports.find((other) => other.port === port && other.protocol !== protocol && other.nodePort)?.nodePort;

function takeHealthCheckPort({ metadata, spec }: Service, old: Frozen<Service> | undefined, taken: Taken): void {
  if (spec!.type !== "LoadBalancer" || spec!.externalTrafficPolicy !== "Local") return;
  const wanted = spec!.healthCheckNodePort;
  if (!wanted) {
    spec!.healthCheckNodePort = taken.port();
  } else if (wanted !== old?.spec?.healthCheckNodePort) {
    const refusal = taken.claimPort(wanted);
    if (refusal) throw invalid({ group: "", kind: "Service" }, metadata.name!, [invalidValue("spec.healthCheckNodePort", wanted, refusal)]);
  }
}
