import { createHash } from "node:crypto";
import { type Element, type Table, Transaction } from "nftables-js";
import type { HostPort, ServicePort } from "./service-ports.ts";

export interface ProxyConfig {
  table: Table;
  clusterCidr: string;
  serviceCidr: string;
  /** Addresses of the service network that this node answers itself, such as the cluster's DNS. */
  localServiceIps: readonly string[];
}

/** The part of the table that depends on Services: elements of the base table's maps, and what session affinity needs beside it. */
export interface Ruleset {
  elements: Record<string, Map<string, string | undefined>>;
  /** Rules of the chains beyond the base table's. */
  chains: Map<string, readonly string[]>;
  /** Declarations of the sets beyond the base table's. */
  sets: Map<string, string>;
  /** The most endpoints that one port has, rounded up: the base table must be made for at least as many. */
  capacity: number;
}

const masqueradeMark = "0x4000";
const markForMasquerade = `meta mark set meta mark or ${masqueradeMark}`;
const endpointKey = "typeof ip daddr . meta l4proto . th dport . numgen random mod 65536 : ip daddr . th dport;";
const portKey = "typeof meta l4proto . th dport . numgen random mod 65536 : ip daddr . th dport;";
const serviceKey = "ip daddr . meta l4proto . th dport";

/** What a base table is made for at least. */
const smallestCapacity = 16;

/**
 * The table with its static rules. Everything per Service is a map element, so a change costs the same with ten Services and with ten thousand:
 * a Service leads to the chain for its number of endpoints, and that one picks an element by a random index. Those chains are all made here:
 * nft 1.0.6 refuses a rule that uses a typeof map which an earlier transaction made ("conflicting protocols specified").
 */
export function baseTable({ table, clusterCidr, serviceCidr, localServiceIps }: ProxyConfig, capacity = smallestCapacity): Transaction {
  const notFromPods = `ip saddr != ${clusterCidr}`;
  const transaction = new Transaction(table).addTable().deleteTable().addTable()
    .addMap("service-ips", "type ipv4_addr . inet_proto . inet_service : verdict;")
    .addMap("service-nodeports", "type inet_proto . inet_service : verdict;")
    .addMap("host-ports", "type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;")
    .addMap("host-ports-any", "type inet_proto . inet_service : ipv4_addr . inet_service;")
    .addMap("no-endpoints", "type ipv4_addr . inet_proto . inet_service : verdict;")
    .addMap("no-endpoint-nodeports", "type inet_proto . inet_service : verdict;")
    .addMap("endpoints", endpointKey)
    .addMap("nodeport-endpoints", portKey)
    .addSet("hairpin", "type ipv4_addr . ipv4_addr;")
    .addSet("cluster-ips", "type ipv4_addr;")
    .addSet("local-service-ips", "type ipv4_addr;")
    .addElements("local-service-ips", localServiceIps.map((key) => ({ key })))
    .addChain("prerouting", { type: "nat", hook: "prerouting", priority: -100 })
    .addChain("output", { type: "nat", hook: "output", priority: -100 })
    .addChain("postrouting", { type: "nat", hook: "postrouting", priority: 100 })
    .addChain("filter-input", { type: "filter", hook: "input", priority: 0 })
    .addChain("filter-forward", { type: "filter", hook: "forward", priority: 0 })
    .addChain("filter-output", { type: "filter", hook: "output", priority: 0 });
  for (const chain of ["services", "no-service", "reject-it", "drop-it", "from-outside"]) transaction.addChain(chain);
  transaction
    .addRule("reject-it", "reject")
    .addRule("drop-it", "drop")
    .addRule("from-outside", `${notFromPods} ${markForMasquerade}`)
    .addRule("services", `${serviceKey} vmap @service-ips`)
    .addRule("services", "ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @service-nodeports")
    .addRule("services", "fib daddr type local dnat ip addr . port to ip daddr . meta l4proto . th dport map @host-ports")
    .addRule("services", "ip daddr != 127.0.0.0/8 fib daddr type local dnat ip addr . port to meta l4proto . th dport map @host-ports-any")
    .addRule("prerouting", "jump services")
    .addRule("output", "jump services")
    .addRule("postrouting", `meta mark and ${masqueradeMark} == ${masqueradeMark} meta mark set meta mark xor ${masqueradeMark} masquerade`)
    .addRule("postrouting", "ct status dnat ip saddr . ip daddr @hairpin masquerade")
    .addRule("postrouting", `ip saddr ${clusterCidr} ip daddr != ${clusterCidr} ip daddr != 224.0.0.0/4 masquerade`)
    .addRule("no-service", `${serviceKey} vmap @no-endpoints`)
    .addRule("no-service", "ip daddr @cluster-ips reject")
    .addRule("no-service", `ip daddr ${serviceCidr} ip daddr != @local-service-ips drop`)
    .addRule("filter-forward", "ct state new jump no-service")
    .addRule("filter-output", "ct state new jump no-service")
    .addRule("filter-input", `ct state new ${serviceKey} vmap @no-endpoints`)
    .addRule("filter-input", "ct state new fib daddr type local meta l4proto . th dport vmap @no-endpoint-nodeports");
  for (let count = 1; count <= capacity; count++) addPickChains(transaction, count);
  return transaction;
}

