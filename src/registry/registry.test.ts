import { describe, expect, test } from "bun:test";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { thaw } from "../apimachinery/meta.ts";
import { configmaps, deployments, leases, namespaces, nodes, pods, selfsubjectaccessreviews, selfsubjectreviews, serviceaccounts, services, subjectaccessreviews } from "../apis/builtins.ts";
import type { TokenRequest } from "../apis/generated/authentication/v1.ts";
import type { Lease } from "../apis/generated/coordination/v1.ts";
import type { ConfigMap, Service } from "../apis/generated/core/v1.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { configMap, deployment, namespace, pod, refused } from "../../test/contract/client-samples.ts";
import type { WatchEvent, WatchOptions } from "../client/client.ts";
import type { Authorizer } from "./attributes.ts";
import { decodeContinue, encodeContinue } from "./continue-token.ts";
import { createLocalClient } from "./local-client.ts";
import { mastersOnly, startRegistry, type RegistryFixture } from "./testing/fixture.ts";
import type { TokenIssuer } from "./token-issuer.ts";

const key = { namespace, name: "a" };
const merge = (body: unknown) => ({ type: "application/merge-patch+json" as const, body });

describe("create", () => {
  test("checks the namespace against the request's", async () => {
    await using f = await startRegistry();
    const error = await refused(f.registry.create(f.context, configmaps, "kube-system", configMap("a")));
    expect(error.status).toMatchObject({ code: 400, message: "the namespace of the provided object does not match the namespace sent on the request" });
    expect((await f.registry.create(f.context, configmaps, "kube-system", { metadata: { name: "a" } })).metadata.namespace).toBe("kube-system");
  });

  test("only one of many racing for a name wins", async () => {
    await using f = await startRegistry();
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => f.client.create(configmaps, configMap("a"))));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("update", () => {
  test("of an object that is gone is a conflict when it names its uid", async () => {
    await using f = await startRegistry();
    const gone = await f.client.create(services, { metadata: key, spec: { ports: [{ port: 80 }] } });
    await f.client.delete(services, key);
    const error = await refused(f.client.update(services, thaw<Service>(gone)));
    expect(error.code).toBe(409);
    expect(error.message).toEndWith(`Precondition failed: UID in precondition: ${gone.metadata.uid}, UID in object meta: `);
  });

  test('with resourceVersion "0" is of any, where kinds allow that', async () => {
    await using f = await startRegistry();
    const any = { namespace, resourceVersion: "0" };
    await f.client.create(configmaps, { metadata: { ...any, name: "a" } });
    const updated = await f.client.update(configmaps, { metadata: { ...any, name: "a" }, data: { x: "1" } });
    expect([updated.data, updated.metadata.resourceVersion]).toEqual([{ x: "1" }, String(f.storage.revision)]);
    expect((await f.client.patch(configmaps, key, merge({ metadata: { resourceVersion: "0" }, data: { x: "2" } }))).data).toEqual({ x: "2" });
    await f.client.create(leases, { metadata: { name: "a", namespace }, spec: {} });
    expect((await refused(f.client.update(leases, { metadata: { ...any, name: "a" }, spec: {} }))).status.message).toContain("metadata.resourceVersion: Invalid value: 0: must be specified for an update");
  });

  test("refuses another name than the URL's", async () => {
    await using f = await startRegistry();
    await f.client.create(configmaps, configMap("a"));
    const error = await refused(f.registry.update(f.context, configmaps, key, configMap("b")));
    expect(error.status).toMatchObject({ code: 400, message: "the name of the object (b) does not match the name on the URL (a)" });
  });

  test("of racing writers with one resourceVersion, one wins", async () => {
    await using f = await startRegistry();
    const first = await f.client.create(configmaps, configMap("a"));
    const results = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => f.client.update(configmaps, { ...thaw<ConfigMap>(first), data: { n: String(n) } })));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("never changes the object that readers hold", async () => {
    await using f = await startRegistry();
    const before = await f.client.create(deployments, deployment("a", 1));
    const copy = structuredClone(before);
    await f.client.patch(deployments, key, merge({ spec: { replicas: 3 } }));
    await f.client.patch(deployments, key, merge({ status: { replicas: 3 } }), { subresource: "status" });
    await f.client.update(deployments, deployment("a", 4));
    expect(before).toEqual(copy);
  });
});

describe("patch", () => {
  test("meets unknown fields as asked", async () => {
    await using f = await startRegistry();
    await f.client.create(configmaps, configMap("a"));
    const patch = merge({ bogus: 1, data: { x: "1" } });
    const error = await refused(f.registry.patch(f.context, configmaps, key, patch, { fieldValidation: "Strict" }));
    expect(error.code).toBe(422);
    expect(error.message).toContain('strict decoding error: unknown field "bogus"');
    await f.registry.patch(f.context, configmaps, key, patch, { fieldValidation: "Warn" });
    expect(f.warnings).toEqual(['unknown field "bogus"']);
    await f.registry.patch(f.context, configmaps, key, patch, { fieldValidation: "Ignore" });
    expect(f.warnings).toHaveLength(1);
  });
});

describe("a strategic merge patch that doesn't fit says so as Kubernetes' converter does:", () => {
  test.each([
    [{ spec: { replicas: "x" } }, "unrecognized type: int32"],
    [{ spec: { replicas: 1.5 } }, "cannot convert float64 to int32"],
    [{ spec: { paused: 1 } }, "unrecognized type: bool"],
    [{ spec: 7 }, "cannot restore struct from: int64"],
    [{ spec: 7.5 }, "cannot restore struct from: float64"],
    [{ spec: { template: { spec: { containers: 7 } } } }, "cannot restore slice from int64"],
    [{ metadata: { labels: 7 } }, "cannot restore map from int64"],
    [{ metadata: { labels: { a: 1 } } }, "cannot convert int64 to string"],
    [{ metadata: { labels: { a: 1.5 } } }, "unrecognized type: string"],
  ])("%j", async (body, fault) => {
    await using f = await startRegistry();
    await f.client.create(deployments, deployment("a", 1));
    const error = await refused(f.registry.patch(f.context, deployments, key, { type: "application/strategic-merge-patch+json", body }));
    expect(error.code).toBe(422);
    expect(error.message).toStartWith(' "" is invalid: patch: Invalid value: "map[');
    expect(error.message).toEndWith(`": ${fault}`);
  });
});

describe("delete", () => {
  test("answers with a Status when the object is gone, with the object when it stays", async () => {
    await using f = await startRegistry({ clock: new FakeClock(Date.parse("2026-02-03T04:05:06Z")) });
    const { metadata: { uid } } = await f.client.create(configmaps, configMap("a"));
    expect(await f.registry.delete(f.context, configmaps, key)).toEqual({ status: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details: { name: "a", kind: "configmaps", uid } } });
    await f.client.create(configmaps, { metadata: { ...key, finalizers: ["example.com/hold"] } });
    const { object, status } = await f.registry.delete(f.context, configmaps, key);
    expect(status).toBeUndefined();
    expect(object?.metadata.deletionTimestamp).toBe("2026-02-03T04:05:06Z");
  });

  test("grace counts from now", async () => {
    await using f = await startRegistry({ clock: new FakeClock(Date.parse("2026-02-03T04:05:06Z")) });
    await f.client.create(serviceaccounts, { metadata: { name: "default", namespace } });
    await f.client.create(pods, { ...pod("a"), spec: { ...pod("a").spec, nodeName: "n", terminationGracePeriodSeconds: 10 } });
    const { object } = await f.registry.delete(f.context, pods, key);
    expect(object?.metadata).toMatchObject({ deletionTimestamp: "2026-02-03T04:05:16Z", deletionGracePeriodSeconds: 10 });
  });

  test("a namespace waits for spec.finalizers", async () => {
    await using f = await startRegistry();
    await f.client.create(namespaces, { metadata: { name: "x" }, spec: {} });
    const { object } = await f.registry.delete(f.context, namespaces, { name: "x" });
    expect(object).toMatchObject({ status: { phase: "Terminating" } });
    await f.registry.update(f.context, namespaces, { name: "x" }, { metadata: { name: "x" }, spec: { finalizers: [] } }, { subresource: "finalize" });
    expect((await refused(f.client.get(namespaces, { name: "x" }))).code).toBe(404);
  });
});

describe("list", () => {
  test("a continue token outlives changes, but not compaction; then it says how to go on", async () => {
    await using f = await startRegistry();
    for (const name of ["a", "b", "c"]) await f.client.create(configmaps, configMap(name));
    const first = await f.client.list(configmaps, { namespace, limit: 1 });
    // More events than the cacher's window holds, so that only the storage's history could serve the token.
    for (let i = 0; i < 1100; i += 50) await Promise.all(Array.from({ length: 50 }, (_, n) => f.client.create(configmaps, configMap(`z${i + n}`))));
    expect((await f.client.list(configmaps, { namespace, limit: 5, continue: first.metadata.continue })).items.map(({ metadata }) => metadata.name)).toEqual(["b", "c"]);
    await f.storage.compact(f.storage.revision);
    const error = await refused(f.client.list(configmaps, { namespace, limit: 1, continue: first.metadata.continue }));
    expect(error.status).toMatchObject({ code: 410, reason: "Expired" });
    expect(error.message).toStartWith("The provided continue parameter is too old to display a consistent list result.");
    const rest = await f.client.list(configmaps, { namespace, limit: 1, continue: error.status.metadata!.continue });
    expect(rest.items[0]!.metadata.name).toBe("b");
    const old = await refused(f.client.list(configmaps, { namespace, resourceVersion: first.metadata.resourceVersion, resourceVersionMatch: "Exact" }));
    expect(old.status).toMatchObject({ code: 410, message: "The resourceVersion for the provided list is too old." });
  });

  test("a resourceVersion of the future times out", async () => {
    await using f = await startRegistry();
    const error = await refused(f.registry.list(configmaps, { resourceVersion: "1000000" }));
    expect(error.status).toMatchObject({ code: 504, reason: "Timeout", details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }], retryAfterSeconds: 1 } });
    expect(error.message).toMatch(/Too large resource version: 1000000, current: \d+/);
  });

  test("a watch from the future that ends before it began just ends", async () => {
    await using f = await startRegistry();
    await f.registry.watch(configmaps, { resourceVersion: "1000000" }, () => expect.unreachable(), AbortSignal.timeout(10));
  });

  test("continue tokens are what Kubernetes' are, and bad ones are refused", () => {
    const token = encodeContinue({ revision: 42, after: "ns/name" });
    expect(JSON.parse(Buffer.from(token, "base64url").toString())).toEqual({ v: "meta.k8s.io/v1", rv: 42, start: "ns/name\0" });
    expect(decodeContinue(token)).toEqual({ revision: 42, after: "ns/name" });
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    for (const bad of [{ v: "v0", rv: 1, start: "a\0" }, { v: "meta.k8s.io/v1", rv: 0, start: "a\0" }, { v: "meta.k8s.io/v1", rv: 1, start: "" }, { v: "meta.k8s.io/v1", rv: 1, start: "../x\0" }, null]) {
      expect(() => decodeContinue(encode(bad))).toThrow("continue key is not valid");
    }
  });
});

