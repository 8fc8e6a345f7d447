import { expect, test } from "bun:test";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { servicePorts } from "./service-ports.ts";

const service = (labels: Record<string, string> = {}): Service => ({ metadata: { name: "web", namespace: "ns", labels }, spec: { clusterIP: "10.43.0.20", ports: [{ port: 80 }] } });
const slice = (labels: Record<string, string> = {}): EndpointSlice => ({
  metadata: { name: "web-1", namespace: "ns", labels: { "kubernetes.io/service-name": "web", ...labels } },
  addressType: "IPv4", endpoints: [{ addresses: ["10.42.0.2"], conditions: { ready: true } }], ports: [{ port: 8080 }],
});
const portsOf = (serviceLabels?: Record<string, string>, sliceLabels?: Record<string, string>) => servicePorts([service(serviceLabels)], [slice(sliceLabels)], "n1");

test("a Service goes to its slices' endpoints", () => {
  expect(portsOf()).toMatchObject([{ name: "ns/web:80", clusterIp: "10.43.0.20", port: 80, endpoints: [{ ip: "10.42.0.2", port: 8080 }] }]);
});

test("a Service that says who its proxy is has none of ours", () => {
  expect(portsOf({ "service.kubernetes.io/service-proxy-name": "other" })).toEqual([]);
});

test("slices for names alone are no endpoints; the label on the Service says nothing", () => {
  expect(portsOf({}, { "service.kubernetes.io/headless": "" })).toMatchObject([{ endpoints: [] }]);
  expect(portsOf({ "service.kubernetes.io/headless": "" })).toMatchObject([{ endpoints: [{ ip: "10.42.0.2", port: 8080 }] }]);
});
