import { describe, expect, test } from "bun:test";
import { endpoints, endpointslices, events, nodes, pods, services } from "../../src/apis/builtins.ts";
import type { Endpoints, Event, Pod, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "default";
const merge = "application/merge-patch+json";

const service = (name: string, spec: Partial<Service["spec"]>, metadata: Partial<Service["metadata"]> = {}): Service =>
  ({ apiVersion: "v1", kind: "Service", metadata: { name, namespace, ...metadata }, spec: { ports: [{ port: 80, targetPort: 8080, protocol: "TCP" }], ...spec } }) as Service;
const pod = (name: string, nodeName: string): Pod => ({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels: { app: "web" } }, spec: { nodeName, containers: [{ name: "c", image: "i" }] } });
const slicesOf = (plane: ControlPlane, name: string): EndpointSlice[] => plane.list<EndpointSlice>(endpointslices, namespace).filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === name);
const eventsOf = (plane: ControlPlane, name: string): string[] => plane.list<Event>(events, namespace).filter((event) => event.involvedObject.name === name).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);

async function addNode(plane: ControlPlane, name: string, zone?: string): Promise<void> {
  await plane.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name, labels: zone ? { "topology.kubernetes.io/zone": zone } : {} }, spec: {} });
  await plane.client.patch(nodes, { name }, { type: merge, body: { status: { allocatable: { cpu: "4" }, conditions: [{ type: "Ready", status: "True" }] } } }, { subresource: "status" });
}

const startEndpoints = (): Promise<ControlPlane> => startControlPlane({ select: ({ name }) => name.startsWith("endpoint") || name === "service-account-controller" });

describe("endpoints of a service", () => {
  test("follow its pods, and go with it", async () => {
    await using plane = await startEndpoints();
    await addNode(plane, "n1", "a");
    await plane.client.create(services, service("web", { selector: { app: "web" } }, { labels: { team: "x" } }));
    await eventually(() => expect(slicesOf(plane, "web").map((slice) => slice.endpoints)).toEqual([[]]));
    await plane.client.create(pods, pod("p1", "n1"));
    await plane.runPods(namespace);
    await eventually(() => {
      const [slice, ...others] = slicesOf(plane, "web");
      expect(others).toEqual([]);
      expect(slice!.endpoints).toMatchObject([{ conditions: { ready: true, serving: true, terminating: false }, nodeName: "n1", zone: "a", targetRef: { kind: "Pod", name: "p1" } }]);
      expect(slice!.metadata.labels).toEqual({ team: "x", "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" });
      expect(slice!.metadata.annotations?.["endpoints.kubernetes.io/last-change-trigger-time"]).toBeString();
      const [classic] = plane.list<Endpoints>(endpoints, namespace).filter(({ metadata }) => metadata.name === "web");
      expect(classic!.subsets).toMatchObject([{ addresses: [{ ip: slice!.endpoints[0]!.addresses[0]!, nodeName: "n1" }], ports: [{ port: 8080, protocol: "TCP" }] }]);
      expect(classic!.metadata.labels).toEqual({ team: "x", "endpoints.kubernetes.io/managed-by": "endpoint-controller" });
    });
    await plane.client.delete(pods, { namespace, name: "p1" }, { gracePeriodSeconds: 0 });
    await eventually(() => {
      expect(slicesOf(plane, "web").map((slice) => slice.endpoints)).toEqual([[]]);
      expect(plane.list<Endpoints>(endpoints, namespace).find(({ metadata }) => metadata.name === "web")!.subsets ?? []).toEqual([]);
    });
    await plane.client.delete(services, { namespace, name: "web" });
    await eventually(() => expect(plane.list<Endpoints>(endpoints, namespace)).toEqual([]));
  });

  test("a change of a pod that they don't show writes nothing", async () => {
    await using plane = await startEndpoints();
    await addNode(plane, "n1");
    await plane.client.create(services, service("web", { selector: { app: "web" } }));
    await plane.client.create(pods, pod("p1", "n1"));
    await plane.runPods(namespace);
    await eventually(() => expect(slicesOf(plane, "web")[0]?.endpoints.length).toBe(1));
    const writes: string[] = [];
    plane.informers.informer<EndpointSlice>(endpointslices).onChange((old, current) => void (old && current && writes.push(current.metadata.resourceVersion!)));
    await plane.client.patch(pods, { namespace, name: "p1" }, { type: merge, body: { metadata: { annotations: { note: "x" } } } });
    await plane.client.create(pods, pod("p2", "n1"));
    await plane.runPods(namespace);
    await eventually(() => expect(slicesOf(plane, "web")[0]!.endpoints.length).toBe(2));
    expect(writes.length).toBe(1);
  });

  test("are for clients of their zone when the service asks for that, and no longer when it stops", async () => {
    await using plane = await startEndpoints();
    for (const [name, zone] of [["n1", "a"], ["n2", "b"]] as const) {
      await addNode(plane, name, zone);
      for (const i of [1, 2]) await plane.client.create(pods, pod(`${name}-${i}`, name));
    }
    await plane.runPods(namespace);
    await plane.client.create(services, service("web", { selector: { app: "web" }, trafficDistribution: "PreferSameNode" }));
    const hints = (): unknown[] => slicesOf(plane, "web").flatMap((slice) => slice.endpoints.map((endpoint) => endpoint.hints ?? "none"));
    await eventually(() => expect(hints()).toEqual(expect.arrayContaining([{ forZones: [{ name: "a" }], forNodes: [{ name: "n1" }] }, { forZones: [{ name: "b" }], forNodes: [{ name: "n2" }] }])));
    await plane.client.patch(services, { namespace, name: "web" }, { type: merge, body: { spec: { trafficDistribution: null } } });
    await eventually(() => expect(hints()).toEqual(["none", "none", "none", "none"]));
    await plane.client.patch(services, { namespace, name: "web" }, { type: merge, body: { metadata: { annotations: { "service.kubernetes.io/topology-mode": "Auto" } } } });
    await eventually(() => {
      expect(hints()).toEqual(expect.arrayContaining([{ forZones: [{ name: "a" }] }, { forZones: [{ name: "b" }] }]));
      expect(eventsOf(plane, "web")).toEqual(["Normal TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4"]);
    });
    expect(plane.list<Event>(events, namespace).map(({ source }) => source?.component)).toEqual(["endpoint-slice-controller"]);
    await addNode(plane, "n3", "c");
    await addNode(plane, "n4", "d");
    await addNode(plane, "n5", "e");
    await eventually(() => {
      expect(hints()).toEqual(["none", "none", "none", "none"]);
      expect(eventsOf(plane, "web")).toContain("Warning TopologyAwareHintsDisabled: Insufficient number of endpoints (4 endpoints, 5 zones), addressType: IPv4");
    });
  });
});

