import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../src/apimachinery/resource.ts";
import { configmaps, leases } from "../../src/apis/builtins.ts";
import { storageversions, type StorageVersion } from "../../src/apis/apiserverinternal/storageversion.ts";
import { gatedKinds } from "../../src/apis/feature-gates.ts";
import type { CustomResourceDefinition } from "../../src/apis/generated/apiextensions/v1.ts";
import type { ServerStorageVersion } from "../../src/apis/generated/apiserverinternal/v1alpha1.ts";
import { storageversionmigrations, type StorageVersionMigration } from "../../src/apis/storagemigration/storageversionmigration.ts";
import { publishStorageVersions } from "../../src/apiserver/storage-versions/publisher.ts";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import type { Client } from "../../src/client/client.ts";
import { rulesOf, type Controller } from "../../src/client/controller.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { storageVersionGc } from "../../src/controllers/storage-version-gc/storage-version-gc.ts";
import { storageVersionMigrator } from "../../src/controllers/storage-version-migrator/storage-version-migrator.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { mortalClient } from "../support/mortal-client.ts";

// What a server with the feature gates StorageVersionAPI and StorageVersionMigrator has beside others. Controllers may do what their roles say.
let server: TestApiServer;
const stop = new AbortController();
const running: Promise<void>[] = [];
let definitions: ResourceCard<CustomResourceDefinition>;
const apiServerID = "apiserver-one", namespace = "kube-system";

/** One migrator of its own, so that it can be ended. */
const migrator = (): Controller => storageVersionMigrator({ kinds: server.registry.resources });

const clientOf = (name: string): Client => server.client({ name: `system:serviceaccount:${namespace}:${name}`, groups: ["system:serviceaccounts", "system:authenticated"] });

function run(controller: Controller, { signal = stop.signal, clock = systemClock, client = clientOf(controller.name) }: { signal?: AbortSignal; clock?: Clock; client?: Client } = {}): Promise<void> {
  return startControllers([controller], { clientFor: () => client, recorderFor: () => ({ event: () => undefined }), informers: server.informers, clock }, signal);
}

const lease = (name: string): Promise<unknown> => server.client().create(leases, { metadata: { name, namespace, labels: { "apiserver.kubernetes.io/identity": "kube-apiserver" } }, spec: { holderIdentity: name } });
const get = (name: string): Promise<StorageVersion> => server.client().get(storageversions, { name }) as Promise<StorageVersion>;

beforeAll(async () => {
  const kinds = { cards: [] as readonly AnyResource[], onChange: () => () => undefined };
  const roles = [storageVersionGc, storageVersionMigrator({ kinds })].map((controller) => ({ name: controller.name, rules: rulesOf(controller) }));
  server = await startApiServer({ cards: gatedKinds({ APIServerIdentity: true, StorageVersionAPI: true, StorageVersionMigrator: true }), controllers: roles });
  definitions = server.registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")!;
  await lease(apiServerID);
  running.push(run(storageVersionGc), publishStorageVersions({ apiServerID, kinds: server.registry.resources, informers: server.informers, client: server.client(), clock: systemClock }, stop.signal));
});
afterAll(async () => {
  stop.abort();
  await Promise.all(running);
  await server.stop();
});

const versions = (storage: string) => ["v1", "v2"].map((name) => ({ name, served: true, storage: name === storage, schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } }));

async function define(plural: string, group: string): Promise<ResourceCard<KubeObject>> {
  const kind = plural[0]!.toUpperCase() + plural.slice(1, -1);
  await server.client().create(definitions, {
    apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: `${plural}.${group}` },
    spec: { group, scope: "Namespaced", names: { plural, singular: plural.slice(0, -1), kind }, versions: versions("v1") },
  });
  return eventually(() => {
    const card = server.registry.find(group, "v1", plural);
    if (!card) throw new Error("not served");
    return card;
  });
}

const storeAs = (name: string, version: string): Promise<unknown> => server.client().patch(definitions, { name }, { type: "application/merge-patch+json", body: { spec: { versions: versions(version) } } });

