import { describe, expect, test } from "bun:test";
import { builtins, configmaps, deployments, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Client } from "../../src/client/client.ts";
import type { Frozen, KubeObject } from "../../src/apimachinery/meta.ts";
import { apiVersionOf } from "../../src/apimachinery/resource.ts";
import { StatusError } from "../../src/apimachinery/status.ts";
import { configMap, deployment, namespace, refused } from "./client-samples.ts";

const key = { namespace, name: "a" };

/** `showsManagers`: objects come with who manages their fields. */
export function clientPatches(client: () => Client, { showsManagers }: { showsManagers: boolean }): void {
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

  describe("server-side apply of every kind", () => {
    const applied = builtins.filter((card) => card.example && card.verbs.includes("patch"));
    test.each(applied.map((card) => [`${card.resource} ${apiVersionOf(card)}`, card] as const))("%s", async (_, card) => {
      if (card.resource !== "serviceaccounts") await client().create(serviceaccounts, { metadata: { name: "default", namespace } });
      const example = { ...card.example!() as KubeObject, apiVersion: apiVersionOf(card), kind: card.kind };
      if (card.scope === "Namespaced") example.metadata.namespace = namespace;
      const key = { name: example.metadata.name!, ...(card.scope === "Namespaced" ? { namespace } : {}) };
      const labelled = (manager: string): KubeObject => ({ ...example, metadata: { ...example.metadata, labels: { ...example.metadata.labels, "applied-by": manager } } });
      const apply = (body: KubeObject, fieldManager: string, force = false) => client().patch<KubeObject>(card, key, { type: "application/apply-patch+yaml", body, force }, { fieldManager });
      const mine = (object: Pick<Frozen<KubeObject>, "metadata">, manager: string) => (object.metadata.managedFields ?? []).find((entry) => entry.manager === manager && entry.operation === "Apply");

      const made = await apply(labelled("one"), "first");
      if (showsManagers) expect(mine(made, "first")).toMatchObject({ apiVersion: apiVersionOf(card), fieldsType: "FieldsV1", fieldsV1: { "f:metadata": { "f:labels": { "f:applied-by": {} } } } });
      // What controllers write is no change of the applier's.
      const again = await apply(labelled("one"), "first");
      expect(mine(again, "first")).toEqual(mine(made, "first") as never);

      const conflict = await refused(apply(labelled("two"), "second"));
      expect(conflict).toBeInstanceOf(StatusError);
      expect(conflict).toMatchObject({ code: 409, reason: "Conflict" });
      expect(conflict.status.details?.causes).toEqual(expect.arrayContaining([{ reason: "FieldManagerConflict", message: 'conflict with "first"', field: ".metadata.labels.applied-by" }]));
      const forced = await apply(labelled("two"), "second", true);
      expect(forced.metadata.labels).toMatchObject({ "applied-by": "two" });
      expect(JSON.stringify(mine(forced, "first") ?? {})).not.toContain("f:applied-by");
      if (showsManagers) expect(JSON.stringify(mine(forced, "second"))).toContain("f:applied-by");
    });
  });
}