/** For a port with `count` endpoints: by address, and by node port; each with the marks that its audience needs. */
function addPickChains(transaction: Transaction, count: number): void {
  const byAddress = `dnat ip addr . port to ${serviceKey} . numgen random mod ${count} map @endpoints`;
  const byNodePort = `dnat ip addr . port to meta l4proto . th dport . numgen random mod ${count} map @nodeport-endpoints`;
  const chains: [string, string[]][] = [
    [`pick-${count}`, ["jump from-outside", byAddress]], [`pick-masquerade-${count}`, [markForMasquerade, byAddress]], [`pick-keep-${count}`, [byAddress]],
    [`pick-nodeport-${count}`, [markForMasquerade, byNodePort]], [`pick-nodeport-keep-${count}`, [byNodePort]],
  ];
  for (const [name, rules] of chains) {
    transaction.addChain(name);
    for (const rule of rules) transaction.addRule(name, rule);
  }
}

/** What the maps must hold for these Services and host ports. Pure. */
export function ruleset(ports: readonly ServicePort[], hostPortsOfNode: readonly HostPort[]): Ruleset {
  const elements: Ruleset["elements"] = Object.fromEntries(["service-ips", "service-nodeports", "host-ports", "host-ports-any", "no-endpoints", "no-endpoint-nodeports", "endpoints", "nodeport-endpoints", "hairpin", "cluster-ips"].map((name) => [name, new Map()]));
  const result: Ruleset = { elements, chains: new Map(), sets: new Map(), capacity: smallestCapacity };
  for (const port of ports) {
    addServicePort(result, port);
    while (result.capacity < Math.max(port.endpoints.length, port.externalEndpoints.length)) result.capacity *= 2;
  }
  for (const { protocol, hostIp, hostPort, endpoint } of hostPortsOfNode) {
    if (hostIp) elements["host-ports"]!.set(`${hostIp} . ${protocol} . ${hostPort}`, `${endpoint.ip} . ${endpoint.port}`);
    else elements["host-ports-any"]!.set(`${protocol} . ${hostPort}`, `${endpoint.ip} . ${endpoint.port}`);
    addHairpin(result, endpoint.ip);
  }
  return result;
}

function addServicePort(result: Ruleset, port: ServicePort): void {
  const { elements } = result;
  const { protocol } = port;
  elements["cluster-ips"]!.set(port.clusterIp, undefined);
  for (const { ip } of [...port.endpoints, ...port.externalEndpoints]) addHairpin(result, ip);

  addAddress(result, port, port.clusterIp, port.endpoints, { fromOutside: "from-outside" });
  for (const ip of port.externalIps) addAddress(result, port, ip, port.externalEndpoints, { fromOutside: port.preserveClientIp ? undefined : "all" });
  if (port.nodePort === undefined) return;
  const key = `${protocol} . ${port.nodePort}`;
  if (!port.externalEndpoints.length) {
    // With externalTrafficPolicy Local a node without endpoints must look dead to a load balancer's health check, not refuse.
    elements["no-endpoint-nodeports"]!.set(key, port.endpoints.length ? "goto drop-it" : "goto reject-it");
    return;
  }
  if (port.affinitySeconds !== undefined) {
    elements["service-nodeports"]!.set(key, `goto ${affinityChain(result, port, port.externalEndpoints, port.preserveClientIp ? "local" : "outside")}`);
    return;
  }
  elements["service-nodeports"]!.set(key, `goto pick-nodeport-${port.preserveClientIp ? "keep-" : ""}${port.externalEndpoints.length}`);
  port.externalEndpoints.forEach(({ ip, port: target }, i) => elements["nodeport-endpoints"]!.set(`${key} . ${i}`, `${ip} . ${target}`));
}

