import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { type ClusterMember, startCluster, type TestCluster } from "../support/node/cluster.ts";
import { output } from "../support/running.ts";
import { pod, service, webServer } from "../support/workloads.ts";

setDefaultTimeout(240_000);

// A server and an agent, both with both families; a web server on each, whose answer is its name and the client's address.
let cluster: TestCluster;
const names = ["server", "agent-1"] as const;
const who = webServer(`mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho; echo "$(hostname) $REMOTE_ADDR"\\n' > /www/cgi-bin/who; chmod +x /www/cgi-bin/who; touch /www/index.html`);

beforeAll(async () => {
  cluster = await startCluster({ server: { flags: ["--cluster-cidr", "10.42.0.0/16,fd00:42::/56", "--service-cidr", "10.43.0.0/16,fd00:43::/112"] }, agents: 1 });
  await cluster.kubectl.apply(...names.map((name) => pod(`web-${name}`, who, { nodeName: name }, { app: "web", node: name })));
  await cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=120s");
});
afterAll(() => cluster?.dispose());

type Place = ClusterMember | "outside" | `web-${string}`;
const url = (address: string, port: number, path = "/cgi-bin/who"): string => `http://${address.includes(":") ? `[${address}]` : address}:${port}${path}`;

/** What a place is answered: `pod client`, or why it isn't. */
async function ask(from: Place, address: string, port: number): Promise<string> {
  const curl = ["curl", "-sS", "--max-time", "3", url(address, port)];
  if (from === "outside") return output(cluster.fabric.onRouter(curl)).then((text) => text.trim().replace("::ffff:", ""), (error: Error) => error.message);
  if (typeof from !== "string") return from.node.run(curl).then((text) => text.trim().replace("::ffff:", ""), (error: Error) => error.message);
  return cluster.kubectl("exec", from, "--", "timeout", "3", "wget", "-q", "-O-", url(address, port)).then((text) => text.trim(), (error: Error) => error.message);
}

/** The pods that answer. */
async function serversOf(from: Place, address: string, port: number, times = 12): Promise<Set<string>> {
  const answers = new Set<string>();
  for (let i = 0; i < times; i++) answers.add((await ask(from, address, port)).split(" ")[0]!);
  return answers;
}

const both = new Set(["web-server", "web-agent-1"]);
const web = (spec: Partial<Service["spec"]> = {}) => service("web", { ipFamilyPolicy: "RequireDualStack", ...spec });
const addressesOf = async (name: string): Promise<string[]> => (await cluster.kubectl.get("node", name)).status.addresses.filter(({ type }: KubeJson) => type === "InternalIP").map(({ address }: KubeJson) => address);
const ingressOf = async (): Promise<string[]> => ((await cluster.kubectl.get("service", "web")).status.loadBalancer.ingress ?? []).map(({ ip }: KubeJson) => ip);
const settled = (check: () => Promise<unknown>): Promise<unknown> => eventually(check, { interval: 200 });

test("a Service has pods of all nodes behind each of its addresses, from each node and each pod", async () => {
  await cluster.kubectl.apply(web());
  const { clusterIPs } = (await cluster.kubectl.get("service", "web")).spec;
  for (const address of clusterIPs as string[]) {
    for (const from of [cluster.server, cluster.member("agent-1"), "web-server", "web-agent-1"] as const) await settled(async () => expect(await serversOf(from, address, 80)).toEqual(both));
  }
});

test("one address family and two, and one again: what is left of it goes on, what went is nobody's", async () => {
  const families = (ipFamilyPolicy: string) => cluster.kubectl("patch", "service", "web", "--type=merge", "-p", JSON.stringify({ spec: { ipFamilyPolicy } }));
  const [first, second] = (await cluster.kubectl.get("service", "web")).spec.clusterIPs as string[];
  await families("SingleStack");
  const { spec } = await cluster.kubectl.get("service", "web");
  expect([spec.clusterIPs, spec.ipFamilies]).toEqual([[first], ["IPv4"]]);
  await settled(async () => expect((await cluster.kubectl.items("endpointslices", "-l", "kubernetes.io/service-name=web")).map(({ addressType }) => addressType)).toEqual(["IPv4"]));
  await settled(async () => expect(await ask("web-agent-1", second!, 80)).not.toStartWith("web-"));
  await settled(async () => expect(await ask("web-agent-1", first!, 80)).toStartWith("web-"));
  await families("RequireDualStack");
  const again = (await cluster.kubectl.get("service", "web")).spec.clusterIPs as string[];
  expect([again[0], again[1]!.startsWith("fd00:43:")]).toEqual([first, true]);
  for (const address of again) await settled(async () => expect(await serversOf("web-server", address, 80)).toEqual(both));
});