describe("watch", () => {
  function watch(f: RegistryFixture, options: WatchOptions): { events: WatchEvent<ConfigMap>[]; ended: Promise<void>; stop(): void } {
    const stopped = new AbortController();
    const events: WatchEvent<ConfigMap>[] = [];
    const ended = f.registry.watch(configmaps, options, (batch) => events.push(...batch), stopped.signal);
    return { events, ended, stop: () => stopped.abort() };
  }

  test("hands out the cache's own objects, before the writer knows", async () => {
    await using f = await startRegistry();
    const { events, stop } = watch(f, { namespace });
    const created = await f.client.create(configmaps, configMap("a"));
    expect(events).toHaveLength(1);
    expect(events[0]!.object).toBe(f.cacher.get<ConfigMap>("/registry/core/configmaps/default/a")!.object);
    expect(events[0]!.object).toBe(created as Frozen<ConfigMap>);
    stop();
  });

  test("from a compacted resourceVersion is Expired", async () => {
    await using f = await startRegistry();
    const { metadata: { resourceVersion } } = await f.client.create(configmaps, configMap("a"));
    for (let i = 0; i < 1100; i += 50) await Promise.all(Array.from({ length: 50 }, (_, n) => f.client.create(configmaps, configMap(`z${i + n}`))));
    await f.storage.compact(f.storage.revision);
    const error = await refused(watch(f, { resourceVersion }).ended);
    expect(error.status).toMatchObject({ code: 410, reason: "Expired", message: "The resourceVersion for the provided watch is too old." });
  });

  test("several see the same departure object", async () => {
    await using f = await startRegistry();
    await f.client.create(configmaps, configMap("a", {}, { tier: "x" }));
    const [one, two] = [watch(f, { labelSelector: "tier=x" }), watch(f, { labelSelector: "tier=x" })];
    await f.client.update(configmaps, configMap("a"));
    expect(one.events.at(-1)!.type).toBe("DELETED");
    expect(one.events.at(-1)!.object).toBe(two.events.at(-1)!.object as Frozen<ConfigMap>);
    one.stop();
    two.stop();
  });
});

