import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Nftables, openNftables } from "nftables-js";
import { baseTable, emptyRuleset, ruleset, transition, type Ruleset } from "../../agents/proxy/ruleset.ts";
import type { ServicePort } from "../../agents/proxy/service-ports.ts";
import { enterNetworkNamespace } from "../support/network-namespace.ts";

// One node (this thread's namespace) with three "pods" in namespaces of their own, each a veth pair away as CNI ptp makes them.
const config = { table: { family: "ip", name: "skiff-test" }, clusterCidr: "10.42.0.0/16", serviceCidr: "10.43.0.0/16", localServiceIps: ["10.43.0.10"] } as const;
let nft: Nftables;
const nodeIp = "10.99.0.1";
const pods = [2, 3, 4].map((n) => ({ name: `skiff-t${process.pid}-${n}`, ip: `10.42.0.${n}`, veth: `pod${n}` }));
const servers: Bun.Subprocess[] = [];
let leave: () => void;
let applied: Ruleset;

function run(...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
  return stdout.toString();
}

beforeAll(async () => {
  leave = enterNetworkNamespace();
  run("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "wire9");
  run("ip", "link", "set", "wire9", "up");
  run("ip", "addr", "add", `${nodeIp}/24`, "dev", "eth9");
  run("ip", "link", "set", "eth9", "up");
  run("ip", "route", "add", "default", "dev", "eth9");
  run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  for (const { name, ip, veth } of pods) {
    run("ip", "netns", "add", name);
    run("ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", name);
    run("ip", "addr", "add", "10.42.0.1/32", "dev", veth);
    run("ip", "link", "set", veth, "up");
    run("ip", "route", "add", `${ip}/32`, "dev", veth, "src", "10.42.0.1");
    for (const command of [`addr add ${ip}/24 dev eth0`, "link set eth0 up", "link set lo up", "route del 10.42.0.0/24", "route add 10.42.0.1 dev eth0", "route add 10.42.0.0/24 via 10.42.0.1", "route add default via 10.42.0.1"]) run("ip", "-n", name, ...command.split(" "));
    const server = Bun.spawn(["ip", "netns", "exec", name, process.execPath, "-e", `Bun.serve({ port: 8080, hostname: "0.0.0.0", fetch: (request, server) => new Response("${ip} " + server.requestIP(request).address) }); console.log("up")`], { stdout: "pipe", stderr: "inherit" });
    servers.push(server);
    for await (const line of server.stdout) if (line.length) break;
  }
  nft = openNftables();
  await nft.run(baseTable(config));
  applied = emptyRuleset();
}, 30_000);

afterAll(() => {
  for (const server of servers) server.kill();
  for (const { name } of pods) Bun.spawnSync(["ip", "netns", "del", name]);
  leave?.();
});

async function apply(...ports: ServicePort[]): Promise<void> {
  const wanted = ruleset(ports, [{ protocol: "tcp", hostIp: "", hostPort: 8888, endpoint: { ip: pods[0]!.ip, port: 8080 } }]);
  await nft.run(transition(config.table, applied, wanted));
  applied = wanted;
}

function service(overrides: Partial<ServicePort> = {}): ServicePort {
  const endpoints = overrides.endpoints ?? pods.map(({ ip }) => ({ ip, port: 8080 }));
  return { name: "default/web:", protocol: "tcp", clusterIp: "10.43.0.20", port: 80, externalIps: [], endpoints, externalEndpoints: endpoints, preserveClientIp: false, ...overrides };
}

/** `server client`, or curl's exit code: 7 refused, 28 timed out. `from` is a pod, or the node. */
function request(url: string, from?: { name: string }): string | number {
  const { exitCode, stdout } = Bun.spawnSync([...(from ? ["ip", "netns", "exec", from.name] : []), "curl", "-s", "--max-time", "2", url]);
  return exitCode === 0 ? stdout.toString() : exitCode;
}
const repeat = (times: number, what: () => string | number) => Array.from({ length: times }, what);
const serversOf = (answers: (string | number)[]) => new Set(answers.map((answer) => String(answer).split(" ")[0]));

test("a ClusterIP spreads over its endpoints, from pods and from the node, and pods keep their address", async () => {
  await apply(service());
  const fromPod = repeat(30, () => request("http://10.43.0.20", pods[0]));
  expect(serversOf(fromPod)).toEqual(new Set(pods.map(({ ip }) => ip)));
  expect(fromPod.filter((answer) => String(answer).startsWith(pods[1]!.ip)).every((answer) => answer === `${pods[1]!.ip} ${pods[0]!.ip}`)).toBe(true);
  expect(serversOf(repeat(30, () => request("http://10.43.0.20")))).toEqual(new Set(pods.map(({ ip }) => ip)));
});

test("hairpin: a pod reaches itself through its Service", async () => {
  await apply(service({ endpoints: [{ ip: pods[0]!.ip, port: 8080 }] }));
  expect(String(request("http://10.43.0.20", pods[0])).split(" ")[0]).toBe(pods[0]!.ip);
});

test("NodePort and host port, from the node and from pods, not on loopback", async () => {
  await apply(service({ nodePort: 30080 }));
  expect(serversOf(repeat(20, () => request(`http://${nodeIp}:30080`)))).toEqual(new Set(pods.map(({ ip }) => ip)));
  expect(serversOf(repeat(20, () => request(`http://${nodeIp}:30080`, pods[0])))).toEqual(new Set(pods.map(({ ip }) => ip)));
  expect(request("http://127.0.0.1:30080")).toBe(7);
  expect(String(request(`http://${nodeIp}:8888`)).split(" ")[0]).toBe(pods[0]!.ip);
  expect(String(request(`http://${nodeIp}:8888`, pods[1]))).toBe(`${pods[0]!.ip} ${pods[1]!.ip}`);
});

test("no endpoints, no such port: refused at once; an address nobody has: dropped, not sent on; back as soon as there is one", async () => {
  await apply(service({ endpoints: [], nodePort: 30080 }));
  expect(request("http://10.43.0.20", pods[0])).toBe(7);
  expect(request("http://10.43.0.20")).toBe(7);
  expect(request(`http://${nodeIp}:30080`, pods[0])).toBe(7);
  expect(request("http://10.43.0.99", pods[0])).toBe(28);
  await apply(service({ endpoints: [{ ip: pods[1]!.ip, port: 8080 }] }));
  expect(request("http://10.43.0.20:81", pods[0])).toBe(7);
  expect(String(request("http://10.43.0.20", pods[0]))).toContain(pods[1]!.ip);
});

test("session affinity keeps a client on one endpoint, also when another one leaves", async () => {
  await apply(service({ affinitySeconds: 60, nodePort: 30080 }));
  const chosen = serversOf(repeat(12, () => request("http://10.43.0.20", pods[0])));
  expect(chosen.size).toBe(1);
  const [kept] = chosen;
  const other = pods.find(({ ip }) => ip !== kept && ip !== pods[0]!.ip)!;
  await apply(service({ affinitySeconds: 60, endpoints: pods.filter((pod) => pod !== other).map(({ ip }) => ({ ip, port: 8080 })) }));
  expect(serversOf(repeat(12, () => request("http://10.43.0.20", pods[0])))).toEqual(chosen);
});
