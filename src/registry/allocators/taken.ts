import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { internalError, invalid } from "../../apimachinery/status.ts";
import type { Service, ServiceSpec } from "../../apis/generated/core/v1.ts";
import type { Reservation } from "../machinery.ts";
import type { Claims } from "./claims.ts";
import { ipFamilyOf, type IpFamily } from "./ip-families.ts";
import type { NodePorts } from "./node-ports.ts";
import type { ServiceNetworks } from "./service-networks.ts";

/** How often another one is tried when other servers are taking the same. */
const attempts = 16;

export const refused = ({ metadata }: Service, errors: FieldError[]): Error => invalid({ group: "", kind: "Service" }, metadata.name!, errors);

/** An address or a port that one write takes. */
interface Part {
  /** In claims. */
  name: string;
  /** By a stored service. */
  isHeld(): boolean;
  /** Takes another in its place, in the object too; throws when it was this one that was wanted. */
  replace(): Part;
}

/** The reservations of one write of a service. */
export class Taken implements Reservation {
  readonly #addresses: string[] = [];
  readonly #ports: number[] = [];
  /** What is to be confirmed, and what lets go of it afterwards. */
  readonly #parts: Part[] = [];
  readonly #release: (() => void)[] = [];

  constructor(private readonly networks: readonly ServiceNetworks[], private readonly nodePorts: NodePorts, private readonly service: Service, private readonly claims?: Claims) {}

  address(family: IpFamily): string {
    const address = this.#allocateAddress(family);
    this.#parts.push(this.#addressPart(address, (from) => {
      const next = this.#allocateAddress(family);
      replaceAddress(this.service.spec, from, next);
      return next;
    }));
    return address;
  }

  /** Says why not. */
  claimAddress(address: string): string | undefined {
    const refusal = this.#networksOf(ipFamilyOf(address)).claim(address, this.#uid);
    if (refusal) return refusal;
    this.#addresses.push(address);
    this.#parts.push(this.#addressPart(address, () => {
      throw refused(this.service, [invalidValue("spec.clusterIPs", this.service.spec.clusterIPs, `failed to allocate IP ${address}: provided IP is already allocated`)]);
    }));
    return undefined;
  }

  port(): number {
    const port = this.#allocatePort();
    this.#parts.push(this.#portPart(port, (from) => {
      const next = this.#allocatePort();
      replacePort(this.service.spec, from, next);
      return next;
    }));
    return port;
  }

  claimPort(port: number): string | undefined {
    if (this.#ports.includes(port)) return undefined;
    const refusal = this.nodePorts.claim(port, this.#uid);
    if (refusal) return refusal;
    this.#ports.push(port);
    this.#parts.push(this.#portPart(port, () => {
      throw refused(this.service, [invalidValue("spec.ports", port, "provided port is already allocated")]);
    }));
    return undefined;
  }

  async confirm(): Promise<void> {
    if (!this.claims) return;
    for (const wanted of this.#parts) {
      let part = wanted;
      for (let attempt = 1; !(await this.#confirmed(part)); attempt++) {
        if (attempt === attempts) throw internalError(`other servers are taking all that is free of what ${part.name} is of`);
        part = part.replace();
      }
    }
  }

  settle(): void {
    this.#addresses.forEach((address) => this.#networksOf(ipFamilyOf(address)).settle(address));
    this.#ports.forEach((port) => this.nodePorts.settle(port));
    for (const release of this.#release.splice(0)) release();
  }

  async #confirmed({ name, isHeld }: Part): Promise<boolean> {
    const release = await this.claims!.take(name);
    if (!release) return false;
    this.#release.push(release);
    // The claim's own revision has been shown, and so has everything before it.
    return !isHeld();
  }

  get #uid(): string {
    return this.service.metadata.uid!;
  }

  /** Families that the cluster doesn't have are refused before. */
  #networksOf(family: IpFamily): ServiceNetworks {
    return this.networks.find((ips) => ips.family === family)!;
  }

  #allocateAddress(family: IpFamily): string {
    const address = this.#networksOf(family).allocate(this.#uid);
    if (address === undefined) throw internalError("failed to allocate a serviceIP: range is full");
    this.#addresses.push(address);
    return address;
  }

  #allocatePort(): number {
    const port = this.nodePorts.allocate();
    if (port === undefined) throw internalError("failed to allocate a nodePort: range is full");
    this.#ports.push(port);
    return port;
  }

  #addressPart(address: string, another: (from: string) => string): Part {
    return { name: address, isHeld: () => this.#networksOf(ipFamilyOf(address)).isHeld(address, this.#uid), replace: () => this.#addressPart(another(address), another) };
  }

  #portPart(port: number, another: (from: number) => number): Part {
    return { name: `nodeport-${port}`, isHeld: () => this.nodePorts.isHeld(port, this.#uid), replace: () => this.#portPart(another(port), another) };
  }
}

function replaceAddress(spec: ServiceSpec, from: string, to: string): void {
  spec.clusterIPs = spec.clusterIPs?.map((address) => (address === from ? to : address));
  if (spec.clusterIP === from) spec.clusterIP = to;
}

/** A port served over two protocols has one node port. */
function replacePort(spec: ServiceSpec, from: number, to: number): void {
  for (const port of spec.ports ?? []) if (port.nodePort === from) port.nodePort = to;
  if (spec.healthCheckNodePort === from) spec.healthCheckNodePort = to;
}
