import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { refused } from "../../test/contract/client-samples.ts";
import { thaw } from "../apimachinery/meta.ts";
import { configmaps, namespaces, services } from "../apis/builtins.ts";
import type { ConfigMap, Service, ServiceSpec } from "../apis/generated/core/v1.ts";
import { MemoryStorage } from "../storage/memory/memory-storage.ts";
import { StorageError, type Storage } from "../storage/storage.ts";
import { startRegistry, type RegistryFixture } from "./testing/fixture.ts";

/**
 * One server's view of storage that others write to: it is shown others' writes late, when it writes itself or asks how far they are,
 * as one that follows etcd may be.
 */
function lateView(storage: MemoryStorage): Storage {
  const held: (() => void)[] = [];
  let shown = storage.revision;
  const catchUp = (): void => {
    for (const show of held.splice(0)) show();
    shown = storage.revision;
  };
  const writing = <A extends unknown[]>(write: (...of: A) => Promise<number>) => (...of: A): Promise<number> => write(...of).finally(catchUp);
  return {
    get revision() { return shown; },
    get compactedRevision() { return storage.compactedRevision; },
    get replaced() { return storage.replaced; },
    get: (key) => storage.get(key), list: (...of) => storage.list(...of), compact: (revision) => storage.compact(revision), purge: () => storage.purge(), status: () => storage.status(), close: async () => undefined,
    create: writing(storage.create.bind(storage)), update: writing(storage.update.bind(storage)), delete: writing(storage.delete.bind(storage)),
    watch: (prefix, from, onEvents, signal) => storage.watch(prefix, from, (events, revision) => void held.push(() => onEvents(events, revision)), signal),
    latest: async () => {
      queueMicrotask(catchUp);
      return storage.revision;
    },
  };
}

let storage: MemoryStorage, one: RegistryFixture, other: RegistryFixture;
const unavailable = new StorageError("unavailable", "etcd doesn't serve");
const key = { namespace: "default", name: "a" };
const map = (value: string): ConfigMap => ({ metadata: { ...key }, data: { value } });

beforeEach(async () => {
  storage = new MemoryStorage();
  one = await startRegistry({ storage: lateView(storage), nodePorts: { first: 30000, last: 30001 } });
  other = await startRegistry({ storage: lateView(storage), nodePorts: { first: 30000, last: 30001 } });
});
afterEach(async () => {
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await storage.close();
});

