import type { Conntrack, Nftables } from "nftables-js";
import { udp } from "nftables-js";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { Pod, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { Place } from "./endpoints.ts";
import { type FamilyConfig, ofFamily } from "./family.ts";
import { FamilyTable } from "./family-table.ts";
import type { HealthCheck } from "./health-check.ts";
import { hostPorts } from "./host-ports.ts";
import { openLoopback } from "./loopback.ts";
import { servicePorts, type ServicePort } from "./service-ports.ts";
import { hostPortRules, nodePortAddressRules, serviceRules } from "./service-rules.ts";
import { type StaleFlows, staleFlows, staleFlowTest, type UdpFronts, udpFronts, udpHostPorts } from "./udp-flows.ts";

/** Where the node is, as far as the rules of a family need it. */
export interface NodeFacts extends Place {
  nodeIps: readonly string[];
  nodePortAddresses: readonly string[];
}

/** Services of one address family. */
export class FamilyProxy {
  readonly table: FamilyTable;
  /** By owner, of those that have any. */
  readonly #udp = new Map<string, UdpFronts>();
  readonly #healthChecks = new Map<string, Omit<HealthCheck, "address">>();
  #stale: StaleFlows[] = [];

  constructor(private readonly options: { nft: Nftables; conntrack: Conntrack; config: FamilyConfig; clock: Clock; log: Logger }) {
    this.table = new FamilyTable(options);
  }

  get config(): FamilyConfig {
    return this.options.config;
  }

  setService(key: string, service: Frozen<Service> | undefined, slices: readonly Frozen<EndpointSlice>[], node: NodeFacts): void {
    const { family, localServiceIps } = this.config;
    const all = service ? servicePorts(service, slices, family, node) : [];
    const ports = all.filter(({ clusterIp }) => !localServiceIps.includes(clusterIp));
    this.table.rules.put(key, ports.length > 0 ? serviceRules(ports, family, ofFamily(family, node.nodeIps)) : undefined);
    this.#setUdp(key, udpFronts(ports));
    this.#setHealthCheck(key, service, ports, slices, node);
  }

  #setHealthCheck(key: string, service: Frozen<Service> | undefined, ports: readonly ServicePort[], slices: readonly Frozen<EndpointSlice>[], { nodeName }: NodeFacts): void {
    const port = service?.spec.healthCheckNodePort;
    if (!port || service.spec.type !== "LoadBalancer" || service.spec.externalTrafficPolicy !== "Local" || ports.length === 0) {
      this.#healthChecks.delete(key);
      return;
    }
    const ready = new Set(slices.filter(({ addressType }) => addressType === this.config.family)
      .flatMap(({ endpoints }) => endpoints.filter((endpoint) => endpoint.nodeName === nodeName && endpoint.conditions?.ready !== false).map(({ addresses }) => addresses[0])));
    this.#healthChecks.set(key, { namespace: service.metadata.namespace!, name: service.metadata.name!, port, localEndpoints: ready.size });
  }

  setPod(key: string, pod: Frozen<Pod> | undefined): void {
    const owner = `pod ${key}`, ports = pod ? hostPorts(pod, this.config.family) : [];
    this.table.rules.put(owner, ports.length > 0 ? hostPortRules(ports) : undefined);
    this.#setUdp(owner, udpHostPorts(ports));
    const onLoopback = ports.find(({ hostIp }) => hostIp === "" || hostIp.startsWith("127."));
    if (onLoopback && this.config.family === "IPv4") openLoopback(onLoopback.endpoint.ip, this.options.log);
  }

  setNode({ nodePortAddresses }: NodeFacts): void {
    this.table.rules.put("node", nodePortAddressRules(ofFamily(this.config.family, nodePortAddresses)));
  }

  #setUdp(owner: string, fronts: UdpFronts): void {
    this.#stale.push(...staleFlows(this.#udp.get(owner), fronts));
    if (fronts.size > 0) this.#udp.set(owner, fronts);
    else this.#udp.delete(owner);
  }

  healthChecks(addresses: readonly string[]): HealthCheck[] {
    return ofFamily(this.config.family, addresses).flatMap((address) => [...this.#healthChecks.values()].map((check) => ({ ...check, address })));
  }

  /** With the rules in place: makes the kernel forget flows by rules that are no more. Returns how many; looks at none when nothing calls for it. */
  forgetFlows(node: NodeFacts): number {
    const stale = this.#stale;
    if (stale.length === 0) return 0;
    const test = staleFlowTest(stale, this.config.nodePortsEverywhere ? () => true : (address) => node.nodePortAddresses.includes(address) || node.nodeIps.includes(address));
    const forgotten = this.options.conntrack.forget(this.config.table.family === "ip6" ? "ip6" : "ip", udp, ({ to, by }) => test(to, by));
    this.#stale = [];
    return forgotten;
  }
}
