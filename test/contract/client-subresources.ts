import { beforeEach, describe, expect, test } from "bun:test";
import { configmaps, deployments, nodes, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Scale } from "../../src/apis/generated/autoscaling/v1.ts";
import type { Status } from "../../src/apis/generated/meta/v1.ts";
import type { Client } from "../../src/client/client.ts";
import { configMap, deployment, namespace, pod, refused } from "./client-samples.ts";

const key = { namespace, name: "a" };

export function clientSubresources(client: () => Client): void {
  describe("scale", () => {
    const scale = async (): Promise<Scale> => (await client().get(deployments, key, { subresource: "scale" })) as unknown as Scale;
    const put = async (wanted: Scale): Promise<Scale> => (await client().update(deployments, wanted as never, { subresource: "scale" })) as unknown as Scale;

    test("shows and sets replicas", async () => {
      await client().create(deployments, deployment("a", 2));
      const current = await scale();
      expect(current).toMatchObject({ kind: "Scale", apiVersion: "autoscaling/v1", spec: { replicas: 2 }, status: { replicas: 0, selector: "app=a" } });
      expect((await put({ ...structuredClone(current), spec: { replicas: 4 } })).spec.replicas).toBe(4);
      const scaled = await client().get(deployments, key);
      expect(scaled.spec.replicas).toBe(4);
      expect(scaled.metadata.generation).toBe(2);
    });

    test("refuses an old resourceVersion and fewer than none", async () => {
      await client().create(deployments, deployment("a", 2));
      const current = await scale();
      await put({ ...structuredClone(current), spec: { replicas: 3 } });
      expect((await refused(put({ ...structuredClone(current), spec: { replicas: 5 } }))).reason).toBe("Conflict");
      expect((await refused(put({ metadata: { name: "a", namespace }, spec: { replicas: -1 } }))).code).toBe(422);
    });

    test("can be patched", async () => {
      await client().create(deployments, deployment("a", 2));
      await client().patch(deployments, key, { type: "application/merge-patch+json", body: { spec: { replicas: 0 } } }, { subresource: "scale" });
      expect((await client().get(deployments, key)).spec.replicas).toBe(0);
    });

    test("is not there for kinds without it", async () => {
      await client().create(configmaps, configMap("a"));
      expect((await refused(client().get(configmaps, key, { subresource: "scale" }))).code).toBe(404);
    });
  });

  describe("pods", () => {
    beforeEach(async () => {
      await client().create(serviceaccounts, { metadata: { name: "default", namespace } });
      await client().create(nodes, { metadata: { name: "n" }, spec: {} });
      await client().create(pods, pod("a"));
    });
    const bind = (node: string): Promise<Status> => client().createSubresource<Status>(pods, key, "binding", { apiVersion: "v1", kind: "Binding", metadata: { name: "a", namespace }, target: { apiVersion: "v1", kind: "Node", name: node } });

    test("are bound to a node, once", async () => {
      expect((await bind("n")).status).toBe("Success");
      const bound = await client().get(pods, key);
      expect(bound.spec.nodeName).toBe("n");
      expect(bound.status?.conditions).toMatchObject([{ type: "PodScheduled", status: "True" }]);
      const error = await refused(bind("m"));
      expect(error.code).toBe(409);
      expect(error.message).toContain('pod a is already assigned to node "n"');
    });

    test("are evicted under preconditions", async () => {
      const evict = (deleteOptions: object): Promise<Status> => client().createSubresource<Status>(pods, key, "eviction", { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "a", namespace }, deleteOptions });
      expect((await refused(evict({ preconditions: { uid: "other" } }))).code).toBe(409);
      expect((await evict({})).status).toBe("Success");
      expect((await refused(client().get(pods, key))).code).toBe(404);
    });
  });
}
