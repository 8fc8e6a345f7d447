import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { openConntrack, openNftables, Transaction } from "nftables-js";
import type { Pod, Service } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { createProxyNode, inside, type Machine, type ProxyNode, request, run, service, slices, type UdpClient, udpClient } from "../support/proxy-node.ts";

let lab: ProxyNode, node: Machine, outside: Machine, pods: readonly Machine[];
const clients: UdpClient[] = [];
beforeAll(async () => {
  lab = await createProxyNode();
  ({ node, outside, pods } = lab);
}, 180_000);
beforeEach(() => {
  for (const client of clients.splice(0)) client.stop();
});
afterAll(async () => {
  for (const client of clients) client.stop();
  await lab?.dispose();
});

const sending = (from: Machine, address: string, port: number): UdpClient => {
  const client = udpClient(from, address, port);
  clients.push(client);
  return client;
};
const answer = (client: UdpClient) => client.ask(30_000).then((text) => text.split(" ")[0]);

describe.each([["IPv4", "ip", "10.43.0.20"], ["IPv6", "ip6", "fd00:43::20"]] as const)("UDP by %s", (_, ip, clusterIp) => {
  const udp = (spec: Partial<Service["spec"]> = {}) => service({ ports: [{ port: 53, protocol: "UDP" }], ...spec });
  const udpSlices = (...machines: Parameters<typeof slices>[0]) => slices(machines, { port: 8081, protocol: "UDP" });

  test("a client that goes on sending is sent to another endpoint when its own goes, and stays while it is there", async () => {
    await lab.apply(udp(), ...udpSlices(pods[0]!, pods[1]!));
    const client = sending(pods[2]!, clusterIp, 53), first = await answer(client);
    for (let i = 0; i < 4; i++) expect(await answer(client)).toBe(first);
    const [other] = pods.slice(0, 2).filter(({ name }) => name !== first);
    await lab.apply(...udpSlices(other!));
    expect(await answer(client)).toBe(other!.name);
    await lab.apply(...udpSlices(pods[0]!, pods[1]!));
    for (let i = 0; i < 4; i++) expect(await answer(client)).toBe(other!.name);
  });

  test("a client that began before there was an endpoint is answered when there is one; so is one at a node port, and of the node itself", async () => {
    const nodePort = udp({ type: "NodePort", externalTrafficPolicy: "Cluster", ports: [{ port: 53, nodePort: 30053, protocol: "UDP" }] });
    await lab.apply(nodePort, ...udpSlices());
    const waiting = [sending(pods[2]!, clusterIp, 53), sending(outside, node[ip], 30053), sending(node, clusterIp, 53)];
    for (const client of waiting) expect(await client.ask()).toBe("silence");
    await lab.apply(...udpSlices(pods[0]!));
    for (const client of waiting) expect(await answer(client)).toBe("pod2");
  });

  test("an endpoint that ends but serves keeps its clients", async () => {
    await lab.apply(udp(), ...udpSlices(pods[0]!));
    const client = sending(pods[2]!, clusterIp, 53);
    expect(await answer(client)).toBe("pod2");
    await lab.apply(...udpSlices({ machine: pods[0]!, conditions: { ready: false, serving: true, terminating: true } }, pods[1]!));
    expect(await answer(client)).toBe("pod2");
    await lab.apply(...udpSlices(pods[1]!));
    expect(await answer(client)).toBe("pod3");
  });

  test("a node port that is no more is silent, also for who was sending; and its number may be another's", async () => {
    await lab.apply(udp({ type: "NodePort", externalTrafficPolicy: "Cluster", ports: [{ port: 53, nodePort: 30053, protocol: "UDP" }] }), ...udpSlices(pods[0]!));
    const client = sending(outside, node[ip], 30053);
    expect(await answer(client)).toBe("pod2");
    await lab.apply(udp());
    expect(await client.ask()).toBe("silence");
  });

  test("affinity holds over source ports; the same port by TCP is another service", async () => {
    await lab.apply(udp({ sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }), ...udpSlices(...pods));
    const answers = new Set<string | undefined>();
    for (let i = 0; i < 5; i++) {
      const client = sending(outside, clusterIp, 53);
      answers.add(await answer(client));
      client.stop();
    }
    expect(answers.size).toBe(1);
    expect(await request(pods[2]!, clusterIp, 53)).toBe(7);
    await lab.apply(service({ ports: [{ name: "dns", port: 53, protocol: "UDP" }, { name: "web", port: 53, protocol: "TCP" }] }), ...slices(pods, { port: 8081, protocol: "UDP" }).map((slice) => ({ ...slice, ports: [{ name: "dns", port: 8081, protocol: "UDP" as const }, { name: "web", port: 8080, protocol: "TCP" as const }] })));
    expect(String(await request(outside, clusterIp, 53))).toStartWith("pod");
    expect(await answer(sending(outside, clusterIp, 53))).toStartWith("pod");
  });
});