describe("Endpoints that users keep", () => {
  const address = (ip: string): Endpoints => ({ apiVersion: "v1", kind: "Endpoints", metadata: { name: "ext", namespace }, subsets: [{ addresses: [{ ip }], ports: [{ name: "web", port: 80, protocol: "TCP" }] }] });

  test("are mirrored to slices while their service has no selector", async () => {
    await using plane = await startEndpoints();
    await plane.client.create(services, service("ext", {}));
    await plane.client.create(endpoints, address("10.1.2.3"));
    const mirrored = (): unknown[] => slicesOf(plane, "ext").map((slice) => [slice.metadata.labels?.["endpointslice.kubernetes.io/managed-by"], slice.endpoints.map((endpoint) => endpoint.addresses[0]), slice.ports.map(({ port }) => port)]);
    await eventually(() => expect(mirrored()).toEqual([["endpointslicemirroring-controller.k8s.io", ["10.1.2.3"], [80]]]));
    await plane.client.patch(endpoints, { namespace, name: "ext" }, { type: merge, body: { subsets: [{ addresses: [{ ip: "10.2.3.4" }], ports: [{ name: "web", port: 9090 }] }] } });
    await eventually(() => expect(mirrored()).toEqual([["endpointslicemirroring-controller.k8s.io", ["10.2.3.4"], [9090]]]));
    await plane.client.patch(endpoints, { namespace, name: "ext" }, { type: merge, body: { metadata: { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } } } });
    await eventually(() => expect(mirrored()).toEqual([]));
    await plane.client.patch(endpoints, { namespace, name: "ext" }, { type: merge, body: { metadata: { labels: null } } });
    await eventually(() => expect(mirrored().length).toBe(1));
    await plane.client.delete(endpoints, { namespace, name: "ext" });
    await eventually(() => expect(mirrored()).toEqual([]));
  });

  test("go with their service", async () => {
    await using plane = await startEndpoints();
    await plane.client.create(endpoints, address("10.1.2.3"));
    await plane.client.create(services, service("ext", {}));
    await eventually(() => expect(slicesOf(plane, "ext").length).toBe(1));
    await plane.client.delete(services, { namespace, name: "ext" });
    await eventually(() => {
      expect(plane.list<Endpoints>(endpoints, namespace)).toEqual([]);
      expect(slicesOf(plane, "ext")).toEqual([]);
    });
  });
});

