import { describe, expect, test } from "bun:test";
import { FakeNftables } from "nftables-js";
import type { NetworkPolicySpec } from "../../src/apis/generated/networking/v1.ts";
import type { PolicyPod } from "./compiled.ts";
import { PolicyTable } from "./policy-table.ts";

const table = { family: "inet", name: "test" } as const;
const policy = (namespace: string, name: string, spec: NetworkPolicySpec) => ({ metadata: { namespace, name }, spec });
const pod = (labels: Record<string, string>, ip: string, overrides: Partial<PolicyPod> = {}): PolicyPod => ({ namespace: "shop", labels, ips: [ip], local: true, ports: [], ...overrides });
const app = (name: string) => ({ matchLabels: { app: name } });

function subject() {
  const nft = new FakeNftables();
  const policies = new PolicyTable(table);
  /** The rules that a packet from or to the address meets; undefined when nothing isolates it. Sets are shown by what they hold. */
  async function rulesFor(direction: "ingress" | "egress", ip: string): Promise<string[] | undefined> {
    const chain = (await nft.listElements(table, `${direction}-${ip.includes(":") ? 6 : 4}`)).find(({ key }) => key === ip)?.value?.replace("goto ", "");
    if (!chain) return undefined;
    const rules = await nft.listRules(table, chain);
    expect(rules.at(-1)).toBe("counter drop");
    const met = (await Promise.all(rules.slice(0, -1).map((rule) => nft.listRules(table, rule.split(" ")[1]!)))).flat();
    const names = [...new Set(met.flatMap((rule) => [...rule.matchAll(/@([\w-]+)/g)].map(([, name]) => name!)))];
    const shown = new Map(await Promise.all(names.map(async (name) => [name, (await nft.listElements(table, name)).map(({ key }) => key).sort().join(", ")] as const)));
    return met.map((rule) => rule.replace(/@([\w-]+)/g, (_, name: string) => `[${shown.get(name)}]`));
  }
  return {
    policies, nft, rulesFor,
    async apply() {
      const transaction = policies.takeChanges();
      await nft.run(transaction);
      return transaction;
    },
  };
}
const ipv4Only = (rules: string[] | undefined): string[] | undefined => rules?.filter((rule) => !rule.includes("ip6 "));

describe("who is isolated", () => {
  const isolated = async (spec: NetworkPolicySpec, subjectPod: PolicyPod) => {
    const { policies, apply, rulesFor } = subject();
    policies.setPolicies([policy("shop", "one", spec)]);
    policies.setPod("shop/a", subjectPod);
    await apply();
    return { ingress: await rulesFor("ingress", subjectPod.ips[0]!), egress: await rulesFor("egress", subjectPod.ips[0]!) };
  };
  const web = pod({ app: "web" }, "10.42.0.2");
  const cases: [string, NetworkPolicySpec, PolicyPod, Awaited<ReturnType<typeof isolated>>][] = [
    ["by default: ingress", { podSelector: {} }, web, { ingress: [], egress: undefined }],
    ["with egress rules: both", { podSelector: {}, egress: [{}] }, web, { ingress: [], egress: ["accept"] }],
    ["types that are said", { podSelector: {}, policyTypes: ["Egress"] }, web, { ingress: undefined, egress: [] }],
    ["rules of a type that isn't said don't count", { podSelector: {}, policyTypes: ["Egress"], ingress: [{}] }, web, { ingress: undefined, egress: [] }],
    ["an empty rule allows everything", { podSelector: {}, ingress: [{}] }, web, { ingress: ["accept"], egress: undefined }],
    ["pods that it doesn't select are free", { podSelector: app("db") }, web, { ingress: undefined, egress: undefined }],
    ["pods of other namespaces are free", { podSelector: {} }, { ...web, namespace: "office" }, { ingress: undefined, egress: undefined }],
    ["pods of other nodes are theirs to guard", { podSelector: {} }, { ...web, local: false }, { ingress: undefined, egress: undefined }],
    ["IPv6", { podSelector: {} }, { ...web, ips: ["fd00::2"] }, { ingress: [], egress: undefined }],
  ];
  test.each(cases)("%s", async (_, spec, subjectPod, expected) => expect(await isolated(spec, subjectPod)).toEqual(expected));
});

