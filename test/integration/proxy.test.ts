import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Node } from "../../src/apis/generated/core/v1.ts";
import { createProxyNode, type Machine, nodeName, type ProxyNode, request, serversOf, service, slices } from "../support/proxy-node.ts";

let lab: ProxyNode, node: Machine, outside: Machine, pods: readonly Machine[];
beforeAll(async () => {
  lab = await createProxyNode();
  ({ node, outside, pods } = lab);
}, 180_000);
afterAll(() => lab?.dispose());

const all = new Set(["pod2", "pod3", "pod4"]);

describe.each([["IPv4", "ip", "10.43.0.20", "127.0.0.1"], ["IPv6", "ip6", "fd00:43::20", "::1"]] as const)("%s", (_, ip, clusterIp, loopback) => {
  test("a ClusterIP spreads over its endpoints, from pods and from the node, and pods keep their address", async () => {
    await lab.apply(service(), ...slices(pods));
    expect(await serversOf(pods[0]!, clusterIp, 80, { wanted: 3 })).toEqual(all);
    expect(await serversOf(node, clusterIp, 80, { wanted: 3 })).toEqual(all);
    await lab.apply(...slices([pods[1]!]));
    expect(await request(pods[0]!, clusterIp, 80)).toBe(`pod3 ${pods[0]![ip]}`);
  });

  test("from beyond the node, for who routes there: with the node's address", async () => {
    await lab.apply(service(), ...slices([pods[0]!]));
    expect(String(await request(outside, clusterIp, 80))).toStartWith("pod2 ");
    expect(String(await request(outside, clusterIp, 80))).not.toContain(outside[ip]);
  });

  test("hairpin: a pod reaches itself through its Service", async () => {
    await lab.apply(service(), ...slices([pods[0]!]));
    expect(String(await request(pods[0]!, clusterIp, 80))).toStartWith("pod2 ");
  });

  test("a node port answers on the node's address, not on loopback or another one", async () => {
    await lab.apply(service({ type: "NodePort", externalTrafficPolicy: "Cluster", ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] }), ...slices(pods));
    for (const from of [outside, node, pods[0]!]) expect(await serversOf(from, node[ip], 30080, { wanted: 3 })).toEqual(all);
    expect(await request(node, loopback, 30080)).toBe(7);
    if (ip === "ip") expect(await request(pods[0]!, "10.42.0.1", 30080)).toBe(7);
    expect(String(await request(outside, node[ip], 30080)).split(" ")[1]).not.toBe(outside[ip]);
  });

  test("no endpoints, or no such port: refused at once; an address nobody has: dropped, not sent on; back as soon as there is one", async () => {
    await lab.apply(service({ type: "NodePort", externalTrafficPolicy: "Cluster", ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] }), ...slices([]));
    for (const from of [pods[0]!, node]) expect(await request(from, clusterIp, 80)).toBe(7);
    expect(await request(outside, node[ip], 30080)).toBe(7);
    expect(await request(pods[0]!, clusterIp.replace("20", "99"), 80)).toBe(28);
    await lab.apply(...slices([pods[1]!]));
    expect(await request(pods[0]!, clusterIp, 81)).toBe(7);
    expect(String(await request(pods[0]!, clusterIp, 80))).toStartWith("pod3 ");
  });

  test("external addresses and a load balancer's answer, also for what the node and its pods send; but not one in front of a proxy", async () => {
    const [external, balanced, proxied] = ip === "ip" ? ["203.0.113.7", "203.0.113.8", "203.0.113.9"] : ["2001:db8::7", "2001:db8::8", "2001:db8::9"];
    await lab.apply(service({ type: "LoadBalancer", externalTrafficPolicy: "Cluster", externalIPs: [external!] }, { ingress: [{ ip: balanced!, ipMode: "VIP" }, { ip: proxied!, ipMode: "Proxy" }] }), ...slices([pods[0]!]));
    for (const from of [outside, node, pods[1]!]) for (const address of [external!, balanced!]) expect(String(await request(from, address, 80))).toStartWith("pod2 ");
    expect(await request(pods[1]!, proxied!, 80)).not.toBe("pod2");
  });

  test("source ranges are for the load balancer's addresses: others are dropped there, and not at node ports", async () => {
    const balanced = ip === "ip" ? "203.0.113.8" : "2001:db8::8", within = ip === "ip" ? [`${outside.ip}/32`, "10.99.0.2/31"] : [`${outside.ip6}/128`];
    const ranged = (loadBalancerSourceRanges: string[]) => service({ type: "LoadBalancer", externalTrafficPolicy: "Cluster", loadBalancerSourceRanges, ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] }, { ingress: [{ ip: balanced }] });
    await lab.apply(ranged(within), ...slices([pods[0]!]));
    expect(String(await request(outside, balanced, 80))).toStartWith("pod2 ");
    expect(await request(pods[1]!, balanced, 80)).toBe(28);
    await lab.apply(ranged([ip === "ip" ? "192.0.2.0/24" : "2001:db8:1::/48"]));
    expect(await request(outside, balanced, 80)).toBe(28);
    expect(String(await request(outside, node[ip], 30080))).toStartWith("pod2 ");
    await lab.apply(ranged([]));
    expect(String(await request(outside, balanced, 80))).toStartWith("pod2 ");
  });

  test("externalTrafficPolicy Local: the client's own address, endpoints of this node alone; pods and the node are sent anywhere", async () => {
    const balanced = ip === "ip" ? "203.0.113.8" : "2001:db8::8";
    const elsewhere = { machine: pods[1]!, nodeName: "n2" };
    const local = service({ type: "LoadBalancer", externalTrafficPolicy: "Local", ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] }, { ingress: [{ ip: balanced }] });
    await lab.apply(local, ...slices([pods[0]!, elsewhere]));
    for (const [address, port] of [[node[ip], 30080], [balanced, 80]] as const) {
      for (let i = 0; i < 6; i++) expect(await request(outside, address, port)).toBe(`pod2 ${outside[ip]}`);
      expect(await serversOf(pods[2]!, address, port, { wanted: 2 })).toEqual(new Set(["pod2", "pod3"]));
      expect(await serversOf(node, address, port, { wanted: 2 })).toEqual(new Set(["pod2", "pod3"]));
    }
    await lab.apply(...slices([elsewhere]));
    for (const [address, port] of [[node[ip], 30080], [balanced, 80]] as const) {
      expect(await request(outside, address, port)).toBe(28);
      expect(String(await request(pods[2]!, address, port))).toStartWith("pod3 ");
      expect(String(await request(node, address, port))).toStartWith("pod3 ");
    }
    await lab.apply(...slices([]));
    expect(await request(outside, node[ip], 30080)).toBe(7);
  });

  test("internalTrafficPolicy Local: endpoints of this node alone, else dropped", async () => {
    await lab.apply(service({ internalTrafficPolicy: "Local" }), ...slices([pods[0]!, { machine: pods[1]!, nodeName: "n2" }]));
    expect(await serversOf(pods[2]!, clusterIp, 80, { times: 10 })).toEqual(new Set(["pod2"]));
    await lab.apply(...slices([{ machine: pods[1]!, nodeName: "n2" }]));
    expect(await request(pods[2]!, clusterIp, 80)).toBe(28);
  });

  test("endpoints that are ending are used when no other is left, and only those that still serve", async () => {
    const ending = (machine: Machine, serving: boolean) => ({ machine, conditions: { ready: false, serving, terminating: true } });
    await lab.apply(service(), ...slices([ending(pods[0]!, true), ending(pods[1]!, false), { machine: pods[2]!, conditions: { ready: false, serving: false, terminating: false } }]));
    expect(await serversOf(pods[2]!, clusterIp, 80, { times: 10 })).toEqual(new Set(["pod2"]));
    await lab.apply(...slices([ending(pods[0]!, true), pods[2]!]));
    expect(await serversOf(pods[1]!, clusterIp, 80, { times: 10 })).toEqual(new Set(["pod4"]));
  });

  test("hints: the same node's, else the same zone's, else all", async () => {
    const hinted = (machine: Machine, node: string | undefined, zone: string) => ({ machine, nodeName: "n2", hints: { ...(node ? { forNodes: [{ name: node }] } : {}), forZones: [{ name: zone }] } });
    const zoned = (zone: string | undefined): Node => ({ spec: {}, metadata: { name: nodeName, ...(zone ? { labels: { "topology.kubernetes.io/zone": zone } } : {}) } });
    await lab.apply(zoned("a"), service(), ...slices([hinted(pods[0]!, "n2", "a"), hinted(pods[1]!, "n3", "b"), hinted(pods[2]!, "n3", "b")]));
    expect(await serversOf(node, clusterIp, 80, { times: 10 })).toEqual(new Set(["pod2"]));
    await lab.apply(zoned("b"));
    expect(await serversOf(node, clusterIp, 80, { wanted: 2 })).toEqual(new Set(["pod3", "pod4"]));
    await lab.apply(...slices([hinted(pods[0]!, nodeName, "a"), hinted(pods[1]!, "n3", "b"), hinted(pods[2]!, "n3", "b")]));
    expect(await serversOf(node, clusterIp, 80, { times: 10 })).toEqual(new Set(["pod2"]));
    await lab.apply(zoned(undefined), ...slices([hinted(pods[0]!, "n2", "a"), hinted(pods[1]!, undefined, "b"), hinted(pods[2]!, "n3", "b")]));
    expect(await serversOf(node, clusterIp, 80, { wanted: 3 })).toEqual(all);
  });

  test("session affinity keeps a client on one endpoint, by whichever address, over a restart, also when another one leaves; off again, it spreads", async () => {
    const sticky = (sessionAffinity: "None" | "ClientIP", timeoutSeconds = 60) => service({ type: "NodePort", externalTrafficPolicy: "Cluster", sessionAffinity, sessionAffinityConfig: { clientIP: { timeoutSeconds } }, ports: [{ port: 80, nodePort: 30080, protocol: "TCP" }] });
    await lab.apply(sticky("ClientIP"), ...slices(pods));
    const chosen = await serversOf(pods[0]!, clusterIp, 80, { times: 12 });
    expect(chosen.size).toBe(1);
    expect(await serversOf(pods[0]!, node[ip], 30080, { times: 6 })).toEqual(chosen);
    await lab.restart();
    expect(await serversOf(pods[0]!, clusterIp, 80, { times: 12 })).toEqual(chosen);
    const other = pods.find(({ name }) => !chosen.has(name) && name !== "pod2")!;
    await lab.apply(...slices(pods.filter((pod) => pod !== other)));
    expect(await serversOf(pods[0]!, clusterIp, 80, { times: 12 })).toEqual(chosen);
    await lab.apply(sticky("ClientIP", 30));
    expect((await serversOf(pods[0]!, clusterIp, 80, { times: 12 })).size).toBe(1);
    await lab.apply(sticky("None"), ...slices(pods));
    expect(await serversOf(pods[0]!, clusterIp, 80, { times: 30, wanted: 3 })).toEqual(all);
  });
});
