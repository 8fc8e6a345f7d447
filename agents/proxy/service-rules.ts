import { createHash } from "node:crypto";
import { pickChains } from "./base-table.ts";
import type { EndpointAddress } from "./endpoints.ts";
import { type IpFamily, wordsOf } from "./family.ts";
import type { HostPort } from "./host-ports.ts";
import { isWithin } from "./networks.ts";
import type { Rules } from "./rules.ts";
import type { ServicePort } from "./service-ports.ts";

/** Where packets come in for a port: an address with the port, or a node port on whichever address. Keys of the maps that it is looked up in. */
interface Front {
  key: string;
  maps: { all: string; local: string; external: string; endpoints: string; localEndpoints: string; none: string };
  pick: { all(count: number): string; local(count: number): string };
  policy: string;
}

const atAddress = (ip: string, { protocol, port }: ServicePort): Front => ({
  key: `${ip} . ${protocol} . ${port}`, pick: pickChains.address, policy: "local-policy",
  maps: { all: "service-ips", local: "local-service-ips", external: "external-ips", endpoints: "endpoints", localEndpoints: "local-endpoints", none: "no-endpoints" },
});
const atNodePort = (nodePort: number, { protocol }: ServicePort): Front => ({
  key: `${protocol} . ${nodePort}`, pick: pickChains.nodePort, policy: "local-nodeport-policy",
  maps: { all: "service-nodeports", local: "local-service-nodeports", external: "external-nodeports", endpoints: "nodeport-endpoints", localEndpoints: "local-nodeport-endpoints", none: "no-endpoint-nodeports" },
});

/** What one Service adds to the base table. Pure. */
export function serviceRules(ports: readonly ServicePort[], family: IpFamily, nodeIps: readonly string[]): Rules {
  const rules: Rules = { elements: [], chains: new Map(), sets: new Map(), largest: 0 };
  for (const port of ports) {
    rules.largest = Math.max(rules.largest, port.clusterEndpoints.length, port.internalEndpoints.length, port.externalEndpoints.length);
    const affinity = port.affinitySeconds === undefined ? undefined : new Affinity(rules, port, family);
    rules.elements.push({ map: "cluster-ips", key: port.clusterIp });
    for (const { ip } of port.localEndpoints) rules.elements.push({ map: "hairpin", key: `${ip} . ${ip}` });
    addInternal(rules, port, atAddress(port.clusterIp, port), affinity);
    for (const ip of [...port.externalIps, ...port.loadBalancerIps]) addExternal(rules, port, atAddress(ip, port), affinity);
    if (port.nodePort !== undefined) addExternal(rules, port, atNodePort(port.nodePort, port), affinity);
    if (port.sourceRanges.length > 0) addFirewall(rules, port, family, nodeIps);
  }
  return rules;
}

function addInternal(rules: Rules, port: ServicePort, front: Front, affinity: Affinity | undefined): void {
  if (port.internalEndpoints.length > 0) addEndpoints(rules, front, "all", port.internalEndpoints, affinity);
  else addRefusal(rules, port, front);
}

/** Pods and the node itself are sent to endpoints anywhere, under both policies: as if they had gone out and come in by a load balancer. */
function addExternal(rules: Rules, port: ServicePort, front: Front, affinity: Affinity | undefined): void {
  if (port.externalEndpoints.length === 0) addRefusal(rules, port, front);
  if (!port.anyEndpoints) return;
  rules.elements.push({ map: front.maps.external, key: front.key, value: port.externalLocal ? `goto ${front.policy}` : "jump masquerade-it" });
  if (port.clusterEndpoints.length > 0) addEndpoints(rules, front, "all", port.clusterEndpoints, affinity);
  if (port.externalLocal && port.externalEndpoints.length > 0) addEndpoints(rules, front, "local", port.externalEndpoints, affinity);
}

/** A node that is not to be used looks dead to who comes from outside; a Service that has nothing anywhere refuses. */
const addRefusal = (rules: Rules, { anyEndpoints }: ServicePort, { maps, key }: Front): void =>
  void rules.elements.push({ map: maps.none, key, value: anyEndpoints ? "goto drop-it" : "goto reject-it" });