describe("what a rule allows", () => {
  const peers: [string, PolicyPod][] = [
    ["shop/web", pod({ app: "web" }, "10.42.0.2", { ports: [{ name: "http", protocol: "tcp", port: 8080 }] })],
    ["shop/web-6", pod({ app: "web" }, "fd00::2")],
    ["office/web", pod({ app: "web" }, "10.42.1.2", { namespace: "office", local: false, ports: [{ name: "http", protocol: "tcp", port: 9090 }] })],
    ["office/db", pod({ app: "db" }, "10.42.1.3", { namespace: "office", local: false })],
    ["nowhere/web", pod({ app: "web" }, "10.42.1.4", { namespace: "nowhere", local: false })],
  ];
  const allowed = async (spec: Omit<NetworkPolicySpec, "podSelector">, direction: "ingress" | "egress" = "ingress") => {
    const { policies, apply, rulesFor } = subject();
    for (const [key, one] of peers) policies.setPod(key, one);
    policies.setNamespace("shop", { team: "sales" });
    policies.setNamespace("office", { team: "staff" });
    policies.setPolicies([policy("shop", "one", { podSelector: app("web"), ...spec })]);
    await apply();
    return rulesFor(direction, "10.42.0.2");
  };
  test("pods of its own namespace, of both families", async () =>
    expect(await allowed({ ingress: [{ from: [{ podSelector: app("web") }] }] })).toEqual(["ip saddr [10.42.0.2] accept", "ip6 saddr [fd00::2] accept"]));
  test("namespaces by label, also by none", async () => {
    expect(ipv4Only(await allowed({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "staff" } } }] }] }))).toEqual(["ip saddr [10.42.1.2, 10.42.1.3] accept"]);
    expect(ipv4Only(await allowed({ ingress: [{ from: [{ namespaceSelector: {} }] }] }))).toEqual(["ip saddr [10.42.0.2, 10.42.1.2, 10.42.1.3] accept"]);
  });
  test("both selectors of one peer must hold, one of two peers must", async () => {
    const staff = { namespaceSelector: { matchLabels: { team: "staff" } } };
    expect(ipv4Only(await allowed({ ingress: [{ from: [{ ...staff, podSelector: app("db") }] }] }))).toEqual(["ip saddr [10.42.1.3] accept"]);
    expect(ipv4Only(await allowed({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "sales" } } }, { ...staff, podSelector: app("db") }] }] }))).toEqual(["ip saddr [10.42.0.2] accept", "ip saddr [10.42.1.3] accept"]);
  });
  test("ports in every form, overlapping ones too", async () => {
    expect(await allowed({ ingress: [{ ports: [{ port: 443 }, { port: 80, endPort: 90 }, { port: 85, endPort: 91 }, { protocol: "UDP", port: 53 }, { protocol: "SCTP" }] }] }))
      .toEqual(["tcp dport { 80-91, 443 } accept", "udp dport 53 accept", "meta l4proto sctp accept"]);
    expect(await allowed({ ingress: [{ ports: [{ port: 443 }, {}] }] })).toEqual(["meta l4proto tcp accept"]);
  });
  test("a named port is each pod's own number", async () =>
    expect(ipv4Only(await allowed({ ingress: [], egress: [{ to: [{ namespaceSelector: {} }], ports: [{ port: "http" }, { protocol: "UDP", port: "http" }] }] }, "egress"))).toEqual([
      "ip daddr [10.42.0.2, 10.42.1.2, 10.42.1.3] ip daddr . tcp dport [10.42.0.2 . 8080, 10.42.1.2 . 9090] accept",
      "ip daddr [10.42.0.2, 10.42.1.2, 10.42.1.3] ip daddr . udp dport [] accept",
    ]));
  test("blocks with and without exceptions", async () => {
    const except = { cidr: "10.0.0.0/8", except: ["10.1.0.0/16", "10.1.2.0/24"] };
    expect(await allowed({ ingress: [{ from: [{ ipBlock: { cidr: "192.168.0.0/16" } }, { ipBlock: { cidr: "192.168.7.0/24" } }, { ipBlock: { cidr: "fd00::/8" } }, { ipBlock: except }] }] }))
      .toEqual(["ip saddr 192.168.0.0/16 accept", "ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 accept", "ip6 saddr fd00::/8 accept"]);
    expect(await allowed({ ingress: [], egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [{ port: 443 }] }] }, "egress")).toEqual(["ip daddr 0.0.0.0/0 tcp dport 443 accept"]);
  });
});

