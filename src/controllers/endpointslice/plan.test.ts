import { describe, expect, test } from "bun:test";
import type { Node, Pod, Service } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { planSlices } from "./plan.ts";

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
const node: Node = { metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": "z1" } }, spec: {} };

interface Changes {
  create: EndpointSlice[];
  update: EndpointSlice[];
  /** Names. */
  delete: string[];
}

/** The plan of all families together. */
function plan(s: Service, all: Pod[], existing: EndpointSlice[] = []): Changes {
  const { families, delete: gone } = planSlices(s, all, existing, (name) => (name === "n1" ? node : undefined));
  return { create: families.flatMap(({ create }) => create), update: families.flatMap(({ update }) => update), delete: [...families.flatMap((f) => f.delete), ...gone].map(({ metadata }) => metadata.name!) };
}

/** The slices after a plan, as the server would have them. */
function applied(existing: EndpointSlice[], { create, update, delete: deleted }: Changes): EndpointSlice[] {
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

test("an endpoint whose state changed is changed in its place, and says no more than that", () => {
  const slices = applied([], plan(service(), pods(1, 150)));
  const { create, update, delete: gone } = plan(service(), [...pods(1, 149), pod(150, { ready: false })], slices);
  expect([create, gone, update.map(({ metadata }) => metadata.name)]).toEqual([[], [], [slices[1]!.metadata.name]]);
  expect(update[0]!.endpoints[49]!.conditions).toEqual({ ready: false, serving: false, terminating: false });
});

test("what would go is used for what would come", () => {
  const slices = applied([], plan(service(), pods(1, 2)));
  const named = plan(service({ ports: [{ name: "web", port: 80, targetPort: 9090, protocol: "TCP" }] }), pods(1, 2), slices);
  expect([named.create, named.delete]).toEqual([[], []]);
  expect(named.update.map(({ metadata, ports }) => [metadata.name, ports[0]!.port])).toEqual([[slices[0]!.metadata.name, 9090]]);
  const emptied = plan(service(), [], slices);
  expect([emptied.create, emptied.delete, emptied.update.map(({ endpoints, ports }) => [endpoints, ports])]).toEqual([[], [], [[[], []]]]);
});

test("slices of an earlier service of the name are left to go", () => {
  const slices = applied([], plan(service(), pods(1, 2)));
  const later = { ...service(), metadata: { ...service().metadata, uid: "another" } };
  const { create, update, delete: gone } = plan(later, pods(1, 2), slices);
  expect([create.length, update, gone]).toEqual([1, [], [slices[0]!.metadata.name!]]);
  const leaving = { ...later, metadata: { ...later.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
  expect(plan(leaving, pods(1, 2)).create).toEqual([]);
});

test("pods of a node that isn't known are left out, unless all are to be published", () => {
  const lost = { ...pod(2), spec: { ...pod(2).spec, nodeName: "n2" } };
  const only = planSlices(service(), [pod(1), lost], [], (name) => (name === "n1" ? node : undefined));
  expect([only.nodeless.map(({ metadata }) => metadata.name!), sizes(only.families[0]!.create)]).toEqual([["p2"], [1]]);
  expect(sizes(plan(service({ publishNotReadyAddresses: true }), [pod(1), lost]).create)).toEqual([2]);
});
