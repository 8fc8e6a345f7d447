import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../src/apimachinery/resource.ts";
import { builtins, serviceaccounts } from "../../src/apis/builtins.ts";
import { gatedKinds } from "../../src/apis/feature-gates.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { readWatch } from "../support/watch.ts";

// What every kind promises, whatever it is: each card's example goes through every verb, over HTTP.

let server: TestApiServer;
beforeAll(async () => {
  server = await startApiServer({ cards: gated });
  await server.client().create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
});
afterAll(() => server.stop());

interface Answer<T = KubeObject & Record<string, any>> {
  status: number;
  headers: Headers;
  body: T;
}

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await server.fetch(path, { method, headers: { "content-type": "application/json", ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: response.status, headers: response.headers, body: await response.json() as Answer["body"] };
}

const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
const collectionOf = (card: AnyResource): string => `/${card.group ? `apis/${card.group}` : "api"}/${card.version}/${card.scope === "Namespaced" ? "namespaces/default/" : ""}${card.resource}`;

/** Some kinds make a name of their own out of the one given: an address, a group. */
const namesItself = (card: AnyResource): boolean => card.example!("one").metadata.name !== card.example!("two").metadata.name;

function exampleOf(card: AnyResource, name: string): KubeObject & Record<string, any> {
  const object = card.example!(name) as KubeObject;
  return { ...object, apiVersion: apiVersionOf(card), kind: card.kind, metadata: { ...object.metadata, namespace: undefined, name: namesItself(card) ? object.metadata.name : name, labels: { ...object.metadata.labels, contract: "yes" } } };
}

/** As with all feature gates. */
const gated = gatedKinds({ APIServerIdentity: true, StorageVersionAPI: true, StorageVersionMigrator: true });
const stored = [...builtins, ...gated].filter((card) => card.verbs.includes("get") && card.verbs.includes("create"));

test("every stored kind has an example", () => {
  expect(stored.filter((card) => !card.example).map((card) => card.kind)).toEqual([]);
});

test("a posted binding puts a pod on a node, once, and is answered with a Status", async () => {
  const pods = "/api/v1/namespaces/default/pods", binding = { metadata: { name: "to-bind" }, target: { name: "somewhere" } };
  expect((await call("POST", pods, { metadata: { name: "to-bind" }, spec: { automountServiceAccountToken: false, containers: [{ name: "main", image: "busybox:1.36" }] } })).status).toBe(201);
  expect((await call("POST", "/api/v1/namespaces/default/bindings?dryRun=All", binding)).body).toMatchObject({ kind: "Status", status: "Success", code: 201 });
  expect((await call("POST", "/api/v1/namespaces/default/bindings", binding)).status).toBe(201);
  expect((await call("POST", "/api/v1/namespaces/default/bindings", binding)).status).toBe(409);
  expect((await call("GET", `${pods}/to-bind`)).body["spec"]).toMatchObject({ nodeName: "somewhere" });
  expect((await call("DELETE", `${pods}/to-bind?gracePeriodSeconds=0`)).status).toBe(200);
});

test("component statuses: an empty list, with a warning", async () => {
  const { status, headers, body } = await call("GET", "/api/v1/componentstatuses");
  expect([status, body["kind"], body["items"], headers.get("warning")]).toEqual([200, "ComponentStatusList", [], "299 - \"v1 ComponentStatus is deprecated in v1.19+\""]);
  expect((await call("POST", "/api/v1/componentstatuses", { metadata: { name: "x" } })).status).toBe(405);
});

describe.each(stored.filter((card) => card.example).map((card) => [card.resource, card] as const))("%s", (_, card) => {
  const collection = collectionOf(card);
  const named = (name: string): KubeObject & Record<string, any> => exampleOf(card, name);
  const name = named("contract").metadata.name!;
  const item = `${collection}/${name}`;

  test("create, and create again", async () => {
    const dry = await call("POST", `${collection}?dryRun=All`, named("contract"));
    expect([dry.status, dry.body]).toMatchObject([201, { kind: card.kind }]);
    const created = await call("POST", `${collection}?fieldValidation=Strict`, named("contract"));
    expect([created.status, created.body]).toMatchObject([201, { kind: card.kind, apiVersion: apiVersionOf(card), metadata: { name } }]);
    expect(created.body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(created.body.metadata.resourceVersion).toMatch(/^[1-9]\d*$/);
    expect(created.body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await call("POST", collection, named("contract"))).toMatchObject({ status: 409, body: { kind: "Status", reason: "AlreadyExists", details: { name, kind: card.resource } } });
  });

  test("a field that isn't there: refused, warned of, ignored", async () => {
    const odd = { ...named("odd"), oddField: 1 };
    expect(await call("POST", `${collection}?fieldValidation=Strict`, odd)).toMatchObject({ status: 400, body: { reason: "BadRequest", message: expect.stringContaining('strict decoding error: unknown field "oddField"') } });
    const warned = await call("POST", `${collection}?dryRun=All&fieldValidation=Warn`, odd);
    const always = card.deprecation ? [`299 - "${card.deprecation}"`] : [];
    expect([warned.status, warned.headers.get("warning")]).toEqual([201, [...always, '299 - "unknown field \\"oddField\\""'].join(", ")]);
    expect((await call("POST", `${collection}?dryRun=All&fieldValidation=Ignore`, odd)).headers.get("warning")).toBe(always[0] ?? null);
  });

  test("another kind or version in the body is refused", async () => {
    expect(await call("POST", collection, { ...named("other"), kind: "Other" })).toMatchObject({ status: 400, body: { reason: "BadRequest" } });
    expect((await call("POST", collection, { ...named("other"), apiVersion: "other/v9" })).body["message"]).toBe(`${card.kind} in version "v9" cannot be handled as a ${card.kind}: no kind "${card.kind}" is registered for version "other/v9" in scheme "pkg/runtime/scheme.go:111"`);
  });

  test("get, also as Table, as metadata and as YAML", async () => {
    const got = await call("GET", item);
    expect([got.status, got.body]).toMatchObject([200, { kind: card.kind, metadata: { name } }]);
    const asTable = await call("GET", item, undefined, table);
    expect(asTable.body).toMatchObject({ kind: "Table", apiVersion: "meta.k8s.io/v1", metadata: { resourceVersion: got.body.metadata.resourceVersion } });
    expect(asTable.body["columnDefinitions"].map(({ name }: { name: string }) => name)).toEqual(card.columns.map(({ name }) => name));
    expect(asTable.body["rows"][0].cells).toHaveLength(card.columns.length);
    expect(asTable.body["rows"][0].object).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name } });
    const partial = await call("GET", item, undefined, { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" });
    expect(Object.keys(partial.body).sort()).toEqual(["apiVersion", "kind", "metadata"]);
    const yaml = await server.fetch(item, { headers: { accept: "application/yaml" } });
    expect([yaml.headers.get("content-type"), Bun.YAML.parse(await yaml.text())]).toEqual(["application/yaml", got.body]);
    expect((await call("GET", `${collection}/missing`)).body).toMatchObject({ kind: "Status", reason: "NotFound", code: 404 });
  });

  test("list, by selector and in a Table", async () => {
    const listed = await call("GET", `${collection}?labelSelector=contract%3Dyes&fieldSelector=metadata.name%3D${name}`);
    expect(listed.body).toMatchObject({ kind: `${card.kind}List`, apiVersion: apiVersionOf(card), items: [{ metadata: { name } }] });
    expect(listed.body["items"][0]).not.toContainKeys(["kind", "apiVersion"]);
    expect((await call("GET", `${collection}?labelSelector=contract%3Dno`)).body["items"]).toEqual([]);
    expect((await call("GET", `${collection}?labelSelector=contract&includeObject=None`, undefined, table)).body["rows"]).toEqual([{ cells: expect.anything(), object: null }]);
  });

  test("update, its conflicts and its watch", async () => {
    const { body: current } = await call("GET", item);
    const watched = readWatch(server, `${collection}?watch=1&fieldSelector=metadata.name%3D${name}&resourceVersion=${current.metadata.resourceVersion}`, 1);
    const changed = { ...current, metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, touched: "yes" } } };
    const updated = await call("PUT", item, changed);
    expect([updated.status, updated.body]).toMatchObject([200, { metadata: { annotations: { touched: "yes" } } }]);
    expect(await watched).toMatchObject([{ type: "MODIFIED", object: updated.body }]);
    expect(await call("PUT", item, { ...changed, metadata: { ...changed.metadata, annotations: { touched: "again" } } })).toMatchObject({ status: 409, body: { reason: "Conflict" } });
    expect((await call("PUT", `${collection}/elsewhere`, changed)).body["message"]).toBe(`the name of the object (${name}) does not match the name on the URL (elsewhere)`);
  });

  test.each([
    ["merge", { metadata: { annotations: { patched: "merge" } } }],
    ["strategic-merge", { metadata: { annotations: { patched: "strategic-merge" } } }],
    ["json", [{ op: "add", path: "/metadata/annotations/patched", value: "json" }]],
  ])("%s patch", async (type, patch) => {
    const patched = await call("PATCH", item, patch, { "content-type": `application/${type}-patch+json` });
    expect([patched.status, patched.body]).toMatchObject([200, { metadata: { annotations: { patched: type } } }]);
  });

  if (card.subresources.status) test("status: read, replace, patch", async () => {
    const { status, body } = await call("GET", `${item}/status`);
    expect([status, body]).toMatchObject([200, { kind: card.kind }]);
    expect((await call("PUT", `${item}/status`, body)).status).toBe(200);
    const patched = await call("PATCH", `${item}/status`, { metadata: { annotations: { status: "patched" } } }, { "content-type": "application/merge-patch+json" });
    expect(patched.status).toBe(200);
  });

  if (card.subresources.scale) test("scale: read, replace, patch", async () => {
    const scale = await call("GET", `${item}/scale`);
    expect([scale.status, scale.body]).toMatchObject([200, { kind: "Scale", apiVersion: "autoscaling/v1", metadata: { name } }]);
    expect((await call("PUT", `${item}/scale`, { ...scale.body, spec: { replicas: 7 } })).body["spec"]).toEqual({ replicas: 7 });
    expect((await call("PATCH", `${item}/scale`, { spec: { replicas: 3 } }, { "content-type": "application/merge-patch+json" })).body["spec"]).toEqual({ replicas: 3 });
  });

  if (!namesItself(card)) test("generateName", async () => {
    const { status, body } = await call("POST", `${collection}?dryRun=All`, { ...named(""), metadata: { generateName: "gen-" } });
    expect([status, body.metadata.name]).toEqual([201, expect.stringMatching(/^gen-[a-z0-9]{5}$/)]);
  });

  test("delete, with a precondition, and the collection", async () => {
    expect(await call("DELETE", item, { preconditions: { uid: "not-this-one" } })).toMatchObject({ status: 409 });
    const deleted = await call("DELETE", item, { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 });
    expect(deleted.status).toBe(200);
    // A namespace stays until its controller has emptied it, and some kinds until nobody uses them: here no controller runs.
    const stays = card.resource === "namespaces" || Boolean(deleted.body.metadata?.finalizers?.length);
    if (!stays) expect((await call("GET", item)).status).toBe(404);
    if (!card.verbs.includes("deletecollection")) return;
    await call("POST", collection, named("one"));
    await call("POST", collection, named("two"));
    expect((await call("DELETE", `${collection}?labelSelector=contract`)).status).toBe(200);
    if (!stays) expect((await call("GET", `${collection}?labelSelector=contract`)).body["items"]).toEqual([]);
  });
});
