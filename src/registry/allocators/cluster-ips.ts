import { randomInt } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Service } from "../../apis/generated/core/v1.ts";
import { cidrContains, cidrSize, formatCidr, formatIpv4, parseCidr, parseIpv4, type Cidr } from "../../base/cidr.ts";
import { Pool, reservedBand } from "./pool.ts";

/** Hands out service addresses. Texts of refusals are Kubernetes' (pkg/registry/core/service/ipallocator). */
export class ClusterIps {
  readonly #cidr: Cidr;
  /** How many addresses there are to give. */
  readonly #usable: number;
  readonly #pool: Pool;

  /** `reserved` addresses, such as the cluster DNS's, are given only to who asks for them. */
  constructor({ serviceCidr, reserved = [], random = randomInt }: { serviceCidr: string; reserved?: readonly string[]; random?: (limit: number) => number }) {
    const cidr = parseCidr(serviceCidr);
    if (!cidr) throw new RangeError(`${JSON.stringify(serviceCidr)} is not an IPv4 network such as 10.43.0.0/16`);
    this.#cidr = cidr;
    // Neither the network's own address nor the broadcast address: number 0 is the first usable one.
    this.#usable = Math.max(cidrSize(cidr) - 2, 0);
    const avoid = new Set(reserved.map((address) => this.#number(address)).filter((number) => number !== undefined));
    this.#pool = new Pool(this.#usable, { lower: reservedBand(cidrSize(cidr), { least: 16, divisor: 16, most: 256 }), avoid, random });
  }

  /** Follows what is stored. */
  observe(old: Frozen<Service> | undefined, current: Frozen<Service> | undefined): void {
    for (const number of this.#numbersOf(old)) this.#pool.release(number, old!.metadata.uid!);
    for (const number of this.#numbersOf(current)) this.#pool.hold(number, current!.metadata.uid!);
  }

  contains(address: string): boolean {
    return this.#number(address) !== undefined;
  }

  /** Of an address that something other than a service holds. */
  hold(address: string, owner: string): void {
    const number = this.#number(address);
    if (number !== undefined) this.#pool.hold(number, owner);
  }

  release(address: string, owner: string): void {
    const number = this.#number(address);
    if (number !== undefined) this.#pool.release(number, owner);
  }

  /** A free address; undefined when none is left. */
  allocate(): string | undefined {
    const number = this.#pool.next();
    return number === undefined ? undefined : formatIpv4(this.#cidr.base + 1 + number);
  }

  /** Takes this very address for the service of that uid; says why not. */
  claim(address: string, uid: string): string | undefined {
    const number = this.#number(address);
    if (number === undefined) return `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${formatCidr(this.#cidr)}`;
    if (!this.#pool.isFree(number, uid)) return "provided IP is already allocated";
    this.#pool.reserve(number);
    return undefined;
  }

  /** Ends a reservation, whether or not the service was stored: what is stored has been observed by now. */
  settle(address: string): void {
    const number = this.#number(address);
    if (number !== undefined) this.#pool.unreserve(number);
  }

  #number(address: string): number | undefined {
    const value = parseIpv4(address);
    if (value === undefined || !cidrContains(this.#cidr, value)) return undefined;
    const number = value - this.#cidr.base - 1;
    return number >= 0 && number < this.#usable ? number : undefined;
  }

  #numbersOf(service: Frozen<Service> | undefined): number[] {
    return (service?.spec?.clusterIPs ?? []).map((address) => this.#number(address)).filter((number) => number !== undefined);
  }
}
