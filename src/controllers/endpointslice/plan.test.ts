import { describe, expect, test } from "bun:test";
import type { Pod, Service } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { subsetsOf } from "../endpoints/plan.ts";
import { planSlices, type SlicePlan } from "./plan.ts";

const service = (spec: Partial<Service["spec"]> = {}): Service =>
  ({ metadata: { name: "web", namespace: "default", uid: "s" }, spec: { clusterIP: "10.43.0.7", selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080, protocol: "TCP" }], ...spec } }) as Service;

interface PodFacts {
  ready?: boolean;
  deleting?: boolean;
  phase?: "Running" | "Failed";
  ip?: string;
  hostname?: string;
  portNumber?: number;
}

function pod(n: number, { ready = true, deleting, phase = "Running", ip = `10.42.0.${n}`, hostname, portNumber = 8080 }: PodFacts = {}): Pod {
  return {
    metadata: { name: `p${n}`, namespace: "default", uid: `u${n}`, ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}) },
    spec: { nodeName: "n1", containers: [{ name: "c", ports: [{ name: "http", containerPort: portNumber }] }], ...(hostname ? { hostname, subdomain: "web" } : {}) },
    status: { phase, podIP: ip, podIPs: ip ? [{ ip }] : [], conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}
const pods = (from: number, to: number): Pod[] => Array.from({ length: to - from + 1 }, (_, i) => pod(from + i));
const plan = (s: Service, all: Pod[], existing: EndpointSlice[] = []): SlicePlan => planSlices(s, all, existing, (node) => (node === "n1" ? "z1" : undefined));
/** The slices after a plan, as the server would have them. */
function applied(existing: EndpointSlice[], { create, update, delete: deleted }: SlicePlan): EndpointSlice[] {
  const kept = existing.filter((slice) => !deleted.includes(slice.metadata.name!)).map((slice) => update.find((u) => u.metadata.name === slice.metadata.name) ?? slice);
  return [...kept, ...create.map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `web-${existing.length + i}` } }))];
}
const sizes = (slices: EndpointSlice[]): number[] => slices.map((slice) => slice.endpoints.length);

describe("one endpoint", () => {
  const only = (s: Service, p: Pod): unknown => plan(s, [p]).create[0]!.endpoints[0];
  const common = { addresses: ["10.42.0.1"], targetRef: { kind: "Pod", namespace: "default", name: "p1", uid: "u1" }, nodeName: "n1", zone: "z1" };
  const table: { name: string; service?: Partial<Service["spec"]>; pod: PodFacts; expected: object | undefined }[] = [
    { name: "ready", pod: {}, expected: { ...common, conditions: { ready: true, serving: true, terminating: false } } },
    { name: "not ready", pod: { ready: false }, expected: { ...common, conditions: { ready: false, serving: false, terminating: false } } },
    { name: "terminating, and still serving", pod: { deleting: true }, expected: { ...common, conditions: { ready: false, serving: true, terminating: true } } },
    { name: "published before it is ready", service: { publishNotReadyAddresses: true }, pod: { ready: false }, expected: { ...common, conditions: { ready: true, serving: false, terminating: false } } },
    { name: "with a host name", service: { clusterIP: "None" }, pod: { hostname: "db-0" }, expected: { ...common, hostname: "db-0", conditions: { ready: true, serving: true, terminating: false } } },
    { name: "finished", pod: { phase: "Failed" }, expected: undefined },
    { name: "without an address", pod: { ip: "" }, expected: undefined },
    { name: "of the other family", pod: { ip: "fd00::1" }, expected: undefined },
  ];
  for (const { name, service: spec, pod: facts, expected } of table) test(name, () => expect(only(service(spec), pod(1, facts))).toEqual(expected));
});

test("a service without endpoints has one empty slice, which is used first", () => {
  const empty = applied([], plan(service(), []));
  expect(sizes(empty)).toEqual([0]);
  expect(plan(service(), [], empty)).toEqual({ create: [], update: [], delete: [] });
  const filled = plan(service(), pods(1, 2), empty);
  expect([filled.create.length, filled.update.length, filled.delete.length]).toEqual([0, 1, 0]);
  expect(sizes(applied(empty, plan(service(), pods(1, 2), empty)))).toEqual([2]);
});

test("slices hold a hundred endpoints, and change as little as can be", () => {
  let slices = applied([], plan(service(), pods(1, 250)));
  expect(sizes(slices)).toEqual([100, 100, 50]);
  expect(plan(service(), pods(1, 250), slices)).toEqual({ create: [], update: [], delete: [] });
  const grown = plan(service(), pods(1, 260), slices);
  expect(grown.update.map((s) => s.endpoints.length)).toEqual([60]);
  expect(grown.create).toEqual([]);
  slices = applied(slices, grown);
  // Ten go from the first slice and ten come: they take the places that change anyway.
  const swapped = plan(service(), pods(11, 270), slices);
  expect(swapped.update.map((s) => s.metadata.name)).toEqual([slices[0]!.metadata.name]);
  slices = applied(slices, swapped);
  expect(sizes(slices)).toEqual([100, 100, 60]);
  slices = applied(slices, plan(service(), pods(101, 200), slices));
  expect(slices.flatMap((s) => s.endpoints).length).toBe(100);
});

test("pods whose named port differs are in slices of their own", () => {
  const s = service({ ports: [{ name: "main", port: 80, targetPort: "http", protocol: "TCP" }] });
  const { create } = plan(s, [pod(1), pod(2, { portNumber: 9090 }), pod(3)]);
  expect(create.map((slice) => [slice.ports[0]!.port!, slice.endpoints.length]).toSorted()).toEqual([[8080, 2], [9090, 1]]);
  const without = { ...pod(4), spec: { containers: [{ name: "c" }] } };
  expect(plan(s, [without]).create[0]!.ports).toEqual([]);
});

test("labels say whose the slices are", () => {
  const { create } = plan({ ...service({ clusterIP: "None" }), metadata: { name: "web", namespace: "default", labels: { team: "a", "kubernetes.io/service-name": "forged" } } }, []);
  expect(create[0]!.metadata.labels).toEqual({ team: "a", "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io", "service.kubernetes.io/headless": "" });
});

test("both families have slices of their own, and a family that goes takes its slices", () => {
  const both = service({ ipFamilies: ["IPv4", "IPv6"] });
  const dual = { ...pod(1), status: { ...pod(1).status, podIPs: [{ ip: "10.42.0.1" }, { ip: "fd00::1" }] } };
  const slices = applied([], plan(both, [dual]));
  expect(slices.map((s) => [s.addressType, s.endpoints[0]!.addresses[0]!])).toEqual([["IPv4", "10.42.0.1"], ["IPv6", "fd00::1"]]);
  expect(plan(service(), [dual], slices).delete).toEqual([slices[1]!.metadata.name!]);
});

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
  test("no more than a thousand addresses", () => {
    const { subsets, truncated } = subsetsOf(service(), Array.from({ length: 1001 }, (_, i) => pod(i, { ip: `10.42.${i >> 8}.${i & 255}` })));
    expect([subsets[0]!.addresses!.length, truncated]).toEqual([1000, true]);
  });
});
