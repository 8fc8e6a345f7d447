import { randomInt } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Service } from "../../apis/generated/core/v1.ts";
import { Pool, reservedBand } from "./pool.ts";

export interface PortRange {
  first: number;
  last: number;
}
export const defaultNodePorts: PortRange = { first: 30000, last: 32767 };

/** Hands out node ports, also those of health checks. Texts of refusals are Kubernetes' (pkg/registry/core/service/portallocator). */
export class NodePorts {
  readonly #pool: Pool;

  constructor(private readonly range: PortRange = defaultNodePorts, random: (limit: number) => number = randomInt) {
    const size = range.last - range.first + 1;
    this.#pool = new Pool(size, { lower: reservedBand(size, { least: 16, divisor: 32, most: 128 }), random });
  }

  observe(old: Frozen<Service> | undefined, current: Frozen<Service> | undefined): void {
    for (const port of portsOf(old)) this.#pool.release(port - this.range.first, old!.metadata.uid!);
    for (const port of portsOf(current)) this.#pool.hold(port - this.range.first, current!.metadata.uid!);
  }

  allocate(): number | undefined {
    const number = this.#pool.next();
    return number === undefined ? undefined : this.range.first + number;
  }

  claim(port: number, uid: string): string | undefined {
    const { first, last } = this.range;
    if (port < first || port > last) return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    if (!this.#pool.isFree(port - first, uid)) return "provided port is already allocated";
    this.#pool.reserve(port - first);
    return undefined;
  }

  /** Whether the port is taken by a stored service, other than that of the uid. */
  isHeld(port: number, uid: string): boolean {
    return this.#pool.isHeld(port - this.range.first, uid);
  }

  settle(port: number): void {
    this.#pool.unreserve(port - this.range.first);
  }
}

function portsOf(service: Frozen<Service> | undefined): Set<number> {
  const { ports = [], healthCheckNodePort } = service?.spec ?? {};
  const all = [...ports.map(({ nodePort }) => nodePort), healthCheckNodePort];
  return new Set(all.filter((port): port is number => Boolean(port)));
}