function addEndpoints(rules: Rules, { maps, key, pick }: Front, which: "all" | "local", endpoints: readonly EndpointAddress[], affinity: Affinity | undefined): void {
  if (affinity) {
    rules.elements.push({ map: maps[which], key, value: `goto ${affinity.chainFor(endpoints)}` });
    return;
  }
  rules.elements.push({ map: maps[which], key, value: `goto ${pick[which](endpoints.length)}` });
  const map = which === "all" ? maps.endpoints : maps.localEndpoints;
  endpoints.forEach(({ ip, port }, index) => rules.elements.push({ map, key: `${key} . ${index}`, value: `${ip} . ${port}` }));
}

/**
 * A client that was sent to an endpoint within the last `affinitySeconds` goes there again; each endpoint remembers its clients in a set,
 * by whichever address of the Service they came.
 */
class Affinity {
  readonly #id: string;

  constructor(private readonly rules: Rules, private readonly port: ServicePort, private readonly family: IpFamily) {
    this.#id = shortHash(port.name);
  }

  /** The chain that picks among these, which are the port's endpoints for the one or the other policy. */
  chainFor(endpoints: readonly EndpointAddress[]): string {
    const { chains } = this.rules;
    const targets = endpoints.map((endpoint) => this.#target(endpoint));
    const name = `affinity-${endpoints === this.port.clusterEndpoints ? "all" : "local"}-${this.#id}`;
    chains.set(name, [
      ...targets.map(({ set, chain }) => `${wordsOf(this.family).ip} saddr @${set} goto ${chain}`),
      `numgen random mod ${targets.length} vmap { ${targets.map(({ chain }, index) => `${index} : goto ${chain}`).join(", ")} }`,
    ]);
    return name;
  }

  #target({ ip, port }: EndpointAddress): { set: string; chain: string } {
    const { protocol, affinitySeconds } = this.port, words = wordsOf(this.family);
    const id = `${this.#id}-${shortHash(`${ip} ${port}`)}`, chain = `endpoint-${id}`;
    // A set's timeout can't be changed: another one makes another set.
    const set = `clients-${id}-${affinitySeconds}`;
    this.rules.sets.set(set, `type ${words.address}; flags dynamic,timeout; timeout ${affinitySeconds}s;`);
    this.rules.chains.set(chain, [`update @${set} { ${words.ip} saddr }`, `meta l4proto ${protocol} dnat to ${this.family === "IPv6" ? `[${ip}]` : ip}:${port}`]);
    return { set, chain };
  }
}

/**
 * The load balancer's addresses are for these networks alone; node ports and the cluster IP are for everybody. Where the node may, what it
 * sends to such an address of its own has that one as its source, too.
 */
function addFirewall(rules: Rules, port: ServicePort, family: IpFamily, nodeIps: readonly string[]): void {
  const chain = `firewall-${shortHash(port.name)}`;
  const fromNode = port.sourceRanges.some((range) => nodeIps.some((ip) => isWithin(range, ip)));
  const wanted = fromNode ? [...port.sourceRanges, ...port.loadBalancerIps] : port.sourceRanges;
  // Networks within others contradict each other in one set.
  const sources = wanted.filter((one, index) => !wanted.some((other, at) => at !== index && isWithin(other, one) && !(isWithin(one, other) && at > index)));
  rules.chains.set(chain, [`${wordsOf(family).ip} saddr != { ${sources.join(", ")} } drop`]);
  for (const ip of port.loadBalancerIps) rules.elements.push({ map: "firewall", key: `${ip} . ${port.protocol} . ${port.port}`, value: `goto ${chain}` });
}

/** What a pod's host ports add. Pure. */
export function hostPortRules(ports: readonly HostPort[]): Rules {
  const rules: Rules = { elements: [], chains: new Map(), sets: new Map(), largest: 0 };
  for (const { protocol, hostIp, hostPort, endpoint } of ports) {
    const value = `${endpoint.ip} . ${endpoint.port}`;
    rules.elements.push(hostIp ? { map: "host-ports", key: `${hostIp} . ${protocol} . ${hostPort}`, value } : { map: "host-ports-any", key: `${protocol} . ${hostPort}`, value });
    rules.elements.push({ map: "hairpin", key: `${endpoint.ip} . ${endpoint.ip}` });
  }
  return rules;
}

export const nodePortAddressRules = (addresses: readonly string[]): Rules => ({ elements: addresses.map((key) => ({ map: "nodeport-ips", key })), chains: new Map(), sets: new Map(), largest: 0 });

const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
