import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { configmaps, resourcequotas, services } from "../../src/apis/builtins.ts";
import type { ConfigMap, Service } from "../../src/apis/generated/core/v1.ts";
import type { StatusError } from "../../src/apimachinery/status.ts";
import { systemClock } from "../../src/base/clock.ts";
import { startRegistry, type RegistryFixture } from "../../src/registry/testing/fixture.ts";
import { EtcdStorage } from "../../src/storage/etcd/etcd-storage.ts";
import { parseEndpoints } from "../../src/storage/etcd/endpoints.ts";
import { refused } from "../contract/client-samples.ts";
import { TestEtcd, type EtcdOptions } from "../support/etcd.ts";
import { eventually } from "../support/eventually.ts";
import { startRelay } from "../support/tcp-relay.ts";

let etcd: TestEtcd;
const servers: { storage: EtcdStorage; registry: RegistryFixture }[] = [];

async function startServer(clientOptions = etcd.clientOptions): Promise<RegistryFixture> {
  const storage = await EtcdStorage.open(clientOptions);
  const registry = await startRegistry({ storage, nodePorts: { first: 30000, last: 30039 } });
  servers.push({ storage, registry });
  return registry;
}

const startEtcd = (options: EtcdOptions) => async (): Promise<void> => { etcd = await TestEtcd.start(options); };
afterEach(async () => {
  for (const { storage, registry } of servers.splice(0)) {
    await registry[Symbol.asyncDispose]();
    await storage.close();
  }
  await etcd[Symbol.asyncDispose]();
}, 180_000);

const map = (name: string, value = ""): ConfigMap => ({ metadata: { namespace: "default", name }, data: { value } });
const key = (name: string) => ({ namespace: "default", name });

describe("two servers on one etcd", () => {
  let one: RegistryFixture, other: RegistryFixture;
  beforeEach(async () => {
    await startEtcd({})();
    one = await startServer();
    other = await startServer();
  }, 180_000);

  test("serve what the other has just written, each write once", async () => {
    for (let i = 0; i < 50; i++) {
      const [writer, reader] = i % 2 ? [one, other] : [other, one];
      await writer.client.create(configmaps, map(`a${i}`));
      expect((await reader.client.get(configmaps, key(`a${i}`))).metadata.name).toBe(`a${i}`);
      await reader.client.patch(configmaps, key(`a${i}`), { type: "application/merge-patch+json", body: { data: { value: "patched" } } });
      expect((await writer.client.list(configmaps, { namespace: "default", fieldSelector: `metadata.name=a${i}` })).items[0]!.data).toEqual({ value: "patched" });
    }
    // Both add to one object at once: no change is lost.
    await one.client.create(configmaps, map("sum"));
    await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? one : other).client.patch(configmaps, key("sum"), { type: "application/merge-patch+json", body: { data: { [`n${i}`]: "x" } } })));
    expect(Object.keys((await one.client.get(configmaps, key("sum"))).data!)).toHaveLength(41);
    expect((await one.client.get(configmaps, key("sum"))).metadata.resourceVersion).toBe((await other.client.get(configmaps, key("sum"))).metadata.resourceVersion);
  });

  test("never give two services one address or node port", async () => {
    const made = await Promise.all(Array.from({ length: 30 }, (_, i) => (i % 2 ? one : other).client.create(services, { metadata: { namespace: "default", name: `s${i}` }, spec: { type: "NodePort", ports: [{ port: 80 }] } } as Service)));
    expect(new Set(made.map(({ spec }) => spec.clusterIP)).size).toBe(30);
    expect(new Set(made.map(({ spec }) => spec.ports![0]!.nodePort)).size).toBe(30);
  }, 180_000);

  test("keep a quota together", async () => {
    await one.client.create(resourcequotas, { metadata: { namespace: "default", name: "few" }, spec: { hard: { "count/configmaps": "8" } }, status: { hard: { "count/configmaps": "8" }, used: { "count/configmaps": "1" } } } as never);
    await one.client.patch(resourcequotas, key("few"), { type: "application/merge-patch+json", body: { status: { hard: { "count/configmaps": "8" }, used: { "count/configmaps": "1" } } } }, { subresource: "status" });
    await other.client.get(resourcequotas, key("few"));
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? one : other).client.create(configmaps, map(`q${i}`)).then(() => "made", (error: StatusError) => error.reason)));
    expect(outcomes.filter((outcome) => outcome === "made").length).toBeLessThanOrEqual(7);
    expect((await one.client.get(resourcequotas, key("few"))).status!.used).toEqual({ "count/configmaps": String(1 + outcomes.filter((outcome) => outcome === "made").length) });
  }, 180_000);

  test("one that was cut off for longer than etcd keeps history loads everything anew; watches are told to begin again", async () => {
    const relay = await startRelay(() => Number(new URL(etcd.urls[0]!).port));
    const far = await startServer({ endpoints: parseEndpoints(`http://127.0.0.1:${relay.port}`), clock: systemClock });
    await one.client.create(configmaps, map("changed", "1"));
    await one.client.create(configmaps, map("goes"));
    await eventually(() => expect(far.cacher.get("/registry/core/configmaps/default/goes")).toBeDefined());
    const begun = Promise.withResolvers<void>();
    const watching = far.registry.watch(configmaps, { namespace: "default" }, () => begun.resolve(), new AbortController().signal).then(() => "ended", (error: StatusError) => error.code);
    await begun.promise;
    const told: string[] = [];
    far.cacher.onChange("/registry/core/configmaps/", (old, now) => told.push(`${(now ?? old)!.metadata.name} ${old ? (now ? "changed" : "deleted") : "added"}`));
    relay.freeze();
    relay.cut();
    await one.client.patch(configmaps, key("changed"), { type: "application/merge-patch+json", body: { data: { value: "2" } } });
    await one.client.delete(configmaps, key("goes"));
    await one.client.create(configmaps, map("new"));
    await one.storage.compact(one.storage.revision);
    relay.thaw();
    expect(await watching).toBe(410);
    await eventually(() => expect(told.toSorted()).toEqual(["changed changed", "goes deleted", "new added"]), { timeout: 60_000 });
    expect((await far.client.get(configmaps, key("changed"))).data).toEqual({ value: "2" });
    await far.client.create(configmaps, map("after"));
    expect((await one.client.get(configmaps, key("after"))).metadata.name).toBe("after");
    await relay.close();
  }, 180_000);
});

describe("a server on three members", () => {
  beforeEach(startEtcd({ members: 3 }), 120_000);

  test("reads without a majority what it knew last, refuses writes in bounded time, and goes on when members are back", async () => {
    const server = await startServer();
    await server.client.create(configmaps, map("a", "1"));
    await Promise.all([etcd.kill(1), etcd.kill(2)]);
    expect((await server.client.get(configmaps, key("a"))).data).toEqual({ value: "1" });
    const begun = performance.now();
    for (let i = 0; i < 20; i++) await server.client.list(configmaps, { namespace: "default" });
    // Each of them alone would wait for two seconds.
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect([500, 503]).toContain((await refused(server.client.create(configmaps, map("b")))).code);
    expect(performance.now() - begun).toBeLessThan(60_000);
    etcd.startMember(1);
    await eventually(() => server.client.create(configmaps, map("c")), { timeout: 60_000, interval: 200 });
    await eventually(async () => expect(await server.cacher.upToDate()).toBe(true), { timeout: 60_000 });
    expect((await server.client.get(configmaps, key("c"))).metadata.name).toBe("c");
  }, 180_000);
});
