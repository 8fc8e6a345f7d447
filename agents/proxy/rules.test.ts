import { expect, test } from "bun:test";
import { FakeNftables, Transaction } from "nftables-js";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { FamilyConfig } from "./family.ts";
import { FamilyTable } from "./family-table.ts";
import { RuleBook, type Rules } from "./rules.ts";
import type { ServicePort } from "./service-ports.ts";
import { hostPortRules, serviceRules } from "./service-rules.ts";

const config: FamilyConfig = { family: "IPv4", table: { family: "ip", name: "test" }, clusterCidrs: ["10.42.0.0/16"], serviceCidrs: ["10.43.0.0/16"], localServiceIps: ["10.43.0.10"], nodePortsEverywhere: false };
const endpoint = (n: number) => ({ ip: `10.42.0.${n}`, port: 8080 });

/** A port whose endpoints are all the same for every policy, unless said otherwise. */
function port({ endpoints = [endpoint(2), endpoint(3)], ...overrides }: Partial<ServicePort> & { endpoints?: { ip: string; port: number }[] } = {}): ServicePort {
  return {
    name: "default/web:http", protocol: "tcp", clusterIp: "10.43.0.20", port: 80, externalIps: [], loadBalancerIps: [], sourceRanges: [], internalEndpoints: endpoints, externalEndpoints: endpoints, clusterEndpoints: endpoints,
    externalLocal: false, anyEndpoints: endpoints.length > 0, serving: endpoints, localEndpoints: [], ...overrides,
  };
}
const rulesOf = (...ports: ServicePort[]): Rules => serviceRules(ports, "IPv4", ["10.99.0.1"]);
const elements = ({ elements: all }: Rules, map: string) => Object.fromEntries(all.filter((element) => element.map === map).map(({ key, value }) => [key, value]));

test("a Service is elements only, in chains that the base table has", () => {
  const rules = rulesOf(port({ nodePort: 30080 }));
  expect(elements(rules, "service-ips")).toEqual({ "10.43.0.20 . tcp . 80": "goto pick-2" });
  expect(elements(rules, "endpoints")).toEqual({ "10.43.0.20 . tcp . 80 . 0": "10.42.0.2 . 8080", "10.43.0.20 . tcp . 80 . 1": "10.42.0.3 . 8080" });
  expect(elements(rules, "service-nodeports")).toEqual({ "tcp . 30080": "goto pick-nodeport-2" });
  expect(elements(rules, "external-nodeports")).toEqual({ "tcp . 30080": "jump masquerade-it" });
  expect([rules.chains.size, rules.sets.size, rules.largest]).toEqual([0, 0, 2]);
});

test("without endpoints anywhere the address refuses", () => {
  const rules = rulesOf(port({ endpoints: [], nodePort: 30080, externalIps: ["203.0.113.1"] }));
  expect([elements(rules, "service-ips"), elements(rules, "external-ips")]).toEqual([{}, {}]);
  expect(elements(rules, "no-endpoints")).toEqual({ "10.43.0.20 . tcp . 80": "goto reject-it", "203.0.113.1 . tcp . 80": "goto reject-it" });
  expect(elements(rules, "no-endpoint-nodeports")).toEqual({ "tcp . 30080": "goto reject-it" });
});

test("externalTrafficPolicy Local has a way for who is inside, and one for who comes from outside, who is dropped where there is nobody", () => {
  const local = rulesOf(port({ nodePort: 30080, externalLocal: true, externalEndpoints: [endpoint(2)] }));
  expect([elements(local, "external-nodeports"), elements(local, "service-nodeports"), elements(local, "local-service-nodeports")]).toEqual([{ "tcp . 30080": "goto local-nodeport-policy" }, { "tcp . 30080": "goto pick-nodeport-2" }, { "tcp . 30080": "goto pick-local-nodeport-1" }]);
  const none = rulesOf(port({ nodePort: 30080, externalLocal: true, externalEndpoints: [] }));
  expect([elements(none, "local-service-nodeports"), elements(none, "no-endpoint-nodeports")]).toEqual([{}, { "tcp . 30080": "goto drop-it" }]);
});

test("affinity: each endpoint remembers its clients, by whichever address they came; another timeout is another memory", () => {
  const rules = rulesOf(port({ affinitySeconds: 60, nodePort: 30080 }));
  expect([...rules.sets.values()]).toEqual(Array(2).fill("type ipv4_addr; flags dynamic,timeout; timeout 60s;"));
  const chain = elements(rules, "service-ips")["10.43.0.20 . tcp . 80"]!;
  expect(elements(rules, "service-nodeports")["tcp . 30080"]).toBe(chain);
  expect(rules.chains.get(chain.slice("goto ".length))!.filter((rule) => rule.startsWith("ip saddr @"))).toHaveLength(2);
  expect([...rulesOf(port({ affinitySeconds: 30 })).sets.keys()].some((name) => rules.sets.has(name))).toBe(false);
});

test("source ranges within others are left out; where the node may, its own such address may, too", () => {
  const firewall = (sourceRanges: string[]) => [...rulesOf(port({ loadBalancerIps: ["203.0.113.1"], sourceRanges })).chains.values()];
  expect(firewall(["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8"])).toEqual([["ip saddr != { 10.0.0.0/8, 203.0.113.1 } drop"]]);
  expect(firewall(["192.0.2.0/24"])).toEqual([["ip saddr != { 192.0.2.0/24 } drop"]]);
  expect(firewall(["0.0.0.0/0", "203.0.113.1/32"])).toEqual([["ip saddr != { 0.0.0.0/0 } drop"]]);
});