/** Sends the first packet of an SCTP association, by a raw socket: the kernel need not speak SCTP itself. */
const sctpInit = (address: string, port: number): string => `
  import { dlopen, FFIType, ptr } from "bun:ffi";
  const { i32, u32, u64, i64 } = FFIType;
  const libc = dlopen("libc.so.6", { socket: { args: [i32, i32, i32], returns: i32 }, sendto: { args: [i32, FFIType.ptr, u64, i32, FFIType.ptr, u32], returns: i64 } }).symbols;
  const packet = new Uint8Array(32), view = new DataView(packet.buffer);
  view.setUint16(0, 4000); view.setUint16(2, ${port});
  view.setUint8(12, 1); view.setUint16(14, 20); view.setUint32(16, 7); view.setUint32(20, 65536); view.setUint16(24, 1); view.setUint16(26, 1); view.setUint32(28, 7);
  let crc = 0xffffffff;
  for (const byte of packet) { crc ^= byte; for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1; }
  view.setUint32(8, ~crc >>> 0, true);
  const to = new Uint8Array([2, 0, 0, 0, ${address.split(".").join(", ")}, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (libc.sendto(libc.socket(2, 3, 132), ptr(packet), 32, 0, ptr(to), 16) !== 32n) throw new Error("not sent");`;

test("SCTP is sent to endpoints as TCP is", async () => {
  await lab.apply(service({ ports: [{ port: 80, protocol: "SCTP" }] }), ...slices([pods[1]!], { protocol: "SCTP" }));
  run(...inside(pods[0]!, process.execPath, "-e", sctpInit("10.43.0.20", 80)));
  const flows: string[] = [];
  openConntrack().forget("ip", 132, ({ to, by }) => {
    flows.push(`${to.ip} ${to.port} > ${by.ip} ${by.port}`);
    return false;
  });
  expect(flows).toEqual([`10.43.0.20 80 > ${pods[1]!.ip} 8080`]);
});

/** Sends a packet that belongs to no connection in its state, by a raw socket. */
const strayPacket = (from: string, to: string, port: number): string => `
  import { dlopen, FFIType, ptr } from "bun:ffi";
  const { i32, u32, u64, i64 } = FFIType;
  const libc = dlopen("libc.so.6", { socket: { args: [i32, i32, i32], returns: i32 }, sendto: { args: [i32, FFIType.ptr, u64, i32, FFIType.ptr, u32], returns: i64 } }).symbols;
  const from = [${from.split(".").join(", ")}], to = [${to.split(".").join(", ")}];
  const packet = new Uint8Array(20), view = new DataView(packet.buffer);
  view.setUint16(0, 8080); view.setUint16(2, ${port}); view.setUint32(4, 0x12345678); view.setUint32(8, 0x9abcdef0); view.setUint16(12, 0x5010); view.setUint16(14, 1024);
  const words = new DataView(Uint8Array.from([...from, ...to, 0, 6, 0, 20, ...packet]).buffer);
  let sum = 0;
  for (let i = 0; i < words.byteLength; i += 2) sum += words.getUint16(i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  view.setUint16(16, ~sum & 0xffff);
  const address = new Uint8Array([2, 0, 0, 0, ...to, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (libc.sendto(libc.socket(2, 3, 6), ptr(packet), 20, 0, ptr(address), 16) !== 20n) throw new Error("not sent");`;

