import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { type Nftables, openNftables, Transaction } from "nftables-js";
import { NetworkPolicies } from "../../agents/netpol/netpol.ts";
import type { Namespace, Pod } from "../../src/apis/generated/core/v1.ts";
import type { NetworkPolicy, NetworkPolicySpec } from "../../src/apis/generated/networking/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { eventually } from "../support/eventually.ts";
import { fakeInformer } from "../support/fake-informer.ts";
import { enterNetworkNamespace } from "../support/network-namespace.ts";

// One node (this thread's namespace), pods in namespaces of their own, each a veth pair away as CNI ptp makes them, and one more behind a link: the world outside.
const table = { family: "inet", name: "skiff-test-policies" } as const;
const services = { family: "ip", name: "skiff-test-services" } as const;
let nft: Nftables;
const web = host(2), client = host(3), other = host(4);
const outside = { name: `skiff-np${process.pid}-out`, ip: "10.99.0.9", ip6: "fd99::9" };
const servers: Bun.Subprocess[] = [];
let leave: () => void;

function host(n: number) {
  return { name: `skiff-np${process.pid}-${n}`, veth: `np${n}`, ip: `10.42.0.${n}`, ip6: `fd42::${n}` };
}
type Host = Pick<ReturnType<typeof host>, "name" | "ip" | "ip6">;

function run(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}
const runAll = (prefix: string[], commands: string[]): void => commands.forEach((command) => run(...prefix, ...command.split(" ")));

beforeAll(async () => {
  leave = enterNetworkNamespace();
  // It keeps to the namespace in which it was opened.
  nft = openNftables();
  // As on every node: the service proxy's rules let the kernel track connections.
  await nft.run(new Transaction(services).addTable().addChain("pre", { type: "nat", hook: "prerouting", priority: -100 }).addRule("pre", `ip daddr 10.43.0.20 dnat to ${web.ip}`));
  run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
  for (const { name, veth, ip, ip6 } of [web, client, other]) {
    runAll([], [`ip netns add ${name}`, `ip link add ${veth} type veth peer name eth0 netns ${name}`, `ip addr add 10.42.0.1/32 dev ${veth}`, `ip -6 addr add fd42::1/128 dev ${veth} nodad`, `ip link set ${veth} up`, `ip route add ${ip}/32 dev ${veth} src 10.42.0.1`, `ip -6 route add ${ip6}/128 dev ${veth}`]);
    runAll(["ip", "-n", name], [`addr add ${ip}/32 dev eth0`, `-6 addr add ${ip6}/128 dev eth0 nodad`, "link set eth0 up", "link set lo up", "route add 10.42.0.1 dev eth0", "route add default via 10.42.0.1", "-6 route add fd42::1 dev eth0", "-6 route add default via fd42::1"]);
  }
  runAll([], [`ip netns add ${outside.name}`, `ip link add wire type veth peer name eth0 netns ${outside.name}`, "ip addr add 10.99.0.1/24 dev wire", "ip -6 addr add fd99::1/64 dev wire nodad", "ip link set wire up"]);
  runAll(["ip", "-n", outside.name], [`addr add ${outside.ip}/24 dev eth0`, `-6 addr add ${outside.ip6}/64 dev eth0 nodad`, "link set eth0 up", "route add default via 10.99.0.1", "-6 route add default via fd99::1"]);
  const serve = 'for (const port of [80, 81]) Bun.serve({ port, hostname: "::", fetch: () => new Response("hello") }); await Bun.udpSocket({ port: 82, hostname: "::", socket: { data(socket, bytes, port, address) { socket.send(bytes, port, address); } } }); console.log("up")';
  for (const { name } of [web, other, outside]) {
    const server = Bun.spawn(["ip", "netns", "exec", name, process.execPath, "-e", serve], { stdout: "pipe", stderr: "inherit" });
    servers.push(server);
    for await (const line of server.stdout) if (line.length) break;
  }
  // The namespace's routes and neighbours are ready when everybody reaches everybody.
  await eventually(() => expect([reaches(client, web), reaches(client, web, { v6: true }), reaches(client, outside), reaches(outside, web, { v6: true })]).toEqual([true, true, true, true]));
}, 180_000);

afterAll(() => {
  for (const server of servers) server.kill();
  for (const { name } of [web, client, other, outside]) Bun.spawnSync(["ip", "netns", "del", name]);
  nft.close();
  leave?.();
});

/** Does a new connection get an answer? Without `from`: from the node. It is the kernel that connects, or not; a server's answer waits for its turn. */
function reaches(from: Host | undefined, to: Host, { port = 80, v6 = false, udp = false } = {}): boolean {
  const inside = from ? ["ip", "netns", "exec", from.name] : [];
  if (udp) {
    const { stdout } = Bun.spawnSync([...inside, "timeout", "3", "bash", "-c", `exec 3<>/dev/udp/${v6 ? to.ip6 : to.ip}/${port}; echo hello >&3; head -c 5 <&3`]);
    return stdout.toString() === "hello";
  }
  return Bun.spawnSync([...inside, "curl", "-s", "-o", "/dev/null", "--connect-timeout", "0.8", "--max-time", "30", `http://${v6 ? `[${to.ip6}]` : to.ip}:${port}`]).exitCode === 0;
}

