import { type Element, Transaction } from "nftables-js";
import { type FamilyConfig, wordsOf } from "./family.ts";

/** The node's own mark on packets that need its address as their source. */
const masqueradeMark = "0x4000";
const markForMasquerade = `meta mark set meta mark or ${masqueradeMark}`;
const masquerade = "masquerade fully-random";

/** How many endpoints a port may have in a base table at least. */
export const smallestCapacity = 16;

/** The chains that pick among `count` endpoints: for an address or a node port, of all endpoints or of this node's alone. */
export const pickChains = {
  address: { all: (count: number) => `pick-${count}`, local: (count: number) => `pick-local-${count}` },
  nodePort: { all: (count: number) => `pick-nodeport-${count}`, local: (count: number) => `pick-local-nodeport-${count}` },
} as const;

/**
 * The table with its static rules. Everything per Service is a map element, so a change costs the same with ten Services and with ten thousand:
 * an address leads to the chain for its number of endpoints, and that one picks an element by a random index. Those chains are all made here:
 * nft 1.0.6 refuses a rule that uses a typeof map which an earlier transaction made ("conflicting protocols specified").
 *
 * What packets meet, in order:
 * - before addresses are changed: `firewall`, for loadBalancerSourceRanges; and what is sent to loopback from elsewhere is dropped.
 * - `services`: from beyond the pods to a cluster IP is marked for masquerading. Outside addresses are marked too, or, under
 *   externalTrafficPolicy Local, led to `local-policy`, which sends pods and the node itself to all endpoints and others to this node's.
 * - `no-service`, of what still has a Service's address then: refused or dropped.
 */
