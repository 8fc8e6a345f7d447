import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Frozen, LabelSelector } from "../../src/apimachinery/meta.ts";
import { fromLabelSelector, type Selector } from "../../src/apimachinery/selectors/labels.ts";
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "../../src/apis/generated/networking/v1.ts";
import { matchNetworks } from "./networks.ts";
import { type PortRange, mergeRanges, renderRanges } from "./port-ranges.ts";

export type Direction = "ingress" | "egress";
export const directions = ["ingress", "egress"] as const;

/** The pods that some peer means: of the policy's own namespace, or of all namespaces with these labels. Their addresses make two sets. */
export interface PeerGroup {
  namespace: { name: string } | { labels: Selector };
  pods: Selector;
}

/** A port that rules call by name: each pod has its own number for it. Addresses with numbers make two sets. */
export interface NamedPort {
  name: string;
  protocol: Protocol;
}

export type Protocol = "tcp" | "udp" | "sctp";

/** One policy in one direction. */
export interface PolicyRules {
  /** Its chain. */
  chain: string;
  /** In nft's syntax. A packet that none of them accepts returns to the caller. */
  rules: string[];
  peers: Map<string, PeerGroup>;
  ports: Map<string, NamedPort>;
}

const families = [{ suffix: "4", ip: "ip" }, { suffix: "6", ip: "ip6" }] as const;
type Family = (typeof families)[number];

/** What a packet must be; without a family, of either. */
interface Match {
  family?: Family;
  text: string;
}

const anything: Match = { text: "" };

/** The directions in which a policy isolates the pods that it selects; those that say nothing isolate as Kubernetes' default has it. */
export function isolates(policy: Frozen<NetworkPolicy>, direction: Direction): boolean {
  const { policyTypes, egress } = policy.spec;
  if (policyTypes?.length) return policyTypes.includes(direction === "ingress" ? "Ingress" : "Egress");
  return direction === "ingress" || Boolean(egress?.length);
}

/** A policy as rules. Pure; source: https://kubernetes.io/docs/concepts/services-networking/network-policies/. */
export function policyRules(policy: Frozen<NetworkPolicy>, direction: Direction): PolicyRules {
  const namespace = policy.metadata.namespace!;
  const result: PolicyRules = { chain: `policy-${direction}-${shortHash(`${namespace}/${policy.metadata.name}`)}`, rules: [], peers: new Map(), ports: new Map() };
  const clauses = direction === "ingress"
    ? (policy.spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
    : (policy.spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
  for (const { peers, ports } of clauses) {
    const address = direction === "ingress" ? "saddr" : "daddr";
    for (const peer of peerMatches(peers ?? [], namespace, address, result.peers)) {
      for (const port of portMatches(ports ?? [], result.ports)) {
        if (peer.family && port.family && peer.family !== port.family) continue;
        result.rules.push([peer.text, port.text, "accept"].filter(Boolean).join(" "));
      }
    }
  }
  result.rules = [...new Set(result.rules)];
  return result;
}

/** No peers at all means everybody. */
function peerMatches(peers: readonly Frozen<NetworkPolicyPeer>[], namespace: string, address: "saddr" | "daddr", groups: Map<string, PeerGroup>): Match[] {
  if (!peers.length) return [anything];
  const names = new Set<string>();
  for (const { podSelector, namespaceSelector, ipBlock } of peers) {
    if (ipBlock) continue;
    const name = `peer-${shortHash(JSON.stringify([namespaceSelector ? canonical(namespaceSelector) : namespace, podSelector ? canonical(podSelector) : null]))}`;
    names.add(name);
    groups.set(name, { namespace: namespaceSelector ? { labels: fromLabelSelector(namespaceSelector) } : { name: namespace }, pods: fromLabelSelector(podSelector ?? {}) });
  }
  const blocks = peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock] : []));
  return families.flatMap((family) => [
    ...[...names].map((name) => ({ family, text: `${family.ip} ${address} @${name}-${family.suffix}` })),
    ...matchNetworks(blocks.filter(({ cidr }) => isIPv6(cidr.split("/")[0]!) === (family.suffix === "6")), `${family.ip} ${address}`).map((text) => ({ family, text })),
  ]);
}

/** No ports at all means every port of every protocol. */
function portMatches(ports: readonly Frozen<NetworkPolicyPort>[], named: Map<string, NamedPort>): Match[] {
  if (!ports.length) return [anything];
  const numbers = new Map<Protocol, PortRange[] | "all">();
  const byName = new Map<string, NamedPort>();
  for (const { protocol: wireProtocol = "TCP", port, endPort } of ports) {
    const protocol = wireProtocol.toLowerCase() as Protocol;
    if (typeof port === "string") byName.set(`port-${shortHash(port)}-${protocol}`, { name: port, protocol });
    else if (port === undefined) numbers.set(protocol, "all");
    else if (numbers.get(protocol) !== "all") numbers.set(protocol, [...((numbers.get(protocol) as PortRange[] | undefined) ?? []), { from: port, to: endPort ?? port }]);
  }
  for (const [name, port] of byName) named.set(name, port);
  return [
    ...[...numbers].map(([protocol, ranges]) => ({ text: ranges === "all" ? `meta l4proto ${protocol}` : `${protocol} dport ${renderRanges(mergeRanges(ranges))}` })),
    ...[...byName].flatMap(([name, { protocol }]) => families.map((family) => ({ family, text: `${family.ip} daddr . ${protocol} dport @${name}-${family.suffix}` }))),
  ];
}

/** The same selector always in the same words, so that policies share its set. */
function canonical({ matchLabels = {}, matchExpressions = [] }: Frozen<LabelSelector>): unknown {
  return [Object.entries(matchLabels).sort(([a], [b]) => (a < b ? -1 : 1)), matchExpressions.map(({ key, operator, values = [] }) => [key, operator, [...values].sort()])];
}

/** Names in nftables are short, and know fewer characters than Kubernetes' names. */
export const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
