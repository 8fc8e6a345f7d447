import { describe, expect, test } from "bun:test";
import { configmaps, deployments, namespaces, nodes, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Client } from "../../src/client/client.ts";
import { configMap, deployment, namespace, pod, refused } from "./client-samples.ts";

const key = { namespace, name: "a" };

export function clientDeletes(client: () => Client): void {
  const isGone = async (): Promise<boolean> => (await refused(client().get(configmaps, key))).code === 404;
  const removeFinalizers = (): Promise<unknown> => client().patch(configmaps, key, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });

  describe("delete", () => {
    test("removes", async () => {
      await client().create(configmaps, configMap("a"));
      await client().delete(configmaps, key);
      expect(await isGone()).toBe(true);
      expect((await refused(client().delete(configmaps, key))).status).toMatchObject({ code: 404, message: 'configmaps "a" not found' });
    });

    test("honours preconditions", async () => {
      const { metadata: { uid } } = await client().create(configmaps, configMap("a"));
      expect((await refused(client().delete(configmaps, key, { preconditions: { uid: "other" } }))).reason).toBe("Conflict");
      expect((await refused(client().delete(configmaps, key, { preconditions: { resourceVersion: "1" } }))).reason).toBe("Conflict");
      await client().delete(configmaps, key, { preconditions: { uid } });
      expect(await isGone()).toBe(true);
    });

    test("waits for finalizers, and ends with the last one's removal", async () => {
      await client().create(configmaps, { metadata: { name: "a", namespace, finalizers: ["example.com/hold"] } });
      await client().delete(configmaps, key);
      const held = await client().get(configmaps, key);
      expect(held.metadata.deletionTimestamp).toBeTruthy();
      expect(held.metadata.deletionGracePeriodSeconds).toBe(0);
      await client().delete(configmaps, key);
      expect((await client().get(configmaps, key)).metadata.resourceVersion).toBe(held.metadata.resourceVersion!);
      const adding = { metadata: { finalizers: ["example.com/hold", "example.com/more"] } };
      expect((await refused(client().patch(configmaps, key, { type: "application/merge-patch+json", body: adding }))).code).toBe(422);
      await removeFinalizers();
      expect(await isGone()).toBe(true);
    });

    test.each([["Foreground", "foregroundDeletion"], ["Orphan", "orphan"]])("with propagation %s leaves a finalizer to the garbage collector", async (propagationPolicy, finalizer) => {
      await client().create(deployments, deployment("a", 1));
      await client().delete(deployments, key, { propagationPolicy });
      const { metadata } = await client().get(deployments, key);
      expect(metadata.finalizers).toEqual([finalizer]);
      expect(metadata.deletionTimestamp).toBeTruthy();
      expect(metadata.generation).toBe(2);
    });

    test("refuses contradictory options", async () => {
      await client().create(configmaps, configMap("a"));
      expect((await refused(client().delete(configmaps, key, { propagationPolicy: "Orphan", orphanDependents: true }))).code).toBe(422);
      expect((await refused(client().delete(configmaps, key, { propagationPolicy: "Sideways" }))).code).toBe(422);
    });

    test("dryRun removes nothing", async () => {
      await client().create(configmaps, configMap("a"));
      await client().delete(configmaps, key, { dryRun: ["All"] });
      expect((await client().get(configmaps, key)).metadata.deletionTimestamp).toBeUndefined();
    });

    test("a pod on a node gets its grace period; a second delete may only shorten it", async () => {
      await client().create(serviceaccounts, { metadata: { name: "default", namespace } });
      await client().create(nodes, { metadata: { name: "n" }, spec: {} });
      await client().create(pods, pod("a"));
      await client().createSubresource(pods, key, "binding", { metadata: { name: "a" }, target: { kind: "Node", name: "n" } });
      await client().delete(pods, key);
      const first = await client().get(pods, key);
      expect(first.metadata.deletionGracePeriodSeconds).toBe(30);
      await client().delete(pods, key, { gracePeriodSeconds: 60 });
      expect((await client().get(pods, key)).metadata.deletionGracePeriodSeconds).toBe(30);
      await client().delete(pods, key, { gracePeriodSeconds: 5 });
      const second = await client().get(pods, key);
      expect(second.metadata.deletionGracePeriodSeconds).toBe(5);
      expect(Date.parse(second.metadata.deletionTimestamp!)).toBe(Date.parse(first.metadata.deletionTimestamp!) - 25_000);
      await client().delete(pods, key, { gracePeriodSeconds: 0 });
      expect((await refused(client().get(pods, key))).code).toBe(404);
    });

    test("a pod without a node goes at once", async () => {
      await client().create(serviceaccounts, { metadata: { name: "default", namespace } });
      await client().create(pods, pod("a"));
      await client().delete(pods, key);
      expect((await refused(client().get(pods, key))).code).toBe(404);
    });

    test("the built-in namespaces stay", async () => {
      expect((await refused(client().delete(namespaces, { name: "kube-system" }))).status).toMatchObject({ code: 403, message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted' });
    });

    test("a collection, by selector", async () => {
      for (const name of ["a", "b", "c"]) await client().create(configmaps, configMap(name, {}, { tier: name === "c" ? "keep" : "drop" }));
      await client().deleteCollection(configmaps, { namespace, labelSelector: "tier=drop" });
      const left = await client().list(configmaps, { namespace, labelSelector: "tier" });
      expect(left.items.map(({ metadata }) => metadata.name)).toEqual(["c"]);
    });
  });
}
