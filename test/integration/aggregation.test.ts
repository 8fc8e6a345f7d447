import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { endpointslices, services } from "../../src/apis/builtins.ts";
import { apiservices } from "../../src/apis/apiregistration/apiservice.ts";
import { createCa, createLeaf, type KeyPair } from "../../src/server/pki/certificate.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { kubectlMinor } from "../support/kubectl-version.ts";

/** What the extension API server saw of a request. */
interface Seen { line: string; user: string; groups: string[]; extra: string; verified: boolean; commonName: string | undefined; authorization: string | undefined; body: string }

let server: TestApiServer, ca: KeyPair, port: number, stopExtension: () => void;
const seen: Seen[] = [];
let discoveryStatus = 200;
const stopping = new AbortController();
let running: Promise<void>;

const list = { kind: "APIResourceList", apiVersion: "v1", groupVersion: "wardle.example.com/v1alpha1", resources: [
  { name: "flunders", singularName: "flunder", namespaced: true, kind: "Flunder", verbs: ["create", "get", "list", "watch"], shortNames: ["fl"] },
  { name: "flunders/status", singularName: "", namespaced: true, kind: "Flunder", verbs: ["get"] },
] };

const flunderType = "com.example.wardle.v1alpha1.Flunder", objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const openApiV2 = {
  swagger: "2.0", info: { title: "wardle", version: "1" }, parameters: { "pretty-1": { name: "pretty", in: "query", type: "string" } },
  paths: {
    "/version/": { get: { operationId: "getCodeVersion" } },
    "/apis/wardle.example.com/v1alpha1/flunders": { get: { operationId: "listFlunders", parameters: [{ $ref: "#/parameters/pretty-1" }], responses: { 200: { description: "OK", schema: { $ref: `#/definitions/${flunderType}` } } } } },
  },
  definitions: { [flunderType]: { type: "object", properties: { metadata: { $ref: `#/definitions/${objectMeta}` }, spec: { type: "string", pattern: "^a" } } }, [objectMeta]: { description: "theirs" }, "com.example.Unused": { type: "object" } },
};

