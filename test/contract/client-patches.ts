import { describe, expect, test } from "bun:test";
import { configmaps, deployments } from "../../src/apis/builtins.ts";
import type { Client } from "../../src/client/client.ts";
import { configMap, deployment, namespace, refused } from "./client-samples.ts";

const key = { namespace, name: "a" };

export function clientPatches(client: () => Client): void {
  describe("patch", () => {
    test("JSON", async () => {
      await client().create(configmaps, configMap("a", { x: "1", y: "2" }));
      const patched = await client().patch(configmaps, key, { type: "application/json-patch+json", body: [{ op: "test", path: "/data/x", value: "1" }, { op: "replace", path: "/data/x", value: "3" }, { op: "remove", path: "/data/y" }] });
      expect(patched.data).toEqual({ x: "3" });
      expect((await refused(client().patch(configmaps, key, { type: "application/json-patch+json", body: [{ op: "test", path: "/data/x", value: "1" }] }))).code).toBe(422);
    });

    test("merge", async () => {
      await client().create(configmaps, configMap("a", { x: "1", y: "2" }));
      expect((await client().patch(configmaps, key, { type: "application/merge-patch+json", body: { data: { x: null, z: "3" } } })).data).toEqual({ y: "2", z: "3" });
    });

    test("strategic merge, by the lists' keys", async () => {
      await client().create(deployments, deployment("a", 1));
      const patched = await client().patch(deployments, key, { type: "application/strategic-merge-patch+json", body: { spec: { template: { spec: { containers: [{ name: "second", image: "other" }, { name: "main", image: "newer" }] } } } } });
      expect(Object.fromEntries(patched.spec.template.spec!.containers.map(({ name, image }) => [name, image]))).toEqual({ main: "newer", second: "other" });
      expect(patched.metadata.generation).toBe(2);
    });

    test("that changes nothing writes nothing", async () => {
      const { metadata } = await client().create(configmaps, configMap("a", { x: "1" }));
      expect((await client().patch(configmaps, key, { type: "application/merge-patch+json", body: { data: { x: "1" } } })).metadata.resourceVersion).toBe(metadata.resourceVersion!);
    });

    test("with a resourceVersion is conditional", async () => {
      const { metadata: { resourceVersion } } = await client().create(configmaps, configMap("a", { x: "1" }));
      const body = (x: string): unknown => ({ metadata: { resourceVersion }, data: { x } });
      await client().patch(configmaps, key, { type: "application/merge-patch+json", body: body("2") });
      expect((await refused(client().patch(configmaps, key, { type: "application/merge-patch+json", body: body("3") }))).reason).toBe("Conflict");
    });

    test("of what is missing is 404", async () => {
      expect((await refused(client().patch(configmaps, key, { type: "application/merge-patch+json", body: {} }))).code).toBe(404);
    });

    test("concurrent ones all come through", async () => {
      await client().create(configmaps, configMap("a"));
      const names = Array.from({ length: 30 }, (_, n) => `k${n}`);
      await Promise.all(names.map((name) => client().patch(configmaps, key, { type: "application/merge-patch+json", body: { data: { [name]: "1" } } })));
      expect(Object.keys((await client().get(configmaps, key)).data!).toSorted()).toEqual(names.toSorted());
    });

    test("of status touches nothing else", async () => {
      await client().create(deployments, deployment("a", 1));
      const patched = await client().patch(deployments, key, { type: "application/merge-patch+json", body: { spec: { replicas: 7 }, status: { replicas: 3 }, metadata: { annotations: { note: "kept" } } } }, { subresource: "status" });
      expect(patched).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 3 }, metadata: { annotations: { note: "kept" } } });
    });

    test("dryRun stores nothing", async () => {
      await client().create(configmaps, configMap("a"));
      expect((await client().patch(configmaps, key, { type: "application/merge-patch+json", body: { data: { x: "1" } } }, { dryRun: true })).data).toEqual({ x: "1" });
      expect((await client().get(configmaps, key)).data).toBeUndefined();
    });
  });
}
