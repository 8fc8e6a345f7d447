import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../src/apimachinery/resource.ts";
import { parseCbor } from "../../src/apimachinery/schema/cbor/decode.ts";
import { encodeCbor, selfDescribed } from "../../src/apimachinery/schema/cbor/encode.ts";
import { decode } from "../../src/apimachinery/schema/decode.ts";
import { decodeMessage } from "../../src/apimachinery/schema/protobuf/decode.ts";
import { decodeDocument, encodeDocument } from "../../src/apimachinery/schema/protobuf/envelope.ts";
import { hasProtobuf } from "../../src/apimachinery/schema/protobuf/messages.ts";
import { builtins, configmaps, serviceaccounts } from "../../src/apis/builtins.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";

// Every kind says the same in every encoding: what is written in one is read in another.

let server: TestApiServer;
beforeAll(async () => {
  server = await startApiServer();
  await server.client().create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
  await server.client().create(configmaps, { metadata: { name: "watched", namespace: "default" }, data: { a: "b" } });
});
afterAll(() => server.stop());

const protobuf = "application/vnd.kubernetes.protobuf", cbor = "application/cbor";
const status = "io.k8s.apimachinery.pkg.apis.meta.v1.Status", partial = "io.k8s.apimachinery.pkg.apis.meta.v1.PartialObjectMetadata";
type Body = Record<string, any>;

async function get(path: string, accept: string): Promise<{ code: number; type: string | null; bytes: Buffer }> {
  const response = await server.fetch(path, { headers: { accept } });
  return { code: response.status, type: response.headers.get("content-type"), bytes: Buffer.from(await response.arrayBuffer()) };
}
const json = async (path: string, accept = "application/json"): Promise<Body> => JSON.parse((await get(path, accept)).bytes.toString()) as Body;

const collectionOf = (card: AnyResource): string => `/${card.group ? `apis/${card.group}` : "api"}/${card.version}/${card.scope === "Namespaced" ? "namespaces/default/" : ""}${card.resource}`;
/** What a document in protobuf says, as decoded JSON. */
const read = (schema: string, bytes: Uint8Array): Body => decode<Body>(schema, decodeDocument(bytes, schema)).object;

const stored = builtins.filter((card) => card.verbs.includes("get") && card.example && hasProtobuf(card.schema));

describe.each(stored.map((card) => [`${card.resource}.${card.version}.${card.group}`, card] as const))("%s", (_, card) => {
  const collection = collectionOf(card);
  // Some kinds accept certain names only, which follow from what they hold.
  const name = (card.example!() as KubeObject).metadata.name ?? "encodings";
  const item = `${collection}/${name}`;
  // Another version of the kind may be next, and have the same object.
  afterAll(() => server.fetch(`${item}?gracePeriodSeconds=0`, { method: "DELETE" }));

  test("created in protobuf, read in all", async () => {
    const example = card.example!() as KubeObject;
    const created = await server.fetch(collection, {
      method: "POST", headers: { "content-type": protobuf, accept: protobuf },
      body: new Uint8Array(encodeDocument({ apiVersion: apiVersionOf(card), kind: card.kind }, card.schema, decode<object>(card.schema, { ...example, metadata: { ...example.metadata, namespace: undefined, name } }).object)),
    });
    const bytes = Buffer.from(await created.arrayBuffer());
    expect([created.status, created.headers.get("content-type"), created.status === 201 ? "" : read(status, bytes)["message"]]).toEqual([201, protobuf, ""]);
    expect(read(card.schema, bytes)).toMatchObject({ kind: card.kind, apiVersion: apiVersionOf(card), metadata: { name } });

    const expected = await json(item);
    const inProtobuf = await get(item, protobuf);
    expect(inProtobuf.type).toBe(protobuf);
    expect(inProtobuf.bytes).toEqual(encodeDocument({ apiVersion: apiVersionOf(card), kind: card.kind }, card.schema, expected));
    const inCbor = await get(item, cbor);
    expect([inCbor.type, inCbor.bytes.subarray(0, 3).equals(selfDescribed), parseCbor(inCbor.bytes).value]).toEqual([cbor, true, expected]);
    expect(Bun.YAML.parse((await get(item, "application/yaml")).bytes.toString())).toEqual(expected);
    expect(await json(`${item}?pretty=true`)).toEqual(expected);
  });

  test("lists", async () => {
    const path = `${collection}?fieldSelector=metadata.name%3D${name}`;
    const expected = await json(path);
    const { bytes } = await get(path, protobuf);
    expect(bytes).toEqual(encodeDocument({ apiVersion: apiVersionOf(card), kind: `${card.kind}List` }, `${card.schema}List`, { ...expected, items: expected["items"] }));
    const { kind: _kind, apiVersion: _apiVersion, ...first } = (parseCbor((await get(path, cbor)).bytes).value as Body)["items"][0];
    expect(first).toEqual(expected["items"][0]);
    expect(Bun.YAML.parse((await get(path, "application/yaml")).bytes.toString())).toEqual(expected);
  });

  test("its metadata alone, in each encoding", async () => {
    for (const version of ["v1", "v1beta1"]) {
      const as = `;as=PartialObjectMetadata;v=${version};g=meta.k8s.io`;
      const expected = await json(item, `application/json${as}`);
      expect(expected).toMatchObject({ kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata: { name } });
      expect(read(partial, (await get(item, protobuf + as)).bytes)).toEqual(expected);
      expect(parseCbor((await get(item, cbor + as)).bytes).value).toEqual(expected);
      const list = read(`${partial}List`, (await get(collection, `${protobuf};as=PartialObjectMetadataList;v=${version};g=meta.k8s.io`)).bytes);
      expect(list).toMatchObject({ kind: "PartialObjectMetadataList", apiVersion: `meta.k8s.io/${version}` });
      expect(list["items"].map((one: Body) => one["metadata"]["name"])).toContain(name);
    }
    expect((await get(item, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")).code).toBe(406);
  });

  test("a Table is for JSON and YAML", async () => {
    const as = ";as=Table;v=v1;g=meta.k8s.io";
    expect(Bun.YAML.parse((await get(item, `application/yaml${as}`)).bytes.toString())).toMatchObject({ kind: "Table", rows: [{ object: { kind: "PartialObjectMetadata" } }] });
    for (const type of [protobuf, cbor]) expect((await get(item, type + as)).code).toBe(406);
    expect(await json(`${item}?includeObject=None`, `application/json${as}`)).toMatchObject({ rows: [{ object: null }] });
    expect(await json(`${item}?includeObject=Some`, `application/json${as}`)).toMatchObject({ code: 400, message: "Unable to convert to Table as requested: includeObject: Invalid value: \"Some\": must be 'Metadata', 'Object', 'None', or empty" });
  });

  test("updated and deleted in CBOR; errors come in the same encoding", async () => {
    const current = await json(item);
    const body = (value: object): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat([selfDescribed, encodeCbor(value)]));
    const put = await server.fetch(item, { method: "PUT", headers: { "content-type": cbor, accept: cbor }, body: body({ ...current, metadata: { ...current["metadata"], labels: { in: "cbor" } } }) });
    expect([put.status, parseCbor(new Uint8Array(await put.arrayBuffer())).value]).toMatchObject([200, { metadata: { labels: { in: "cbor" } } }]);
    const stale = await server.fetch(item, { method: "DELETE", headers: { "content-type": cbor, accept: cbor }, body: body({ kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid: "other" } }) });
    expect([stale.status, parseCbor(new Uint8Array(await stale.arrayBuffer())).value]).toMatchObject([409, { kind: "Status", reason: "Conflict" }]);
    expect(read(status, (await get(`${collection}/missing-one`, protobuf)).bytes)).toMatchObject({ kind: "Status", apiVersion: "v1", reason: "NotFound", code: 404, details: { name: "missing-one", kind: card.resource } });
  });
});

/** The events that a watch has sent when it ends by itself. */
async function frames(path: string, accept: string): Promise<{ type: string | null; bytes: Buffer }> {
  const { code, type, bytes } = await get(`${path}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dwatched`, accept);
  expect(code).toBe(200);
  return { type, bytes };
}

describe("watches", () => {
  const path = "/api/v1/namespaces/default/configmaps";
  const schema = "io.k8s.api.core.v1.ConfigMap";

  test("in protobuf are frames with their length in front", async () => {
    const expected = await json(`${path}/watched`);
    const { type, bytes } = await frames(path, protobuf);
    expect(type).toBe(`${protobuf};stream=watch`);
    expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4);
    const event = decodeMessage(bytes.subarray(4), "io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionKind");
    expect(event["group"]).toBe("ADDED");
    const inside = bytes.subarray(bytes.indexOf("k8s\0"));
    expect(read(schema, inside)).toEqual(expected);
  });

  test("in CBOR are a sequence of items", async () => {
    const expected = await json(`${path}/watched`);
    for (const accept of [cbor, "application/cbor-seq"]) {
      const { type, bytes } = await frames(path, accept);
      expect([type, parseCbor(bytes).value]).toEqual(["application/cbor-seq", { type: "ADDED", object: expected }]);
    }
  });
});

