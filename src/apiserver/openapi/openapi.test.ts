import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../apimachinery/own.ts";
import { defineResource, type AnyResource } from "../../apimachinery/resource.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { readDescriptions } from "./descriptions.ts";
import { createOpenApi, type OpenApiDocument } from "./openapi.ts";
import { kubectlMinor } from "../../../test/support/kubectl-version.ts";

const pods = defineResource<Pod>({ group: "", version: "v1", kind: "Pod", resource: "pods", scope: "Namespaced", shortNames: ["po"], subresources: { status: true, others: ["eviction", "log"] }, schema: "io.k8s.api.core.v1.Pod" });
const crds = defineResource({ group: "apiextensions.k8s.io", version: "v1", kind: "CustomResourceDefinition", resource: "customresourcedefinitions", scope: "Cluster", schema: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition" });
const deployments = defineResource({
  group: "apps", version: "v1", kind: "Deployment", resource: "deployments", scope: "Namespaced", schema: "io.k8s.api.apps.v1.Deployment",
  subresources: { status: true, scale: { getReplicas: () => 0, setReplicas: () => {}, statusReplicas: () => 0, selector: () => "" } },
});
const reviews = defineResource({ group: "authorization.k8s.io", version: "v1", kind: "SubjectAccessReview", resource: "subjectaccessreviews", scope: "Cluster", verbs: ["create"], schema: "io.k8s.api.authorization.v1.SubjectAccessReview" });
const widgets = defineResource({ group: "example.com", version: "v1", kind: "Widget", resource: "widgets", scope: "Namespaced", schema: "com.example.v1.Widget" });
const cards: readonly AnyResource[] = [pods, deployments, crds, reviews, widgets];

const descriptions = readDescriptions(Bun.gzipSync(Buffer.from([
  ["io.k8s.api.apps.v1.DeploymentSpec", { "": "What a deployment should be.", replicas: 'How many "pods" there should be.' }],
  ["io.k8s.api.core.v1.Pod", { "": "A pod is a group of containers." }],
].map(([name, texts]) => `${name as string}\t${JSON.stringify(texts)}\n`).join(""))));
const custom = {
  schema: (card: AnyResource) => (card === widgets ? { properties: { spec: { type: "object", properties: { size: { type: "integer" } } } } } : undefined),
  list: () => ({ properties: { items: { type: "array", items: { type: "object" } } } }), fingerprint: () => "1",
};
const openApi = createOpenApi({ cards: () => cards, descriptions, custom });

const parse = (document: OpenApiDocument | undefined): JsonObject => JSON.parse(new TextDecoder().decode(document!.body())) as JsonObject;
/** What a document has at a path of keys. */
const at = (value: unknown, ...keys: string[]): unknown => keys.reduce<unknown>((inner, key) => (inner as JsonObject | undefined)?.[key], value);
const keysAt = (value: unknown, ...keys: string[]): string[] => Object.keys(at(value, ...keys) as object);
const property = (schemas: unknown, type: string, name: string): unknown => at(schemas, type, "properties", name);
const groupVersions = ["api/v1", "apis/apps/v1", "apis/apiextensions.k8s.io/v1", "apis/authorization.k8s.io/v1", "apis/example.com/v1"];

/** Every `$ref` in a document. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === "$ref" && typeof inner === "string" ? [inner] : references(inner)));
}

/** The JSON form of each, made before the tests that look at it. */
const v2Document = parse(await openApi.v2("application/json"));
const v3Documents = new Map(await Promise.all(groupVersions.map(async (name): Promise<[string, OpenApiDocument]> => [name, (await openApi.v3(name, ""))!])));
const parsedV3 = (name: string): JsonObject => parse(v3Documents.get(name));

describe("documents", () => {
  const documents: [name: string, document: JsonObject][] = [["v2", v2Document], ...groupVersions.map((name): [string, JsonObject] => [name, parsedV3(name)])];
  for (const [name, document] of documents) {
    test(`${name}: every reference leads somewhere`, () => {
      const found = [...new Set(references({ paths: document.paths, schemas: document.definitions ?? document.components }))];
      expect(found.length).toBeGreaterThan(0);
      expect(found.filter((reference) => typeof at(document, ...reference.slice(2).split("/")) !== "object")).toEqual([]);
    });
    test(`${name}: operation ids are unique`, () => {
      const ids = Object.values(document.paths as JsonObject).flatMap((item) => Object.values(item as JsonObject).flatMap((operation) => at(operation, "operationId") ?? []));
      expect(ids.length).toBeGreaterThan(0);
      expect(new Set(ids).size).toBe(ids.length);
    });
  }

  test("the index names each document with its hash", async () => {
    const paths = at(parse(openApi.v3Index()), "paths") as JsonObject;
    expect(Object.keys(paths).sort()).toEqual([...groupVersions].sort());
    for (const path of Object.keys(paths)) expect(at(paths, path, "serverRelativeURL")).toBe(`/openapi/v3/${path}?hash=${v3Documents.get(path)!.etag.slice(1, -1)}`);
    expect(await openApi.v3("apis/apps/v2", "")).toBeUndefined();
  });

  const apps = parsedV3("apis/apps/v1");
  const schemas = at(apps, "components", "schemas");
  test("merge keys, list types, defaults, enums and required fields", () => {
    const podSpec = "io.k8s.api.core.v1.PodSpec", spec = "io.k8s.api.apps.v1.DeploymentSpec";
    expect(property(schemas, podSpec, "containers")).toMatchObject({ type: "array", "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] });
    expect(property(schemas, podSpec, "nodeSelector")).toMatchObject({ type: "object", additionalProperties: { type: "string" }, "x-kubernetes-map-type": "atomic" });
    expect(property(schemas, podSpec, "restartPolicy")).toMatchObject({ enum: ["Always", "Never", "OnFailure"] });
    expect(at(schemas, spec, "required")).toEqual(["selector", "template"]);
    expect(property(schemas, spec, "strategy")).toMatchObject({ "x-kubernetes-patch-strategy": "retainKeys", allOf: [{ $ref: "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy" }] });
    expect(property(schemas, spec, "replicas")).toEqual({ description: 'How many "pods" there should be.', type: "integer", format: "int32" });
    expect(property(schemas, "io.k8s.api.core.v1.ContainerPort", "protocol")).toMatchObject({ default: "TCP" });
  });
  test("kinds", () => {
    const kindOf = (name: string) => at(schemas, name, "x-kubernetes-group-version-kind");
    expect(kindOf("io.k8s.api.apps.v1.Deployment")).toEqual([{ group: "apps", version: "v1", kind: "Deployment" }]);
    expect(kindOf("io.k8s.api.apps.v1.DeploymentList")).toEqual([{ group: "apps", version: "v1", kind: "DeploymentList" }]);
    expect(kindOf("io.k8s.api.autoscaling.v1.Scale")).toEqual([{ group: "autoscaling", version: "v1", kind: "Scale" }]);
  });
  test("what kubectl looks for in a PATCH", () => {
    const item = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
    const patch = at(apps, "paths", item, "patch") as { parameters: { name: string }[] };
    expect(at(patch, "x-kubernetes-group-version-kind")).toEqual({ group: "apps", version: "v1", kind: "Deployment" });
    expect(patch.parameters.map((parameter) => parameter.name)).toEqual(expect.arrayContaining(["dryRun", "fieldValidation", "fieldManager", "force"]));
    expect(keysAt(patch, "requestBody", "content")).toContain("application/strategic-merge-patch+json");
    expect(keysAt(apps, "paths")).toEqual(expect.arrayContaining([`${item}/scale`, `${item}/status`, "/apis/apps/v1/deployments"]));
  });
  test("nothing is said by an empty list, which readers that write the document again leave out", () => {
    const empty = (value: unknown): boolean => typeof value === "object" && value !== null && ((Array.isArray(value) && value.length === 0) || Object.values(value).some(empty));
    for (const [name, document] of documents) expect([name, empty(document)]).toEqual([name, false]);
  });
  test("only the verbs offered", () => {
    const review = parsedV3("apis/authorization.k8s.io/v1");
    expect(keysAt(review, "paths")).toEqual(["/apis/authorization.k8s.io/v1/subjectaccessreviews"]);
    expect(keysAt(review, "paths", "/apis/authorization.k8s.io/v1/subjectaccessreviews")).toEqual(["post", "parameters"]);
  });
  test("a custom resource's own schema", () => {
    const widget = at(parsedV3("apis/example.com/v1"), "components", "schemas", "com.example.v1.Widget");
    expect(widget).toMatchObject({ type: "object", properties: { spec: { type: "object" } }, "x-kubernetes-group-version-kind": [{ group: "example.com", version: "v1", kind: "Widget" }] });
  });

  test("documents are kept until the cards change", async () => {
    let served: AnyResource[] = [pods];
    const changing = createOpenApi({ cards: () => served });
    const first = await changing.v2("");
    served = [pods, deployments];
    expect(await changing.v2("")).toBe(first);
    changing.invalidate();
    expect((await changing.v2("")).etag).not.toBe(first.etag);
    expect(parse(await changing.v3("apis/apps/v1", "")).openapi).toBe("3.0.0");
    expect((await createOpenApi({ cards: () => [pods] }).v2("")).etag).toBe(first.etag);
    expect(Buffer.from(Bun.gunzipSync(first.gzip))).toEqual(Buffer.from(first.body()));
  });
  test("without descriptions there is everything else", async () => {
    const bare = at(parse(await createOpenApi({ cards: () => cards }).v3("apis/apps/v1", "")), "components", "schemas");
    expect(property(bare, "io.k8s.api.apps.v1.DeploymentSpec", "replicas")).toEqual({ type: "integer", format: "int32" });
  });
});

/** The fields of a protobuf message by number: length-delimited ones as their bytes, others as numbers. */
function fieldsOf(bytes: Uint8Array): Map<number, (Uint8Array | number)[]> {
  const fields = new Map<number, (Uint8Array | number)[]>();
  let at = 0;
  const varint = (): number => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint(), wire = tag % 8;
    const length = wire === 2 ? varint() : wire === 1 ? 8 : 0;
    const value = wire === 0 ? varint() : bytes.subarray(at, at + length);
    at += length;
    fields.set(Math.floor(tag / 8), [...fields.get(Math.floor(tag / 8)) ?? [], value]);
  }
  return fields;
}

describe("protobuf", () => {
  const inner = (bytes: unknown, ...path: number[]): Uint8Array => path.reduce((message, field) => fieldsOf(message).get(field)?.[0] as Uint8Array, bytes as Uint8Array);
  const word = (bytes: unknown, field: number): string => new TextDecoder().decode(inner(bytes, field));
  const namesOf = (entries: unknown, field: number): string[] => (fieldsOf(entries as Uint8Array).get(field) ?? []).map((entry) => word(entry, 1)).sort();
  const entry = (entries: unknown, field: number, name: string): Uint8Array => inner(fieldsOf(entries as Uint8Array).get(field)!.find((each) => word(each, 1) === name), 2);

  test("version 3 has the paths, schemas and references of the JSON form", async () => {
    const accept = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";
    const document = (await openApi.v3("apis/apps/v1", accept))!, json = parsedV3("apis/apps/v1");
    expect(document.contentType).toBe("application/com.github.proto-openapi.spec.v3.v1.0+protobuf");
    const bytes = document.body();
    expect([word(bytes, 1), namesOf(inner(bytes, 4), 1)]).toEqual(["3.0.0", keysAt(json, "paths").sort()]);
    const schemas = inner(bytes, 5, 1);
    expect(namesOf(schemas, 1)).toEqual(keysAt(json, "components", "schemas").sort());
    const properties = inner(entry(schemas, 1, "io.k8s.api.apps.v1.DeploymentSpec"), 1, 31);
    expect(namesOf(properties, 1)).toEqual(keysAt(json, "components", "schemas", "io.k8s.api.apps.v1.DeploymentSpec", "properties").sort());
    const replicas = inner(entry(properties, 1, "replicas"), 1);
    expect([word(replicas, 25), word(replicas, 35), word(replicas, 34)]).toEqual(["integer", "int32", 'How many "pods" there should be.']);
    expect(word(inner(entry(properties, 1, "selector"), 2), 1)).toBe("#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector");
    const operation = inner(entry(inner(bytes, 4), 1, "/apis/apps/v1/namespaces/{namespace}/deployments"), 6);
    expect(word(operation, 5)).toBe("createAppsV1NamespacedDeployment");
  });
  test("version 2 too", async () => {
    const document = await openApi.v2("application/com.github.proto-openapi.spec.v2@v1.0+protobuf");
    expect(namesOf(inner(document.body(), 9), 1)).toEqual(keysAt(v2Document, "definitions").sort());
    expect(namesOf(inner(document.body(), 8), 2)).toEqual(keysAt(v2Document, "paths").sort());
  });
});

test("a document is made without holding up what else is to be done", async () => {
  const many = Array.from({ length: 300 }, (_, index) => defineResource<Pod>({ group: `g${index}.example.com`, version: "v1", kind: "Pod", resource: "pods", scope: "Namespaced", schema: "io.k8s.api.core.v1.Pod" }));
  let turns = 0;
  const clock = setInterval(() => turns++, 1);
  const started = performance.now();
  await createOpenApi({ cards: () => [...cards, ...many] }).v2("");
  clearInterval(clock);
  expect(turns).toBeGreaterThan((performance.now() - started) / 100);
});

/** kubectl reads OpenAPI v3, and says so by --output, since 1.27; before that v2. */
const readsV3 = kubectlMinor() >= 27;

describe("kubectl explain", () => {
  let server: Bun.Server<unknown>, cache: string;
  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), "explain-"));
    server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: serve });
  });
  afterAll(async () => {
    await server.stop(true);
    rmSync(cache, { recursive: true, force: true });
  });

  /** As much of an API server as explaining needs. */
  async function serve(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const answer = (document: OpenApiDocument | undefined): Response => (document ? new Response(document.body(), { headers: { "content-type": document.contentType } }) : new Response("{}", { status: 404 }));
    if (pathname === "/openapi/v2") return answer(await openApi.v2(request.headers.get("accept") ?? ""));
    if (pathname === "/openapi/v3") return answer(openApi.v3Index());
    if (pathname.startsWith("/openapi/v3/")) return answer(await openApi.v3(pathname.slice("/openapi/v3/".length), request.headers.get("accept") ?? ""));
    if (pathname === "/api") return Response.json({ kind: "APIVersions", versions: ["v1"] });
    if (pathname === "/apis") return Response.json({ kind: "APIGroupList", apiVersion: "v1", groups: [{ name: "apps", versions: [{ groupVersion: "apps/v1", version: "v1" }], preferredVersion: { groupVersion: "apps/v1", version: "v1" } }] });
    const [, group = "", version] = /^\/(?:api|apis\/([^/]+))\/([^/]+)$/.exec(pathname) ?? [];
    const resources = cards.filter((card) => card.group === group && card.version === version).map((card) => ({ name: card.resource, singularName: card.singular, namespaced: true, kind: card.kind, verbs: card.verbs, shortNames: card.shortNames }));
    return Response.json({ kind: "APIResourceList", apiVersion: "v1", groupVersion: group ? `${group}/${version}` : version, resources });
  }

  async function explain(...args: string[]): Promise<string> {
    const child = Bun.spawn(["kubectl", "--server", `http://127.0.0.1:${server.port}`, "--cache-dir", cache, "explain", ...args], { env: { ...process.env, KUBECONFIG: "/dev/null" }, stdout: "pipe", stderr: "pipe", timeout: 120_000 });
    const [output, problems] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect([await child.exited, problems]).toEqual([0, ""]);
    return output;
  }

  const v2: [flags: string[], required: RegExp, nested: RegExp] = [readsV3 ? ["--output=plaintext-openapiv2"] : [], /selector\s<Object> -required-/, /containerPort\s<integer>/];
  const v3: typeof v2 = [["--output=plaintext"], /selector\s<LabelSelector> -required-/, /containerPort\s<integer> -required-/];
  for (const [flags, required, nested] of readsV3 ? [v2, v3] : [v2]) {
    test(`${flags.join("") || "by v2"}: a field`, async () => {
      const output = await explain("deployments.spec", ...flags);
      expect(output).toContain("What a deployment should be.");
      expect(output).toContain('How many "pods" there should be.');
      expect(output).toMatch(required);
    });
    test(`${flags.join("") || "by v2"}: recursively`, async () => {
      const output = await explain("po", "--recursive", ...flags);
      expect(output).toContain("A pod is a group of containers.");
      expect(output).toMatch(nested);
    });
  }
});
