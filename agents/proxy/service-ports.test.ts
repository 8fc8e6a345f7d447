import { expect, test } from "bun:test";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { serviceOf, servicePorts } from "./service-ports.ts";

const service = (labels: Record<string, string> = {}): Service => ({ metadata: { name: "web", namespace: "ns", labels }, spec: { clusterIP: "10.43.0.20", ports: [{ port: 80 }] } });
const slice = (labels: Record<string, string> = {}): EndpointSlice => ({
  metadata: { name: "web-1", namespace: "ns", labels: { "kubernetes.io/service-name": "web", ...labels } },
  addressType: "IPv4", endpoints: [{ addresses: ["10.42.0.2"], conditions: { ready: true } }], ports: [{ port: 8080 }],
});
const portsOf = (serviceLabels?: Record<string, string>, sliceLabels?: Record<string, string>) => servicePorts(service(serviceLabels), [slice(sliceLabels)], "IPv4", { nodeName: "n1", zone: undefined });

test("a Service goes to its slices' endpoints", () => {
  expect(portsOf()).toMatchObject([{ name: "ns/web:80", clusterIp: "10.43.0.20", port: 80, internalEndpoints: [{ ip: "10.42.0.2", port: 8080 }] }]);
});

test("a Service that says who its proxy is has none of ours", () => {
  expect(portsOf({ "service.kubernetes.io/service-proxy-name": "other" })).toEqual([]);
});

test("slices for names alone are no endpoints for a proxy; the label on the Service says nothing", () => {
  expect(serviceOf(slice())).toBe("ns/web");
  expect(serviceOf(slice({ "service.kubernetes.io/headless": "" }))).toBeUndefined();
  expect(portsOf({ "service.kubernetes.io/headless": "" })).toMatchObject([{ internalEndpoints: [{ ip: "10.42.0.2" }] }]);
});

test("of each family what belongs to it", () => {
  const dual: Service = {
    metadata: { name: "web", namespace: "ns" },
    spec: { type: "LoadBalancer", clusterIP: "10.43.0.20", clusterIPs: ["10.43.0.20", "FD00:43::0020"], externalIPs: ["192.0.2.1", "2001:DB8::1", "not an address"], loadBalancerSourceRanges: [" 10.0.0.0/8", "2001:db8::/32"], ports: [{ port: 80 }] },
    status: { loadBalancer: { ingress: [{ ip: "192.0.2.2" }, { ip: "2001:db8::2", ipMode: "VIP" }, { ip: "192.0.2.3", ipMode: "Proxy" }, { hostname: "example.org" }] } },
  };
  const place = { nodeName: "n1", zone: undefined };
  expect(servicePorts(dual, [slice()], "IPv4", place)).toMatchObject([{ clusterIp: "10.43.0.20", externalIps: ["192.0.2.1"], loadBalancerIps: ["192.0.2.2"], sourceRanges: ["10.0.0.0/8"], internalEndpoints: [{ ip: "10.42.0.2" }] }]);
  expect(servicePorts(dual, [slice()], "IPv6", place)).toMatchObject([{ clusterIp: "fd00:43::20", externalIps: ["2001:db8::1"], loadBalancerIps: ["2001:db8::2"], sourceRanges: ["2001:db8::/32"], anyEndpoints: false }]);
});

test.each([["headless", { clusterIP: "None" }], ["by another name", { type: "ExternalName" as const, externalName: "example.org" }], ["without an address yet", {}]])("a Service that is %s has no ports", (_, spec) => {
  expect(servicePorts({ metadata: { name: "web", namespace: "ns" }, spec: { ports: [{ port: 80 }], ...spec } }, [slice()], "IPv4", { nodeName: "n1", zone: undefined })).toEqual([]);
});