describe("subresources", () => {
  test("serviceaccounts/token goes through the issuer", async () => {
    const asked: Parameters<TokenIssuer["issue"]>[0][] = [];
    const tokenIssuer: TokenIssuer = {
      audiences: ["https://kubernetes.default.svc"],
      issue: async (request) => {
        asked.push(request);
        return { token: "signed", expirationTimestamp: "2026-01-01T00:00:00Z" };
      },
    };
    await using f = await startRegistry({ tokenIssuer });
    await f.client.create(serviceaccounts, { metadata: { name: "default", namespace } });
    const { metadata: { uid } } = await f.client.create(pods, pod("a"));
    const request = (spec: object): Promise<TokenRequest> => f.client.createSubresource<TokenRequest>(serviceaccounts, { namespace, name: "default" }, "token", { metadata: {}, spec });
    expect((await request({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "a" } })).status?.token).toBe("signed");
    expect(asked).toMatchObject([{ audiences: ["https://kubernetes.default.svc"], expirationSeconds: 3600, bound: { kind: "Pod", name: "a", uid } }]);
    expect((await refused(request({ expirationSeconds: 60 }))).message).toContain("may not specify a duration less than 10 minutes");
    expect((await refused(request({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "a", uid: "older" } }))).code).toBe(409);
    expect((await refused(request({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "b" } }))).code).toBe(404);
  });

  test("unknown ones are refused", async () => {
    await using f = await startRegistry();
    await f.client.create(configmaps, configMap("a"));
    expect((await refused(f.client.createSubresource(configmaps, key, "binding", {}))).code).toBe(405);
    expect((await refused(f.client.get(configmaps, key, { subresource: "bogus" }))).code).toBe(404);
  });
});