describe("watches over a WebSocket", () => {
  test.each([["application/json", "text"], [protobuf, "binary"]])("%s: each event is a message, %s", async (accept, kind) => {
    const admin = await server.certificate("system:admin", "system:masters");
    const socket = new WebSocket(`${server.url.replace("https", "wss")}/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dwatched`, {
      headers: { accept }, tls: { ca: server.ca, cert: admin.certificate, key: admin.key },
    } as never);
    socket.binaryType = "arraybuffer";
    const messages: (string | ArrayBuffer)[] = [];
    socket.onmessage = ({ data }) => void messages.push(data as string | ArrayBuffer);
    const { code } = await new Promise<{ code: number }>((resolve) => void (socket.onclose = resolve));
    expect([code, messages.length, typeof messages[0] === "string" ? "text" : "binary"]).toEqual([1000, 1, kind]);
    const text = typeof messages[0] === "string" ? messages[0] : Buffer.from(messages[0]!).toString("latin1");
    expect(text).toContain("ADDED");
    expect(text).toContain("watched");
  });
});

describe("what isn't a resource", () => {
  test.each([
    ["/apis", "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList"], ["/apis/apps", "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup"],
    ["/apis/apps/v1", "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList"], ["/api/v1", "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList"], ["/api", "io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions"],
  ])("%s is discovered in protobuf and CBOR too", async (path, schema) => {
    const expected = decode<Body>(schema, await json(path)).object;
    expect(read(schema, (await get(path, protobuf)).bytes)).toEqual(expected);
    expect(decode<Body>(schema, parseCbor((await get(path, cbor)).bytes).value).object).toEqual(expected);
  });

  test.each(["/api", "/apis"])("%s aggregated", async (path) => {
    const as = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const schema = "io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList";
    const { type, bytes } = await get(path, protobuf + as);
    expect(type).toBe(protobuf + as);
    expect(bytes).toEqual(encodeDocument({ apiVersion: "apidiscovery.k8s.io/v2", kind: "APIGroupDiscoveryList" }, schema, await json(path, `application/json${as}`)));
    const first = await server.fetch(path, { headers: { accept: `application/json${as}` } });
    expect(first.headers.get("vary")).toBe("Accept");
    const again = await server.fetch(path, { headers: { accept: `application/json${as}`, "if-none-match": first.headers.get("etag")! } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });
});