describe("changes", () => {
  const web = policy("shop", "web", { podSelector: app("web"), ingress: [{ from: [{ podSelector: app("client") }], ports: [{ port: "http" }] }] });
  const deny = policy("shop", "deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  /** The whole table as the fake kernel has it. */
  const contents = async ({ policies, nft }: ReturnType<typeof subject>) => {
    const fresh = new FakeNftables();
    policies.invalidate();
    const transaction = policies.takeChanges();
    await fresh.run(transaction);
    const chains = transaction.commands.flatMap((command) => (command.what === "chain" ? [command.chain] : []));
    const sets = transaction.commands.flatMap((command) => ((command.what === "set" || command.what === "map") ? [command.name] : []));
    const read = async (from: FakeNftables) => ({
      chains: await Promise.all(chains.map((chain) => from.listRules(table, chain))),
      sets: await Promise.all(sets.map(async (set) => (await from.listElements(table, set)).sort((a, b) => (a.key < b.key ? -1 : 1)))),
    });
    return { stepwise: await read(nft), anew: await read(fresh) };
  };

  test("of one pod are changes of elements", async () => {
    const { policies, apply } = subject();
    policies.setPolicies([web]);
    policies.setPod("shop/web", pod({ app: "web" }, "10.42.0.2"));
    await apply();
    policies.setPod("shop/client", pod({ app: "client" }, "10.42.0.4"));
    expect((await apply()).commands).toEqual([{ do: "add", what: "element", name: expect.stringMatching(/^peer-.*-4$/) as never, elements: [{ key: "10.42.0.4" }] }]);
    expect(policies.changed).toBe(false);
    policies.setPod("shop/client", pod({ app: "client", more: "labels" }, "10.42.0.4"));
    expect(policies.changed).toBe(false);
  });

  test("step by step lead where a load from nothing does", async () => {
    const own = subject();
    const { policies, apply } = own;
    policies.setPolicies([web]);
    policies.setPod("shop/web", pod({ app: "web" }, "10.42.0.2", { ports: [{ name: "http", protocol: "tcp", port: 80 }] }));
    await apply();
    for (const step of [
      () => policies.setPod("shop/client", pod({ app: "client" }, "10.42.0.4")),
      () => policies.setPolicies([web, deny]),
      () => policies.setPod("shop/other", pod({}, "10.42.0.5")),
      () => policies.setPod("shop/web", pod({ app: "client" }, "10.42.0.2")),
      () => policies.setPolicies([deny, { ...web, spec: { ...web.spec, ingress: [{ ports: [{ port: 81 }] }] } }]),
      () => policies.setPod("shop/client", undefined),
      () => policies.setPolicies([deny]),
      () => policies.setPolicies([web]),
      () => policies.setPod("shop/web", pod({ app: "web" }, "10.42.0.9")),
    ]) {
      step();
      await apply();
    }
    const { stepwise, anew } = await contents(own);
    expect(stepwise).toEqual(anew);
  });

  test("an address that was given on before its former pod was forgotten belongs to the later pod", async () => {
    const { policies, apply, rulesFor } = subject();
    policies.setPolicies([web, policy("shop", "db", { podSelector: app("db"), ingress: [{}] })]);
    policies.setPod("shop/web", pod({ app: "web" }, "10.42.0.2"));
    await apply();
    policies.setPod("shop/db", pod({ app: "db" }, "10.42.0.2"));
    await apply();
    expect(await rulesFor("ingress", "10.42.0.2")).toEqual(["accept"]);
    policies.setPod("shop/web", undefined);
    await apply();
    expect(await rulesFor("ingress", "10.42.0.2")).toEqual(["accept"]);
  });

  test("without policies there is no table", async () => {
    const { policies, apply, nft } = subject();
    await apply();
    expect(await nft.hasTable(table)).toBe(false);
    policies.setPolicies([web]);
    await apply();
    expect(await nft.hasTable(table)).toBe(true);
    policies.setPolicies([]);
    await apply();
    expect(await nft.hasTable(table)).toBe(false);
    expect(policies.changed).toBe(false);
  });
});
