import type { Frozen } from "../../apimachinery/meta.ts";
import type { Service } from "../../apis/generated/core/v1.ts";
import type { IPAddress, ServiceCIDR } from "../../apis/generated/networking/v1.ts";
import { parseNetwork } from "../../base/ip.ts";
import type { Lister } from "../../client/informer.ts";
import { ClusterIps } from "./cluster-ips.ts";
import { ipFamilyOf, type IpFamily } from "./ip-families.ts";

/** How often another address is tried when one is just being taken in a network that overlaps. */
const attempts = 8;

export interface ServiceNetworksOptions {
  /** The server's own network, which is there before any object is. */
  serviceCidr: string;
  reserved?: readonly string[];
  services: Lister<Service>;
  ipAddresses: Lister<IPAddress>;
}

/** All networks that services have addresses of one family of: the server's own, and those of ServiceCIDRs that are ready. */
export class ServiceNetworks {
  readonly family: IpFamily;
  readonly #own: ClusterIps;
  /** By the network's text; how many ServiceCIDRs ask for each. */
  readonly #others = new Map<string, { ips: ClusterIps; asked: number }>();

  constructor(private readonly options: ServiceNetworksOptions) {
    this.family = ipFamilyOf(options.serviceCidr.split("/")[0]!);
    this.#own = new ClusterIps(options);
  }

  observeService(old: Frozen<Service> | undefined, current: Frozen<Service> | undefined): void {
    for (const ips of this.#all()) ips.observe(old, current);
  }

  /** Addresses that are held for something other than a service. */
  observeAddress(old: Frozen<IPAddress> | undefined, current: Frozen<IPAddress> | undefined): void {
    for (const ips of this.#all()) {
      if (old && isForeign(old)) ips.release(old.metadata.name!, old.metadata.uid!);
      if (current && isForeign(current)) ips.hold(current.metadata.name!, current.metadata.uid!);
    }
  }

  observeRange(old: Frozen<ServiceCIDR> | undefined, current: Frozen<ServiceCIDR> | undefined): void {
    const before = networksOf(old, this.family), after = networksOf(current, this.family);
    for (const cidr of after) if (!before.includes(cidr)) this.#add(cidr);
    for (const cidr of before) if (!after.includes(cidr)) this.#remove(cidr);
  }

  #add(cidr: string): void {
    if (cidr === this.options.serviceCidr) return;
    const known = this.#others.get(cidr);
    if (known) {
      known.asked++;
      return;
    }
    const ips = new ClusterIps({ serviceCidr: cidr });
    for (const service of this.options.services.list()) ips.observe(undefined, service);
    for (const address of this.options.ipAddresses.list()) if (isForeign(address)) ips.hold(address.metadata.name!, address.metadata.uid!);
    this.#others.set(cidr, { ips, asked: 1 });
  }

  #remove(cidr: string): void {
    const known = this.#others.get(cidr);
    if (known && --known.asked === 0) this.#others.delete(cidr);
  }

  #all(): ClusterIps[] {
    return [this.#own, ...[...this.#others.values()].map(({ ips }) => ips)];
  }

  /** A free address, reserved until settled in each network that has it; undefined when no network has one left. */
  allocate(uid: string): string | undefined {
    for (const ips of this.#all()) {
      for (let attempt = 1; attempt <= attempts; attempt++) {
        const address = ips.allocate();
        if (!address) break;
        const refusal = this.#claimIn(this.#all().filter((other) => other !== ips && other.contains(address)), address, uid);
        if (!refusal) return address;
        ips.settle(address);
      }
    }
    return undefined;
  }

  /** Takes this very address for the service of that uid; says why not. An address of several networks must be free in each. */
  claim(address: string, uid: string): string | undefined {
    const within = this.#all().filter((ips) => ips.contains(address));
    return within.length > 0 ? this.#claimIn(within, address, uid) : this.#own.claim(address, uid);
  }

  #claimIn(networks: readonly ClusterIps[], address: string, uid: string): string | undefined {
    for (const [index, ips] of networks.entries()) {
      const refusal = ips.claim(address, uid);
      if (!refusal) continue;
      for (const claimed of networks.slice(0, index)) claimed.settle(address);
      return refusal;
    }
    return undefined;
  }

  /** Whether the address is taken by something stored, other than the service of that uid. */
  isHeld(address: string, uid: string): boolean {
    return this.#all().some((ips) => ips.isHeld(address, uid));
  }

  settle(address: string): void {
    for (const ips of this.#all()) ips.settle(address);
  }
}

const isForeign = ({ spec: { parentRef } }: Frozen<IPAddress>): boolean => parentRef?.resource !== "services" || Boolean(parentRef.group);

/** What a ServiceCIDR gives to allocate from: nothing until it is ready, or when it is to go. */
function networksOf(range: Frozen<ServiceCIDR> | undefined, family: IpFamily): readonly string[] {
  if (!range || range.metadata.deletionTimestamp || !range.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) return [];
  return (range.spec.cidrs ?? []).filter((cidr) => parseNetwork(cidr) && ipFamilyOf(cidr.split("/")[0]!) === family);
}
