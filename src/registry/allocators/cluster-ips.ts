import { randomInt } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Service } from "../../apis/generated/core/v1.ts";
import { bitsOf, containsAddress, formatAddress, formatNetwork, networkAddress, parseAddress, parseNetwork, type Network } from "../../base/ip.ts";
import { Pool, reservedBand } from "./pool.ts";

/** Of a larger IPv6 network only so many addresses are used, for they are numbers. */
const mostAddresses = 2 ** 40;

/** Hands out service addresses of one network, of either family. Texts of refusals are Kubernetes' (pkg/registry/core/service/ipallocator). */
export class ClusterIps {
  readonly #network: Network;
  /** How many addresses there are to give. */
  readonly #usable: number;
  readonly #pool: Pool;

  /** `reserved` addresses, such as the cluster DNS's, are given only to who asks for them. */
  constructor({ serviceCidr, reserved = [], random = randomInt }: { serviceCidr: string; reserved?: readonly string[]; random?: (limit: number) => number }) {
    const network = parseNetwork(serviceCidr);
    if (!network) throw new RangeError(`${JSON.stringify(serviceCidr)} is not a network such as 10.43.0.0/16`);
    this.#network = network;
    const size = Math.min(2 ** (bitsOf(network.family) - network.prefix), mostAddresses);
    // Neither the network's own address nor, of IPv4, the broadcast address: number 0 is the first usable one.
    this.#usable = Math.max(size - (network.family === 4 ? 2 : 1), 0);
    const avoid = new Set(reserved.map((address) => this.#number(address)).filter((number) => number !== undefined));
    this.#pool = new Pool(this.#usable, { lower: reservedBand(size, { least: 16, divisor: 16, most: 256 }), avoid, random });
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
    return number === undefined ? undefined : formatAddress({ ...this.#network, value: networkAddress(this.#network) + 1n + BigInt(number) });
  }

  /** Takes this very address for the service of that uid; says why not. */
  claim(address: string, uid: string): string | undefined {
    const number = this.#number(address);
    if (number === undefined) return `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${formatNetwork(this.#network)}`;
    if (!this.#pool.isFree(number, uid)) return "provided IP is already allocated";
    this.#pool.reserve(number);
    return undefined;
  }

  /** Whether the address is taken by something stored, other than the service of that uid. */
  isHeld(address: string, uid: string): boolean {
    const number = this.#number(address);
    return number !== undefined && this.#pool.isHeld(number, uid);
  }

  /** Ends a reservation, whether or not the service was stored: what is stored has been observed by now. */
  settle(address: string): void {
    const number = this.#number(address);
    if (number !== undefined) this.#pool.unreserve(number);
  }

  #number(text: string): number | undefined {
    const address = parseAddress(text);
    if (!address || address.mapped || !containsAddress(this.#network, address)) return undefined;
    const number = address.value - networkAddress(this.#network) - 1n;
    return number >= 0n && number < BigInt(this.#usable) ? Number(number) : undefined;
  }

  #numbersOf(service: Frozen<Service> | undefined): number[] {
    return (service?.spec?.clusterIPs ?? []).map((address) => this.#number(address)).filter((number) => number !== undefined);
  }
}
