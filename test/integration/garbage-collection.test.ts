import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { KubeObject, OwnerReference } from "../../src/apimachinery/meta.ts";
import type { ResourceCard } from "../../src/apimachinery/resource.ts";
import { apiservices } from "../../src/apis/apiregistration/apiservice.ts";
import { clusterroles, configmaps, events, namespaces, pods, secrets, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Event } from "../../src/apis/generated/core/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { garbageCollector } from "../../src/controllers/garbage-collector/garbage-collector.ts";
import { namespaceController } from "../../src/controllers/namespace/namespace.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { extensionService, startExtensionServer, type ExtensionServer } from "../support/extension-server.ts";

const stop = new AbortController();
const user = { name: "system:serviceaccount:kube-system:namespace-controller", groups: ["system:masters"] };
let server: TestApiServer, extension: ExtensionServer, running: Promise<unknown>;
let count = 0, ns = "";

/** What the extension API server keeps, as `namespace/name`, and whether it answers. */
const flunders = new Set<string>();
let answering = true;
function answer(request: Request, { pathname }: URL): object {
  if (!answering) return new Response("out of order", { status: 500 });
  const [, , group, version, , namespace, , name] = pathname.split("/");
  if (!namespace) return { kind: "APIResourceList", apiVersion: "v1", groupVersion: `${group}/${version}`, resources: [{ name: "flunders", singularName: "flunder", namespaced: true, kind: "Flunder", verbs: ["get", "list", "delete"] }] };
  if (request.method === "DELETE") flunders.delete(`${namespace}/${name}`);
  return { kind: "FlunderList", items: [...flunders].filter((key) => key.startsWith(`${namespace}/`)).map((key) => ({ metadata: { namespace, name: key.split("/")[1] } })) };
}

beforeAll(async () => {
  extension = await startExtensionServer(answer);
  server = await startApiServer({ serviceAddresses: new Map([[extensionService, { host: "127.0.0.1", port: extension.port }]]) });
  const kinds = server.registry.resources;
  const recorder = createEventRecorder({ client: server.client(), events, component: "garbage-collector-controller", clock: systemClock }, stop.signal);
  running = Promise.all([
    server.runAggregator(stop.signal),
    startControllers([garbageCollector({ kinds }), namespaceController({ kinds, extensions: server.extensionApis(user) })], { clientFor: () => server.client(), recorderFor: () => recorder, informers: server.informers, clock: systemClock }, stop.signal),
  ]);
});
afterAll(async () => {
  stop.abort();
  await running;
  await server.stop();
  await extension.stop();
});
beforeEach(async () => {
  ns = await createNamespace(`collected-${count++}`);
});
async function createNamespace(name: string): Promise<string> {
  await server.client().create(namespaces, { metadata: { name }, spec: {} });
  return name;
}

const created = async <T extends KubeObject>(card: ResourceCard<T>, name: string, metadata: Partial<KubeObject["metadata"]> = {}, rest: object = {}): Promise<T> =>
  await server.client().create(card, { ...rest, metadata: { name, ...(card.scope === "Namespaced" ? { namespace: ns } : {}), ...metadata } } as T) as T;
const reference = (kind: string, owner: KubeObject, more: Partial<OwnerReference> = {}): OwnerReference => ({ apiVersion: "v1", kind, name: owner.metadata.name!, uid: owner.metadata.uid!, ...more });
const exists = (card: ResourceCard<any>, name: string, namespace = ns): boolean => server.informers.informer(card).lister.get(card.scope === "Namespaced" ? `${namespace}/${name}` : name) !== undefined;
const told = (namespace: string): string[] => (server.informers.informer(events).lister.list(namespace) as readonly Event[]).filter(({ reason }) => reason === "OwnerRefInvalidNamespace").map(({ message }) => message!);

/** The card that is served: it says what a deletion begins with. */
const definitions = () => server.registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions") as ResourceCard<KubeObject>;
async function define(plural: string): Promise<ResourceCard<KubeObject>> {
  await server.client().create(definitions(), {
    apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: `${plural}.late.example.com` },
    spec: { group: "late.example.com", scope: "Namespaced", names: { plural, singular: plural.slice(0, -1), kind: plural[0]!.toUpperCase() + plural.slice(1, -1) }, versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } }] },
  } as KubeObject);
  return eventually(() => server.registry.find("late.example.com", "v1", plural) as ResourceCard<KubeObject> | undefined ?? Promise.reject(new Error("not served")));
}