describe("reviews", () => {
  test("are answered, and not stored", async () => {
    await using f = await startRegistry();
    const resourceAttributes = { verb: "get", resource: "pods", namespace };
    expect(await f.client.create(selfsubjectaccessreviews, { metadata: {}, spec: { resourceAttributes } })).toMatchObject({ kind: "SelfSubjectAccessReview", status: { allowed: true } });
    expect(await f.client.create(subjectaccessreviews, { metadata: {}, spec: { user: "eve", resourceAttributes } })).toMatchObject({ status: { allowed: false } });
    expect((await refused(f.client.create(subjectaccessreviews, { metadata: {}, spec: { resourceAttributes } }))).code).toBe(422);
    expect(await f.client.create(selfsubjectreviews, { metadata: {} })).toMatchObject({ status: { userInfo: { username: "admin", groups: ["system:masters", "system:authenticated"] } } });
    expect(f.cacher.count("/registry/authorization.k8s.io/subjectaccessreviews/")).toBe(0);
  });
});

describe("informers", () => {
  const nameOf = (object: Frozen<KubeObject> | undefined): string | undefined => object?.metadata.name;

  test("show what exists, then each change within the commit", async () => {
    await using f = await startRegistry();
    await f.client.create(configmaps, configMap("a"));
    const informer = f.informers.informer(configmaps, { namespace });
    expect(f.informers.informer(configmaps, { namespace })).toBe(informer);
    const changes: [string | undefined, string | undefined][] = [];
    const unsubscribe = informer.onChange((old, current) => changes.push([nameOf(old), nameOf(current)]));
    await f.client.create(configmaps, configMap("b"));
    await f.client.create(configmaps, { metadata: { name: "elsewhere", namespace: "kube-public" } });
    await f.client.delete(configmaps, key);
    expect(changes).toEqual([[undefined, "a"], [undefined, "b"], ["a", undefined]]);
    unsubscribe();
    await f.client.create(configmaps, configMap("c"));
    expect(changes).toHaveLength(3);
    expect(informer.lister.list().map(nameOf)).toEqual(["b", "c"]);
    expect(informer.lister.get("default/b")).toBe((await f.client.get(configmaps, { namespace, name: "b" })) as Frozen<ConfigMap>);
    expect(informer.lister.get("kube-public/elsewhere")).toBeUndefined();
  });

  test("of one node see a pod once it is bound", async () => {
    await using f = await startRegistry();
    await f.client.create(serviceaccounts, { metadata: { name: "default", namespace } });
    await f.client.create(nodes, { metadata: { name: "n" }, spec: {} });
    const informer = f.informers.informer(pods, { fieldSelector: "spec.nodeName=n" });
    const changes: [string | undefined, string | undefined][] = [];
    informer.onChange((old, current) => changes.push([nameOf(old), nameOf(current)]));
    await f.client.create(pods, pod("a"));
    expect(changes).toEqual([]);
    await f.client.createSubresource(pods, key, "binding", { metadata: { name: "a" }, target: { kind: "Node", name: "n" } });
    expect(changes).toEqual([[undefined, "a"]]);
    expect(informer.lister.list().map(nameOf)).toEqual(["a"]);
    await f.client.delete(pods, key, { gracePeriodSeconds: 0 });
    expect(changes.at(-1)).toEqual(["a", undefined]);
  });

  test("find what an owner controls", async () => {
    await using f = await startRegistry();
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "o", uid: "uid-1" };
    await f.client.create(configmaps, { metadata: { ...key, ownerReferences: [{ ...owner, controller: true }] } });
    await f.client.create(configmaps, { metadata: { name: "b", namespace, ownerReferences: [owner] } });
    const { lister } = f.informers.informer(configmaps);
    expect(lister.controlledBy("uid-1").map(nameOf)).toEqual(["a"]);
    expect(lister.controlledBy("uid-2")).toEqual([]);
  });
});

