import { expect, test } from "bun:test";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { defineResource, type ResourceCard, type StoredForm } from "../apimachinery/resource.ts";
import { configmaps } from "../apis/builtins.ts";
import type { ConfigMap } from "../apis/generated/core/v1.ts";
import type { WatchEvent } from "../client/client.ts";
import { startRegistry } from "./testing/fixture.ts";

const key = { namespace: "default", name: "one" };

/** ConfigMaps once more, in a version whose values are shouted. `wait` is what a conversion takes. */
function shouted(wait: () => Promise<void> | undefined): ResourceCard<ConfigMap> {
  const known = new WeakMap<object, Frozen<ConfigMap>>();
  const each = (object: KubeObject, change: (text: string) => string): ConfigMap => {
    const { data = {} } = object as ConfigMap;
    return { ...object, data: Object.fromEntries(Object.entries(data).map(([name, value]) => [name, change(value)])) };
  };
  const served = (object: Frozen<KubeObject>): Frozen<ConfigMap> => {
    let made = known.get(object);
    if (!made) known.set(object, made = each(structuredClone(object) as KubeObject, (text) => text.toUpperCase()));
    return made;
  };
  const stored: StoredForm<ConfigMap> = {
    group: "", resource: "configmaps",
    read(objects) {
      const pause = wait();
      return pause ? pause.then(() => objects.map(served)) : objects.map(served);
    },
    write: (object) => ({ ...each(object, (text) => text.toLowerCase()), apiVersion: "v1" }),
  };
  return defineResource<ConfigMap>({
    group: "loud.example.com", version: "v2", kind: "ConfigMap", resource: "shoutedconfigmaps", scope: "Namespaced", schema: configmaps.schema, stored,
    fieldSelectors: { "data.mood": ({ data }) => data?.["mood"] ?? "" },
  });
}

const map = (mood: string, name = "one"): ConfigMap => ({ metadata: { name, namespace: "default" }, data: { mood } });

for (const [title, wait] of [["converted at once", () => undefined], ["converted elsewhere", () => Bun.sleep(1)]] as const) {
  test(`a stored form, ${title}: every verb goes through it`, async () => {
    await using fixture = await startRegistry();
    const { registry, context, client } = fixture;
    const card = shouted(wait);
    registry.resources.set("test", [card]);
    expect(registry.find("loud.example.com", "v2", "shoutedconfigmaps")).toBe(card);

    expect((await registry.create(context, card, "default", map("CALM"))).data).toEqual({ mood: "CALM" });
    expect((await client.get(configmaps, key)).data).toEqual({ mood: "calm" });
    expect((await registry.update(context, card, key, map("GLAD"))).object.data).toEqual({ mood: "GLAD" });
    expect((await registry.patch(context, card, key, { type: "application/merge-patch+json", body: { data: { more: "YES" } } })).object.data).toEqual({ mood: "GLAD", more: "YES" });
    expect((await client.get(configmaps, key)).data).toEqual({ mood: "glad", more: "yes" });
    expect(await registry.get(card, key)).toBe(await registry.get(card, key));
    expect((await registry.list(card, { namespace: "default", fieldSelector: "data.mood=GLAD" })).items.map(({ metadata }) => metadata.name)).toEqual(["one"]);
    expect((await registry.list(card, { namespace: "default", fieldSelector: "data.mood=glad" })).items).toEqual([]);
    await registry.delete(context, card, key);
    expect((await client.list(configmaps, { namespace: "default", fieldSelector: "metadata.name=one" })).items).toEqual([]);
    registry.resources.set("test", []);
    expect(registry.find("loud.example.com", "v2", "shoutedconfigmaps")).toBeUndefined();
  });
}

test("a watch of converted objects keeps their order, however long each conversion takes", async () => {
  await using fixture = await startRegistry();
  const { registry, client } = fixture;
  const pauses = [8, 1, 5, 0, 3];
  const card = shouted(() => Bun.sleep(pauses.shift() ?? 0));
  await client.create(configmaps, map("a", "before"));
  const seen: WatchEvent<ConfigMap>[] = [];
  const stop = new AbortController();
  const all = Promise.withResolvers<void>();
  const watching = registry.watch(card, { namespace: "default" }, (events) => {
    seen.push(...events.filter(({ object }) => object.metadata.name !== "kube-root-ca.crt"));
    if (seen.length >= 6) all.resolve();
  }, stop.signal);
  for (const mood of ["b", "c", "d"]) await (mood === "b" ? client.create(configmaps, map(mood)) : client.update(configmaps, map(mood)));
  await client.delete(configmaps, key);
  await client.create(configmaps, map("e", "after"));
  await all.promise;
  stop.abort();
  await watching;
  expect(seen.map(({ type, object }) => `${type} ${(object as ConfigMap).data!["mood"]}`)).toEqual(["ADDED A", "ADDED B", "MODIFIED C", "MODIFIED D", "DELETED D", "ADDED E"]);
});

test("a conversion that fails ends a watch with its error", async () => {
  await using fixture = await startRegistry();
  const { registry, client } = fixture;
  let fail = false;
  const card = shouted(() => (fail ? Promise.reject(new Error("the webhook is away")) : undefined));
  const watching = registry.watch(card, { namespace: "default" }, () => undefined, new AbortController().signal);
  fail = true;
  await client.create(configmaps, map("b"));
  await expect(watching).rejects.toThrow("the webhook is away");
});