describe("a service of type LoadBalancer", () => {
  const start = (): Promise<ControlPlane> => startControlPlane({ select: ({ name }) => name === "service-controller" });
  const ingress = (plane: ControlPlane, name: string): unknown => plane.list<Service>(services, namespace).find(({ metadata }) => metadata.name === name)!.status?.loadBalancer?.ingress?.map(({ ip, ipMode }) => `${ip} ${ipMode}`) ?? [];
  async function addAddress(plane: ControlPlane, name: string, address: string): Promise<void> {
    await addNode(plane, name);
    await plane.client.patch(nodes, { name }, { type: merge, body: { status: { addresses: [{ type: "InternalIP", address }] } } }, { subresource: "status" });
  }

  test("has the nodes' addresses, and lets them go before it goes", async () => {
    await using plane = await start();
    await plane.client.create(services, service("web", { type: "LoadBalancer", selector: { app: "web" } }));
    await eventually(() => expect(eventsOf(plane, "web")).toEqual(["Normal EnsuringLoadBalancer: Ensuring load balancer", "Warning UnAvailableLoadBalancer: There are no available nodes for LoadBalancer", "Normal EnsuredLoadBalancer: Ensured load balancer"]));
    await addAddress(plane, "n1", "192.168.1.1");
    await addAddress(plane, "n2", "192.168.1.2");
    await eventually(() => expect(ingress(plane, "web")).toEqual(["192.168.1.1 VIP", "192.168.1.2 VIP"]));
    await eventually(() => expect(eventsOf(plane, "web")).toContain("Normal UpdatedLoadBalancer: Updated load balancer with new hosts"));
    await plane.client.patch(nodes, { name: "n2" }, { type: merge, body: { status: { conditions: [{ type: "Ready", status: "False" }] } } }, { subresource: "status" });
    await eventually(() => expect(ingress(plane, "web")).toEqual(["192.168.1.1 VIP"]));
    await plane.client.patch(services, { namespace, name: "web" }, { type: merge, body: { spec: { type: "ClusterIP" } } });
    await eventually(() => {
      expect(ingress(plane, "web")).toEqual([]);
      expect(plane.list<Service>(services, namespace).find(({ metadata }) => metadata.name === "web")!.metadata.finalizers ?? []).toEqual([]);
      expect(eventsOf(plane, "web").slice(-2)).toEqual(["Normal DeletingLoadBalancer: Deleting load balancer", "Normal DeletedLoadBalancer: Deleted load balancer"]);
    });
    await plane.client.patch(services, { namespace, name: "web" }, { type: merge, body: { spec: { type: "LoadBalancer" } } });
    await eventually(() => expect(ingress(plane, "web")).toEqual(["192.168.1.1 VIP"]));
    await plane.client.delete(services, { namespace, name: "web" });
    await eventually(() => expect(plane.list<Service>(services, namespace).map(({ metadata }) => metadata.name)).not.toContain("web"));
  });

  test("waits for a port that another one has", async () => {
    await using plane = await start();
    await addAddress(plane, "n1", "192.168.1.1");
    await plane.client.create(services, service("first", { type: "LoadBalancer" }));
    await eventually(() => expect(ingress(plane, "first")).toEqual(["192.168.1.1 VIP"]));
    await plane.client.create(services, service("second", { type: "LoadBalancer" }));
    await eventually(() => expect(eventsOf(plane, "second")).toContain("Warning LoadBalancerPortInUse: Port 80/TCP of 192.168.1.1 is in use by Service default/first"));
    expect(ingress(plane, "second")).toEqual([]);
    await plane.client.delete(services, { namespace, name: "first" });
    await eventually(() => expect(ingress(plane, "second")).toEqual(["192.168.1.1 VIP"]));
  });

  test("with a class is left to others", async () => {
    await using plane = await start();
    await addAddress(plane, "n1", "192.168.1.1");
    await plane.client.create(services, service("other", { type: "LoadBalancer", loadBalancerClass: "example.com/other" }));
    await plane.client.create(services, service("web", { type: "LoadBalancer" }));
    await eventually(() => expect(ingress(plane, "web")).toEqual(["192.168.1.1 VIP"]));
    expect([ingress(plane, "other"), eventsOf(plane, "other")]).toEqual([[], []]);
  });
});