test("a load balancer has the addresses of all nodes, of both families, and each answers; source ranges hold", async () => {
  await cluster.kubectl.apply(web({ type: "LoadBalancer", allocateLoadBalancerNodePorts: false }));
  const all = [...await addressesOf("server"), ...await addressesOf("agent-1")];
  expect(all).toHaveLength(4);
  await settled(async () => expect(new Set(await ingressOf())).toEqual(new Set(all)));
  expect((await cluster.kubectl.get("service", "web")).spec.ports[0].nodePort).toBeUndefined();
  for (const address of all) {
    await settled(async () => expect(await serversOf("outside", address, 80)).toEqual(both));
    for (const from of ["web-agent-1", cluster.server] as const) await settled(async () => expect(await ask(from, address, 80)).toStartWith("web-"));
  }
  await cluster.kubectl.apply(web({ type: "LoadBalancer", allocateLoadBalancerNodePorts: false, loadBalancerSourceRanges: ["192.0.2.0/24", "2001:db8::/32"] }));
  for (const address of all) await settled(async () => expect(await ask("outside", address, 80)).not.toStartWith("web-"));
});

test("externalTrafficPolicy Local: nodes with endpoints alone, the client's own address, health checks that tell which", async () => {
  await cluster.kubectl.apply(web({ type: "LoadBalancer", externalTrafficPolicy: "Local", selector: { node: "agent-1" } }));
  const here = await addressesOf("agent-1"), there = await addressesOf("server");
  await settled(async () => expect(new Set(await ingressOf())).toEqual(new Set(here)));
  const { healthCheckNodePort, ports: [{ nodePort }] } = (await cluster.kubectl.get("service", "web")).spec;
  const [v4, v6] = here;
  for (const address of [v4!, v6!]) for (const port of [80, nodePort as number]) {
    await settled(async () => expect(await ask("outside", address, port)).toStartWith("web-agent-1 "));
    const [server, client] = (await ask("outside", address, port)).split(" ");
    expect([server, [...here, ...there].includes(client!), client!.startsWith("10.42.")]).toEqual(["web-agent-1", false, false]);
  }
  await settled(async () => expect(await ask("outside", there[0]!, nodePort)).not.toStartWith("web-"));
  await settled(async () => expect(await ask(cluster.server, v4!, 80)).toStartWith("web-agent-1 "));
  const check = async (address: string): Promise<KubeJson> => JSON.parse(await output(cluster.fabric.onRouter(["curl", "-sS", "--max-time", "3", url(address, healthCheckNodePort, "/")])));
  await settled(async () => expect(await check(v4!)).toEqual({ service: { namespace: "default", name: "web" }, localEndpoints: 1, serviceProxyHealthy: true }));
  await settled(async () => expect((await check(there[0]!)).localEndpoints).toBe(0));
});

test("traffic distribution and internalTrafficPolicy: a node's clients are served by its own pods", async () => {
  await cluster.kubectl("delete", "service", "web");
  await cluster.kubectl.apply(web({ trafficDistribution: "PreferSameNode" }));
  for (const name of names) {
    const { clusterIP } = (await cluster.kubectl.get("service", "web")).spec;
    await settled(async () => expect(await serversOf(`web-${name}`, clusterIP, 80)).toEqual(new Set([`web-${name}`])));
  }
  await cluster.kubectl.apply(web({ internalTrafficPolicy: "Local", selector: { node: "server" } }));
  const { clusterIP } = (await cluster.kubectl.get("service", "web")).spec;
  await settled(async () => expect(await ask("web-server", clusterIP, 80)).toStartWith("web-server "));
  await settled(async () => expect(await ask("web-agent-1", clusterIP, 80)).not.toStartWith("web-"));
});

test("rules that another program removes are there again, on the agent as on the server; its proxy's metrics tell of it", async () => {
  await cluster.kubectl.apply(web());
  const { clusterIP } = (await cluster.kubectl.get("service", "web")).spec;
  for (const member of [cluster.server, cluster.member("agent-1")]) {
    await settled(async () => expect(await ask(member, clusterIP, 80)).toStartWith("web-"));
    await member.node.run(["nft", "flush", "ruleset"]);
    await eventually(async () => expect(await ask(member, clusterIP, 80)).toStartWith("web-"), { timeout: 15_000, interval: 50 });
    expect(await cluster.kubectl("get", "--raw", `/api/v1/nodes/${member.name}/proxy/metrics/proxy`)).toMatch(/kubeproxy_sync_proxy_rules_duration_seconds_count\{ip_family="IPv6"\} [1-9]/);
  }
});