test("the in-process client may do what its user may", async () => {
  await using f = await startRegistry();
  const client = createLocalClient({ registry: f.registry, authorizer: mastersOnly, user: { name: "bob", groups: [] } });
  const error = await refused(client.create(services, { metadata: { name: "a", namespace }, spec: {} }));
  expect(error.status).toMatchObject({ code: 403, reason: "Forbidden", message: 'services is forbidden: User "bob" cannot create resource "services" in API group "" in the namespace "default"' });
  expect((await refused(client.list(nodes))).message).toBe('nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the cluster scope');
});

test("a PUT that makes an object needs the right to create", async () => {
  const updatesOnly: Authorizer = { ...mastersOnly, authorize: ({ user, verb }) => ({ allowed: user.name === "admin" || verb === "update", reason: "" }) };
  await using f = await startRegistry({ authorizer: updatesOnly });
  const client = createLocalClient({ registry: f.registry, authorizer: updatesOnly, user: { name: "bob", groups: [] } });
  const lease = { metadata: { name: "a", namespace }, spec: {} };
  expect((await refused(client.update(leases, lease))).message).toContain('User "bob" cannot create resource "leases"');
  const made = await f.client.create(leases, lease);
  const updated = await client.update(leases, { ...thaw<Lease>(made), spec: { holderIdentity: "bob" } });
  expect(updated.spec?.holderIdentity).toBe("bob");
});
