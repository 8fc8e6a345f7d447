import { describe, expect, test } from "bun:test";
import type { Pod, Service } from "../../apis/generated/core/v1.ts";
import { subsetsOf } from "./plan.ts";

const service = (spec: Partial<Service["spec"]> = {}): Service =>
  ({ metadata: { name: "web", namespace: "default", uid: "s" }, spec: { clusterIP: "10.43.0.7", selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080, protocol: "TCP" }], ...spec } }) as Service;

interface PodFacts {
  ready?: boolean;
  deleting?: boolean;
  phase?: "Running" | "Failed";
  ip?: string;
  portNumber?: number;
}

function pod(n: number, { ready = true, deleting, phase = "Running", ip = `10.42.0.${n}`, portNumber = 8080 }: PodFacts = {}): Pod {
  return {
    metadata: { name: `p${n}`, namespace: "default", uid: `u${n}`, ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}) },
    spec: { nodeName: "n1", containers: [{ name: "c", ports: [{ name: "http", containerPort: portNumber }] }] },
    status: { phase, podIP: ip, podIPs: ip ? [{ ip }] : [], conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

describe("classic Endpoints", () => {
  const shown = (s: Service, all: Pod[]): unknown => subsetsOf(s, all).subsets.map(({ addresses = [], notReadyAddresses = [], ports }) => [addresses.map((a) => a.ip), notReadyAddresses.map((a) => a.ip), ports?.map((p) => p.port)]);
  const named = service({ ports: [{ name: "main", port: 80, targetPort: "http", protocol: "TCP" }] });
  const table: { name: string; service: Service; pods: Pod[]; expected: unknown }[] = [
    { name: "ready and not", service: service(), pods: [pod(2), pod(1), pod(3, { ready: false })], expected: [[["10.42.0.1", "10.42.0.2"], ["10.42.0.3"], [8080]]] },
    { name: "one subset for each set of ports", service: named, pods: [pod(1), pod(2, { portNumber: 9090 })], expected: [[["10.42.0.1"], [], [8080]], [["10.42.0.2"], [], [9090]]] },
    { name: "without those that end or have ended", service: service(), pods: [pod(1, { deleting: true }), pod(2, { phase: "Failed" })], expected: [] },
    { name: "all of them when they are published unready", service: service({ publishNotReadyAddresses: true }), pods: [pod(1, { ready: false, deleting: true })], expected: [[["10.42.0.1"], [], [8080]]] },
    { name: "headless without ports", service: service({ clusterIP: "None", ports: undefined }), pods: [pod(1)], expected: [[["10.42.0.1"], [], undefined]] },
    { name: "no pod has the port", service: named, pods: [{ ...pod(1), spec: { containers: [{ name: "c" }] } }], expected: [] },
  ];
  for (const { name, service: s, pods: all, expected } of table) test(name, () => expect(shown(s, all)).toEqual(expected));
  test("ports that the same pods have are together, others apart", () => {
    const two = service({ ports: [{ name: "main", port: 80, targetPort: "http", protocol: "TCP" }, { name: "also", port: 81, targetPort: 8081, protocol: "TCP" }, { name: "too", port: 82, targetPort: 8082, protocol: "TCP" }] });
    const without = { ...pod(2), spec: { nodeName: "n1", containers: [{ name: "c" }] } };
    expect(shown(two, [pod(1), without])).toEqual([[["10.42.0.1", "10.42.0.2"], [], [8081, 8082]], [["10.42.0.1"], [], [8080]]]);
  });
  test("beyond a thousand, ready ones come first and each subset keeps its part", () => {
    const many = [...Array.from({ length: 900 }, (_, i) => pod(i, { ip: `10.42.${i >> 8}.${i & 255}` })), ...Array.from({ length: 200 }, (_, i) => pod(900 + i, { ready: false, ip: `10.43.0.${i}`, portNumber: i < 150 ? 8080 : 9090 }))];
    expect(subsetsOf(named, many).subsets.map(({ addresses = [], notReadyAddresses = [] }) => [addresses.length, notReadyAddresses.length])).toEqual([[900, 75], [0, 25]]);
  });
  test("no more than a thousand addresses", () => {
    const { subsets, truncated } = subsetsOf(service(), Array.from({ length: 1001 }, (_, i) => pod(i, { ip: `10.42.${i >> 8}.${i & 255}` })));
    expect([subsets[0]!.addresses!.length, truncated]).toEqual([1000, true]);
  });
});
