import { expect, test } from "bun:test";
import type { Node, Service } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { planLoadBalancer, wantsLoadBalancer, type LoadBalancerFacts, type LoadBalancerPlan } from "./plan.ts";

const service = (spec: object = {}, metadata: object = {}): Service => ({ metadata: { name: "web", namespace: "default", ...metadata }, spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], ports: [{ port: 80, protocol: "TCP" }], ...spec } }) as Service;
function node(name: string, addresses: Record<string, string>, { ready = "True", labels = {}, taints = [] as { key: string; effect: string }[] } = {}): Node {
  return { metadata: { name, labels }, spec: { taints }, status: { conditions: [{ type: "Ready", status: ready }], addresses: Object.entries(addresses).map(([address, type]) => ({ type, address })) } } as Node;
}
const a = node("a", { "192.168.1.1": "InternalIP", "a": "Hostname" }), b = node("b", { "192.168.1.2": "InternalIP" });
const enabled = "svccontroller.k3s.cattle.io/enablelb", pool = "svccontroller.k3s.cattle.io/lbpool";
const slice = (...endpoints: [node: string, ready: boolean][]): EndpointSlice => ({ metadata: { name: "s" }, addressType: "IPv4", ports: [], endpoints: endpoints.map(([nodeName, ready]) => ({ addresses: ["10.42.0.1"], nodeName, conditions: { ready } })) });

const plan = (facts: Partial<LoadBalancerFacts>): LoadBalancerPlan => planLoadBalancer({ service: service(), nodes: [], slices: [], others: [], apiServer: undefined, ...facts });

test.each([
  ["all nodes' internal addresses", {}, {}, [b, a], [], ["192.168.1.1", "192.168.1.2"]],
  ["external ones where there is one", {}, {}, [a, node("c", { "192.168.1.3": "InternalIP", "203.0.113.3": "ExternalIP" })], [], ["203.0.113.3"]],
  ["of ready nodes", {}, {}, [a, node("c", { "192.168.1.3": "InternalIP" }, { ready: "Unknown" })], [], ["192.168.1.1"]],
  ["not of nodes that are left out", {}, {}, [a, node("c", { "192.168.1.3": "InternalIP" }, { labels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" } }), node("d", { "192.168.1.4": "InternalIP" }, { taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] })], [], ["192.168.1.1"]],
  ["of nodes with ready endpoints, if traffic stays local", { externalTrafficPolicy: "Local" }, {}, [a, b], [slice(["b", true], ["a", false])], ["192.168.1.2"]],
  ["of enabled nodes, if there are any", {}, {}, [a, node("c", { "192.168.1.3": "InternalIP" }, { labels: { [enabled]: "true" } })], [], ["192.168.1.3"]],
  ["of a pool", {}, { labels: { [pool]: "x" } }, [node("c", { "192.168.1.3": "InternalIP" }, { labels: { [enabled]: "true", [pool]: "x" } }), node("d", { "192.168.1.4": "InternalIP" }, { labels: { [enabled]: "true" } })], [], ["192.168.1.3"]],
  ["of both families, its own first", { ipFamilies: ["IPv6", "IPv4"] }, {}, [node("c", { "192.168.1.3": "InternalIP", "fd00::3": "InternalIP" })], [], ["fd00::3", "192.168.1.3"]],
  ["none", {}, {}, [], [], []],
] as const)("%s", (_, spec, metadata, nodes, slices, expected) =>
  expect(plan({ service: service(spec, metadata), nodes: nodes as never, slices: slices as never })).toEqual({ ingress: expected.map((ip) => ({ ip, ipMode: "VIP" })), refused: [] }));

test("a port of an address is of one service", () => {
  const holder = { ...service({ ports: [{ port: 80, protocol: "TCP" }, { port: 53, protocol: "UDP" }] }, { name: "first" }), status: { loadBalancer: { ingress: [{ ip: "192.168.1.1" }] } } };
  expect(plan({ nodes: [a, b], others: [holder] })).toEqual({ ingress: [{ ip: "192.168.1.2", ipMode: "VIP" }], refused: [{ port: "80/TCP", address: "192.168.1.1", by: "Service default/first" }] });
  expect(plan({ service: service({ ports: [{ port: 53, protocol: "TCP" }] }), nodes: [a], others: [holder] }).refused).toEqual([]);
});

test("the cluster's own ports are no service's", () => {
  const kubelet: Node = { ...a, status: { ...a.status, daemonEndpoints: { kubeletEndpoint: { Port: 10250 } } } };
  const apiServer: EndpointSlice = { metadata: { name: "kubernetes" }, addressType: "IPv4", endpoints: [{ addresses: ["192.168.1.2"] }], ports: [{ port: 6443, protocol: "TCP" }] };
  const on = (port: number): unknown => plan({ service: service({ ports: [{ port, protocol: "TCP" }] }), nodes: [kubelet, b], apiServer }).refused.map(({ address, by }) => `${address} ${by}`);
  expect([on(80), on(10250), on(6443)]).toEqual([[], ["192.168.1.1 the kubelet"], ["192.168.1.2 the API server"]]);
});

test("whose services", () => {
  expect([service(), service({ type: "NodePort" }), service({ loadBalancerClass: "example.com/other" }), service({}, { deletionTimestamp: "2026-01-01T00:00:00Z" })].map(wantsLoadBalancer)).toEqual([true, false, false, false]);
});