describe("an owner", () => {
  test("in another namespace is none, and an Event says so", async () => {
    const owner = await created(configmaps, "owner");
    const elsewhere = await createNamespace(`${ns}-elsewhere`);
    await created(configmaps, "owned", { namespace: elsewhere, ownerReferences: [reference("ConfigMap", owner)] });
    await eventually(() => expect(exists(configmaps, "owned", elsewhere)).toBe(false));
    await eventually(() => expect(told(elsewhere)).toEqual([`ownerRef [v1/ConfigMap, namespace: ${elsewhere}, name: owner, uid: ${owner.metadata.uid}] does not exist in namespace "${elsewhere}"`]));
    expect(exists(configmaps, "owner")).toBe(true);
  });

  test("in a namespace can't have what is in none", async () => {
    const owner = await created(configmaps, "owner");
    await created(clusterroles, `role-${ns}`, { ownerReferences: [reference("ConfigMap", owner)] }, { rules: [] });
    await eventually(() => expect(told("default")).toContain(`ownerRef [v1/ConfigMap, namespace: , name: owner, uid: ${owner.metadata.uid}] does not exist in namespace ""`));
    await server.client().delete(configmaps, { namespace: ns, name: "owner" });
    await created(configmaps, "later", { ownerReferences: [reference("ConfigMap", owner)] });
    await eventually(() => expect(exists(configmaps, "later")).toBe(false));
  });

  test("in no namespace has what is in any", async () => {
    const owner = await created(clusterroles, `owner-${ns}`, {}, { rules: [] });
    await created(configmaps, "owned", { ownerReferences: [reference("ClusterRole", owner, { apiVersion: "rbac.authorization.k8s.io/v1" })] });
    await server.client().delete(clusterroles, { name: `owner-${ns}` });
    await eventually(() => expect(exists(configmaps, "owned")).toBe(false));
  });

  test("of a kind that isn't there yet is waited for", async () => {
    await created(configmaps, "owned", { ownerReferences: [{ apiVersion: "late.example.com/v1", kind: "Widget", name: "w", uid: "none" }] });
    await created(configmaps, "bystander", { ownerReferences: [{ apiVersion: "v1", kind: "Secret", name: "s", uid: "none" }] });
    await eventually(() => expect(exists(configmaps, "bystander")).toBe(false));
    expect(exists(configmaps, "owned")).toBe(true);
    await define("widgets");
    await eventually(() => expect(exists(configmaps, "owned")).toBe(false));
  });

  test("that goes with its whole kind takes along what it has", async () => {
    const gizmos = await define("gizmos");
    const owner = await created(gizmos, "g");
    for (let i = 0; i < 20; i++) await created(configmaps, `owned-${i}`, { ownerReferences: [reference("Gizmo", owner, { apiVersion: "late.example.com/v1" })] });
    await server.client().delete(definitions(), { name: "gizmos.late.example.com" });
    await eventually(() => expect(server.informers.informer(configmaps).lister.list(ns).filter(({ metadata }) => metadata.name!.startsWith("owned"))).toEqual([]));
  });

  test("deleted in the foreground goes after all it has, three deep", async () => {
    const owner = await created(configmaps, "owner");
    const child = await created(configmaps, "child", { ownerReferences: [reference("ConfigMap", owner, { blockOwnerDeletion: true })] });
    await created(configmaps, "grandchild", { finalizers: ["example.com/wait"], ownerReferences: [reference("ConfigMap", child, { blockOwnerDeletion: true })] });
    await created(secrets, "free", { ownerReferences: [reference("ConfigMap", owner)] });
    await server.client().delete(configmaps, { namespace: ns, name: "owner" }, { propagationPolicy: "Foreground" });
    await eventually(async () => {
      expect(exists(secrets, "free")).toBe(false);
      expect((await server.client().get(configmaps, { namespace: ns, name: "grandchild" })).metadata.deletionTimestamp).toBeDefined();
    });
    expect([exists(configmaps, "owner"), exists(configmaps, "child")]).toEqual([true, true]);
    await server.client().patch(configmaps, { namespace: ns, name: "grandchild" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
    await eventually(() => expect(["owner", "child", "grandchild"].map((name) => exists(configmaps, name))).toEqual([false, false, false]));
  });

  test("in a circle goes in the foreground all the same", async () => {
    const names = ["a", "b", "c"], made: KubeObject[] = [];
    for (const name of names) made.push(await created(configmaps, name));
    for (const [i, name] of names.entries()) {
      await server.client().patch(configmaps, { namespace: ns, name }, { type: "application/merge-patch+json", body: { metadata: { ownerReferences: [reference("ConfigMap", made[(i + 2) % 3]!, { blockOwnerDeletion: true })] } } });
    }
    await server.client().delete(configmaps, { namespace: ns, name: "a" }, { propagationPolicy: "Foreground" });
    await eventually(() => expect(names.map((name) => exists(configmaps, name))).toEqual([false, false, false]));
  });

  test("lets go of hundreds as an orphaning deletion asks, then goes", async () => {
    const owner = await created(configmaps, "owner");
    await Promise.all(Array.from({ length: 300 }, (_, i) => created(secrets, `s-${i}`, { ownerReferences: [reference("ConfigMap", owner)] })));
    await server.client().delete(configmaps, { namespace: ns, name: "owner" }, { propagationPolicy: "Orphan" });
    await eventually(() => expect(exists(configmaps, "owner")).toBe(false));
    const left = server.informers.informer(secrets).lister.list(ns);
    expect([left.length, left.filter(({ metadata }) => metadata.ownerReferences).length]).toEqual([300, 0]);
  });

  test("that is gone is found out of something that never stops changing", async () => {
    const owner = await created(configmaps, "owner");
    await created(configmaps, "busy", { ownerReferences: [reference("ConfigMap", owner)] });
    let writes = 0;
    const busy = (async () => {
      while (exists(configmaps, "busy")) await server.client().patch(configmaps, { namespace: ns, name: "busy" }, { type: "application/merge-patch+json", body: { data: { n: String(writes++) } } }).catch(() => undefined);
    })();
    await server.client().delete(configmaps, { namespace: ns, name: "owner" });
    await eventually(() => expect(exists(configmaps, "busy")).toBe(false));
    await busy;
  });
});

describe("a namespace", () => {
  const conditions = async (): Promise<Record<string, string>> => Object.fromEntries((await server.client().get(namespaces, { name: ns })).status?.conditions?.map(({ type, status, message }) => [type, `${status}: ${message}`]) ?? []);
  const isGone = (): Promise<void> => eventually(() => expect(exists(namespaces, ns)).toBe(false));

  test("goes pods first", async () => {
    await created(serviceaccounts, "default");
    await created(pods, "held", { finalizers: ["example.com/wait"] }, { spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: "i" }] } });
    await created(configmaps, "needed");
    await server.client().delete(namespaces, { name: ns });
    await eventually(async () => expect(await conditions()).toMatchObject({
      NamespaceDeletionContentFailure: "False: All content successfully deleted, may be waiting on finalization",
      NamespaceFinalizersRemaining: "True: Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances",
    }));
    expect((await conditions())["NamespaceContentRemaining"]).toContain("pods. has 1 resource instances");
    expect(exists(configmaps, "needed")).toBe(true);
    await server.client().patch(pods, { namespace: ns, name: "held" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
    await isGone();
  });

  test("tells of finalizers as they go", async () => {
    await created(configmaps, "held", { finalizers: ["example.com/a", "example.com/b"] });
    await server.client().delete(namespaces, { name: ns });
    const remaining = (text: string): Promise<void> => eventually(async () => expect((await conditions())["NamespaceFinalizersRemaining"]).toBe(`True: Some content in the namespace has finalizers remaining: ${text}`));
    await remaining("example.com/a in 1 resource instances, example.com/b in 1 resource instances");
    await server.client().patch(configmaps, { namespace: ns, name: "held" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: ["example.com/b"] } } });
    await remaining("example.com/b in 1 resource instances");
    await server.client().patch(configmaps, { namespace: ns, name: "held" }, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
    await isGone();
  });

  test("of two thousand objects is gone in seconds", async () => {
    await Promise.all(Array.from({ length: 2000 }, (_, i) => created(i % 2 ? configmaps : secrets, `o-${i}`)));
    const start = performance.now();
    await server.client().delete(namespaces, { name: ns });
    await isGone();
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  test("waits for what extension API servers keep, and for those that don't answer", async () => {
    await extension.register(server.client(), "wardle.example.com", "v1alpha1");
    const available = (status: string): Promise<void> => eventually(async () => expect((await server.client().get(apiservices, { name: "v1alpha1.wardle.example.com" })).status?.conditions?.[0]?.status).toBe(status as never));
    await available("True");
    flunders.add(`${ns}/one`).add(`${ns}/two`).add("default/mine");
    await server.client().delete(namespaces, { name: ns });
    await isGone();
    expect([...flunders]).toEqual(["default/mine"]);

    answering = false;
    await server.client().patch(apiservices, { name: "v1alpha1.wardle.example.com" }, { type: "application/merge-patch+json", body: { metadata: { labels: { look: "again" } } } });
    await available("False");
    ns = await createNamespace(`${ns}-again`);
    flunders.add(`${ns}/three`);
    await server.client().delete(namespaces, { name: ns });
    await eventually(async () => expect((await conditions())["NamespaceDeletionDiscoveryFailure"]).toBe("True: Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: wardle.example.com/v1alpha1: stale GroupVersion discovery: wardle.example.com/v1alpha1"));
    expect(exists(namespaces, ns)).toBe(true);
    answering = true;
    await isGone();
    expect([...flunders]).toEqual(["default/mine"]);
  });
});
