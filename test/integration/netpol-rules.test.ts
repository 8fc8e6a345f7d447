import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { type Nftables, openNftables, Transaction } from "nftables-js";
import type { PolicyPod } from "../../agents/netpol/compiled.ts";
import { PolicyTable } from "../../agents/netpol/policy-table.ts";
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from "../../src/apis/generated/networking/v1.ts";
import { enterNetworkNamespace } from "../support/network-namespace.ts";

const table = { family: "inet", name: "skiff-test-rules" } as const;
let nft: Nftables;
let leave: () => void;
beforeAll(() => {
  leave = enterNetworkNamespace();
  nft = openNftables();
});
afterAll(() => {
  nft.close();
  leave();
});

const labels = fc.dictionary(fc.constantFrom("app", "tier"), fc.constantFrom("a", "b", ""));
const selector = fc.oneof(labels.map((matchLabels) => ({ matchLabels })), fc.constantFrom("In", "NotIn", "Exists", "DoesNotExist").map((operator) => ({ matchExpressions: [{ key: "app", operator, ...(operator.endsWith("In") ? { values: ["a", "c"] } : {}) }] })));
const network = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 32 })).map(([byte, prefix]) => `${byte}.${byte}.7.0/${prefix}`),
  fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 128 })).map(([group, prefix]) => `fd00:${group.toString(16)}::/${prefix}`),
);
const family = (cidr: string): boolean => cidr.includes(":");
const peer: fc.Arbitrary<NetworkPolicyPeer> = fc.oneof(
  selector.map((podSelector) => ({ podSelector })), selector.map((namespaceSelector) => ({ namespaceSelector })), fc.tuple(selector, selector).map(([podSelector, namespaceSelector]) => ({ podSelector, namespaceSelector })),
  fc.tuple(network, fc.array(network, { maxLength: 4 })).map(([cidr, except]) => ({ ipBlock: { cidr, except: except.filter((one) => family(one) === family(cidr)) } })),
);
const port: fc.Arbitrary<NetworkPolicyPort> = fc.record({ protocol: fc.constantFrom("TCP", "UDP", "SCTP"), port: fc.oneof(fc.constant(undefined), fc.constantFrom("http", "metrics"), fc.integer({ min: 1, max: 65535 })), endPort: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: undefined }) })
  .map(({ protocol, port: from, endPort }) => ({ protocol, ...(from === undefined ? {} : { port: from }), ...(typeof from === "number" && endPort !== undefined ? { endPort: Math.min(65535, from + endPort) } : {}) }) as NetworkPolicyPort);
const clause = fc.tuple(fc.array(peer, { maxLength: 4 }), fc.array(port, { maxLength: 5 }));
const spec: fc.Arbitrary<NetworkPolicySpec> = fc.tuple(selector, fc.array(clause, { maxLength: 3 }), fc.array(clause, { maxLength: 3 }), fc.constantFrom<("Ingress" | "Egress")[]>(["Ingress"], ["Egress"], ["Ingress", "Egress"])).map(([podSelector, ingress, egress, policyTypes]) => ({
  podSelector, policyTypes, ingress: ingress.map(([from, ports]) => ({ from, ports })), egress: egress.map(([to, ports]) => ({ to, ports })),
}));
const pod: fc.Arbitrary<PolicyPod> = fc.tuple(fc.constantFrom("one", "two"), labels, fc.integer({ min: 2, max: 9 }), fc.boolean()).map(([namespace, own, n, local]) => ({
  namespace, labels: own, ips: [`10.42.0.${n}`, `fd42::${n}`], local, ports: [{ name: "http", protocol: "tcp", port: 8000 + n }, { name: "metrics", protocol: "udp", port: 9000 }],
}));
const step = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant("pod" as const), fc.integer({ min: 0, max: 9 }), fc.option(pod, { nil: undefined })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("policy" as const), fc.integer({ min: 0, max: 4 }), fc.option(spec, { nil: undefined })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("namespace" as const), fc.integer({ min: 0, max: 1 }), fc.option(labels, { nil: undefined })) },
);

test("the kernel takes every policy, and holds after any changes what it would hold had all been loaded at once", async () => {
  /** What the kernel holds, whatever the order: chains and sets may have come at different times. */
  const contents = async (): Promise<string[]> => ((await nft.hasTable(table)) ? (await nft.listTable(table)).replace(/elements = \{([^}]*)\}/g, (_, inside: string) => inside.split(",").map((one) => one.trim()).sort().join(",")).replace(/packets \d+ bytes \d+/g, "").split("\n").sort() : []);
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
    const policies = new Map<number, NetworkPolicy>();
    const subject = new PolicyTable(table);
    for (const [what, i, value] of steps) {
      if (what === "pod") subject.setPod(`pod/${i}`, value);
      else if (what === "namespace") subject.setNamespace(i ? "two" : "one", value);
      else {
        if (value) policies.set(i, { metadata: { namespace: i % 2 ? "one" : "two", name: `policy-${i}` }, spec: value });
        else policies.delete(i);
        subject.setPolicies([...policies.values()]);
      }
      await nft.run(subject.takeChanges());
    }
    const stepwise = await contents();
    subject.invalidate();
    await nft.run(subject.takeChanges());
    expect(stepwise).toEqual(await contents());
  }), { numRuns: 60 });
  await nft.run(new Transaction(table).addTable().deleteTable());
}, 180_000);