describe("what one server has just written", () => {
  test("is read from another, and what has gone there is gone", async () => {
    await one.client.create(configmaps, map("1"));
    expect((await other.client.get(configmaps, key)).data).toEqual({ value: "1" });
    await one.client.update(configmaps, map("2"));
    expect((await other.client.list(configmaps, { namespace: "default" })).items.find(({ metadata: { name } }) => name === "a")?.data).toEqual({ value: "2" });
    await one.client.delete(configmaps, key);
    expect((await refused(other.client.get(configmaps, key))).code).toBe(404);
  });

  test("is not asked for by who takes any state", async () => {
    await one.client.create(configmaps, map("1"));
    expect((await refused(other.registry.get(configmaps, key, { resourceVersion: "0" }))).code).toBe(404);
  });

  test("is updated, patched and deleted through another, with its resourceVersion and without", async () => {
    const made = thaw<ConfigMap>(await one.client.create(configmaps, map("1")));
    const updated = await other.client.update(configmaps, { ...made, data: { value: "2" } });
    await one.client.patch(configmaps, key, { type: "application/merge-patch+json", body: { data: { more: "3" } } });
    const stale = await refused(other.client.update(configmaps, { ...thaw<ConfigMap>(updated), data: { value: "4" } }));
    expect(stale.reason).toBe("Conflict");
    expect((await other.client.get(configmaps, key)).data).toEqual({ value: "2", more: "3" });
    await one.client.delete(configmaps, key);
    await one.client.create(configmaps, map("5"));
    await other.client.delete(configmaps, key);
    expect((await refused(one.client.get(configmaps, key))).code).toBe(404);
  });

  test("is watched through another from then on", async () => {
    await one.client.create(configmaps, map("1"));
    const seen: string[] = [], stop = new AbortController(), two = Promise.withResolvers<void>();
    const watching = other.registry.watch(configmaps, { namespace: "default", fieldSelector: "metadata.name=a" }, (events) => {
      seen.push(...events.map(({ type, object }) => `${type} ${(object as ConfigMap).data?.["value"]}`));
      if (seen.length === 2) two.resolve();
    }, stop.signal);
    await Bun.sleep(0);
    await one.client.update(configmaps, map("2"));
    await other.cacher.upToDate();
    await two.promise;
    stop.abort();
    await watching;
    expect(seen).toEqual(["ADDED 1", "MODIFIED 2"]);
  });

  test("is not known while the storage doesn't serve: a past that is asked for from there is refused as what is asked for now", async () => {
    const past = (await one.client.create(configmaps, map("1"))).metadata.resourceVersion!;
    await one.client.update(configmaps, map("2"));
    const late = await startRegistry({ storage: lateView(storage) });
    const list = () => late.client.list(configmaps, { namespace: "default", resourceVersion: past, resourceVersionMatch: "Exact" });
    expect((await list()).items.map(({ data }) => data)).toContainEqual({ value: "1" });
    late.storage.list = async () => { throw unavailable; };
    expect((await refused(list())).code).toBe(503);
    await late[Symbol.asyncDispose]();
  });

  test("is what the next needs: a namespace made by one is written to through another", async () => {
    await one.client.create(namespaces, { metadata: { name: "fresh" }, spec: {} });
    const made = await other.client.create(configmaps, { metadata: { namespace: "fresh", name: "a" } });
    expect(made.metadata.namespace).toBe("fresh");
    expect((await refused(other.client.create(configmaps, { metadata: { namespace: "none", name: "a" } }))).code).toBe(404);
  });
});

describe("what several servers hand out", () => {
  const service = (name: string, spec: ServiceSpec): Service => ({ metadata: { namespace: "default", name }, spec: { ports: [{ port: 80 }], ...spec } });
  const nodePortOf = ({ spec }: { readonly spec: { readonly ports?: readonly { readonly nodePort?: number }[] } }): number | undefined => spec.ports![0]!.nodePort;

  test("a wanted address or port that another server has given away a moment ago is refused", async () => {
    await one.client.create(services, service("a", { type: "NodePort", clusterIP: "10.43.0.99", ports: [{ port: 80, nodePort: 30001 }] }));
    expect((await refused(other.client.create(services, service("b", { clusterIP: "10.43.0.99" })))).message).toContain("provided IP is already allocated");
    expect((await refused(one.client.create(services, service("c", { type: "NodePort", ports: [{ port: 80, nodePort: 30001 }] })))).message).toContain("provided port is already allocated");
    expect((await refused(other.client.create(services, service("d", { type: "NodePort", ports: [{ port: 80, nodePort: 30001 }] })))).message).toContain("provided port is already allocated");
  });

  test("ports that both hand out at once are different ones, until none is left", async () => {
    const [a, b] = await Promise.all([one, other].map(({ client }, i) => client.create(services, service(`s${i}`, { type: "NodePort" }))));
    expect([nodePortOf(a!), nodePortOf(b!)].sort()).toEqual([30000, 30001]);
    expect((await refused(other.client.create(services, service("c", { type: "NodePort" })))).message).toContain("range is full");
  });

  test("while the storage doesn't serve, that is told as it is of every write", async () => {
    one.storage.create = async () => { throw unavailable; };
    expect((await refused(one.client.create(services, service("a", { clusterIP: "10.43.0.99" })))).code).toBe(503);
  });

  test("nothing stays claimed when services are stored", async () => {
    await one.client.create(services, service("a", { type: "NodePort" }));
    await other.client.delete(services, key);
    await Promise.all([one, other].map(({ cacher }) => cacher.upToDate()));
    expect(other.cacher.list("/registry/skiff.io/claims/")).toEqual([]);
    for (const { client } of [one, other]) expect(nodePortOf(await client.create(services, service(`again-${client === one.client}`, { type: "NodePort" })))).toBeGreaterThan(0);
  });
});
