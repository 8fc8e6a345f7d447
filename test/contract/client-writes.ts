import { describe, expect, test } from "bun:test";
import { thaw } from "../../src/apimachinery/meta.ts";
import { configmaps, deployments, leases, namespaces, pods, serviceaccounts, services } from "../../src/apis/builtins.ts";
import type { ConfigMap, Namespace } from "../../src/apis/generated/core/v1.ts";
import type { Client } from "../../src/client/client.ts";
import { configMap, deployment, namespace, pod, refused } from "./client-samples.ts";

export function clientWrites(client: () => Client): void {
  describe("create", () => {
    test("fills in what the server decides, and get shows it", async () => {
      const created = await client().create(configmaps, configMap("a", { k: "v" }));
      expect(created).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", data: { k: "v" } });
      expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(created.metadata.resourceVersion).toMatch(/^[1-9]\d*$/);
      expect(await client().get(configmaps, { namespace, name: "a" })).toEqual(created);
    });

    test("refuses a taken name, a missing name, a wrong one and one with a resourceVersion", async () => {
      await client().create(configmaps, configMap("a"));
      expect((await refused(client().create(configmaps, configMap("a")))).status).toMatchObject({ code: 409, reason: "AlreadyExists", message: 'configmaps "a" already exists', details: { name: "a", kind: "configmaps" } });
      expect((await refused(client().create(configmaps, { metadata: { namespace } }))).status).toMatchObject({ code: 422, details: { causes: [{ reason: "FieldValueRequired", field: "metadata.name" }] } });
      expect((await refused(client().create(configmaps, configMap("Not_A_Name")))).status).toMatchObject({ code: 422, reason: "Invalid" });
      const versioned: ConfigMap = { metadata: { name: "b", namespace, resourceVersion: "1" } };
      expect((await refused(client().create(configmaps, versioned))).message).toBe("resourceVersion should not be set on objects to be created");
    });

    test("generates names", async () => {
      const made = await Promise.all(Array.from({ length: 20 }, () => client().create(configmaps, { metadata: { generateName: "gen-", namespace } })));
      const names = new Set(made.map(({ metadata }) => metadata.name!));
      expect(names.size).toBe(20);
      for (const name of names) expect(name).toMatch(/^gen-[a-z0-9]{5}$/);
    });

    test("needs the namespace to exist", async () => {
      const error = await refused(client().create(configmaps, { metadata: { name: "a", namespace: "nowhere" } }));
      expect(error.status).toMatchObject({ code: 404, reason: "NotFound", message: 'namespaces "nowhere" not found' });
    });

    test("ignores what a client may not set", async () => {
      const created = await client().create(configmaps, { metadata: { name: "a", namespace, uid: "mine", generation: 7, creationTimestamp: "2001-01-01T00:00:00Z", deletionTimestamp: "2001-01-01T00:00:00Z" } });
      expect(created.metadata.uid).not.toBe("mine");
      expect(created.metadata.creationTimestamp).not.toBe("2001-01-01T00:00:00Z");
      expect(created.metadata.deletionTimestamp).toBeUndefined();
    });

    test("dryRun stores nothing", async () => {
      expect((await client().create(configmaps, configMap("a"), { dryRun: true })).metadata.uid).toBeTruthy();
      expect((await refused(client().get(configmaps, { namespace, name: "a" }))).code).toBe(404);
      await client().create(configmaps, configMap("a"));
      expect((await refused(client().create(configmaps, configMap("a"), { dryRun: true }))).reason).toBe("AlreadyExists");
    });

    test("leaves the object that was passed alone", async () => {
      const object = deployment("a", 1);
      await client().create(deployments, object);
      expect(object).toEqual(deployment("a", 1));
    });
  });

  describe("update", () => {
    test("with the newest resourceVersion succeeds, with an old one is a conflict", async () => {
      const first = await client().create(configmaps, configMap("a", { n: "1" }));
      const second = await client().update(configmaps, { ...thaw<ConfigMap>(first), data: { n: "2" } });
      expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
      const error = await refused(client().update(configmaps, { ...thaw<ConfigMap>(first), data: { n: "3" } }));
      expect(error.status).toMatchObject({ code: 409, reason: "Conflict", message: 'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again' });
    });

    test("without a resourceVersion overwrites", async () => {
      await client().create(configmaps, configMap("a", { n: "1" }));
      expect((await client().update(configmaps, configMap("a", { n: "2" }))).data).toEqual({ n: "2" });
    });

    test("that changes nothing writes nothing", async () => {
      const first = await client().create(configmaps, configMap("a", { n: "1" }));
      expect((await client().update(configmaps, thaw<ConfigMap>(first))).metadata.resourceVersion).toBe(first.metadata.resourceVersion!);
      expect((await client().update(configmaps, configMap("a", { n: "1" }))).metadata.resourceVersion).toBe(first.metadata.resourceVersion!);
    });

    test("of another object of the same name is a conflict", async () => {
      const first = await client().create(configmaps, configMap("a"));
      const error = await refused(client().update(configmaps, { metadata: { name: "a", namespace, uid: "other" } }));
      expect(error.code).toBe(409);
      expect(error.message).toContain(`Precondition failed: UID in precondition: other, UID in object meta: ${first.metadata.uid}`);
    });

    test("keeps uid, creationTimestamp and generation, and raises generation when the spec changes", async () => {
      const first = await client().create(deployments, deployment("a", 1));
      expect(first.metadata.generation).toBe(1);
      const labelled = await client().update(deployments, { ...deployment("a", 1), metadata: { name: "a", namespace, labels: { x: "y" } } });
      expect(labelled.metadata).toMatchObject({ uid: first.metadata.uid, creationTimestamp: first.metadata.creationTimestamp, generation: 1 });
      expect((await client().update(deployments, deployment("a", 2))).metadata.generation).toBe(2);
    });

    test("of what is missing is 404, except for kinds that PUT may create", async () => {
      expect((await refused(client().update(pods, pod("a")))).status).toMatchObject({ code: 404, message: 'pods "a" not found' });
      expect((await client().update(leases, { metadata: { name: "a", namespace }, spec: { holderIdentity: "me" } })).metadata.uid).toBeTruthy();
    });

    test("dryRun stores nothing", async () => {
      await client().create(configmaps, configMap("a", { n: "1" }));
      expect((await client().update(configmaps, configMap("a", { n: "2" }), { dryRun: true })).data).toEqual({ n: "2" });
      expect((await client().get(configmaps, { namespace, name: "a" })).data).toEqual({ n: "1" });
    });

    test("leaves status to its subresource, and status leaves the spec", async () => {
      const made = await client().create(deployments, deployment("a", 1));
      const main = await client().update(deployments, { ...deployment("a", 1), status: { replicas: 5 } });
      expect(main.status?.replicas).toBe(made.status?.replicas);
      const status = await client().update(deployments, { ...deployment("a", 9), status: { replicas: 5 } }, { subresource: "status" });
      expect(status.spec.replicas).toBe(1);
      expect(status.status?.replicas).toBe(5);
      expect(status.metadata.generation).toBe(1);
      expect((await client().update(deployments, deployment("a", 2))).status?.replicas).toBe(5);
    });
  });

  describe("services", () => {
    test("get an address of their own, which an update from the manifest keeps", async () => {
      const manifest = { metadata: { name: "a", namespace }, spec: { ports: [{ port: 80 }] } };
      const first = await client().create(services, manifest);
      expect(first.spec.clusterIP).toMatch(/^10\.43\./);
      expect(first.spec).toMatchObject({ clusterIPs: [first.spec.clusterIP!], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" });
      expect((await client().update(services, manifest)).spec.clusterIP).toBe(first.spec.clusterIP!);
      const second = await client().create(services, { ...manifest, metadata: { name: "b", namespace } });
      expect(second.spec.clusterIP).not.toBe(first.spec.clusterIP!);
    });
  });

  test("namespaces go through finalize", async () => {
    await client().create(namespaces, { metadata: { name: "going" }, spec: {} });
    await client().create(serviceaccounts, { metadata: { name: "default", namespace: "going" } });
    await client().delete(namespaces, { name: "going" });
    const terminating = await client().get(namespaces, { name: "going" });
    expect(terminating).toMatchObject({ status: { phase: "Terminating" }, spec: { finalizers: ["kubernetes"] } });
    const error = await refused(client().create(configmaps, { metadata: { name: "a", namespace: "going" } }));
    expect(error.status).toMatchObject({ code: 403, reason: "Forbidden", details: { causes: [{ reason: "NamespaceTerminating" }] } });
    await client().update(namespaces, { ...thaw<Namespace>(terminating), spec: {} }, { subresource: "finalize" });
    expect((await refused(client().get(namespaces, { name: "going" }))).code).toBe(404);
  });
}