const podOf = (name: string, { ip, ip6 }: Host, labels: Record<string, string>, namespace = "shop"): Pod => ({
  metadata: { namespace, name, uid: name, labels, creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { nodeName: "node-1", containers: [{ name: "main", ports: [{ name: "http", containerPort: 80 }] }] }, status: { phase: "Running", podIP: ip, podIPs: [{ ip }, { ip: ip6 }] },
} as unknown as Pod);
const policyOf = (name: string, spec: NetworkPolicySpec): NetworkPolicy => ({ metadata: { namespace: "shop", name }, spec });
const app = (name: string) => ({ matchLabels: { app: name } });

let sources: { pods: ReturnType<typeof fakeInformer<Pod>>; namespaces: ReturnType<typeof fakeInformer<Namespace>>; networkpolicies: ReturnType<typeof fakeInformer<NetworkPolicy>> };
let policies: NetworkPolicies;
let stop: AbortController;
let running: Promise<void>;

function start(): void {
  stop = new AbortController();
  const informers = { informer: (card: { resource: string }) => sources[card.resource as keyof typeof sources] } as unknown as InformerFactory;
  policies = new NetworkPolicies({ nft, table, informers, nodeName: "node-1", clock: systemClock, log: logger("test") });
  running = policies.run(stop.signal);
}

beforeEach(() => {
  sources = {
    pods: fakeInformer(podOf("web", web, { app: "web" }), podOf("client", client, { app: "client" }), podOf("other", other, { app: "other" }, "office")),
    namespaces: fakeInformer<Namespace>(...["shop", "office"].map((name) => ({ metadata: { name, labels: { "kubernetes.io/metadata.name": name } } } as unknown as Namespace))), networkpolicies: fakeInformer<NetworkPolicy>(),
  };
  start();
});

afterEach(async () => {
  stop.abort();
  await running;
  await nft.run(new Transaction(table).addTable().deleteTable());
});

/** Policies as they are, once the rules say so: a pod that is announced is answered when all is in place. */
async function settled(): Promise<void> {
  await policies.podHasAddresses(podOf("probe", host(99), {}, "probes"), [host(99).ip], new AbortController().signal);
}

async function apply(...specs: NetworkPolicySpec[]): Promise<void> {
  for (const [i, spec] of specs.entries()) sources.networkpolicies.put(policyOf(`policy-${i}`, spec));
  await settled();
}

const denyAll: NetworkPolicySpec = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };

