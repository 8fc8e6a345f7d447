import { afterAll, beforeAll, expect, test } from "bun:test";
import type { KubeObject, OwnerReference } from "../../src/apimachinery/meta.ts";
import type { ResourceCard } from "../../src/apimachinery/resource.ts";
import { configmaps, namespaces, resourcequotas } from "../../src/apis/builtins.ts";
import { customresourcedefinitions } from "../../src/apis/apiextensions/customresourcedefinition.ts";
import { systemClock } from "../../src/base/clock.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { garbageCollector } from "../../src/controllers/garbage-collector/garbage-collector.ts";
import { namespaceController } from "../../src/controllers/namespace/namespace.ts";
import { resourceQuotaController } from "../../src/controllers/resourcequota/resourcequota.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";

// Controllers that look at every kind, with kinds that were not there when they started.
let server: TestApiServer;
let gadgets: ResourceCard<KubeObject>;
const stop = new AbortController();
let running: Promise<void>;

beforeAll(async () => {
  server = await startApiServer();
  const kinds = server.registry.resources;
  running = startControllers([garbageCollector({ kinds }), namespaceController({ kinds }), resourceQuotaController({ kinds })], {
    clientFor: () => server.client(), recorderFor: () => ({ event: () => undefined }), informers: server.informers, clock: systemClock,
  }, stop.signal);
  const versions = ["v1", "v2"].map((name) => ({ name, served: true, storage: name === "v2", schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } }));
  await server.client().create(customresourcedefinitions, {
    apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "gadgets.late.example.com" },
    spec: { group: "late.example.com", scope: "Namespaced", names: { plural: "gadgets", singular: "gadget", kind: "Gadget" }, versions },
  });
  gadgets = await eventually(() => {
    const card = server.registry.find("late.example.com", "v1", "gadgets");
    if (!card) throw new Error("not served");
    return card;
  });
});
afterAll(async () => {
  stop.abort();
  await running;
  await server.stop();
});

const gadget = (name: string, metadata: Partial<KubeObject["metadata"]> = {}): KubeObject => ({ metadata: { name, namespace: "default", ...metadata } });
const reference = (owner: KubeObject, apiVersion = owner.apiVersion!): OwnerReference => ({ apiVersion, kind: "Gadget", name: owner.metadata.name!, uid: owner.metadata.uid! });
const exists = (card: ResourceCard<KubeObject>, name: string, namespace = "default"): Promise<boolean> => server.client().get(card, { namespace, name }).then(() => true, () => false);

test("what a custom resource owns goes with it, whichever version the reference names", async () => {
  const client = server.client();
  const owner = await client.create(gadgets, gadget("owner")) as KubeObject;
  for (const version of ["v1", "v2"]) await client.create(configmaps, { metadata: { name: `owned-${version}`, namespace: "default", ownerReferences: [reference(owner, `late.example.com/${version}`)] } });
  await client.create(gadgets, gadget("child", { ownerReferences: [reference(owner, "late.example.com/v1")] }));
  await client.delete(gadgets, { namespace: "default", name: "owner" });
  await eventually(async () => expect(await Promise.all([exists(configmaps as never, "owned-v1"), exists(configmaps as never, "owned-v2"), exists(gadgets, "child")])).toEqual([false, false, false]));
});

test("custom resources go with their namespace, after their finalizers", async () => {
  const client = server.client();
  await client.create(namespaces, { metadata: { name: "late" }, spec: {} });
  await client.create(gadgets, gadget("free", { namespace: "late" }));
  await client.create(gadgets, gadget("held", { namespace: "late", finalizers: ["example.com/wait"] }));
  await client.delete(namespaces, { name: "late" });
  await eventually(async () => expect(await exists(gadgets, "free", "late")).toBe(false));
  expect(await exists(gadgets, "held", "late")).toBe(true);
  await client.patch(gadgets, { namespace: "late", name: "held" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
  await eventually(() => expect(server.informers.informer(namespaces).lister.get("late")).toBeUndefined());
});

test("custom resources count for quotas", async () => {
  const client = server.client(), name = "count/gadgets.late.example.com";
  await client.create(namespaces, { metadata: { name: "counted" }, spec: {} });
  await client.create(resourcequotas, { metadata: { name: "quota", namespace: "counted" }, spec: { hard: { [name]: "1" } } });
  const used = (): string | undefined => (server.informers.informer(resourcequotas).lister.get("counted/quota")?.status?.used as Record<string, string> | undefined)?.[name];
  await eventually(() => expect(used()).toBe("0"));
  await client.create(gadgets, gadget("one", { namespace: "counted" }));
  await eventually(() => expect(used()).toBe("1"));
  await expect(client.create(gadgets, gadget("two", { namespace: "counted" }))).rejects.toThrow("exceeded quota: quota, requested: count/gadgets.late.example.com=1, used: count/gadgets.late.example.com=1, limited: count/gadgets.late.example.com=1");
  await client.delete(gadgets, { namespace: "counted", name: "one" });
  await eventually(() => expect(used()).toBe("0"));
});

test("depth is bounded, and names that JavaScript knows are names", async () => {
  const deep = `{"apiVersion":"late.example.com/v1","kind":"Gadget","metadata":{"name":"deep"},"spec":${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}}`;
  const post = (body: string): Promise<Response> => server.fetch("/apis/late.example.com/v1/namespaces/default/gadgets", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  expect((await post(deep)).status).toBe(400);
  const odd = await post('{"apiVersion":"late.example.com/v1","kind":"Gadget","metadata":{"name":"odd"},"__proto__":{"polluted":true},"constructor":{"prototype":1},"toString":2}');
  expect(odd.status).toBe(201);
  expect(await odd.text()).toContain('"__proto__":{"polluted":true}');
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
