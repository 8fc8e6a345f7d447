import { type Table, Transaction } from "nftables-js";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import type { NetworkPolicy } from "../../src/apis/generated/networking/v1.ts";
import { compilePolicies, type CompiledPolicies, membershipOf, type Membership, type PolicyPod } from "./compiled.ts";
import { Elements } from "./elements.ts";
import { directions } from "./rules.ts";

interface Structure {
  chains: ReadonlyMap<string, readonly string[]>;
  sets: ReadonlyMap<string, string>;
}

const families = [{ suffix: "4", ip: "ip", type: "ipv4_addr" }, { suffix: "6", ip: "ip6", type: "ipv6_addr" }] as const;

/**
 * The base chains see forwarded packets only, with the pods' real addresses: Services' addresses are rewritten before, the pods' own are
 * masqueraded after. What comes from the node itself, or goes to it, isn't forwarded, and so always allowed, as Kubernetes promises.
 * Each direction has a hook of its own, for "accept" ends a hook: between two pods of this node both must accept.
 */
const baseChains = { egress: -20, ingress: -10 } as const;
/** The first of them also tells that the table is whole. */
export const firstChain = "egress";

/** The table's desired contents, kept up to date pod by pod: what one change costs doesn't depend on how many pods there are. */
export class PolicyTable {
  #policies: CompiledPolicies = compilePolicies([]);
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>();
  readonly #pods = new Map<string, { pod: PolicyPod; membership: Membership }>();
  readonly #profiles = new Map<string, { rules: readonly string[]; pods: number }>();
  readonly #elements = new Elements();
  #structureChanged = true;
  /** What the kernel holds; undefined when that isn't known, and "nothing" when there is no table. */
  #kernel: Structure | "nothing" | undefined;

  constructor(private readonly table: Table) {}

  get isEmpty(): boolean {
    return this.#policies.byNamespace.size === 0;
  }

  /** Judges anew the pods in namespaces whose policies are others; all pods only by the peers and ports that nobody spoke of before. */
  setPolicies(policies: readonly Frozen<NetworkPolicy>[]): void {
    const before = this.#policies, after = this.#policies = compilePolicies(policies);
    this.#structureChanged = true;
    const added: CompiledPolicies = { byNamespace: new Map(), chains: new Map(), peers: without(after.peers, before.peers), ports: without(after.ports, before.ports) };
    const gone = new Set([...without(before.peers, after.peers).keys(), ...without(before.ports, after.ports).keys()].flatMap((name) => families.map(({ suffix }) => `${name}-${suffix}`)));
    for (const [key, { pod }] of this.#pods) {
      if (!sameItems(before.byNamespace.get(pod.namespace), after.byNamespace.get(pod.namespace))) this.#judge(key);
      else if (gone.size || added.peers.size || added.ports.size) this.#adjust(key, added, gone);
    }
  }

  setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    if (sameLabels(this.#namespaces.get(name), labels)) return;
    if (labels) this.#namespaces.set(name, labels);
    else this.#namespaces.delete(name);
    for (const [key, { pod }] of this.#pods) if (pod.namespace === name) this.#judge(key);
  }

  /** `key` is `namespace/name`. Undefined forgets it. */
  setPod(key: string, pod: PolicyPod | undefined): void {
    if (pod) {
      const known = this.#pods.get(key);
      if (known) known.pod = pod;
      else this.#pods.set(key, { pod, membership: { elements: [], profiles: [] } });
      this.#judge(key);
    } else {
      this.#replace(key, { elements: [], profiles: [] });
      this.#pods.delete(key);
    }
  }

  /** Is there a table that the kernel should have? */
  get isLoaded(): boolean {
    return typeof this.#kernel === "object";
  }

  /** Does the kernel lack anything? */
  get changed(): boolean {
    if (this.isEmpty) return this.#kernel !== "nothing";
    return this.#structureChanged || this.#elements.changed || typeof this.#kernel !== "object";
  }

  /** What the kernel holds isn't known any more: the next transaction makes the table anew. */
  invalidate(): void {
    this.#kernel = undefined;
  }

  /** The changes since the last call, which must be applied, or `invalidate` called. Without policies there is no table. */
  takeChanges(): Transaction {
    const transaction = new Transaction(this.table);
    const before = this.#kernel;
    const wanted = this.#structureChanged || typeof before !== "object" ? this.#structure() : before;
    this.#structureChanged = false;
    if (this.isEmpty) {
      this.#kernel = "nothing";
      transaction.addTable().deleteTable();
    } else {
      this.#kernel = wanted;
      if (before === undefined || before === "nothing") this.#load(transaction, wanted);
      else this.#change(transaction, before, wanted);
    }
    this.#elements.applied();
    return transaction;
  }

  #judge(key: string): void {
    const { pod } = this.#pods.get(key)!;
    this.#replace(key, membershipOf(pod, this.#policies, (name) => this.#namespaces.get(name)));
  }

  /** As `#judge`, where only these sets are new or gone. */
  #adjust(key: string, added: CompiledPolicies, gone: ReadonlySet<string>): void {
    const { pod, membership } = this.#pods.get(key)!;
    const { elements } = membershipOf({ ...pod, local: false }, added, (name) => this.#namespaces.get(name));
    const left = gone.size ? membership.elements.filter(({ set }) => gone.has(set)) : [];
    if (!elements.length && !left.length) return;
    for (const element of left) this.#elements.release(key, element);
    for (const element of elements) this.#elements.claim(key, element);
    membership.elements = [...membership.elements.filter(({ set }) => !gone.has(set)), ...elements];
  }

  #replace(key: string, membership: Membership): void {
    const entry = this.#pods.get(key);
    if (!entry) return;
    const before = new Set(entry.membership.elements.map(textOf)), after = new Set(membership.elements.map(textOf));
    for (const element of entry.membership.elements) if (!after.has(textOf(element))) this.#elements.release(key, element);
    for (const element of membership.elements) if (!before.has(textOf(element))) this.#elements.claim(key, element);
    for (const { chain, rules } of membership.profiles) this.#useProfile(chain, rules, 1);
    for (const { chain, rules } of entry.membership.profiles) this.#useProfile(chain, rules, -1);
    entry.membership = membership;
  }