describe("packets", () => {
  test("nothing is denied without a policy; default deny closes both directions in both families, but not to the node, nor to the pod itself", async () => {
    await settled();
    expect(reaches(client, web)).toBe(true);
    await apply(denyAll);
    expect([reaches(client, web), reaches(client, web, { v6: true }), reaches(outside, web), reaches(web, outside), reaches(client, web, { port: 82, udp: true })]).toEqual([false, false, false, false, false]);
    expect([reaches(undefined, web), reaches(undefined, web, { v6: true }), reaches(web, web), reaches(other, outside)]).toEqual([true, true, true, true]);
    sources.networkpolicies.remove("shop/policy-0");
    await settled();
    expect(reaches(client, web)).toBe(true);
  });

  test("pods by label, namespaces by label, ports by number, range and name", async () => {
    await apply({ podSelector: app("web"), ingress: [{ from: [{ podSelector: app("client") }], ports: [{ port: "http" }] }] });
    expect([reaches(client, web), reaches(client, web, { v6: true }), reaches(client, web, { port: 81 }), reaches(other, web), reaches(outside, web)]).toEqual([true, true, false, false, false]);
    await apply({ podSelector: app("web"), ingress: [{ from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "office" } } }], ports: [{ port: 80, endPort: 81 }] }] });
    expect([reaches(client, web), reaches(other, web), reaches(other, web, { port: 81, v6: true }), reaches(other, web, { port: 82, udp: true })]).toEqual([false, true, true, false]);
    await apply({ podSelector: app("web"), ingress: [{ ports: [{ protocol: "UDP", port: 82 }] }] });
    expect([reaches(client, web, { port: 82, udp: true }), reaches(client, web, { port: 82, udp: true, v6: true }), reaches(client, web)]).toEqual([true, true, false]);
  });

  test("blocks with exceptions, in both directions", async () => {
    await apply({ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "10.99.0.0/16" } }] }], egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.99.0.0/24"] } }, { ipBlock: { cidr: "fd99::/64" } }] }], policyTypes: ["Ingress", "Egress"] });
    expect([reaches(outside, web), reaches(outside, web, { v6: true }), reaches(client, other), reaches(client, outside), reaches(client, outside, { v6: true })]).toEqual([true, false, true, false, true]);
  });

  test("both ends must agree; policies add up", async () => {
    await apply(denyAll, { podSelector: app("web"), ingress: [{ from: [{ podSelector: app("client") }] }] });
    expect(reaches(client, web)).toBe(false);
    await apply(denyAll, { podSelector: app("web"), ingress: [{ from: [{ podSelector: app("client") }] }] }, { podSelector: app("client"), policyTypes: ["Egress"], egress: [{ to: [{ podSelector: app("web") }] }] });
    expect([reaches(client, web), reaches(client, other)]).toEqual([true, false]);
  });

  test("labels of pods and namespaces may change", async () => {
    await apply({ podSelector: app("web"), ingress: [{ from: [{ podSelector: app("client") }] }, { from: [{ namespaceSelector: { matchLabels: { trusted: "yes" } } }] }] });
    expect([reaches(client, web), reaches(other, web)]).toEqual([true, false]);
    sources.pods.put(podOf("client", client, { app: "stranger" }));
    sources.namespaces.put({ metadata: { name: "office", labels: { trusted: "yes" } } } as unknown as Namespace);
    await settled();
    expect([reaches(client, web), reaches(other, web)]).toEqual([false, true]);
  });

  test("Services are judged by what is behind them", async () => {
    const service = { name: "", ip: "10.43.0.20", ip6: "" };
    await apply({ podSelector: app("client"), policyTypes: ["Egress"], egress: [{ to: [{ podSelector: app("web") }] }] });
    expect([reaches(client, service), reaches(client, outside)]).toEqual([true, false]);
    await apply({ podSelector: app("client"), policyTypes: ["Egress"], egress: [{ to: [{ ipBlock: { cidr: "10.43.0.0/16" } }] }] });
    expect(reaches(client, service)).toBe(false);
  });

  test("established connections go on", async () => {
    const download = Bun.spawn(["ip", "netns", "exec", client.name, "bash", "-c", `exec 3<>/dev/tcp/${web.ip}/80; echo open; read; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; timeout 30 tail -n 1 <&3`], { stdin: "pipe", stdout: "pipe" });
    const output = download.stdout.getReader();
    expect(new TextDecoder().decode((await output.read()).value)).toBe("open\n");
    await apply(denyAll);
    expect(reaches(client, web)).toBe(false);
    download.stdin.write("\n");
    await download.stdin.flush();
    expect(new TextDecoder().decode((await output.read()).value)).toContain("hello");
    download.kill();
  });
});

describe("life", () => {
  test("a new pod is isolated before the API knows its address", async () => {
    await apply(denyAll);
    sources.pods.remove("shop/web");
    await eventually(() => expect(reaches(outside, web)).toBe(true));
    const started = podOf("web-2", web, { app: "web" });
    await policies.podHasAddresses(started, [web.ip, web.ip6], new AbortController().signal);
    expect([reaches(outside, web), reaches(web, outside, { v6: true })]).toEqual([false, false]);
    // The API lags behind: the pod without an address, then with it.
    sources.pods.put({ ...started, status: { phase: "Pending" } });
    sources.pods.put(started);
    await settled();
    expect(reaches(outside, web)).toBe(false);
  });

  test("a pod waits while rules can't be known, and starts when they are", async () => {
    await apply(denyAll);
    stop.abort();
    await running;
    const pods = Promise.withResolvers<void>();
    sources.pods.synced = () => pods.promise;
    start();
    let started = false;
    const waiting = policies.podHasAddresses(podOf("late", web, { app: "web" }), [web.ip], new AbortController().signal).then(() => { started = true; });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(started).toBe(false);
    // What an earlier Skiff left is in force meanwhile.
    expect(reaches(outside, web)).toBe(false);
    pods.resolve();
    await waiting;
    expect(reaches(outside, web)).toBe(false);
  });

  test("a start takes over what an earlier one left, and what another program takes from the table comes back at once", async () => {
    await apply(denyAll);
    stop.abort();
    await running;
    expect(reaches(client, web)).toBe(false);
    sources.networkpolicies.remove("shop/policy-0");
    sources.networkpolicies.put(policyOf("client", { podSelector: app("web"), ingress: [{ from: [{ podSelector: app("client") }] }] }));
    start();
    await settled();
    expect([reaches(client, web), reaches(other, web)]).toEqual([true, false]);
    const rules = async (chain: string): Promise<number> => (await nft.listRules(table, chain).catch(() => [])).length;
    for (const interference of [new Transaction(table).deleteTable(), new Transaction(table).flushChain("ingress")]) {
      await openNftables({ via: "process" }).run(interference);
      await eventually(async () => expect(await rules("ingress")).toBeGreaterThan(0));
      await settled();
      expect([reaches(client, web), reaches(other, web)]).toEqual([true, false]);
    }
    sources.pods.put(podOf("client", client, { app: "stranger" }));
    await settled();
    expect([reaches(client, web), reaches(other, web)]).toEqual([false, false]);
  });
});
