import { describe, expect, test } from "bun:test";
import { configmaps, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Client, ListOptions } from "../../src/client/client.ts";
import { configMap, namespace, pod, refused } from "./client-samples.ts";

export function clientLists(client: () => Client): void {
  const names = async (options: ListOptions): Promise<string[]> => (await client().list(configmaps, { namespace, ...options })).items.map(({ metadata }) => metadata.name!);

  describe("list", () => {
    test("in the order of names, within a namespace or of all", async () => {
      for (const name of ["b", "a", "c"]) await client().create(configmaps, configMap(name));
      await client().create(configmaps, { metadata: { name: "elsewhere", namespace: "kube-public" } });
      expect(await names({})).toEqual(["a", "b", "c"]);
      expect(await names({ namespace: undefined })).toEqual(["a", "b", "c", "elsewhere"]);
      expect((await client().list(configmaps, { namespace: "kube-node-lease" })).items).toEqual([]);
    });

    test.each([
      ["tier=x", ["a"]], ["tier in (x,y)", ["a", "b"]], ["tier!=x", ["b", "c"]], ["!tier", ["c"]], ["tier", ["a", "b"]],
    ])("by labels: %s", async (labelSelector, expected) => {
      await client().create(configmaps, configMap("a", {}, { tier: "x" }));
      await client().create(configmaps, configMap("b", {}, { tier: "y" }));
      await client().create(configmaps, configMap("c"));
      expect(await names({ labelSelector })).toEqual(expected);
    });

    test("by fields", async () => {
      for (const name of ["a", "b"]) await client().create(configmaps, configMap(name));
      expect(await names({ fieldSelector: "metadata.name=a" })).toEqual(["a"]);
      expect(await names({ fieldSelector: "metadata.name!=a,metadata.namespace=default" })).toEqual(["b"]);
      expect((await refused(client().list(configmaps, { namespace, fieldSelector: "data.x=1" }))).code).toBe(400);
      await client().create(serviceaccounts, { metadata: { name: "default", namespace } });
      await client().create(pods, pod("a"));
      expect((await client().list(pods, { fieldSelector: "spec.nodeName=" })).items).toHaveLength(1);
      expect((await refused(client().list(pods, { fieldSelector: "spec.color=red" }))).message).toBe("field label not supported: spec.color");
    });

    test("in chunks of one consistent state", async () => {
      for (const name of ["a", "b", "c", "d", "e"]) await client().create(configmaps, configMap(name));
      const first = await client().list(configmaps, { namespace, limit: 2 });
      expect(first.items.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
      expect(first.metadata.remainingItemCount).toBe(3);
      await client().delete(configmaps, { namespace, name: "c" });
      await client().create(configmaps, configMap("bb"));
      const second = await client().list(configmaps, { namespace, limit: 2, continue: first.metadata.continue });
      expect(second.items.map(({ metadata }) => metadata.name)).toEqual(["c", "d"]);
      expect(second.metadata).toMatchObject({ resourceVersion: first.metadata.resourceVersion, remainingItemCount: 1 });
      const third = await client().list(configmaps, { namespace, limit: 2, continue: second.metadata.continue });
      expect(third.items.map(({ metadata }) => metadata.name)).toEqual(["e"]);
      expect(third.metadata.continue).toBeUndefined();
    });

    test("in chunks with a selector", async () => {
      for (let i = 0; i < 9; i++) await client().create(configmaps, configMap(`c${i}`, {}, { odd: String(i % 2) }));
      const collected: string[] = [];
      let token: string | undefined;
      let pages = 0;
      do {
        const page = await client().list(configmaps, { namespace, labelSelector: "odd=1", limit: 2, continue: token });
        expect(page.metadata.remainingItemCount).toBeUndefined();
        collected.push(...page.items.map(({ metadata }) => metadata.name!));
        token = page.metadata.continue;
        await client().create(configmaps, configMap(`later${pages++}`, {}, { odd: "1" }));
      } while (token);
      expect(collected).toEqual(["c1", "c3", "c5", "c7"]);
    });

    test("at exactly a past resourceVersion, or not older than one", async () => {
      const { metadata: { resourceVersion } } = await client().create(configmaps, configMap("a"));
      await client().create(configmaps, configMap("b"));
      expect(await names({ resourceVersion, resourceVersionMatch: "Exact" })).toEqual(["a"]);
      expect(await names({ resourceVersion, resourceVersionMatch: "NotOlderThan" })).toEqual(["a", "b"]);
      expect(await names({ resourceVersion: "0" })).toEqual(["a", "b"]);
    });

    test("refuses options that make no sense", async () => {
      expect((await refused(names({ resourceVersionMatch: "Exact" }))).code).toBe(422);
      expect((await refused(names({ resourceVersionMatch: "Exact", resourceVersion: "0" }))).code).toBe(422);
      expect((await refused(names({ resourceVersion: "new" }))).code).toBe(400);
      expect((await refused(names({ continue: "nonsense" }))).code).toBe(400);
      expect((await refused(names({ labelSelector: "a in b" }))).code).toBe(400);
    });
  });
}