describe("storage versions", () => {
  test.each<[string, Omit<ServerStorageVersion, "apiServerID">]>([
    ["core.configmaps", { encodingVersion: "v1", decodableVersions: ["v1"], servedVersions: ["v1"] }],
    ["apiextensions.k8s.io.customresourcedefinitions", { encodingVersion: "apiextensions.k8s.io/v1", decodableVersions: ["apiextensions.k8s.io/v1"], servedVersions: ["apiextensions.k8s.io/v1"] }],
    ["apps.deployments", { encodingVersion: "apps/v1", decodableVersions: ["apps/v1"], servedVersions: ["apps/v1"] }],
    ["autoscaling.horizontalpodautoscalers", { encodingVersion: "autoscaling/v2", decodableVersions: ["autoscaling/v2", "autoscaling/v1"], servedVersions: ["autoscaling/v2", "autoscaling/v1"] }],
    ["core.events", { encodingVersion: "v1", decodableVersions: ["v1", "events.k8s.io/v1"], servedVersions: ["v1"] }],
  ])("%s", async (name, expected) => {
    await eventually(async () => expect((await get(name)).status).toEqual({
      storageVersions: [{ apiServerID, ...expected }], commonEncodingVersion: expected.encodingVersion,
      conditions: [{ type: "AllEncodingVersionsEqual", status: "True", reason: "CommonEncodingVersionSet", message: "Common encoding version set", lastTransitionTime: expect.any(String) }],
    }));
  });

  test("none of what isn't stored, nor of what shows another kind", async () => {
    await eventually(() => get("internal.apiserver.k8s.io.storageversions"));
    const names = (await server.client().list(storageversions)).items.map(({ metadata }) => metadata.name!);
    expect(names.filter((name) => /review|binding$|bindings$|events\.k8s|componentstatus/.test(name)).toSorted()).toEqual([
      "admissionregistration.k8s.io.mutatingadmissionpolicybindings", "admissionregistration.k8s.io.validatingadmissionpolicybindings", "rbac.authorization.k8s.io.clusterrolebindings", "rbac.authorization.k8s.io.rolebindings",
    ]);
  });

  test("custom resources come, are stored in another version, and go", async () => {
    await define("comers", "versions.example.com");
    const name = "versions.example.com.comers", common = async () => (await get(name)).status.commonEncodingVersion;
    await eventually(async () => expect(await common()).toBe("versions.example.com/v1"));
    await storeAs("comers.versions.example.com", "v2");
    await eventually(async () => expect(await common()).toBe("versions.example.com/v2"));
    expect((await get(name)).status.storageVersions).toEqual([{ apiServerID, encodingVersion: "versions.example.com/v2", decodableVersions: ["versions.example.com/v2", "versions.example.com/v1"], servedVersions: ["versions.example.com/v2", "versions.example.com/v1"] }]);
    await server.client().delete(definitions, { name: "comers.versions.example.com" });
    await eventually(() => expect(get(name)).rejects.toThrow("not found"));
  });

  test("what another server said goes with its lease", async () => {
    await lease("apiserver-two");
    const name = "core.secrets";
    const mine = await eventually(async () => {
      const found = await get(name);
      expect(found.status.storageVersions).toHaveLength(1);
      return found;
    });
    const other = { apiServerID: "apiserver-two", encodingVersion: "v2", decodableVersions: ["v1", "v2"] };
    const both = structuredClone(mine);
    both.status = { storageVersions: [...both.status.storageVersions!, other], conditions: [{ type: "AllEncodingVersionsEqual", status: "False", reason: "CommonEncodingVersionUnset", message: "Common encoding version unset" }] };
    await server.client().update(storageversions, both, { subresource: "status" });
    await server.client().create(storageversions, { metadata: { name: "gone.example.com.things" }, spec: {}, status: {} });
    const theirs = { ...structuredClone(await get("gone.example.com.things")), status: { storageVersions: [other], commonEncodingVersion: "v2" } };
    await server.client().update(storageversions, theirs, { subresource: "status" });
    expect((await get(name)).status.storageVersions).toHaveLength(2);

    await server.client().delete(leases, { namespace, name: "apiserver-two" });
    await eventually(async () => expect((await get(name)).status).toMatchObject({ storageVersions: mine.status.storageVersions!, commonEncodingVersion: "v1", conditions: [{ status: "True", reason: "CommonEncodingVersionSet" }] }));
    await eventually(() => expect(get("gone.example.com.things")).rejects.toThrow("not found"));
  });

  test("what is said by no server that runs is not kept", async () => {
    await server.client().create(storageversions, { metadata: { name: "odd.example.com.things" }, spec: {}, status: {} });
    const odd = { ...structuredClone(await get("odd.example.com.things")), status: { storageVersions: [{ apiServerID: "nobody", encodingVersion: "v1", decodableVersions: ["v1"] }], commonEncodingVersion: "v1" } };
    await server.client().update(storageversions, odd, { subresource: "status" });
    await eventually(() => expect(get("odd.example.com.things")).rejects.toThrow("not found"));
  });

  test("a lease that was gone and is back has its server say everything again", async () => {
    await server.client().delete(leases, { namespace, name: apiServerID });
    await eventually(async () => expect((await server.client().list(storageversions)).items).toHaveLength(0));
    await lease(apiServerID);
    await eventually(async () => expect((await get("core.pods")).status.commonEncodingVersion).toBe("v1"));
  });
});