test("any contents lead to any others, and the kernel's are the same as after a fresh load", async () => {
  const stages = [
    [], [port()], [port({ endpoints: [endpoint(3)] })], [port({ affinitySeconds: 60, nodePort: 30080 })], [port({ affinitySeconds: 30, endpoints: [endpoint(3)] })], [port({ endpoints: [] })],
    [port({ loadBalancerIps: ["203.0.113.1"], sourceRanges: ["192.0.2.0/24"] })], [port({ externalLocal: true, externalEndpoints: [endpoint(2)], externalIps: ["203.0.113.2"] })],
    [port({ endpoints: [endpoint(4), endpoint(3), endpoint(2)] }), port({ name: "default/dns:dns", clusterIp: "10.43.0.30", protocol: "udp", port: 53 })],
    [port({ endpoints: Array.from({ length: 40 }, (_, i) => endpoint(i + 2)) })], [],
  ].map((ports) => rulesOf(...ports));
  const contents = async (nft: FakeNftables) => ({
    tables: await nft.listTable(config.table),
    elements: await Promise.all(["service-ips", "local-service-ips", "external-ips", "endpoints", "service-nodeports", "no-endpoints", "firewall", "cluster-ips"].map(async (map) => (await nft.listElements(config.table, map)).map(({ key, value }) => `${map} ${key} ${value}`).sort())),
  });
  const clock = new FakeClock(), nft = new FakeNftables(), table = new FamilyTable({ nft, config, clock });
  const sequence = [...stages, ...stages.toReversed()];
  for (const [index, rules] of sequence.entries()) {
    table.rules.put("default/web", rules);
    await table.apply();
    const fresh = new FakeNftables(), other = new FamilyTable({ nft: fresh, config, clock });
    other.rules.put("default/web", rules);
    await other.apply();
    expect((await contents(nft)).elements, `stage ${index}`).toEqual((await contents(fresh)).elements);
    for (const [chain, wanted] of rules.chains) expect(await nft.listRules(config.table, chain)).toEqual([...wanted]);
  }
});

test("a chain that nothing leads to goes some time after, for older kernels think it in use until then", async () => {
  const clock = new FakeClock(), nft = new FakeNftables(), table = new FamilyTable({ nft, config, clock });
  const sticky = rulesOf(port({ affinitySeconds: 60 })), [chain] = [...sticky.chains.keys()];
  for (const rules of [sticky, rulesOf(port())]) {
    table.rules.put("default/web", rules);
    await table.apply();
  }
  expect(await nft.listRules(config.table, chain!)).toEqual([]);
  await clock.advance(3000);
  await table.apply();
  await expect(nft.listRules(config.table, chain!)).rejects.toThrow("No such file");
});

test("a table that was lost is loaded anew with all it had", async () => {
  const clock = new FakeClock(), nft = new FakeNftables(), table = new FamilyTable({ nft, config, clock });
  table.rules.put("default/web", rulesOf(port()));
  await table.apply();
  const other = new FakeNftables();
  const moved = new FamilyTable({ nft: other, config, clock });
  moved.rules.put("default/web", rulesOf(port()));
  await moved.apply();
  moved.lost();
  await moved.apply();
  expect(await other.listElements(config.table, "service-ips")).toEqual(await nft.listElements(config.table, "service-ips"));
});

test("clients that an earlier table remembers are remembered by the next, unless it was refused because of them", async () => {
  const clock = new FakeClock(), nft = new FakeNftables(), rules = rulesOf(port({ affinitySeconds: 60 })), [set] = [...rules.sets.keys()];
  const load = async (over: FakeNftables): Promise<FamilyTable> => {
    const table = new FamilyTable({ nft: over, config, clock });
    table.rules.put("default/web", rules);
    await table.apply();
    return table;
  };
  await load(nft);
  await nft.run(new Transaction(config.table).addElements(set!, [{ key: "10.42.0.9 expires 53s984ms" }, { key: "10.42.0.8 expires 3ms" }, { key: "10.42.0.7 timeout 1m expires 1h2m" }]));
  await load(nft);
  const remembered = (await nft.listElements(config.table, set!)).map(({ key }) => key);
  expect(remembered).toEqual(["10.42.0.9 expires 53s984ms", "10.42.0.7 timeout 1m expires 1h2m"]);
  const run = nft.run.bind(nft);
  nft.run = (transaction) => (transaction.render().includes("expires") ? Promise.reject(new Error("refused")) : run(transaction));
  const table = new FamilyTable({ nft, config, clock });
  table.rules.put("default/web", rules);
  await expect(table.apply()).rejects.toThrow("refused");
  await table.apply();
  expect(await nft.listElements(config.table, set!)).toEqual([]);
});

test("what two want the first has; the other gets it when that one goes", () => {
  const book = new RuleBook(), key = "tcp . 8080";
  const of = (n: number) => hostPortRules([{ protocol: "tcp", hostIp: "", hostPort: 8080, endpoint: endpoint(n) }]);
  const held = () => book.changes(config.table).transaction.commands.flatMap((command) => (command.what === "element" && command.name === "host-ports-any" ? command.elements.map(({ key: at, value }) => `${command.do} ${at} ${value}`) : []));
  book.put("a", of(2));
  book.put("b", of(3));
  expect(held()).toEqual([`add ${key} 10.42.0.2 . 8080`]);
  book.applied();
  expect(book.changes(config.table).transaction.isEmpty).toBe(true);
  book.put("a", undefined);
  expect(held()).toEqual([`delete ${key} 10.42.0.2 . 8080`, `add ${key} 10.42.0.3 . 8080`]);
  book.applied();
  book.put("b", undefined);
  expect(held()).toEqual([`delete ${key} 10.42.0.3 . 8080`]);
});