export function baseTable(config: FamilyConfig, capacity = smallestCapacity): Transaction {
  const { address, ip, loopback, linkOnly } = wordsOf(config.family);
  const pods = `{ ${config.clusterCidrs.join(", ")} }`;
  const service = `${ip} daddr . meta l4proto . th dport`, nodePort = "meta l4proto . th dport";
  const addressType = `${address} . inet_proto . inet_service`, endpointType = `${address} . inet_service`;
  const index = `numgen random mod 65536 : ${ip} daddr . th dport;`;
  const atNodePort = config.nodePortsEverywhere ? `${ip} daddr != ${loopback} fib daddr type local` : `${ip} daddr @nodeport-ips`;
  const transaction = new Transaction(config.table).addTable().deleteTable().addTable();
  for (const name of ["service-ips", "local-service-ips", "external-ips", "no-endpoints", "firewall"]) transaction.addMap(name, `type ${addressType} : verdict;`);
  for (const name of ["service-nodeports", "local-service-nodeports", "external-nodeports", "no-endpoint-nodeports"]) transaction.addMap(name, "type inet_proto . inet_service : verdict;");
  for (const name of ["endpoints", "local-endpoints"]) transaction.addMap(name, `typeof ${service} . ${index}`);
  for (const name of ["nodeport-endpoints", "local-nodeport-endpoints"]) transaction.addMap(name, `typeof ${nodePort} . ${index}`);
  transaction
    .addMap("host-ports", `type ${addressType} : ${endpointType};`)
    .addMap("host-ports-any", `type inet_proto . inet_service : ${endpointType};`)
    .addSet("hairpin", `type ${address} . ${address};`);
  for (const name of ["cluster-ips", "nodeport-ips", "local-service-addresses"]) transaction.addSet(name, `type ${address};`);
  transaction.addElements("local-service-addresses", config.localServiceIps.map((key): Element => ({ key })))
    .addChain("firewall-prerouting", { type: "filter", hook: "prerouting", priority: -110 })
    .addChain("firewall-output", { type: "filter", hook: "output", priority: -110 })
    .addChain("prerouting", { type: "nat", hook: "prerouting", priority: -100 })
    .addChain("output", { type: "nat", hook: "output", priority: -100 })
    .addChain("postrouting", { type: "nat", hook: "postrouting", priority: 100 })
    .addChain("filter-input", { type: "filter", hook: "input", priority: 0 })
    .addChain("filter-forward", { type: "filter", hook: "forward", priority: 0 })
    .addChain("filter-output", { type: "filter", hook: "output", priority: 0 });
  for (const chain of ["services", "nodeports", "local-policy", "local-nodeport-policy", "to-any", "to-any-nodeport", "no-service", "reject-it", "drop-it", "masquerade-it"]) transaction.addChain(chain);
  const rules: [chain: string, rule: string][] = [
    // Kernels limit how many ICMP messages they send to one address, so TCP is refused in its own words.
    ["reject-it", "meta l4proto tcp reject with tcp reset"],
    ["reject-it", "reject"],
    ["drop-it", "drop"],
    ["masquerade-it", markForMasquerade],
    // Interfaces of pods with host ports let it through: see loopback.ts.
    ["firewall-prerouting", `iifname != "lo" ${ip} daddr ${loopback} drop`],
    ["firewall-prerouting", `ct state new ${service} vmap @firewall`],
    ["firewall-output", `ct state new ${service} vmap @firewall`],

    ["services", `${ip} daddr @cluster-ips ${ip} saddr != ${pods} ${markForMasquerade}`],
    ["services", `${service} vmap @external-ips`],
    ["services", `${service} vmap @service-ips`],
    ["services", `${atNodePort} jump nodeports`],
    ["services", `fib daddr type local dnat ${ip} addr . port to ${service} map @host-ports`],
    // Of IPv6 nothing leaves this machine from a loopback address, even for a pod's.
    ["services", `${ip === "ip6" ? `${ip} saddr != ${loopback} ` : ""}fib daddr type local dnat ${ip} addr . port to ${nodePort} map @host-ports-any`],
    ["nodeports", `${nodePort} vmap @external-nodeports`],
    ["nodeports", `${nodePort} vmap @service-nodeports`],
    ["local-policy", `${ip} saddr ${pods} goto to-any`],
    ["local-policy", `fib saddr type local ${markForMasquerade} goto to-any`],
    ["local-policy", `${service} vmap @local-service-ips`],
    ["to-any", `${service} vmap @service-ips`],
    ["local-nodeport-policy", `${ip} saddr ${pods} goto to-any-nodeport`],
    ["local-nodeport-policy", `fib saddr type local ${markForMasquerade} goto to-any-nodeport`],
    ["local-nodeport-policy", `${nodePort} vmap @local-service-nodeports`],
    ["to-any-nodeport", `${nodePort} vmap @service-nodeports`],
    ["prerouting", "jump services"],
    ["output", "jump services"],

    ["postrouting", `meta mark and ${masqueradeMark} != 0 meta mark set meta mark xor ${masqueradeMark} ${masquerade}`],
    ["postrouting", `oifname != "lo" ${ip} saddr ${loopback} ct status dnat ${masquerade}`],
    ["postrouting", `ct status dnat ${ip} saddr . ${ip} daddr @hairpin ${masquerade}`],
    ["postrouting", `${ip} saddr ${pods} ${ip} daddr != { ${[...config.clusterCidrs, ...linkOnly].join(", ")} } ${masquerade}`],

    ["no-service", `${service} vmap @no-endpoints`],
    ["no-service", `${ip} daddr @cluster-ips goto reject-it`],
    ["no-service", `${ip} daddr { ${config.serviceCidrs.join(", ")} } ${ip} daddr != @local-service-addresses drop`],
    // Addresses of such packets are not translated: the other end would not know whom they are from, and reset the connection.
    ["filter-forward", `${ip} saddr ${pods} meta l4proto tcp ct state invalid drop`],
    ["filter-forward", "ct state new jump no-service"],
    ["filter-output", "ct state new jump no-service"],
    ["filter-input", `ct state new ${service} vmap @no-endpoints`],
    ["filter-input", `ct state new ${atNodePort} ${nodePort} vmap @no-endpoint-nodeports`],
  ];
  for (let count = 1; count <= capacity; count++) {
    const pick = (key: string, map: string): string => `dnat ${ip} addr . port to ${key} . numgen random mod ${count} map @${map}`;
    rules.push(
      [pickChains.address.all(count), pick(service, "endpoints")], [pickChains.address.local(count), pick(service, "local-endpoints")],
      [pickChains.nodePort.all(count), pick(nodePort, "nodeport-endpoints")], [pickChains.nodePort.local(count), pick(nodePort, "local-nodeport-endpoints")],
    );
    for (const { all, local } of Object.values(pickChains)) transaction.addChain(all(count)).addChain(local(count));
  }
  for (const [chain, rule] of rules) transaction.addRule(chain, rule);
  return transaction;
}