test("a packet of a pod that fits no connection does not reach who knows the Service's address only", async () => {
  await lab.apply(service(), ...slices([pods[0]!]));
  const [target, , client] = pods as [Machine, Machine, Machine];
  run(...inside(client, "nft", "add table ip seen; add chain ip seen in { type filter hook input priority 0; }; add rule ip seen in ip saddr 10.42.0.2 counter"));
  const open = Bun.spawn(inside(client, process.execPath, "-e", `const socket = await Bun.connect({ hostname: "10.43.0.20", port: 80, socket: { data(_, bytes) { console.log(bytes.toString().split("\\n").at(-1)); } } });
    console.log(socket.localPort);
    for await (const _ of console) socket.write("GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n");`), { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  try {
    const lines = open.stdout.getReader(), line = async () => Buffer.from((await lines.read()).value!).toString().trim();
    const port = Number(await line());
    run(...inside(target, process.execPath, "-e", strayPacket(target.ip, client.ip, port)));
    open.stdin.write("\n");
    void open.stdin.flush();
    expect(await line()).toBe(`pod2 ${client.ip}`);
    expect(run(...inside(client, "nft", "list", "table", "ip", "seen"))).toContain("counter packets 0 bytes 0");
  } finally {
    open.kill();
    run(...inside(client, "nft", "delete", "table", "ip", "seen"));
  }
});

test("node ports go with the node's addresses, or answer on those of a network", async () => {
  const nodePort = service({ type: "NodePort", externalTrafficPolicy: "Cluster", ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] });
  await lab.apply(nodePort, ...slices([pods[0]!]));
  run("ip", "addr", "add", "10.99.0.77/24", "dev", "eth9");
  expect(await request(outside, "10.99.0.77", 30080)).toBe(7);
  await lab.move("10.99.0.77");
  expect(String(await request(outside, "10.99.0.77", 30080))).toStartWith("pod2 ");
  expect(await request(outside, node.ip, 30080)).toBe(7);
  await lab.move(node.ip, node.ip6);
  run("ip", "addr", "del", "10.99.0.77/24", "dev", "eth9");
  for (const [networks, addresses] of [[["10.99.0.0/16"], [node.ip]], [["0.0.0.0/0", "::/0"], [node.ip, node.ip6, "10.42.0.1"]]] as const) {
    await lab.restart({ nodePortAddresses: networks });
    await lab.apply(nodePort, ...slices([pods[0]!]));
    for (const address of [node.ip, node.ip6, "10.42.0.1"]) expect(await request(pods[1]!, address, 30080), `${address} of ${networks}`).toEqual((addresses as readonly string[]).includes(address) ? expect.stringContaining("pod2") : 7);
    expect(await request(node, "127.0.0.1", 30080)).toBe(7);
  }
  await lab.restart();
});

test("type changes lead wherever they say", async () => {
  const at = async (...answers: [address: string, port: number, expected: string | number][]) => {
    for (const [address, port, expected] of answers) expect(String(await request(outside, address, port)).split(" ")[0], `${address}:${port}`).toBe(String(expected));
  };
  const clusterIp = "10.43.0.20", balanced = "203.0.113.8", ports = [{ port: 80, nodePort: 30080, protocol: "TCP" as const }];
  await lab.apply(service(), ...slices([pods[0]!]));
  await at([clusterIp, 80, "pod2"], [node.ip, 30080, 7]);
  await lab.apply(service({ type: "NodePort", externalTrafficPolicy: "Cluster", ports }));
  await at([clusterIp, 80, "pod2"], [node.ip, 30080, "pod2"]);
  await lab.apply(service({ type: "LoadBalancer", externalTrafficPolicy: "Cluster", allocateLoadBalancerNodePorts: false }, { ingress: [{ ip: balanced }] }));
  await at([clusterIp, 80, "pod2"], [node.ip, 30080, 7], [balanced, 80, "pod2"]);
  await lab.apply(service({ type: "ExternalName", externalName: "example.org", clusterIP: "", clusterIPs: [] }));
  await at([clusterIp, 80, 28], [node.ip, 30080, 7]);
  await lab.apply(service({ type: "NodePort", externalTrafficPolicy: "Cluster", ports }));
  await at([clusterIp, 80, "pod2"], [node.ip, 30080, "pod2"]);
  await lab.apply(service({ clusterIP: "None", clusterIPs: ["None"] }));
  await at([clusterIp, 80, 28], [node.ip, 30080, 7]);
  await lab.apply(service({}, { labels: { "service.kubernetes.io/service-proxy-name": "other" } }));
  await at([clusterIp, 80, 28]);
  await lab.apply(service());
  await lab.remove("services", "default/web");
  await at([clusterIp, 80, 28]);
});

test("a load balancer on the node's own address leaves the node's other ports alone", async () => {
  const own = Bun.spawn([process.execPath, "-e", `Bun.serve({ hostname: "0.0.0.0", port: 9090, fetch: () => new Response("the node") }); console.log("up")`], { stdout: "pipe" });
  try {
    for await (const line of own.stdout) if (line.length) break;
    await lab.apply(service({ type: "LoadBalancer", externalTrafficPolicy: "Cluster" }, { ingress: [{ ip: node.ip }] }), ...slices([pods[0]!]));
    for (const from of [outside, node, pods[1]!]) expect([String(await request(from, node.ip, 80)).split(" ")[0], await request(from, node.ip, 9090)]).toEqual(["pod2", "the node"]);
  } finally {
    own.kill();
  }
});

const hostPortPod = (name: string, { ip, ip6 }: Machine, ports: object[]): Pod =>
  ({ metadata: { namespace: "default", name }, spec: { nodeName: "n1", containers: [{ name: "c", image: "x", ports }] }, status: { phase: "Running", podIP: ip, podIPs: [{ ip }, { ip: ip6 }] } }) as Pod;

test("host ports: by address and protocol, on loopback for who asks from another address, in both families, beside a node port of that number", async () => {
  const first = (text: Promise<string | number>) => text.then((answer) => String(answer).split(" ")[0]);
  await lab.apply(
    hostPortPod("a", pods[0]!, [{ containerPort: 8080, hostPort: 54323, hostIP: "127.0.0.1" }]), hostPortPod("b", pods[1]!, [{ containerPort: 8080, hostPort: 54323, hostIP: node.ip }]),
    hostPortPod("c", pods[2]!, [{ containerPort: 8081, hostPort: 54323, hostIP: node.ip, protocol: "UDP" }, { containerPort: 8080, hostPort: 8888 }, { containerPort: 8080, hostPort: 30080 }]),
  );
  expect(await first(request(node, "127.0.0.1", 54323, "--interface", node.ip))).toBe("pod2");
  expect(await first(request(node, "127.0.0.1", 54323))).toBe("pod2");
  expect(await first(request(node, "127.0.0.1", 8888))).toBe("pod4");
  expect(await first(request(node, node.ip, 54323))).toBe("pod3");
  expect(await request(outside, node.ip, 54323)).toBe(`pod3 ${outside.ip}`);
  expect(await answer(sending(outside, node.ip, 54323))).toBe("pod4");
  for (const address of [node.ip, node.ip6]) for (const from of [outside, node, pods[0]!, pods[2]!]) expect(await first(request(from, address, 8888))).toBe("pod4");
  expect(await first(request(pods[0]!, "10.42.0.1", 8888))).toBe("pod4");
  await lab.apply(service({ type: "NodePort", externalTrafficPolicy: "Cluster", ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] }), ...slices([pods[0]!]));
  expect(await first(request(outside, node.ip, 30080))).toBe("pod2");
  await lab.remove("services", "default/web");
  expect(await first(request(outside, node.ip, 30080))).toBe("pod4");
  const client = sending(outside, node.ip, 54323);
  expect(await answer(client)).toBe("pod4");
  await lab.apply(hostPortPod("c", pods[0]!, [{ containerPort: 8081, hostPort: 54323, hostIP: node.ip, protocol: "UDP" }]));
  expect(await answer(client)).toBe("pod2");
  for (const name of ["a", "b", "c"]) await lab.remove("pods", `default/${name}`);
  expect(await request(outside, node.ip, 8888)).toBe(7);
});

