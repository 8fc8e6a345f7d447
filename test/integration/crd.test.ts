import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { CustomResourceDefinition, JSONSchemaProps } from "../../src/apis/generated/apiextensions/v1.ts";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";
import { MemoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { readWatch } from "../support/watch.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const group = "shop.example.com";
type Custom = KubeObject & { spec?: Record<string, unknown>; status?: Record<string, unknown> };
type Version = CustomResourceDefinition["spec"]["versions"][number];

const versionOf = (name: string, spec: JSONSchemaProps, more: Partial<Version> = {}): Version =>
  ({ name, served: true, storage: false, schema: { openAPIV3Schema: { type: "object", description: "What is sold.", properties: { spec, status: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } } }, ...more });
const definition = (plural: string, versions: Version[], more: Partial<CustomResourceDefinition["spec"]> = {}): CustomResourceDefinition => {
  const singular = plural.slice(0, -1), kind = singular[0]!.toUpperCase() + singular.slice(1);
  return { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: `${plural}.${group}` }, spec: { group, scope: "Namespaced", names: { plural, singular, kind }, versions, ...more } };
};
const itemSpec: JSONSchemaProps = {
  type: "object", required: ["colour"],
  properties: { colour: { type: "string", enum: ["red", "green"], description: "Its colour." }, count: { type: "integer", format: "int32", default: 1, maximum: 10, "x-kubernetes-validations": [{ rule: "self >= oldSelf", message: "may not shrink" }] } },
};

function clientOf(server: TestApiServer) {
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await server.fetch(path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }), headers: { "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json", ...headers } });
    const text = await answer.text();
    // oxlint-disable-next-line no-explicit-any
    return { status: answer.status, warning: answer.headers.get("warning"), etag: answer.headers.get("etag"), body: (text.startsWith("{") ? JSON.parse(text) : text) as any };
  };
  return {
    call,
    async define(one: CustomResourceDefinition): Promise<void> {
      const { status, body } = await call("POST", definitions, one);
      expect({ status, message: body.message }).toEqual({ status: 201, message: undefined });
      await eventually(async () => expect((await call("GET", `${definitions}/${one.metadata.name}`)).body.status.conditions).toContainEqual(expect.objectContaining({ type: "Established", status: "True" })));
    },
    async undefine(plural: string): Promise<void> {
      await call("DELETE", `${definitions}/${plural}.${group}`);
      await eventually(async () => expect((await call("GET", `${definitions}/${plural}.${group}`)).status).toBe(404));
    },
  };
}

const pathOf = (plural: string, version = "v1", name = ""): string => `/apis/${group}/${version}/namespaces/default/${plural}${name ? `/${name}` : ""}`;
const item = (kind: string, name: string, spec: object, version = "v1"): Custom => ({ apiVersion: `${group}/${version}`, kind, metadata: { name }, spec: { ...spec } });