function addAddress(result: Ruleset, port: ServicePort, ip: string, endpoints: ServicePort["endpoints"], { fromOutside }: { fromOutside: "from-outside" | "all" | undefined }): void {
  const key = `${ip} . ${port.protocol} . ${port.port}`;
  if (!endpoints.length) {
    result.elements["no-endpoints"]!.set(key, "goto reject-it");
    return;
  }
  if (port.affinitySeconds !== undefined) {
    result.elements["service-ips"]!.set(key, `goto ${affinityChain(result, port, endpoints, fromOutside === "from-outside" ? "cluster" : fromOutside ? "outside" : "local")}`);
    return;
  }
  result.elements["service-ips"]!.set(key, `goto pick-${fromOutside === "from-outside" ? "" : fromOutside ? "masquerade-" : "keep-"}${endpoints.length}`);
  endpoints.forEach(({ ip: target, port: targetPort }, i) => result.elements["endpoints"]!.set(`${key} . ${i}`, `${target} . ${targetPort}`));
}

function addHairpin({ elements }: Ruleset, ip: string): void {
  elements["hairpin"]!.set(`${ip} . ${ip}`, undefined);
}

/** A client that was sent to an endpoint within the last `affinitySeconds` goes there again; each endpoint remembers its clients in a set. */
function affinityChain({ chains, sets }: Ruleset, port: ServicePort, endpoints: ServicePort["endpoints"], audience: "cluster" | "outside" | "local"): string {
  const id = shortHash(port.name);
  const name = `affinity-${audience}-${id}`;
  const mark = audience === "outside" ? [markForMasquerade] : audience === "cluster" ? ["jump from-outside"] : [];
  const targets = endpoints.map(({ ip, port: target }) => {
    const endpointId = `${id}-${shortHash(`${ip}:${target}`)}`;
    const set = `clients-${endpointId}`;
    sets.set(set, `type ipv4_addr; flags dynamic,timeout; timeout ${port.affinitySeconds}s;`);
    chains.set(`endpoint-${endpointId}`, [`update @${set} { ip saddr }`, `meta l4proto ${port.protocol} dnat to ${ip}:${target}`]);
    return { set, chain: `endpoint-${endpointId}` };
  });
  chains.set(name, [
    ...mark,
    ...targets.map(({ set, chain }) => `ip saddr @${set} goto ${chain}`),
    `numgen random mod ${targets.length} vmap { ${targets.map(({ chain }, i) => `${i} : goto ${chain}`).join(", ")} }`,
  ]);
  return name;
}

const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 10);

export const emptyRuleset = (): Ruleset => ruleset([], []);

/** The changes that lead from one ruleset to another. Clients remembered by affinity sets that stay are kept. */
export function transition(table: Table, from: Ruleset, to: Ruleset): Transaction {
  const transaction = new Transaction(table);
  for (const [set, declaration] of to.sets) if (from.sets.get(set) !== declaration) {
    // A set's timeout can't be changed in place.
    if (from.sets.has(set)) throw new RulesetError(`set ${set} has another declaration`);
    transaction.addSet(set, declaration);
  }
  const changedChains = [...to.chains].filter(([name, rules]) => !sameRules(from.chains.get(name), rules));
  for (const [name] of changedChains) transaction.addChain(name);
  for (const [name, rules] of changedChains) {
    transaction.flushChain(name);
    for (const rule of rules) transaction.addRule(name, rule);
  }
  for (const [map, wanted] of Object.entries(to.elements)) {
    const had = from.elements[map]!;
    transaction.deleteElements(map, differing(had, wanted)).addElements(map, differing(wanted, had));
  }
  const goneChains = [...from.chains.keys()].filter((name) => !to.chains.has(name));
  for (const name of goneChains) transaction.flushChain(name);
  for (const name of goneChains) transaction.deleteChain(name);
  for (const set of from.sets.keys()) if (!to.sets.has(set)) transaction.deleteSet(set);
  return transaction;
}

/** A change that can't be made step by step: load everything anew. */
export class RulesetError extends Error {
  override readonly name = "RulesetError";
}

const sameRules = (a: readonly string[] | undefined, b: readonly string[]): boolean => a !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i]);

/** The elements of `these` that `those` lacks or holds with another value. */
function differing(these: ReadonlyMap<string, string | undefined>, those: ReadonlyMap<string, string | undefined>): Element[] {
  const found: Element[] = [];
  for (const [key, value] of these) if (!those.has(key) || those.get(key) !== value) found.push(value === undefined ? { key } : { key, value });
  return found;
}