test("a pod whose host port answers on loopback reaches nothing there itself", async () => {
  const secret = Bun.serve({ hostname: "127.0.0.1", port: 9191, fetch: () => new Response("secret") });
  try {
    await lab.apply(hostPortPod("a", pods[0]!, [{ containerPort: 8080, hostPort: 8888 }]));
    expect(String(await request(node, "127.0.0.1", 8888))).toStartWith("pod2 ");
    const { namespace } = pods[0]!;
    // As somebody with all rights in a pod would: loopback by way of the node.
    for (const command of ["addr del 127.0.0.1/8 dev lo", "route add 127.0.0.1/32 via 10.42.0.1 dev eth0"]) run("ip", "-n", namespace!, ...command.split(" "));
    run("nsenter", `--net=/run/netns/${namespace}`, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ip route del local 127.0.0.0/8 dev lo table local 2>/dev/null; ip route del local 127.0.0.1 dev lo table local 2>/dev/null; true");
    expect(run("ip", "-n", namespace!, "route", "get", "127.0.0.1")).toContain("via 10.42.0.1");
    expect(await request(pods[0]!, "127.0.0.1", 9191)).toBe(28);
  } finally {
    await secret.stop(true);
    await lab.remove("pods", "default/a");
  }
});

test("health checks say how many endpoints the node has: with one 200, without or with ending ones 503; and end with the service", async () => {
  const local = service({ type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: 30999 }, { ingress: [{ ip: "203.0.113.8" }] });
  const check = async (address: string): Promise<{ status: number; weight: string | undefined; body: unknown }> => {
    const child = Bun.spawn(inside(outside, "curl", "-si", "--max-time", "20", `http://${address}:30999/`), { stdout: "pipe" });
    const [head = "", body = ""] = (await new Response(child.stdout).text()).split("\r\n\r\n");
    return { status: Number(head.split(" ")[1]), weight: /x-load-balancing-endpoint-weight: (\d+)/i.exec(head)?.[1], body: body && JSON.parse(body) };
  };
  const expected = (localEndpoints: number) => ({ status: localEndpoints ? 200 : 503, weight: String(localEndpoints), body: { service: { namespace: "default", name: "web" }, localEndpoints, serviceProxyHealthy: true } });
  await lab.apply(local, ...slices([pods[0]!, pods[1]!, { machine: pods[2]!, nodeName: "n2" }]));
  for (const address of [node.ip, `[${node.ip6}]`]) await eventually(async () => expect(await check(address)).toEqual(expected(2)));
  await lab.apply(...slices([{ machine: pods[0]!, conditions: { ready: false, serving: true, terminating: true } }]));
  await eventually(async () => expect(await check(node.ip)).toEqual(expected(0)));
  await lab.apply(service({ type: "LoadBalancer", externalTrafficPolicy: "Cluster" }));
  await eventually(async () => expect((await check(node.ip)).status).toBe(NaN));
});

test("a health check's port that another program has is told of, and taken when it is free", async () => {
  const other = Bun.serve({ hostname: node.ip, port: 30998, fetch: () => new Response("other") });
  const local = (spec: object = {}) => service({ type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: 30998, ...spec });
  await lab.apply(local(), ...slices([pods[0]!]));
  await eventually(() => expect(lab.warnings.filter((text) => text.includes("health check port"))).toHaveLength(1));
  await other.stop(true);
  await lab.apply(local({ selector: { app: "web" } }));
  await eventually(async () => expect(await request(outside, node.ip, 30998)).toContain('"localEndpoints": 1'));
  await lab.remove("services", "default/web");
});

describe("other programs", () => {
  const answers = () => eventually(async () => expect(String(await request(pods[1]!, "10.43.0.20", 80))).toStartWith("pod2"), { timeout: 10_000 });

  test.each([
    ["flushes all rules", ["nft", "flush", "ruleset"]], ["deletes our table", ["nft", "delete", "table", "ip", "skiff-test"]],
    ["empties a chain of ours", ["nft", "flush", "chain", "ip", "skiff-test", "services"]], ["deletes an element", ["nft", "delete", "element", "ip", "skiff-test", "service-ips", "{ 10.43.0.20 . tcp . 80 }"]],
  ])("when one %s, it is all there again at once", async (_, command) => {
    await lab.apply(service(), ...slices([pods[0]!]));
    await answers();
    const before = lab.warnings.length;
    run(...command);
    await answers();
    expect(lab.warnings.slice(before).some((text) => text.includes("restoring it"))).toBe(true);
    await eventually(() => expect(run("nft", "list", "tables")).toContain("table ip6 skiff-test"));
  });

  test("changes of other tables at the same time, from this process and from others, are no reason to restore ours", async () => {
    const before = lab.warnings.length, nft = openNftables(), table = { family: "ip", name: "busy" } as const;
    await nft.run(new Transaction(table).addTable().addSet("numbers", "type inet_service;"));
    let busy = true;
    const others = (async () => {
      for (let i = 1; busy; i++) {
        await nft.run(new Transaction(table).addElements("numbers", [{ key: String(i) }]));
        if (i % 5 === 0) await Bun.spawn(["nft", "delete", "element", "ip", "busy", "numbers", `{ ${i} }`]).exited;
      }
    })();
    for (let i = 0; i < 12; i++) await lab.apply(...slices([pods[i % 3]!]));
    await lab.restart();
    busy = false;
    await others;
    await nft.run(new Transaction(table).deleteTable());
    await lab.apply(service(), ...slices([pods[0]!]));
    await answers();
    expect(lab.warnings.slice(before)).toEqual([]);
  });

  test("our own changes are nobody else's, and others' tables are theirs", async () => {
    run("nft", "add table ip theirs; add chain ip theirs c; add rule ip theirs c accept");
    const before = lab.warnings.length;
    for (const machine of pods) await lab.apply(service({ sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }), ...slices([machine]));
    await lab.restart();
    await lab.apply(service(), ...slices([pods[0]!]));
    await answers();
    expect(lab.warnings.slice(before)).toEqual([]);
    expect(run("nft", "list", "table", "ip", "theirs")).toContain("accept");
    run("nft", "delete", "table", "ip", "theirs");
  });

  test("a firewall that keeps pods from the network is told of once, with what to do; one that lets them through is not", async () => {
    const before = lab.warnings.length, told = () => lab.warnings.slice(before);
    run("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");
    await eventually(() => expect(told()).toEqual([expect.stringContaining("chain FORWARD of table ip filter drops packets between pods, and from pods to elsewhere. To let them through: iptables -I FORWARD -s 10.42.0.0/16 -j ACCEPT && iptables -I FORWARD -d 10.42.0.0/16 -j ACCEPT")]));
    run("nft", "add table inet firewalld; add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }; add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited");
    await eventually(() => expect(told()[1]).toContain("firewall-cmd --permanent --zone=trusted --add-source=10.42.0.0/16"));
    run("nft", "delete table ip filter; delete table inet firewalld");
    run("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; add rule ip filter FORWARD ip saddr 10.42.0.0/16 accept; add rule ip filter FORWARD ip daddr 10.42.0.0/16 accept");
    run("nft", "add table ip last; add chain ip last out { type filter hook forward priority 20; policy drop; }");
    await eventually(() => expect(told().at(-1)).toContain("nft insert rule ip last out ip saddr 10.42.0.0/16 accept"));
    expect(told()).toHaveLength(3);
    run("nft", "delete table ip filter; delete table ip last");
  });
});

test("a cluster that has one family left has its table alone, and the other's when it has that again", async () => {
  await lab.restart({ clusterCidrs: ["10.42.0.0/16"], serviceCidrs: ["10.43.0.0/16"], clusterDns: ["10.43.0.10"] });
  expect(run("nft", "list", "tables")).toBe("table ip skiff-test\n");
  await lab.restart();
  expect(run("nft", "list", "tables")).toContain("table ip6 skiff-test");
});

test("a restart leaves connections and rules as they are", async () => {
  await lab.apply(service({ ports: [{ port: 53, protocol: "UDP" }] }), ...slices(pods, { port: 8081, protocol: "UDP" }));
  const client = sending(outside, "10.43.0.20", 53), first = await answer(client);
  await lab.restart();
  for (let i = 0; i < 3; i++) expect(await answer(client)).toBe(first);
});

test("an object that makes no sense harms no other", async () => {
  const before = lab.warnings.length;
  await lab.apply({ metadata: { namespace: "default", name: "odd" } } as Service, service(), ...slices([pods[0]!]));
  expect(String(await request(pods[1]!, "10.43.0.20", 80))).toStartWith("pod2 ");
  expect(lab.warnings.slice(before)).toEqual(Array(2).fill(expect.stringContaining("could not be worked out")));
});

test("metrics by kube-proxy's names", async () => {
  await lab.apply(service({ ports: [{ port: 53, protocol: "UDP" }] }), ...slices([pods[0]!], { port: 8081, protocol: "UDP" }));
  const client = sending(pods[2]!, "10.43.0.20", 53);
  expect(await answer(client)).toBe("pod2");
  const changed = slices([pods[1]!], { port: 8081, protocol: "UDP" }).map((slice) => ({ ...slice, metadata: { ...slice.metadata, annotations: { "endpoints.kubernetes.io/last-change-trigger-time": new Date().toISOString() } } }));
  await lab.apply(...changed);
  expect(await answer(client)).toBe("pod3");
  const text = lab.metrics().render();
  expect(text).toMatch(/kubeproxy_sync_proxy_rules_duration_seconds_count\{ip_family="IPv6"\} \d+/);
  expect(text).toMatch(/kubeproxy_conntrack_reconciler_deleted_entries_total\{ip_family="IPv4"\} [1-9]/);
  expect(text).toMatch(/kubeproxy_network_programming_duration_seconds_count [1-9]/);
});