/** A small extension API server over TLS that asks for the front proxy's certificate. One request a connection, or raw bytes after an upgrade. */
function answer(line: string, body: string): string {
  const [method = "", path = ""] = line.split(" ");
  const send = (status: string, value: object): string => `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${JSON.stringify(value).length}\r\nConnection: close\r\n\r\n${JSON.stringify(value)}`;
  if (path === "/apis/wardle.example.com/v1alpha1") return send(`${discoveryStatus} X`, list);
  if (path === "/openapi/v2") return send("200 OK", openApiV2);
  if (path.startsWith("/openapi/v3/apis/wardle.example.com/v1alpha1")) return send("200 OK", { openapi: "3.0.0", info: { title: "wardle", version: "1" }, paths: {} });
  if (path.includes("watch=1")) {
    const event = `${JSON.stringify({ type: "ADDED", object: { kind: "Flunder", apiVersion: "wardle.example.com/v1alpha1", metadata: { name: "a" } } })}\n`;
    return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${event.length.toString(16)}\r\n${event}\r\n`;
  }
  if (method === "POST") return send("201 Created", JSON.parse(body) as object);
  return send("200 OK", { kind: "FlunderList", apiVersion: "wardle.example.com/v1alpha1", metadata: {}, items: [{ metadata: { name: "a", namespace: "default" } }] });
}

function startExtension(leaf: KeyPair, clientCa: string): void {
  const listener = Bun.listen<{ text: string; verified: boolean; commonName: string | undefined }>({
    hostname: "127.0.0.1", port: 0, tls: { cert: leaf.certificate, key: leaf.key, ca: clientCa, requestCert: true, rejectUnauthorized: false },
    socket: {
      open: (socket) => void (socket.data = { text: "", verified: false, commonName: undefined }),
      handshake(socket) {
        socket.data.verified = socket.authorized;
        socket.data.commonName = (socket.getPeerCertificate() as { subject?: { CN?: string } } | undefined)?.subject?.CN;
      },
      data(socket, bytes) {
        socket.data.text += bytes.toString();
        const end = socket.data.text.indexOf("\r\n\r\n");
        const [line = "", ...fields] = socket.data.text.slice(0, end).split("\r\n");
        const values = (name: string): string[] => fields.filter((field) => field.toLowerCase().startsWith(`${name}:`)).map((field) => field.slice(name.length + 1).trim());
        const body = socket.data.text.slice(end + 4);
        if (end < 0 || body.length < Number(values("content-length")[0] ?? 0)) return;
        socket.data.text = "";
        const { verified, commonName } = socket.data;
        seen.push({ line, user: values("x-remote-user").join("|"), groups: values("x-remote-group"), extra: values("x-remote-extra-authentication.kubernetes.io%2fcredential-id").join("|"), verified, commonName, authorization: values("authorization")[0], body });
        if (values("upgrade").length) socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello");
        else socket.write(answer(line, body));
      },
    },
  });
  port = listener.port;
  stopExtension = () => listener.stop(true);
}

beforeAll(async () => {
  const end = new Date(Date.now() + 86_400_000);
  ca = await createCa("extension-ca", end);
  const addresses = new Map<string, { host: string; port: number }>();
  server = await startApiServer({ serviceAddresses: addresses });
  startExtension(await createLeaf({ issuer: ca, usage: "server", subject: { commonName: "x" }, names: ["wardle.default.svc"], notAfter: end }), server.frontProxy.ca.certificate);
  addresses.set("default/wardle", { host: "127.0.0.1", port });
  running = server.runAggregator(stopping.signal);
});
afterAll(async () => {
  stopping.abort();
  await running;
  stopExtension();
  await server.stop();
});

const get = async (path: string, headers: Record<string, string> = {}) => {
  const response = await server.fetch(path, { headers });
  const text = await response.text();
  return { code: response.status, text, json: () => JSON.parse(text) as any };
};
// A copy: toMatchObject puts its matchers into what it compares.
const condition = async () => structuredClone(await server.client().get(apiservices, { name: "v1alpha1.wardle.example.com" })).status!.conditions![0]!;
const flunders = "/apis/wardle.example.com/v1alpha1/namespaces/default/flunders";

describe("APIServices", () => {
  test("of what is served here are there, and available", async () => {
    await eventually(async () => {
      const { stdout } = await server.kubectl("get", "apiservices", "--no-headers");
      expect(stdout).toMatch(/^v1\. +Local +True/m);
      expect(stdout).toMatch(/^v1\.apps +Local +True/m);
      expect(stdout).toMatch(/^v1\.apiregistration\.k8s\.io +Local +True/m);
    });
  });

  test("come back when they are deleted", async () => {
    await server.client().delete(apiservices, { name: "v1.apps" });
    await eventually(() => server.client().get(apiservices, { name: "v1.apps" }));
  });

  test("tell why a server is not available", async () => {
    await server.client().create(apiservices, { metadata: { name: "v1alpha1.wardle.example.com" }, spec: { group: "wardle.example.com", version: "v1alpha1", groupPriorityMinimum: 2000, versionPriority: 200, caBundle: Buffer.from(ca.certificate).toString("base64"), service: { namespace: "default", name: "wardle", port: 443 } } });
    await eventually(async () => expect(await condition()).toMatchObject({ status: "False", reason: "ServiceNotFound", message: 'service/wardle in "default" is not present' }));
    expect(await get(flunders)).toMatchObject({ code: 503, text: "service unavailable\n" });
    await server.client().create(services, { metadata: { name: "wardle", namespace: "default" }, spec: { ports: [{ name: "https", port: 444 }], selector: { a: "b" } } });
    await eventually(async () => expect(await condition()).toMatchObject({ reason: "ServicePortError", message: 'service/wardle in "default" is not listening on port 443' }));
    await server.client().patch(services, { namespace: "default", name: "wardle" }, { type: "application/json-patch+json", body: [{ op: "replace", path: "/spec/ports/0/port", value: 443 }] });
    await eventually(async () => expect(await condition()).toMatchObject({ reason: "EndpointsNotFound", message: 'cannot find endpointslices for service/wardle in "default"' }));
    const slice = { metadata: { name: "wardle-1", namespace: "default", labels: { "kubernetes.io/service-name": "wardle" } }, addressType: "IPv4" as const, ports: [{ name: "https", port: 443 }], endpoints: [] };
    await server.client().create(endpointslices, slice);
    await eventually(async () => expect(await condition()).toMatchObject({ reason: "MissingEndpoints", message: 'endpointslices for service/wardle in "default" have no addresses with port name "https"' }));
    discoveryStatus = 500;
    await server.client().patch(endpointslices, { namespace: "default", name: "wardle-1" }, { type: "application/merge-patch+json", body: { endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: true } }] } });
    await eventually(async () => expect(await condition()).toMatchObject({ reason: "FailedDiscoveryCheck", message: expect.stringContaining("bad status from https://127.0.0.1") }));
    discoveryStatus = 200;
    await eventually(async () => expect(await condition()).toMatchObject({ status: "True", reason: "Passed", message: "all checks passed" }));
  });
});

describe("an aggregated API", () => {
  test("is asked in the name of the user, over a connection with the front proxy's certificate", async () => {
    seen.length = 0;
    expect((await get(flunders, { "X-Remote-User": "mallory", "X-Remote-Group": "system:masters", Authorization: "Bearer secret" })).json().items).toHaveLength(1);
    // The aggregator asks in between whether the server is well.
    expect(seen.filter(({ user }) => user !== "system:kube-aggregator")).toEqual([{ line: `GET ${flunders} HTTP/1.1`, user: "system:admin", groups: ["system:masters", "system:authenticated"], extra: expect.stringContaining("X509SHA256="), verified: true, commonName: "front-proxy-client", authorization: undefined, body: "" }]);
  });

  test("has its part in OpenAPI v2, whose types of ours stay ours", async () => {
    const { paths, definitions } = (await get("/openapi/v2")).json();
    expect(paths["/apis/wardle.example.com/v1alpha1/flunders"].get.parameters).toEqual([{ name: "pretty", in: "query", type: "string" }]);
    expect(paths).not.toHaveProperty(["/version/"]);
    expect(definitions[flunderType].properties.spec).toEqual({ type: "string", pattern: "^a" });
    expect(definitions[objectMeta].properties).toHaveProperty("labels");
    expect(definitions).not.toHaveProperty(["com.example.Unused"]);
    expect(definitions).toHaveProperty(["io.k8s.api.core.v1.Pod"]);
  });

  test("is guarded by RBAC here", async () => {
    const as = await server.certificate("alice", "dev");
    const answer = await server.fetch(flunders, { as });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ message: 'flunders.wardle.example.com is forbidden: User "alice" cannot list resource "flunders" in API group "wardle.example.com" in the namespace "default"' });
  });

  test("gets bodies, and gives codes back", async () => {
    const body = JSON.stringify({ kind: "Flunder", apiVersion: "wardle.example.com/v1alpha1", metadata: { name: "new" } });
    const answer = await server.fetch(flunders, { method: "POST", body, headers: { "content-type": "application/json" } });
    expect(answer.status).toBe(201);
    expect(seen.at(-1)).toMatchObject({ line: `POST ${flunders} HTTP/1.1`, body });
  });

  test("streams watches", async () => {
    const answer = await server.fetch(`${flunders}?watch=1`);
    const reader = answer.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toContain('"type":"ADDED"');
    await reader.cancel();
  });

  test("is in discovery, plain and aggregated, and in the index of OpenAPI v3", async () => {
    const groups = (await get("/apis")).json().groups.map(({ name }: { name: string }) => name);
    expect(groups).toContain("wardle.example.com");
    expect((await get("/apis/wardle.example.com")).json()).toMatchObject({ kind: "APIGroup", preferredVersion: { groupVersion: "wardle.example.com/v1alpha1" } });
    expect((await get("/apis/wardle.example.com/v1alpha1")).json()).toEqual(list);
    const { items } = (await get("/apis", { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" })).json();
    expect(items.find(({ metadata }: any) => metadata.name === "wardle.example.com").versions).toEqual([{ version: "v1alpha1", freshness: "Current", resources: [{
      resource: "flunders", responseKind: { group: "wardle.example.com", version: "v1alpha1", kind: "Flunder" }, scope: "Namespaced", singularResource: "flunder", verbs: ["create", "get", "list", "watch"], shortNames: ["fl"],
      subresources: [{ subresource: "status", responseKind: { group: "wardle.example.com", version: "v1alpha1", kind: "Flunder" }, verbs: ["get"] }],
    }] }]);
    expect((await get("/openapi/v3")).json().paths).toHaveProperty(["apis/wardle.example.com/v1alpha1"]);
    expect((await get("/openapi/v3/apis/wardle.example.com/v1alpha1")).json().info.title).toBe("wardle");
    // Older ones ask for each version's own document, which the server beyond has none of.
    if (kubectlMinor() < 27) return;
    const { stdout } = await server.kubectl("api-resources", "--api-group=wardle.example.com", "--no-headers", "--cached=false");
    expect(stdout).toMatch(/^flunders +fl +wardle\.example\.com\/v1alpha1 +true +Flunder/);
  });

  test("is gone from everywhere with its APIService", async () => {
    await server.client().delete(apiservices, { name: "v1alpha1.wardle.example.com" });
    await eventually(async () => expect((await get("/apis/wardle.example.com")).code).toBe(404));
    expect((await get(flunders)).code).toBe(404);
    expect((await get("/openapi/v3")).json().paths).not.toHaveProperty(["apis/wardle.example.com/v1alpha1"]);
    expect((await get("/openapi/v2")).json().definitions).not.toHaveProperty([flunderType]);
  });
});

describe("front proxies before this server", () => {
  const asProxy = async (headers: Record<string, string>, as = server.frontProxy.client) => (await server.fetch("/api/v1/namespaces/default/pods", { as, headers })).json() as Promise<{ message?: string; kind: string }>;

  test("speak for their users", async () => {
    expect((await asProxy({ "X-Remote-User": "bob", "X-Remote-Group": "system:masters" })).kind).toBe("PodList");
    expect((await asProxy({ "X-Remote-User": "bob" })).message).toContain('User "bob" cannot list');
  });

  test("are nobody themselves", async () => {
    expect((await asProxy({})).message).toBe("Unauthorized");
  });

  test("must have a certificate of their CA, in the name agreed on", async () => {
    const other = await createLeaf({ issuer: server.frontProxy.ca, usage: "client", subject: { commonName: "somebody", organizations: ["system:masters"] }, notAfter: new Date(Date.now() + 86_400_000) });
    expect((await asProxy({ "X-Remote-User": "bob", "X-Remote-Group": "system:masters" }, other)).message).toBe("Unauthorized");
    const client = await server.certificate("front-proxy-client");
    expect((await asProxy({ "X-Remote-User": "bob", "X-Remote-Group": "system:masters" }, client)).message).toContain('User "front-proxy-client" cannot list');
  });
});