describe("migrations", () => {
  const migration = (name: string, group: string, resource: string): Promise<unknown> => server.client().create(storageversionmigrations, { metadata: { name }, spec: { resource: { group, resource } } });
  const migrationOf = (name: string): Promise<StorageVersionMigration> => server.client().get(storageversionmigrations, { name }) as Promise<StorageVersionMigration>;
  const ended = (name: string, type: "Succeeded" | "Failed"): Promise<StorageVersionMigration> => eventually(async () => {
    const found = await migrationOf(name);
    expect(found.status?.conditions).toContainEqual(expect.objectContaining({ type, status: "True" }));
    expect(found.status?.conditions).toContainEqual(expect.objectContaining({ type: "Running", status: "False" }));
    return found;
  });
  const definition = async (name: string) => (await server.client().get(definitions, { name })).status!;
  /** What is in storage, as it is there. */
  const stored = (card: AnyResource): Record<string, string> => Object.fromEntries(server.informers.informer<KubeObject>(card).lister.list().map(({ metadata, apiVersion }) => [metadata.name!, apiVersion!]));

  test("objects of a definition that switched its storage version are stored in the new one", async () => {
    await using _ = during(migrator());
    const card = await define("gadgets", "move.example.com"), client = server.client();
    for (const name of ["a", "b", "c"]) await client.create(card, { metadata: { name, namespace: "default" }, data: name } as KubeObject);
    await storeAs("gadgets.move.example.com", "v2");
    await client.create(server.registry.find("move.example.com", "v2", "gadgets")!, { metadata: { name: "late", namespace: "default" } });
    const before = await client.get(card, { namespace: "default", name: "a" });
    expect(stored(card)).toEqual({ a: "move.example.com/v1", b: "move.example.com/v1", c: "move.example.com/v1", late: "move.example.com/v2" });
    expect((await definition("gadgets.move.example.com")).storedVersions).toEqual(["v1", "v2"]);

    await migration("gadgets-to-v2", "move.example.com", "gadgets");
    const { status } = await ended("gadgets-to-v2", "Succeeded");
    expect(status).toEqual({
      resourceVersion: expect.stringMatching(/^[1-9]\d*$/),
      conditions: [
        { type: "Running", status: "False", reason: "MigrationCompleted", message: "Migration completed", lastTransitionTime: expect.any(String) },
        { type: "Succeeded", status: "True", reason: "StorageVersionMigrationSucceeded", message: "", lastTransitionTime: expect.any(String) },
      ],
    });
    expect(new Set(Object.values(stored(card)))).toEqual(new Set(["move.example.com/v2"]));
    const after = await client.get(card, { namespace: "default", name: "a" }) as KubeObject & { data?: string };
    expect([after.data, after.metadata.uid, after.metadata.managedFields]).toEqual(["a", before.metadata.uid!, before.metadata.managedFields as never]);
    const { storedVersions, conditions } = await definition("gadgets.move.example.com");
    expect(storedVersions).toEqual(["v2"]);
    expect(conditions!.find(({ type }) => (type as string) === "StorageMigrating")).toMatchObject({ status: "False", reason: "MigrationSucceeded", message: "The migration has succeeded and the stored versions have been updated" });
  });

  test("a built-in resource: nothing changes, and it has succeeded", async () => {
    await using _ = during(migrator());
    const made = await server.client().create(configmaps, { metadata: { name: "kept", namespace: "default" }, data: { a: "b" } });
    await migration("configmaps", "", "configmaps");
    await ended("configmaps", "Succeeded");
    expect((await server.client().get(configmaps, { namespace: "default", name: "kept" })).metadata.resourceVersion).toBe(made.metadata.resourceVersion!);
  });

  test("two of one resource: one after the other, the older first", async () => {
    await migration("twice-a", "", "services");
    await migration("twice-b", "", "services");
    await using _ = during(migrator());
    await ended("twice-a", "Succeeded");
    await ended("twice-b", "Succeeded");
    expect(Number((await migrationOf("twice-a")).status!.resourceVersion)).toBeLessThan(Number((await migrationOf("twice-b")).status!.resourceVersion));
  });

  test("a resource that doesn't come within a minute, and one that can't be written", async () => {
    const later = { ...systemClock, now: () => Date.now() + 120_000 };
    await using _ = during(migrator(), { clock: later });
    await migration("missing", "nowhere.example.com", "things");
    expect((await ended("missing", "Failed")).status!.conditions).toContainEqual(expect.objectContaining({ type: "Failed", reason: "StorageVersionMigrationFailed", message: "resource does not exist in discovery" }));
    await migration("reviews", "authentication.k8s.io", "tokenreviews");
    expect((await ended("reviews", "Failed")).status!.conditions).toContainEqual(expect.objectContaining({ type: "Failed", message: 'resource "authentication.k8s.io/v1, Resource=tokenreviews" does not support discovery operations: [update patch list]' }));
  });

  test("ended after any of its writes, it goes on where it was", async () => {
    const card = await define("sturdies", "sturdy.example.com");
    for (let i = 0; i < 4; i++) await server.client().create(card, { metadata: { name: `o${i}`, namespace: "default" } });
    await storeAs("sturdies.sturdy.example.com", "v2");
    await migration("sturdies", "sturdy.example.com", "sturdies");
    const revisions = new Map<string, string>();
    let lives = 0;
    for (; lives < 30 && !(await migrationOf("sturdies")).status?.conditions?.some(({ type, status }) => type === "Running" && status === "False"); lives++) {
      const end = new AbortController(), controller = migrator(), mortal = mortalClient(clientOf(controller.name), 1, () => end.abort());
      void run(controller, { signal: end.signal, client: mortal.client });
      await eventually(() => expect(mortal.written).toBe(1));
      await mortal.settled();
      end.abort();
      for (const { metadata: { name = "", resourceVersion = "" }, apiVersion } of server.informers.informer<KubeObject>(card).lister.list()) {
        if (apiVersion !== "sturdy.example.com/v2") continue;
        expect(revisions.get(name) ?? resourceVersion).toBe(resourceVersion);
        revisions.set(name, resourceVersion);
      }
    }
    await ended("sturdies", "Succeeded");
    // The definition, Running, the revision, four objects, Succeeded, the definition, and no more Running: each in a life of its own.
    expect(lives).toBe(10);
    expect(revisions.size).toBe(4);
    expect((await definition("sturdies.sturdy.example.com")).storedVersions).toEqual(["v2"]);
  });

  function during(controller: Controller, options: { clock?: Clock } = {}): AsyncDisposable {
    const end = new AbortController(), done = run(controller, { ...options, signal: end.signal });
    return { async [Symbol.asyncDispose]() {
      end.abort();
      await done;
    } };
  }
});
