import { expect, test } from "bun:test";
import { FakeNftables } from "nftables-js";
import { staleFlows } from "./conntrack.ts";
import { baseTable, emptyRuleset, ruleset, transition } from "./ruleset.ts";
import type { ServicePort } from "./service-ports.ts";

const config = { table: { family: "ip", name: "test" }, clusterCidr: "10.42.0.0/16", serviceCidr: "10.43.0.0/16", localServiceIps: ["10.43.0.10"] } as const;
const endpoint = (n: number) => ({ ip: `10.42.0.${n}`, port: 8080 });
function port(overrides: Partial<ServicePort> = {}): ServicePort {
  const endpoints = overrides.endpoints ?? [endpoint(2), endpoint(3)];
  return { name: "default/web:http", protocol: "tcp", clusterIp: "10.43.0.20", port: 80, externalIps: [], endpoints, externalEndpoints: endpoints, preserveClientIp: false, ...overrides };
}
const elements = (rules: ReturnType<typeof ruleset>, map: string) => Object.fromEntries(rules.elements[map]!);

test("a Service is elements only, in chains that the base table has", () => {
  const rules = ruleset([port({ nodePort: 30080 })], []);
  expect(elements(rules, "service-ips")).toEqual({ "10.43.0.20 . tcp . 80": "goto pick-2" });
  expect(elements(rules, "endpoints")).toEqual({ "10.43.0.20 . tcp . 80 . 0": "10.42.0.2 . 8080", "10.43.0.20 . tcp . 80 . 1": "10.42.0.3 . 8080" });
  expect(elements(rules, "service-nodeports")).toEqual({ "tcp . 30080": "goto pick-nodeport-2" });
  expect(rules.chains.size).toBe(0);
});

test("without endpoints the address refuses", () => {
  const rules = ruleset([port({ endpoints: [], nodePort: 30080 })], []);
  expect(elements(rules, "service-ips")).toEqual({});
  expect(elements(rules, "no-endpoints")).toEqual({ "10.43.0.20 . tcp . 80": "goto reject-it" });
  expect(elements(rules, "no-endpoint-nodeports")).toEqual({ "tcp . 30080": "goto reject-it" });
});

test("externalTrafficPolicy Local keeps the client's address, and drops where no endpoint is local", () => {
  const local = ruleset([port({ nodePort: 30080, preserveClientIp: true, externalEndpoints: [endpoint(2)] })], []);
  expect(elements(local, "service-nodeports")).toEqual({ "tcp . 30080": "goto pick-nodeport-keep-1" });
  const none = ruleset([port({ nodePort: 30080, preserveClientIp: true, externalEndpoints: [] })], []);
  expect(elements(none, "no-endpoint-nodeports")).toEqual({ "tcp . 30080": "goto drop-it" });
});

test("affinity sends a remembered client to its endpoint", () => {
  const rules = ruleset([port({ affinitySeconds: 60 })], []);
  expect([...rules.sets.values()]).toEqual(Array(2).fill("type ipv4_addr; flags dynamic,timeout; timeout 60s;"));
  const [chain] = [...rules.elements["service-ips"]!.values()];
  expect(rules.chains.get(chain!.slice("goto ".length))!.filter((rule) => rule.startsWith("ip saddr @"))).toHaveLength(2);
});

test("any ruleset leads to any other, and the kernel's contents are the same as after a fresh load", async () => {
  const stages = [
    [], [port()], [port({ endpoints: [endpoint(3)] })], [port({ affinitySeconds: 60, nodePort: 30080 })], [port({ endpoints: [] })],
    [port({ endpoints: [endpoint(4), endpoint(3), endpoint(2)] }), port({ name: "default/dns:dns", clusterIp: "10.43.0.30", protocol: "udp", port: 53 })], [],
  ].map((ports) => ruleset(ports, []));
  const nft = new FakeNftables();
  await nft.run(baseTable(config));
  let current = emptyRuleset();
  for (const next of [...stages, ...stages.toReversed()]) {
    await nft.run(transition(config.table, current, next));
    current = next;
    for (const [map, wanted] of Object.entries(next.elements)) {
      const held = await nft.listElements(config.table, map);
      expect(new Map(held.map(({ key, value }) => [key, value]))).toEqual(wanted);
    }
    for (const [chain, rules] of next.chains) expect(await nft.listRules(config.table, chain)).toEqual([...rules]);
  }
});

test("the base table grows with the largest Service", async () => {
  const many = ruleset([port({ endpoints: Array.from({ length: 40 }, (_, i) => endpoint(i + 2)) })], []);
  expect(many.capacity).toBe(64);
  const nft = new FakeNftables();
  await nft.run(baseTable(config, many.capacity));
  await nft.run(transition(config.table, emptyRuleset(), many));
  expect(await nft.listRules(config.table, "pick-40")).toHaveLength(2);
});

test("only UDP flows to endpoints that left are forgotten", () => {
  const udp = (endpoints: number[]) => ruleset([port({ protocol: "udp", endpoints: endpoints.map(endpoint) }), port({ clusterIp: "10.43.0.21", endpoints: endpoints.map(endpoint) })], []);
  expect(staleFlows(udp([2, 3]), udp([3]))).toEqual([{ serviceIp: "10.43.0.20", port: 80, endpointIp: "10.42.0.2" }]);
  expect(staleFlows(udp([]), udp([3]))).toEqual([{ serviceIp: "10.43.0.20", port: 80 }]);
  expect(staleFlows(udp([2, 3]), udp([2, 3, 4]))).toEqual([]);
});
