import { expect, test } from "bun:test";
import { ipaddresses, servicecidrs, services } from "../../src/apis/builtins.ts";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { IPAddress, ServiceCIDR } from "../../src/apis/generated/networking/v1.ts";
import { repairIpAddresses } from "../../src/registry/allocators/ip-addresses.ts";
import { ensureServiceCidr } from "../../src/registry/bootstrap/service-cidr.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "default";
const service = (name: string, clusterIP?: string): Service => ({ metadata: { name, namespace }, spec: { ports: [{ port: 80 }], ...(clusterIP ? { clusterIP } : {}) } });
const addresses = (plane: ControlPlane): string[] => plane.list<IPAddress>(ipaddresses).map(({ metadata }) => metadata.name!).toSorted();
const range = (plane: ControlPlane, name: string): ServiceCIDR | undefined => plane.list<ServiceCIDR>(servicecidrs).find(({ metadata }) => metadata.name === name);
const readiness = (plane: ControlPlane, name: string): string | undefined => range(plane, name)?.status?.conditions?.find(({ type }) => type === "Ready")?.status;

test("every address of a service is an object, from the service's creation to its end", async () => {
  await using plane = await startControlPlane();
  const { client } = plane;
  const { spec } = await client.create(services, service("web", "10.43.0.77"));
  expect(await client.get(ipaddresses, { name: "10.43.0.77" })).toMatchObject({
    metadata: { labels: { "ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" } },
    spec: { parentRef: { resource: "services", namespace, name: "web" } },
  });
  expect(spec.clusterIPs).toEqual(["10.43.0.77"]);
  await client.create(services, service("headless", "None"));
  expect(addresses(plane)).toEqual(["10.43.0.77"]);

  const current = await client.get(services, { namespace, name: "web" });
  await client.update(services, { ...structuredClone(current) as Service, spec: { type: "ExternalName", externalName: "example.com" } });
  expect(addresses(plane)).toEqual([]);

  const { spec: { clusterIP } } = await client.create(services, service("other"));
  expect(addresses(plane)).toEqual([clusterIP!]);
  await client.delete(services, { namespace, name: "other" });
  expect(addresses(plane)).toEqual([]);
});

test("an address that something else holds is not given to a service", async () => {
  await using plane = await startControlPlane();
  await plane.client.create(ipaddresses, { metadata: { name: "10.43.0.78" }, spec: { parentRef: { group: "gateway.example.com", resource: "gateways", namespace, name: "edge" } } });
  await expect(plane.client.create(services, service("web", "10.43.0.78"))).rejects.toThrow("failed to allocate IP 10.43.0.78: provided IP is already allocated");
});

test("what a crash left behind is put right at start", async () => {
  await using plane = await startControlPlane();
  const { client } = plane;
  await client.create(services, service("web", "10.43.0.77"));
  await client.delete(ipaddresses, { name: "10.43.0.77" });
  await client.create(ipaddresses, { metadata: { name: "10.43.0.99", labels: { "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" } }, spec: { parentRef: { resource: "services", namespace, name: "gone" } } });
  await client.create(ipaddresses, { metadata: { name: "10.43.0.98" }, spec: { parentRef: { resource: "services", namespace, name: "somebody-elses" } } });
  await repairIpAddresses(client);
  expect(addresses(plane)).toEqual(["10.43.0.77", "10.43.0.98"]);
});

test("the server's own network is there and ready, also the second time", async () => {
  await using plane = await startControlPlane();
  for (let start = 0; start < 2; start++) await ensureServiceCidr(plane.client, ["10.43.0.0/16"], 0);
  expect(range(plane, "kubernetes")).toMatchObject({ spec: { cidrs: ["10.43.0.0/16"] }, status: { conditions: [{ type: "Ready", status: "True", message: "Kubernetes default Service CIDR is ready" }] } });
});

test("another ServiceCIDR widens what services get, and stays while one has an address of it", async () => {
  await using plane = await startControlPlane();
  const { client } = plane;
  await expect(client.create(services, service("early", "10.99.0.7"))).rejects.toThrow("is not in the valid range");
  await client.create(servicecidrs, { metadata: { name: "more" }, spec: { cidrs: ["10.99.0.0/24"] } });
  await eventually(() => expect(readiness(plane, "more")).toBe("True"));
  expect(range(plane, "more")!.metadata.finalizers).toEqual(["networking.k8s.io/service-cidr-finalizer"]);
  await client.create(services, service("web", "10.99.0.7"));

  await client.delete(servicecidrs, { name: "more" });
  await eventually(() => expect(readiness(plane, "more")).toBe("False"));
  await expect(client.create(services, service("late", "10.99.0.8"))).rejects.toThrow("is not in the valid range");
  await client.delete(services, { namespace, name: "web" });
  await eventually(() => expect(range(plane, "more")).toBeUndefined());
});
