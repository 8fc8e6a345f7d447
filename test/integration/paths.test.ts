import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { nodes } from "../../src/apis/builtins.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";

let server: TestApiServer;
const kubelet: HttpHandler = async (request, response) => response.send(200, { "Content-Type": "text/plain" }, `kubelet ${request.url}`);

beforeAll(async () => {
  server = await startApiServer({ nodes: { connect: (name) => (name === "n1" ? kubelet : undefined) } });
  await server.client().create(nodes, { metadata: { name: "n1" }, spec: {} });
});
afterAll(() => server.stop());

const notFoundPage = "404 page not found\n", notFoundStatus = "the server could not find the requested resource";

describe("a path that nobody serves", () => {
  test.each(["/nope", "/apis/none.example.com", "/apis/none.example.com/v1", "/apis/none.example.com/v1/things", "/apis/none.example.com/v1/namespaces/default/things/a", "/healthz/nope", "/openapi/v4"])("%s: as Go's servers tell it", async (path) => {
    const answer = await server.fetch(path);
    expect([answer.status, answer.headers.get("content-type"), await answer.text()]).toEqual([404, "text/plain; charset=utf-8", notFoundPage]);
  });
  test.each(["/api/v2", "/api/v1/nothing", "/apis/apps/v9", "/apis/apps/v1/nothing", "/apis/apps/v9/things/a", "/api/v1/namespaces/default/pods/a/nothing"])("%s: a Status in a group of ours", async (path) => {
    const answer = await server.fetch(path);
    expect([answer.status, await answer.json()]).toEqual([404, expect.objectContaining({ kind: "Status", reason: "NotFound", message: notFoundStatus, details: {} })]);
  });
});

test.each(["/api", "/apis/apps/v1", "/version"])("%s is only read", async (path) => {
  const answer = await server.fetch(path, { method: "POST", body: "{}" });
  expect([answer.status, await answer.json()]).toEqual([405, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: "the server does not allow this method on the requested resource", reason: "MethodNotAllowed", details: {}, code: 405 }]);
});

test("every answer names its request, by the client's own name where it has one", async () => {
  for (const [path, code] of [["/version", 200], ["/nope", 404], ["/api/v1/pods", 200], ["/api/v1/namespaces/default/pods/none", 404]] as const) {
    const answer = await server.fetch(path);
    expect([path, answer.status, answer.headers.get("audit-id")]).toEqual([path, code, expect.stringMatching(/^[0-9a-f-]{36}$/)]);
  }
  expect((await server.fetch("/version", { headers: { "Audit-Id": "mine" } })).headers.get("audit-id")).toBe("mine");
});

describe("a node's proxy", () => {
  const address = Object.values(networkInterfaces()).flat().find((each) => each?.family === "IPv4" && !each.internal)?.address;
  let other: Server, port: number;
  beforeAll(async () => {
    other = createServer((request, response) => response.end(`other ${request.url}`));
    await new Promise<void>((resolve) => other.listen(0, address ?? "127.0.0.1", resolve));
    port = (other.address() as AddressInfo).port;
    await server.client().create(nodes, { metadata: { name: "n2" }, spec: {} });
  });
  afterAll(() => void other.close());
  const proxied = async (target: string): Promise<[number, string]> => {
    const answer = await server.fetch(`/api/v1/nodes/${target}/proxy/pods?a=b`);
    const text = await answer.text();
    return [answer.status, text.startsWith("{") ? (JSON.parse(text) as { message: string }).message : text];
  };
  const withAddress = async (name: string, ip: string): Promise<void> => {
    const node = structuredClone(await server.client().get(nodes, { name })) as { status?: object };
    await server.client().update(nodes, { ...node, status: { ...node.status, addresses: [{ type: "Hostname", address: name }, { type: "InternalIP", address: ip }] } } as never, { subresource: "status" });
  };

  test.each(["n1", "n1:10250", "https:n1:10250", "https:n1:"])("%s: its kubelet", async (target) => {
    expect(await proxied(target)).toEqual([200, "kubelet /pods?a=b"]);
  });
  test.each([
    ["ftp:n1:21", 400, 'invalid node request "ftp:n1:21"'], ["n1:metrics", 400, "address not allowed"], ["none:10250", 404, 'nodes "none" not found'],
  ] as const)("%s: %d", async (target, status, message) => {
    expect(await proxied(target)).toEqual([status, message]);
  });
  test.if(address !== undefined)("another port of its machine, never of ours", async () => {
    await withAddress("n2", address!);
    expect(await proxied(`n2:${port}`)).toEqual([200, "other /pods?a=b"]);
    expect(await proxied(`http:n2:${port}`)).toEqual([200, "other /pods?a=b"]);
    expect(await proxied("n2:metrics")).toEqual([400, 'invalid node request "n2:metrics"']);
    await withAddress("n2", "127.0.0.1");
    expect(await proxied(`n2:${port}`)).toEqual([400, "address not allowed"]);
  });
});

test("the index of OpenAPI is for every client, whatever it accepts; its documents are not", async () => {
  const accept = "application/vnd.kubernetes.protobuf";
  const index = await server.fetch("/openapi/v3", { headers: { accept } });
  expect([index.status, index.headers.get("content-type")]).toEqual([200, "application/json"]);
  expect((await server.fetch("/openapi/v3/api/v1", { headers: { accept } })).status).toBe(406);
});
