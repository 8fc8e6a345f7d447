import type { Frozen } from "../../src/apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels, type Selector } from "../../src/apimachinery/selectors/labels.ts";
import type { NetworkPolicy } from "../../src/apis/generated/networking/v1.ts";
import type { SetElement } from "./elements.ts";
import { type Direction, directions, isolates, type NamedPort, type PeerGroup, policyRules, type PolicyRules, type Protocol, shortHash } from "./rules.ts";

/** A pod as policies see it. Pods with the node's own network are none. */
export interface PolicyPod {
  namespace: string;
  labels: Readonly<Record<string, string>>;
  ips: readonly string[];
  /** Runs on this node, which therefore guards it. */
  local: boolean;
  ports: readonly { name: string; protocol: Protocol; port: number }[];
}

interface CompiledPolicy {
  name: string;
  pods: Selector;
  rules: Partial<Record<Direction, PolicyRules>>;
}

/** All policies, ready to be asked about a pod. */
export interface CompiledPolicies {
  byNamespace: ReadonlyMap<string, readonly CompiledPolicy[]>;
  /** By the name of their sets, less the family. */
  peers: ReadonlyMap<string, PeerGroup>;
  ports: ReadonlyMap<string, NamedPort>;
  /** The policies' chains. */
  chains: ReadonlyMap<string, readonly string[]>;
}

/** What a pod adds to the table. */
export interface Membership {
  elements: SetElement[];
  /** The chains that judge its packets, shared by all pods that the same policies select. */
  profiles: { chain: string; rules: readonly string[] }[];
}

const known = new WeakMap<Frozen<NetworkPolicy>, CompiledPolicy>();

export function compilePolicies(policies: readonly Frozen<NetworkPolicy>[]): CompiledPolicies {
  const byNamespace = new Map<string, CompiledPolicy[]>();
  const result = { byNamespace, peers: new Map<string, PeerGroup>(), ports: new Map<string, NamedPort>(), chains: new Map<string, readonly string[]>() };
  for (const policy of policies) {
    let compiled = known.get(policy);
    if (!compiled) known.set(policy, compiled = compile(policy));
    const namespace = policy.metadata.namespace!;
    byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), compiled]);
    for (const { chain, rules, peers, ports } of Object.values(compiled.rules)) {
      result.chains.set(chain, rules);
      for (const [name, group] of peers) result.peers.set(name, group);
      for (const [name, port] of ports) result.ports.set(name, port);
    }
  }
  return result;
}

function compile(policy: Frozen<NetworkPolicy>): CompiledPolicy {
  const rules = directions.filter((direction) => isolates(policy, direction)).map((direction) => [direction, policyRules(policy, direction)]);
  return { name: `${policy.metadata.namespace}/${policy.metadata.name}`, pods: fromLabelSelector(policy.spec.podSelector ?? {}), rules: Object.fromEntries(rules) };
}

/** Where the pod belongs. Pure. */
export function membershipOf(pod: PolicyPod, policies: CompiledPolicies, namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined): Membership {
  const membership: Membership = { elements: [], profiles: [] };
  for (const [name, { namespace, pods }] of policies.peers) {
    const inNamespace = "name" in namespace ? namespace.name === pod.namespace : matchesNamespace(namespace.labels, namespaceLabels(pod.namespace));
    if (inNamespace && matchesLabels(pods, pod.labels)) for (const ip of pod.ips) membership.elements.push({ set: `${name}-${familyOf(ip)}`, key: ip });
  }
  for (const [name, wanted] of policies.ports) {
    for (const { name: portName, protocol, port } of pod.ports) {
      if (portName === wanted.name && protocol === wanted.protocol) for (const ip of pod.ips) membership.elements.push({ set: `${name}-${familyOf(ip)}`, key: `${ip} . ${port}` });
    }
  }
  if (pod.local) guard(pod, policies.byNamespace.get(pod.namespace) ?? [], membership);
  return membership;
}

/** A namespace that isn't known (yet) is nobody's peer. */
const matchesNamespace = (selector: Selector, labels: Readonly<Record<string, string>> | undefined): boolean => labels !== undefined && matchesLabels(selector, labels);

/** Leads the pod's packets to its policies, direction by direction; one that no policy isolates is left alone. */
function guard(pod: PolicyPod, policies: readonly CompiledPolicy[], { elements, profiles }: Membership): void {
  for (const direction of directions) {
    const selecting = policies.filter(({ rules, pods }) => rules[direction] && matchesLabels(pods, pod.labels));
    if (!selecting.length) continue;
    const chain = `pods-${direction}-${shortHash(selecting.map(({ name }) => name).sort().join(" "))}`;
    profiles.push({ chain, rules: [...selecting.map(({ name, rules }) => `jump ${rules[direction]!.chain} comment "${name.slice(0, longestComment)}"`), "counter drop"] });
    for (const ip of pod.ips) elements.push({ set: `${direction}-${familyOf(ip)}`, key: ip, value: `goto ${chain}` });
  }
  // A pod always reaches itself, also through its Service.
  if (profiles.length) for (const ip of pod.ips) elements.push({ set: `self-${familyOf(ip)}`, key: `${ip} . ${ip}` });
}

const longestComment = 120;
const familyOf = (ip: string): "4" | "6" => (ip.includes(":") ? "6" : "4");