describe("a definition", () => {
  let server: TestApiServer;
  let api: ReturnType<typeof clientOf>;
  beforeAll(async () => {
    server = await startApiServer();
    api = clientOf(server);
    await api.define(definition("items", [versionOf("v1", itemSpec, {
      storage: true, subresources: { status: {}, scale: { specReplicasPath: ".spec.count", statusReplicasPath: ".status.count", labelSelectorPath: ".status.selector" } }, selectableFields: [{ jsonPath: ".spec.colour" }],
      additionalPrinterColumns: [{ name: "Colour", type: "string", jsonPath: ".spec.colour" }, { name: "Count", type: "integer", jsonPath: ".spec.count", priority: 1 }, { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" }],
    })], { names: { plural: "items", singular: "item", kind: "Item", shortNames: ["it"], categories: ["shop"] } }));
  });
  afterAll(() => server.stop());

  test("is in discovery as soon as it is established", async () => {
    const { body } = await api.call("GET", `/apis/${group}/v1`);
    expect(body.resources.map(({ name, kind, shortNames, categories }: Record<string, unknown>) => [name, kind, shortNames, categories])).toEqual(expect.arrayContaining([["items", "Item", ["it"], ["shop"]], ["items/scale", "Scale", undefined, undefined], ["items/status", "Item", undefined, undefined]]));
    expect((await api.call("GET", "/apis")).body.groups.map(({ name }: { name: string }) => name)).toContain(group);
  });

  test("prunes, defaults and validates", async () => {
    const made = await api.call("POST", pathOf("items"), { ...item("Item", "one", { colour: "red", more: 1 }), status: { count: 5 } });
    expect(made).toMatchObject({ status: 201, warning: '299 - "unknown field \\"spec.more\\""', body: { metadata: { generation: 1 }, spec: { colour: "red", count: 1 } } });
    expect(made.body.status).toBeUndefined();
    const wrong = await api.call("POST", pathOf("items"), item("Item", "two", { colour: "blue", count: 11 }));
    expect(wrong).toMatchObject({ status: 422, body: { reason: "Invalid", details: { kind: "Item", group, causes: [{ field: "spec.colour", reason: "FieldValueNotSupported" }, { field: "spec.count", message: "Invalid value: 11: spec.count in body should be less than or equal to 10" }, { field: "<nil>", message: expect.stringContaining("some validation rules were not checked") }] } } });
    const strict = await api.call("POST", `${pathOf("items")}?fieldValidation=Strict`, item("Item", "three", { colour: "red", more: 1 }));
    expect(strict).toMatchObject({ status: 400, body: { message: 'Item in version "v1" cannot be handled as a Item: strict decoding error: unknown field "spec.more"' } });
    expect((await api.call("PUT", pathOf("items", "v1", "one"), item("Item", "one", { colour: "red" }))).body.message).toBe(`items.${group} "one" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`);
    expect((await api.call("PATCH", pathOf("items", "v1", "one"), { spec: {} }, { "Content-Type": "application/strategic-merge-patch+json" })).status).toBe(415);
  });

  test("counts generations, apart from status and metadata", async () => {
    const at = pathOf("items", "v1", "generations");
    await api.call("POST", pathOf("items"), item("Item", "generations", { colour: "red" }));
    const generation = async (answer: ReturnType<typeof api.call>): Promise<unknown> => ((await answer).body as Custom).metadata.generation;
    expect(await generation(api.call("PATCH", at, { metadata: { labels: { a: "b" } }, status: { x: 1 } }))).toBe(1);
    expect(await generation(api.call("PATCH", at, { spec: { count: 2 } }))).toBe(2);
    const status = await api.call("PATCH", `${at}/status`, { metadata: { labels: { a: "c" } }, spec: { count: 9 }, status: { count: 2, selector: "app=x" } });
    expect(status.body).toMatchObject({ metadata: { generation: 2, labels: { a: "b" } }, spec: { count: 2 }, status: { count: 2, selector: "app=x" } });
    expect((await api.call("GET", `${at}/scale`)).body).toMatchObject({ kind: "Scale", spec: { replicas: 2 }, status: { replicas: 2, selector: "app=x" } });
    expect((await api.call("PATCH", `${at}/scale`, { spec: { replicas: 3 } })).body.spec).toEqual({ replicas: 3 });
    expect((await api.call("PATCH", `${at}/scale`, { spec: { replicas: -1 } })).body).toMatchObject({ code: 422, details: { group, kind: "Item" }, message: expect.stringContaining("spec.count: Invalid value: -1: should be a non-negative integer") });
    expect((await api.call("POST", `/apis/${group}/v1/namespaces/default/items`, { apiVersion: `${group}/v1`, kind: "Thing", metadata: { name: "x" } })).body).toMatchObject({ code: 422, message: `Thing.${group} "x" is invalid: kind: Invalid value: "Thing": must be Item` });
    expect((await api.call("GET", at)).body.spec.count).toBe(3);
    expect((await api.call("PATCH", at, { spec: { count: 1 } })).body.details.causes).toEqual([{ field: "spec.count", message: "Invalid value: 1: may not shrink", reason: "FieldValueInvalid" }]);
  });

  test("selects by fields, in lists and watches", async () => {
    for (const [name, colour] of [["sel-a", "red"], ["sel-b", "green"]]) await api.call("POST", pathOf("items"), { ...item("Item", name!, { colour }), metadata: { name, labels: { sel: "yes" } } });
    const list = await api.call("GET", `${pathOf("items")}?labelSelector=sel&fieldSelector=spec.colour%3Dgreen`);
    expect(list.body.items.map((one: Custom) => [one.kind, one.apiVersion, one.metadata.name])).toEqual([["Item", `${group}/v1`, "sel-b"]]);
    const watching = readWatch(server, `${pathOf("items")}?watch=true&labelSelector=sel&fieldSelector=spec.colour%3Dgreen&resourceVersion=${list.body.metadata.resourceVersion}`, 3);
    for (const [name, colour] of [["sel-a", "green"], ["sel-b", "red"], ["sel-a", "red"]]) await api.call("PATCH", pathOf("items", "v1", name), { spec: { colour } });
    expect((await watching).map(({ type, object }) => `${type} ${object.metadata!["name"]}`)).toEqual(["ADDED sel-a", "DELETED sel-b", "DELETED sel-a"]);
    expect((await api.call("GET", `${pathOf("items")}?fieldSelector=spec.count%3D1`)).body).toMatchObject({ code: 400, message: "field label not supported: spec.count" });
  });

  test("is understood by kubectl: explain, apply, get, scale", async () => {
    expect((await server.kubectl("explain", "items.spec.colour")).stdout).toMatch(/colour\s+<(string|enum)>|FIELD: colour[\s\S]*Its colour\./);
    const file = `${server.directory}/item.yaml`;
    const write = (spec: object): Promise<number> => Bun.write(file, JSON.stringify(item("Item", "applied", spec)));
    await write({ colour: "red" });
    expect(await server.kubectl("apply", "-f", file)).toMatchObject({ code: 0, stdout: `item.${group}/applied created\n` });
    await write({ colour: "green" });
    expect(await server.kubectl("apply", "-f", file)).toMatchObject({ code: 0, stdout: `item.${group}/applied configured\n` });
    expect((await server.kubectl("get", "it", "applied")).stdout).toMatch(/^NAME\s+COLOUR\s+AGE\s*\napplied\s+green\s+\d+s\s*$/);
    expect((await server.kubectl("get", "shop", "-o", "wide", "--field-selector", "metadata.name=applied")).stdout).toMatch(/COUNT[\s\S]*applied\s+green\s+1/);
    expect((await server.kubectl("scale", "items/applied", "--replicas=4")).code).toBe(0);
    expect((await server.kubectl("get", "items", "applied", "-o", "jsonpath={.spec.count}")).stdout).toBe("4");
  });

  test("changes OpenAPI, which changes back when it goes", async () => {
    const before = (await api.call("GET", "/openapi/v2")).etag;
    await api.define(definition("extras", [versionOf("v1", itemSpec, { storage: true })]));
    const during = await api.call("GET", "/openapi/v2");
    expect(during.etag).not.toBe(before);
    expect(during.body.definitions["com.example.shop.v1.Extra"]).toMatchObject({ description: "What is sold.", properties: { spec: { properties: { colour: { description: "Its colour.", enum: ["red", "green"] } } }, metadata: { $ref: "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" } } });
    const v3 = (await api.call("GET", "/openapi/v3")).body.paths[`apis/${group}/v1`].serverRelativeURL as string;
    expect((await api.call("GET", v3)).body.components.schemas["com.example.shop.v1.Extra"]["x-kubernetes-group-version-kind"]).toEqual([{ group, version: "v1", kind: "Extra" }]);
    await api.undefine("extras");
    expect((await api.call("GET", "/openapi/v2")).etag).toBe(before);
    expect((await api.call("GET", pathOf("extras"))).status).toBe(404);
  });

  test("goes after its objects, which their finalizers may hold, and lets no new ones in", async () => {
    await api.define(definition("leavings", [versionOf("v1", itemSpec, { storage: true })]));
    await api.call("POST", pathOf("leavings"), { ...item("Leaving", "held", { colour: "red" }), metadata: { name: "held", finalizers: ["example.com/wait"] } });
    await api.call("POST", pathOf("leavings"), item("Leaving", "free", { colour: "red" }));
    expect((await api.call("DELETE", `${definitions}/leavings.${group}`)).body.status.conditions).toContainEqual(expect.objectContaining({ type: "Terminating", status: "True", reason: "InstanceDeletionPending" }));
    await eventually(async () => expect((await api.call("GET", pathOf("leavings"))).body.items.map((one: Custom) => [one.metadata.name, Boolean(one.metadata.deletionTimestamp)])).toEqual([["held", true]]));
    expect((await api.call("POST", pathOf("leavings"), item("Leaving", "late", { colour: "red" }))).body.message).toBe(`leavings.${group} "late" is forbidden: create not allowed while custom resource definition is terminating`);
    await api.call("PATCH", pathOf("leavings", "v1", "held"), { metadata: { finalizers: null } });
    await eventually(async () => expect((await api.call("GET", `${definitions}/leavings.${group}`)).status).toBe(404));
  });

  test("tells those who watch that its objects are deleted, and leaves none of what is created meanwhile", async () => {
    const fleeting = definition("fleetings", [versionOf("v1", itemSpec, { storage: true })]);
    await api.define(fleeting);
    await api.call("POST", pathOf("fleetings"), item("Fleeting", "one", { colour: "red" }));
    const { resourceVersion } = (await api.call("GET", pathOf("fleetings"))).body.metadata;
    const watch = await server.fetch(`${pathOf("fleetings")}?watch=true&timeoutSeconds=60&resourceVersion=${resourceVersion}`);
    let gone = false;
    const creators = Array.from({ length: 8 }, async (_, creator) => {
      for (let n = 0; !gone; n++) await api.call("POST", pathOf("fleetings"), item("Fleeting", `late-${creator}-${n}`, { colour: "red" }));
    });
    await api.call("DELETE", `${definitions}/fleetings.${group}`);
    await eventually(async () => expect((await api.call("GET", `${definitions}/fleetings.${group}`)).status).toBe(404));
    gone = true;
    await Promise.all(creators);
    const events = (await watch.text()).trim().split("\n").map((line) => JSON.parse(line) as { type: string; object: Custom });
    const names = (type: string): string[] => events.filter((event) => event.type === type).map(({ object }) => object.metadata.name!).sort();
    expect(names("DELETED")).toEqual(["one", ...names("ADDED")].sort());
    await api.define(fleeting);
    expect((await api.call("GET", pathOf("fleetings"))).body.items).toEqual([]);
    await api.undefine("fleetings");
  });

  test("waits for names that another has, and takes them when they are free", async () => {
    await api.define(definition("firsts", [versionOf("v1", itemSpec, { storage: true })], { names: { plural: "firsts", singular: "first", kind: "Same" } }));
    await api.call("POST", definitions, definition("seconds", [versionOf("v1", itemSpec, { storage: true })], { names: { plural: "seconds", singular: "second", kind: "Same" } }));
    const status = async (): Promise<unknown> => (await api.call("GET", `${definitions}/seconds.${group}`)).body.status.conditions;
    await eventually(async () => expect(await status()).toContainEqual(expect.objectContaining({ type: "NamesAccepted", status: "False", reason: "ListKindConflict", message: '"SameList" is already in use' })));
    expect((await api.call("GET", pathOf("seconds"))).status).toBe(404);
    await api.undefine("firsts");
    await eventually(async () => expect(await status()).toContainEqual(expect.objectContaining({ type: "Established", status: "True" })));
    expect((await api.call("GET", pathOf("seconds"))).status).toBe(200);
    await api.undefine("seconds");
  });

  test("ends watches when it changes, and when it goes", async () => {
    const watched = versionOf("v1", itemSpec, { storage: true });
    await api.define(definition("tickets", [watched]));
    const first = await server.fetch(`${pathOf("tickets")}?watch=true&timeoutSeconds=60`);
    await api.call("POST", pathOf("tickets"), item("Ticket", "one", { colour: "red" }));
    await api.call("PATCH", `${definitions}/tickets.${group}`, { metadata: { labels: { a: "b" } } });
    await api.call("POST", pathOf("tickets"), item("Ticket", "two", { colour: "red" }));
    await api.call("PATCH", `${definitions}/tickets.${group}`, { spec: { versions: [{ ...watched, deprecated: true }] } });
    expect((await first.text()).trim().split("\n").map((line) => (JSON.parse(line) as { object: Custom }).object.metadata.name)).toEqual(["one", "two"]);
    const second = await server.fetch(`${pathOf("tickets")}?watch=true&timeoutSeconds=60&resourceVersion=${(await api.call("GET", pathOf("tickets"))).body.metadata.resourceVersion}`);
    await api.undefine("tickets");
    await second.text();
  });

  test("warns of versions that are deprecated", async () => {
    await api.define(definition("olds", [versionOf("v1beta1", itemSpec, { deprecated: true }), versionOf("v1alpha1", itemSpec, { deprecated: true, deprecationWarning: "go away" }), versionOf("v1", itemSpec, { storage: true })]));
    expect((await api.call("GET", pathOf("olds", "v1beta1"))).warning).toBe(`299 - "${group}/v1beta1 Old is deprecated; use ${group}/v1 Old"`);
    expect((await api.call("GET", pathOf("olds", "v1alpha1"))).warning).toBe('299 - "go away"');
    expect((await api.call("GET", pathOf("olds"))).warning).toBeNull();
    expect((await api.call("GET", `/apis/${group}`)).body.preferredVersion.version).toBe("v1");
    await api.undefine("olds");
  });
});

describe("versions", () => {
  test("share their objects; a change of the storage version shows in status and with the next write", async () => {
    const server = await startApiServer(), api = clientOf(server);
    try {
      const v1 = versionOf("v1", { type: "object", properties: { a: { type: "string" }, both: { type: "string" } } }, { storage: true }), v2 = versionOf("v2", { type: "object", properties: { b: { type: "string", default: "new" }, both: { type: "string" } } });
      await api.define(definition("pairs", [v1, v2]));
      await api.call("POST", pathOf("pairs"), item("Pair", "one", { a: "x", both: "y" }));
      expect((await api.call("GET", pathOf("pairs", "v2", "one"))).body).toMatchObject({ apiVersion: `${group}/v2`, spec: { both: "y" } });
      const changed = definition("pairs", [{ ...v1, storage: false }, { ...v2, storage: true }]);
      await api.call("PATCH", `${definitions}/pairs.${group}`, { spec: { versions: changed.spec.versions } });
      await eventually(async () => expect((await api.call("GET", `${definitions}/pairs.${group}`)).body.status.storedVersions).toEqual(["v1", "v2"]));
      expect((await api.call("GET", pathOf("pairs", "v1", "one"))).body.spec).toEqual({ a: "x", both: "y" });
      // Writes nothing new, but in the new version: what only the old one has is gone then.
      await api.call("PATCH", pathOf("pairs", "v2", "one"), {});
      expect((await api.call("GET", pathOf("pairs", "v1", "one"))).body.spec).toEqual({ both: "y" });
      expect((await api.call("GET", pathOf("pairs", "v2", "one"))).body.spec).toEqual({ b: "new", both: "y" });
      await api.call("PATCH", `${definitions}/pairs.${group}`, { spec: { versions: [{ ...v1, storage: false, served: false }, { ...v2, storage: true }] } });
      expect((await api.call("GET", pathOf("pairs", "v1"))).status).toBe(404);
    } finally {
      await server.stop();
    }
  });

  test("are converted by a webhook over HTTPS: lists in one call, watches in order, failures in its words", async () => {
    const server = await startApiServer(), api = clientOf(server), webhook = await startWebhook();
    try {
      const versions = [versionOf("v1", { type: "object", properties: { hostPort: { type: "string" } } }, { storage: true }), versionOf("v2", { type: "object", properties: { host: { type: "string" }, port: { type: "string" } } })];
      await api.define(definition("hosts", versions, { conversion: { strategy: "Webhook", webhook: { conversionReviewVersions: ["v1"], clientConfig: { url: webhook.url, caBundle: webhook.caBundle } } } }));
      expect((await api.call("POST", pathOf("hosts"), item("Host", "one", { hostPort: "a:1" }))).status).toBe(201);
      expect(webhook.reviews).toHaveLength(0);
      expect((await api.call("GET", pathOf("hosts", "v2", "one"))).body).toMatchObject({ apiVersion: `${group}/v2`, spec: { host: "a", port: "1" } });
      expect((await api.call("POST", pathOf("hosts", "v2"), item("Host", "two", { host: "b", port: "2" }, "v2"))).body.spec).toEqual({ host: "b", port: "2" });
      expect((await api.call("GET", pathOf("hosts", "v1", "two"))).body.spec).toEqual({ hostPort: "b:2" });
      for (const name of ["three", "four"]) await api.call("POST", pathOf("hosts"), item("Host", name, { hostPort: `${name}:3` }));
      const before = webhook.reviews.length;
      const list = await api.call("GET", pathOf("hosts", "v2"));
      expect(list.body.items.map((one: Custom) => [one.metadata.name, one.spec!["port"]])).toEqual([["four", "3"], ["one", "1"], ["three", "3"], ["two", "2"]]);
      expect(webhook.reviews.slice(before).map(({ objects }) => objects.length)).toEqual([2]);

      const watching = readWatch(server, `${pathOf("hosts", "v2")}?watch=true&resourceVersion=${list.body.metadata.resourceVersion}`, 3);
      await api.call("PATCH", pathOf("hosts", "v1", "one"), { spec: { hostPort: "a:9" } });
      for (const name of ["two", "three"]) await api.call("DELETE", pathOf("hosts", "v1", name));
      const events = (await watching) as unknown as { type: string; object: Custom }[];
      expect(events.map(({ type, object }) => [type, object.metadata.name, object.spec!["port"]])).toEqual([["MODIFIED", "one", "9"], ["DELETED", "two", "2"], ["DELETED", "three", "3"]]);

      webhook.answer = () => ({ result: { status: "Failed", message: "no such host" } });
      await api.call("POST", pathOf("hosts"), item("Host", "five", { hostPort: "e:5" }));
      expect((await api.call("GET", pathOf("hosts", "v2", "five")))).toMatchObject({ status: 500, body: { message: `conversion webhook for ${group}/v1, Kind=Host failed: no such host` } });
      webhook.answer = (object) => ({ convertedObjects: [{ ...object, apiVersion: `${group}/v3` }] });
      expect((await api.call("GET", pathOf("hosts", "v2", "five"))).body.message).toBe(`conversion webhook for ${group}/v1, Kind=Host returned invalid object: invalid groupVersion (expected ${group}/v2, received ${group}/v3)`);
      webhook.answer = undefined;
      expect((await api.call("GET", pathOf("hosts", "v2", "five"))).body.spec).toEqual({ host: "e", port: "5" });
    } finally {
      await webhook.stop();
      await server.stop();
    }
  });
});

test("custom resources are there again after a restart, of the definition and of each object", async () => {
  const storage = new MemoryStorage();
  const close = storage.close.bind(storage);
  storage.close = async () => undefined;
  const before = await startApiServer({ storage });
  await clientOf(before).define(definition("items", [versionOf("v1", itemSpec, { storage: true })]));
  await clientOf(before).call("POST", pathOf("items"), item("Item", "one", { colour: "red" }));
  await before.stop();
  const after = await startApiServer({ storage }), api = clientOf(after);
  try {
    expect((await api.call("GET", pathOf("items", "v1", "one"))).body.spec).toEqual({ colour: "red", count: 1 });
    expect((await api.call("POST", pathOf("items"), item("Item", "two", { colour: "blue" }))).status).toBe(422);
    expect((await api.call("GET", `${definitions}/items.${group}`)).body.spec.versions[0].schema.openAPIV3Schema.description).toBe("What is sold.");
  } finally {
    await after.stop();
    await close();
  }
});

interface Review {
  uid: string;
  desiredAPIVersion: string;
  objects: Custom[];
}

/** A conversion webhook over TLS: between `hostPort` and `host` with `port`. */
async function startWebhook() {
  const ca = await createCa("webhook-ca", new Date(Date.now() + 3_600_000));
  const leaf = await createLeaf({ issuer: ca, usage: "server", subject: { commonName: "webhook" }, names: ["127.0.0.1"], notAfter: new Date(Date.now() + 3_600_000) });
  /** `answer` takes the place of a proper conversion. */
  const webhook = { url: "", caBundle: Buffer.from(ca.certificate).toString("base64"), reviews: [] as Review[], answer: undefined as ((object: Custom) => object) | undefined, stop: async () => undefined as void };
  const convert = (object: Custom, apiVersion: string): Custom => {
    const { hostPort, host, port } = (object.spec ?? {}) as Record<string, string>;
    return { ...object, apiVersion, spec: apiVersion.endsWith("/v2") ? { host: hostPort!.split(":")[0], port: hostPort!.split(":")[1] } : { hostPort: `${host}:${port}` } };
  };
  const server = Bun.serve({
    hostname: "127.0.0.1", port: 0, tls: { cert: leaf.certificate, key: leaf.key },
    async fetch(request) {
      const review = ((await request.json()) as { request: Review }).request;
      webhook.reviews.push(review);
      const response = webhook.answer ? webhook.answer(review.objects[0]!) : { convertedObjects: review.objects.map((object) => convert(object, review.desiredAPIVersion)) };
      return Response.json({ kind: "ConversionReview", apiVersion: "apiextensions.k8s.io/v1", response: { uid: review.uid, result: { status: "Success" }, ...response } });
    },
  });
  return Object.assign(webhook, { url: `https://127.0.0.1:${server.port}/convert`, stop: () => server.stop(true) });
}
