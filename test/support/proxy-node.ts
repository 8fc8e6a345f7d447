import { randomBytes } from "node:crypto";
import { openConntrack, openNftables } from "nftables-js";
import { ServiceProxy } from "../../agents/proxy/proxy.ts";
import { type ClusterNetworks, proxyConfig } from "../../agents/proxy/proxy-config.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import { services } from "../../src/apis/core/service/service.ts";
import type { Node, Pod, Service } from "../../src/apis/generated/core/v1.ts";
import type { Endpoint, EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { createMetrics, type MetricsRegistry } from "../../src/base/metrics.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { fakeInformer } from "./fake-informer.ts";
import { enterNetworkNamespace } from "./network-namespace.ts";

/** A machine with addresses of both families, in a namespace of its own. */
export interface Machine {
  readonly name: string;
  readonly ip: string;
  readonly ip6: string;
  /** Undefined for this thread's own namespace: the node. */
  readonly namespace?: string;
}

/** The node is this thread's namespace; the pods are a veth pair away each, as CNI ptp makes them, and `outside` is next door. */
export interface ProxyNode {
  readonly node: Machine;
  readonly outside: Machine;
  readonly pods: readonly Machine[];
  /** Of the proxy that runs. */
  metrics(): MetricsRegistry;
  /** Messages of warnings so far. */
  readonly warnings: string[];
  /** Gives the proxy these objects, and resolves when it has applied them. */
  apply(...objects: (Service | EndpointSlice | Pod | Node)[]): Promise<void>;
  remove(kind: "services" | "endpointslices" | "pods", key: string): Promise<void>;
  /** Gives the node other addresses than it had. */
  move(...addresses: string[]): Promise<void>;
  /** Ends the proxy; its rules stay. */
  stop(): Promise<void>;
  /** Ends the proxy, and begins another. */
  restart(networks?: Partial<ClusterNetworks>): Promise<void>;
  dispose(): Promise<void>;
}

export const nodeName = "n1";

export function run(...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
  return stdout.toString();
}

export const inside = ({ namespace }: Machine, ...command: string[]): string[] => (namespace ? ["nsenter", `--net=/run/netns/${namespace}`, ...command] : command);

/** What a pod serves on 8080: `server client` by HTTP; and on 8081 the same by UDP. */
const server = (name: string): string => `
  const plain = (address) => address.replace("::ffff:", "");
  Bun.serve({ port: 8080, hostname: "::", fetch: (request, server) => new Response("${name} " + plain(server.requestIP(request).address)) });
  await Bun.udpSocket({ hostname: "::", port: 8081, socket: { data(socket, _, port, address) { socket.send("${name} " + plain(address), port, address); } } });
  console.log("up");`;

export async function createProxyNode(networks: Partial<ClusterNetworks> = {}): Promise<ProxyNode> {
  const id = randomBytes(3).toString("hex"), leave = enterNetworkNamespace(), children: Bun.Subprocess[] = [];
  const node: Machine = { name: nodeName, ip: "10.99.0.1", ip6: "fd99::1" };
  const outside: Machine = { name: "outside", ip: "10.99.0.2", ip6: "fd99::2", namespace: `skp-${id}-out` };
  const podMachines = [2, 3, 4].map((n): Machine => ({ name: `pod${n}`, ip: `10.42.0.${n}`, ip6: `fd00:42::${n}`, namespace: `skp-${id}-${n}` }));
  for (const setting of ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"]) await Bun.write(`/proc/sys/${setting}`, "1");
  run("ip", "netns", "add", outside.namespace!);
  run("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "eth0", "netns", outside.namespace!);
  for (const command of [`addr add ${node.ip}/24 dev eth9`, `addr add ${node.ip6}/64 dev eth9 nodad`, "link set eth9 up", `route add default via ${outside.ip}`, `route add default via ${outside.ip6}`]) run("ip", ...command.split(" "));
  for (const command of [`addr add ${outside.ip}/24 dev eth0`, `addr add ${outside.ip6}/64 dev eth0 nodad`, "link set eth0 up", "link set lo up", `route add default via ${node.ip}`, `route add default via ${node.ip6}`]) run("ip", "-n", outside.namespace!, ...command.split(" "));
  for (const { name, ip, ip6, namespace } of podMachines) {
    run("ip", "netns", "add", namespace!);
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", namespace!);
    for (const command of [`addr add 10.42.0.1/32 dev ${name}`, `addr add fe80::1/64 dev ${name} nodad`, `link set ${name} up`, `route add ${ip}/32 dev ${name} src 10.42.0.1`, `route add ${ip6}/128 dev ${name} src ${node.ip6}`]) run("ip", ...command.split(" "));
    for (const command of [`addr add ${ip}/32 dev eth0`, `addr add ${ip6}/128 dev eth0 nodad`, "link set eth0 up", "link set lo up", "route add 10.42.0.1 dev eth0", "route add default via 10.42.0.1", "route add default via fe80::1 dev eth0"]) run("ip", "-n", namespace!, ...command.split(" "));
  }
  for (const machine of podMachines) children.push(Bun.spawn(inside(machine, process.execPath, "-e", server(machine.name)), { stdout: "pipe", stderr: "inherit" }));
  for (const { stdout } of children) for await (const line of stdout as ReadableStream<Uint8Array>) if (line.length) break;

  const sources = {
    services: fakeInformer<Service>(), endpointslices: fakeInformer<EndpointSlice>(), pods: fakeInformer<Pod>(),
    nodes: fakeInformer<Node>({ metadata: { name: nodeName }, spec: {} }),
  };
  const listeners = new Set<() => void>(), addresses = {
    current: [node.ip, node.ip6],
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const informers: InformerFactory = { informer: (card) => (card as unknown === services ? sources.services : card as unknown === pods ? sources.pods : card as unknown === nodes ? sources.nodes : sources.endpointslices) as never };
  const warnings: string[] = [];
  let metrics = createMetrics();
  /** When the last application of the rules began. */
  let appliedFrom = -Infinity, told: () => void = () => {};
  const note = (message: string): void => void warnings.push(message);
  const log: Logger = {
    debug(message, details) {
      if (message !== "service rules applied") return;
      appliedFrom = systemClock.monotonic() - Number(details?.["ms"]);
      told();
    },
    info() {}, warn: note, error: (message, details) => note(`${message} ${String(details?.["error"])}`),
  } as Logger;
  const nft = openNftables();
  let stop = new AbortController(), running: Promise<void> = Promise.resolve();
  const start = async (changed: Partial<ClusterNetworks> = {}): Promise<void> => {
    stop = new AbortController();
    metrics = createMetrics();
    const proxy = new ServiceProxy({
      nft, conntrack: openConntrack(), informers, nodeName, nodeAddresses: addresses, clock: systemClock, log, metrics,
      config: proxyConfig({ instance: "skiff-test", clusterCidrs: ["10.42.0.0/16", "fd00:42::/56"], serviceCidrs: ["10.43.0.0/16", "fd00:43::/112"], clusterDns: ["10.43.0.10", "fd00:43::a"], ...networks, ...changed }),
    });
    running = proxy.run(stop.signal);
    await Promise.race([proxy.ready, running]);
  };
  const change = async (make: () => void): Promise<void> => {
    // One that is under way, after somebody else's change say, knows nothing of this one.
    const madeAt = systemClock.monotonic();
    make();
    while (appliedFrom < madeAt) await new Promise<void>((resolve) => (told = resolve));
  };
  await start();
  return {
    node, outside, pods: podMachines, warnings, metrics: () => metrics,
    apply: (...objects) => change(() => {
      for (const object of objects) {
        if ("addressType" in object) sources.endpointslices.put(object);
        else if (object.metadata.namespace === undefined) sources.nodes.put(object as Node);
        else if ("containers" in (object.spec ?? {})) sources.pods.put(object as Pod);
        else sources.services.put(object as Service);
      }
    }),
    move: (...current) => change(() => {
      addresses.current = current;
      for (const listener of listeners) listener();
    }),
    remove: (kind, key) => change(() => sources[kind].remove(key)),
    async stop() {
      stop.abort();
      await running;
    },
    async restart(changed) {
      stop.abort();
      await running;
      await start(changed);
    },
    async dispose() {
      stop.abort();
      await running.catch(() => undefined);
      for (const child of children) child.kill();
      for (const { namespace } of [outside, ...podMachines]) Bun.spawnSync(["ip", "netns", "del", namespace!]);
      nft.close();
      leave();
    },
  };
}

/** A Service default/web on port 80 of both families, with whatever else. */
export function service(spec: Partial<Service["spec"]> = {}, { name = "web", ingress = [] as { ip: string; ipMode?: string }[], labels = {} } = {}): Service {
  const clusterIPs = ["10.43.0.20", "fd00:43::20"];
  return {
    metadata: { namespace: "default", name, labels },
    spec: { type: "ClusterIP", clusterIP: clusterIPs[0], clusterIPs, ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack", sessionAffinity: "None", internalTrafficPolicy: "Cluster", ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }], ...spec },
    status: { loadBalancer: { ingress } },
  } as Service;
}

type EndpointOf = Machine | (Partial<Endpoint> & { machine: Machine });

/** The slices of default/web, one for each family; `on` is where they are said to be, this node by default. */
export function slices(endpoints: readonly EndpointOf[], { name = "web", port = 8080, protocol = "TCP" as "TCP" | "UDP" | "SCTP" } = {}): EndpointSlice[] {
  return (["IPv4", "IPv6"] as const).map((addressType) => ({
    metadata: { namespace: "default", name: `${name}-${addressType.toLowerCase()}`, labels: { "kubernetes.io/service-name": name } }, addressType,
    ports: [{ name: "", port, protocol }],
    endpoints: endpoints.map((one) => {
      const { machine, ...facts } = "machine" in one ? one : { machine: one };
      return { addresses: [addressType === "IPv4" ? machine.ip : machine.ip6], nodeName, conditions: { ready: true }, ...facts } as Endpoint;
    }),
  }));
}

/** `server client`, or curl's exit code: 7 refused, 28 not let through. The kernel connects, busy as the machine may be; the answer may take its time. */
export async function request(from: Machine, address: string, port: number, ...options: string[]): Promise<string | number> {
  const child = Bun.spawn(inside(from, "curl", "-s", "--connect-timeout", "1.5", "--max-time", "30", ...options, `http://${address.includes(":") ? `[${address}]` : address}:${port}`), { stdout: "pipe", stderr: "ignore" });
  const [output, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return code === 0 ? output : code;
}

/** Who answered, of so many requests; of more while there are fewer than `wanted`, for it is chance that leads each to a server. */
export async function serversOf(from: Machine, address: string, port: number, { times = 20, wanted = 1 }: { times?: number; wanted?: number } = {}): Promise<Set<string>> {
  const answers = new Set<string>();
  for (let i = 0; i < times || (answers.size < wanted && i < 10 * times); i++) answers.add(String(await request(from, address, port)).split(" ")[0]!);
  return answers;
}

/** A client that goes on sending UDP from one port of its own, as a flow does. */
export interface UdpClient {
  /** `server client`, or `silence` for so long. */
  ask(patienceMs?: number): Promise<string>;
  stop(): void;
}

export function udpClient(from: Machine, address: string, port: number): UdpClient {
  const script = `
    let answer = () => {};
    const socket = await Bun.udpSocket({ hostname: ${JSON.stringify(address.includes(":") ? "::" : "0.0.0.0")}, socket: { data(_, bytes) { answer(bytes.toString()); }, error() {} } });
    for await (const patienceMs of console) {
      const answered = new Promise((resolve) => { answer = resolve; });
      try { socket.send("x", ${port}, ${JSON.stringify(address)}); } catch { /* refused here */ }
      console.log(await Promise.race([answered, Bun.sleep(Number(patienceMs)).then(() => "silence")]));
    }`;
  const child = Bun.spawn(inside(from, process.execPath, "-e", script), { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  let text = "";
  return {
    async ask(patienceMs = 400) {
      child.stdin.write(`${patienceMs}\n`);
      void child.stdin.flush();
      while (!text.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the UDP client ended");
        text += Buffer.from(value).toString();
      }
      const [line = "", ...rest] = text.split("\n");
      text = rest.join("\n");
      return line;
    },
    stop: () => child.kill(),
  };
}