  #useProfile(chain: string, rules: readonly string[], by: 1 | -1): void {
    const profile = this.#profiles.get(chain) ?? { rules, pods: 0 };
    if (profile.pods === 0) {
      this.#profiles.set(chain, profile);
      this.#structureChanged = true;
    }
    profile.pods += by;
    if (profile.pods > 0) return;
    this.#profiles.delete(chain);
    this.#structureChanged = true;
  }

  #structure(): Structure {
    const chains = new Map(this.#policies.chains);
    for (const [chain, { rules }] of this.#profiles) chains.set(chain, rules);
    const sets = new Map<string, string>();
    for (const { suffix, type } of families) {
      for (const name of this.#policies.peers.keys()) sets.set(`${name}-${suffix}`, `type ${type};`);
      for (const name of this.#policies.ports.keys()) sets.set(`${name}-${suffix}`, `type ${type} . inet_service;`);
    }
    return { chains, sets };
  }

  #load(transaction: Transaction, { chains, sets }: Structure): void {
    transaction.addTable().deleteTable().addTable();
    const base: string[] = [];
    for (const { suffix, type } of families) {
      for (const direction of directions) transaction.addMap(`${direction}-${suffix}`, `type ${type} : verdict;`);
      transaction.addSet(`self-${suffix}`, `type ${type} . ${type};`);
      base.push(...directions.map((direction) => `${direction}-${suffix}`), `self-${suffix}`);
    }
    for (const [set, declaration] of sets) transaction.addSet(set, declaration);
    for (const chain of chains.keys()) transaction.addChain(chain);
    for (const [chain, rules] of chains) for (const rule of rules) transaction.addRule(chain, rule);
    for (const set of [...base, ...sets.keys()]) transaction.addElements(set, this.#elements.of(set));
    for (const direction of directions) {
      transaction.addChain(direction, { type: "filter", hook: "forward", priority: baseChains[direction] });
      for (const rule of baseRules(direction)) transaction.addRule(direction, rule);
    }
  }

  #change(transaction: Transaction, before: Structure, wanted: Structure): void {
    const goneChains = [...before.chains.keys()].filter((chain) => !wanted.chains.has(chain));
    const goneSets = [...before.sets.keys()].filter((set) => !wanted.sets.has(set));
    const newSets = [...wanted.sets].filter(([set]) => !before.sets.has(set));
    for (const [set, declaration] of newSets) transaction.addSet(set, declaration).addElements(set, this.#elements.of(set));
    for (const chain of wanted.chains.keys()) if (!before.chains.has(chain)) transaction.addChain(chain);
    for (const [chain, rules] of wanted.chains) {
      const old = before.chains.get(chain);
      if (old && sameItems(old, rules)) continue;
      if (old) transaction.flushChain(chain);
      for (const rule of rules) transaction.addRule(chain, rule);
    }
    const gone = new Set(goneSets), come = new Set(newSets.map(([set]) => set));
    this.#elements.addChanges(transaction, (set) => !gone.has(set) && !come.has(set) && (wanted.sets.has(set) || isBase(set)));
    for (const chain of goneChains) transaction.flushChain(chain);
    for (const chain of goneChains) transaction.deleteChain(chain);
    for (const set of goneSets) transaction.deleteSet(set);
  }
}

function baseRules(direction: (typeof directions)[number]): string[] {
  const address = direction === "ingress" ? "daddr" : "saddr";
  return [
    "ct state established,related accept",
    ...families.map(({ suffix, ip }) => `${ip} saddr . ${ip} daddr @self-${suffix} accept`),
    ...families.map(({ suffix, ip }) => `${ip} ${address} vmap @${direction}-${suffix}`),
  ];
}

const isBase = (set: string): boolean => /^(ingress|egress|self)-[46]$/.test(set);
const textOf = ({ set, key, value = "" }: { set: string; key: string; value?: string }): string => `${set} ${key} ${value}`;
const sameItems = <T>(a: readonly T[] = [], b: readonly T[] = []): boolean => a === b || (a.length === b.length && a.every((item, i) => item === b[i]));
const without = <T>(these: ReadonlyMap<string, T>, those: ReadonlyMap<string, T>): Map<string, T> => new Map([...these].filter(([key]) => !those.has(key)));

function sameLabels(a: Readonly<Record<string, string>> | undefined, b: Readonly<Record<string, string>> | undefined): boolean {
  if (!a || !b) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
