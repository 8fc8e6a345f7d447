import https from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bootstrapPolicy } from "../../src/apiserver/authorization/bootstrap/policy.ts";
import { reconcileBootstrapPolicy } from "../../src/apiserver/authorization/bootstrap/reconcile.ts";
import { clusterroles, configmaps, deployments, namespaces, nodes, pods, rolebindings, serviceaccounts } from "../../src/apis/builtins.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import type { ClusterRole } from "../../src/apis/generated/rbac/v1.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { exchange } from "../support/http.ts";
import { readWatch } from "../support/watch.ts";

const kubeletCalls: string[] = [];
const kubelet: HttpHandler = (request, response) => {
  kubeletCalls.push(`${request.method} ${request.url}`);
  if (request.url.endsWith("?previous=true")) return response.send(400, { "Content-Type": "text/plain" }, 'previous terminated container "a" in pod "one" not found');
  response.send(200, { "Content-Type": "text/plain" }, `kubelet ${request.url}\n`);
};

let server: TestApiServer;
const json = { "content-type": "application/json" };
const get = async (path: string, init?: Parameters<TestApiServer["fetch"]>[1]): Promise<{ status: number; headers: Headers; text: string }> => {
  const response = await server.fetch(path, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
};
const message = async (path: string, init?: Parameters<TestApiServer["fetch"]>[1]): Promise<[number, string]> => {
  const { status, text } = await get(path, init);
  return [status, (JSON.parse(text) as { message: string }).message];
};
const pod = (name: string, containers: string[], extra: Partial<Pod["spec"]> = {}): Pod => ({ metadata: { name, namespace: "default" }, spec: { containers: containers.map((each) => ({ name: each, image: "busybox" })), ...extra } });

beforeAll(async () => {
  server = await startApiServer({ storage: "sqlite", nodes: { connect: (name) => (name === "n1" ? kubelet : undefined) }, controllers: [{ name: "replicaset-controller", rules: [{ verbs: ["create"], apiGroups: [""], resources: ["pods"] }] }] });
  await server.client().create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
  await server.client().create(nodes, { metadata: { name: "n1" }, spec: {} });
  await server.client().create(pods, pod("two", ["a", "b"], { nodeName: "n1", initContainers: [{ name: "i", image: "busybox" }] }));
  await server.client().create(pods, pod("one", ["a"], { nodeName: "n1", volumes: [{ name: "v", configMap: { name: "mine" } }] }));
  await server.client().create(pods, pod("pending", ["a"]));
  for (const name of ["mine", "other"]) await server.client().create(configmaps, { metadata: { name, namespace: "default" }, data: { a: "b" } });
});
afterAll(() => server.stop());

describe("who asks", () => {
  test("who shows no credentials is anonymous, and may see health and version", async () => {
    expect((await get("/healthz", { as: null })).status).toBe(200);
    expect((await get("/version", { as: null })).status).toBe(200);
    expect(await message("/apis", { as: null })).toEqual([403, 'forbidden: User "system:anonymous" cannot get path "/apis"']);
    expect(await message("/api/v1/pods", { as: null })).toEqual([403, 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope']);
    expect(await message("/api/v1/pods", { as: null, headers: { authorization: "Basic YTpi" } })).toEqual([403, expect.stringContaining('User "system:anonymous" cannot list')]);
  });

  test("a wrong token is refused even where anonymous would do", async () => {
    expect((await get("/version", { as: null, headers: { authorization: "Bearer nonsense" } })).status).toBe(401);
  });

  test("a certificate without roles is forbidden, in Kubernetes' words", async () => {
    const as = await server.certificate("alice", "dev");
    expect(await message("/api/v1/namespaces/default/pods", { as })).toEqual([403, 'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"']);
    expect(await message("/api/v1/nodes/n1", { as })).toEqual([403, 'nodes "n1" is forbidden: User "alice" cannot get resource "nodes" in API group "" at the cluster scope']);
    expect((await get("/apis", { as })).status).toBe(200);
  });

  test("a service account's token works, until its pod is gone", async () => {
    const bound = await server.client().create(pods, pod("bound", ["a"]));
    const issue = async (boundObjectRef?: object): Promise<string> => {
      const { text } = await get("/api/v1/namespaces/default/serviceaccounts/default/token", { method: "POST", headers: json, body: JSON.stringify({ spec: { audiences: [], boundObjectRef } }) });
      return (JSON.parse(text) as { status: { token: string } }).status.token;
    };
    const token = await issue({ kind: "Pod", apiVersion: "v1", name: "bound", uid: bound.metadata.uid });
    const asks = { as: null, headers: { authorization: `Bearer ${token}` } };
    expect(await message("/api/v1/pods", asks)).toEqual([403, 'pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" at the cluster scope']);
    const review = await get("/apis/authentication.k8s.io/v1/tokenreviews", { method: "POST", headers: json, body: JSON.stringify({ spec: { token } }) });
    expect(JSON.parse(review.text)).toMatchObject({ kind: "TokenReview", status: { authenticated: true, user: { username: "system:serviceaccount:default:default", groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"] } } });
    await server.client().delete(pods, { namespace: "default", name: "bound" }, { gracePeriodSeconds: 0 });
    expect((await get("/api/v1/pods", asks)).status).toBe(401);
    const tampered = `${(await issue()).slice(0, -6)}AAAAAA`;
    expect((await get("/api/v1/pods", { as: null, headers: { authorization: `Bearer ${tampered}` } })).status).toBe(401);
  });

  test("impersonation needs its own right", async () => {
    expect(await message("/api/v1/pods", { headers: { "impersonate-user": "bob" } })).toEqual([403, expect.stringContaining('User "bob" cannot list')]);
    const as = await server.certificate("alice");
    expect(await message("/api/v1/pods", { as, headers: { "impersonate-user": "system:admin" } })).toEqual([403, 'pods is forbidden: User "alice" cannot impersonate-on:user-info:list resource "pods" in API group "" at the cluster scope']);
  });

  test("each repeated field of an impersonated user counts for itself, commas and all", async () => {
    const { certificate: cert, key } = await server.certificate("system:admin", "system:masters");
    const body = await new Promise<string>((resolve, reject) => {
      const request = https.request(`${server.url}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
        method: "POST", ca: server.ca, cert, key, headers: { "content-type": "application/json", "impersonate-user": "bob", "impersonate-group": ["a, b", "c"], "impersonate-extra-acme.io%2fx": ["1,2", "3"] },
      }, (answer) => {
        let text = "";
        answer.on("data", (bytes: Buffer) => (text += bytes.toString())).on("end", () => resolve(text));
      });
      request.on("error", reject);
      request.end("{}");
    });
    expect(JSON.parse(body)).toMatchObject({ status: { userInfo: { username: "bob", groups: ["a, b", "c", "system:authenticated"], extra: { "acme.io/x": ["1,2", "3"] } } } });
  });

  test("OIDC documents name the key", async () => {
    const configuration = JSON.parse((await get("/.well-known/openid-configuration")).text) as { issuer: string; jwks_uri: string };
    expect(configuration.jwks_uri).toBe(`${configuration.issuer}/openid/v1/jwks`);
    expect(JSON.parse((await get("/openid/v1/jwks")).text)).toMatchObject({ keys: [{ kty: "EC", crv: "P-256", alg: "ES256", use: "sig" }] });
  });
});

describe("who may", () => {
  test("a role binding takes effect at once and ends at once", async () => {
    const as = await server.certificate("viewer");
    const binding = { metadata: { name: "viewers", namespace: "default" }, subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "viewer" }], roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" } };
    await server.client().create(rolebindings, binding);
    expect((await get("/api/v1/namespaces/default/pods", { as })).status).toBe(200);
    expect((await get("/api/v1/namespaces/default/secrets", { as })).status).toBe(403);
    expect((await get("/api/v1/namespaces/kube-system/pods", { as })).status).toBe(403);
    await server.client().delete(rolebindings, { namespace: "default", name: "viewers" });
    expect((await get("/api/v1/namespaces/default/pods", { as })).status).toBe(403);
  });

  test("a node reads what its pods refer to, and no more", async () => {
    const as = await server.certificate("system:node:n1", "system:nodes");
    expect((await get("/api/v1/namespaces/default/configmaps/mine", { as })).status).toBe(200);
    expect(await message("/api/v1/namespaces/default/configmaps/other", { as })).toEqual([403, expect.stringContaining("no relationship found between node 'n1' and this object")]);
    expect((await get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", { as })).status).toBe(200);
    expect((await get("/api/v1/pods", { as })).status).toBe(403);
    expect((await get("/api/v1/nodes/n1", { as })).status).toBe(200);
    expect((await get("/api/v1/nodes/n2", { as })).status).toBe(403);
  });

  test("default roles are there, for controllers too", async () => {
    const { lister } = server.informers.informer(clusterroles);
    expect(lister.get("system:controller:replicaset-controller")?.rules[0]).toEqual({ verbs: ["create"], apiGroups: [""], resources: ["pods"] });
    expect(lister.get("admin")?.rules.some((rule) => rule.resources?.includes("secrets") && rule.verbs.includes("create"))).toBe(true);
  });

  test("default roles are restored at start, and what users added stays", async () => {
    const client = server.client(), policy = bootstrapPolicy();
    const { lister } = server.informers.informer(clusterroles);
    const before = lister.resourceVersion;
    await reconcileBootstrapPolicy(client, policy);
    expect(lister.resourceVersion).toBe(before);
    const own = { verbs: ["get"], apiGroups: ["example.com"], resources: ["widgets"] };
    await client.update(clusterroles, { ...structuredClone(lister.get("system:kube-dns")) as ClusterRole, rules: [own] });
    await client.update(clusterroles, { ...structuredClone(lister.get("system:monitoring")) as ClusterRole, metadata: { name: "system:monitoring", annotations: { "rbac.authorization.kubernetes.io/autoupdate": "false" } }, rules: [] });
    await client.delete(clusterroles, { name: "edit" });
    await reconcileBootstrapPolicy(client, policy);
    expect(lister.get("system:kube-dns")?.rules).toEqual([own, { verbs: ["list", "watch"], apiGroups: [""], resources: ["endpoints", "services"] }]);
    expect(lister.get("system:monitoring")?.rules ?? []).toEqual([]);
    expect(lister.get("edit")?.aggregationRule?.clusterRoleSelectors).toHaveLength(1);
  });

  test("exec over GET needs create as well", async () => {
    const as = await server.certificate("reader");
    await server.client().create(clusterroles, { metadata: { name: "reader" }, rules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods/exec"] }] });
    await server.client().create(rolebindings, { metadata: { name: "readers", namespace: "default" }, subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "reader" }], roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "reader" } });
    expect(await message("/api/v1/namespaces/default/pods/one/exec?command=ls", { as })).toEqual([403, 'pods "one" is forbidden: User "reader" cannot create resource "pods/exec" in API group "" in the namespace "default"']);
  });
});

describe("connections to nodes", () => {
  test.each([
    ["GET", "/api/v1/namespaces/default/pods/one/log?follow=true&tailLines=5&unknown=1", "/containerLogs/default/one/a?follow=true&tailLines=5"],
    ["GET", "/api/v1/namespaces/default/pods/two/log?container=i", "/containerLogs/default/two/i"],
    ["POST", "/api/v1/namespaces/default/pods/two/exec?container=b&command=sh&command=-c&stdin=true&stdout=true&tty=true", "/exec/default/two/b?input=1&output=1&tty=1&command=sh&command=-c"],
    ["GET", "/api/v1/namespaces/default/pods/one/attach?stdout=true", "/attach/default/one/a?output=1"],
    ["POST", "/api/v1/namespaces/default/pods/one/portforward?ports=80", "/portForward/default/one?port=80"],
    ["GET", "/api/v1/nodes/n1/proxy/metrics/cadvisor?a=b%20c", "/metrics/cadvisor?a=b%20c"],
  ])("%s %s", async (method, path, expected) => {
    expect((await get(path, { method })).text).toBe(`kubelet ${expected}\n`);
    expect(kubeletCalls.at(-1)).toBe(`${method} ${expected}`);
  });

  test.each([
    ["/api/v1/namespaces/default/pods/two/log", 400, "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [i]"],
    ["/api/v1/namespaces/default/pods/one/log?container=x", 400, "container x is not valid for pod one"],
    ["/api/v1/namespaces/default/pods/one/log?previous=true", 400, 'previous terminated container "a" in pod "one" not found'],
    ["/api/v1/namespaces/default/pods/pending/exec?command=ls", 400, "pod pending does not have a host assigned"],
    ["/api/v1/namespaces/default/pods/none/exec?command=ls", 404, 'pods "none" not found'],
    ["/api/v1/namespaces/default/pods/one/log?tailLines=-1", 422, 'PodLogOptions "one" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'],
  ])("%s", async (path, status, text) => {
    expect(await message(path)).toEqual([status, text]);
  });
});

test("a kind that Kubernetes advises against comes with a warning", async () => {
  expect((await get("/api/v1/namespaces/default/endpoints")).headers.get("warning")).toBe('299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"');
  expect((await get("/api/v1/namespaces/default/services")).headers.get("warning")).toBeNull();
});

test("errors are laid out for people as other answers are", async () => {
  expect((await get("/api/v2", { headers: { "user-agent": "curl/8.0" } })).text).toStartWith('{\n  "kind": "Status",\n');
  expect((await get("/api/v2")).text).toStartWith('{"kind":"Status",');
});

test.each([["POST", "configmaps", "CreateOptions"], ["PUT", "configmaps/mine", "UpdateOptions"], ["PATCH", "configmaps/mine", "PatchOptions"]])("wrong options of %s %s", async (method, path, kind) => {
  const headers = { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" };
  expect(await message(`/api/v1/namespaces/default/${path}?fieldValidation=Loud`, { method, headers, body: "{}" })).toEqual([422, expect.stringContaining(`${kind}.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Loud"`)]);
});

describe("what is wrong is said as Kubernetes says it", () => {
  test.each([
    ["GET", "/api/v2", undefined, 404, "the server could not find the requested resource"],
    ["GET", "/api/v1/widgets", undefined, 404, "the server could not find the requested resource"],
    ["GET", "/api/v1/pods/one", undefined, 404, "the server could not find the requested resource"],
    ["POST", "/api/v1/pods", "{}", 405, "the server does not allow this method on the requested resource"],
    ["PUT", "/api/v1/namespaces/default/pods", "{}", 405, "the server does not allow this method on the requested resource"],
    ["POST", "/api/v1/namespaces/default/pods", '{"kind":"Pod"', 400, expect.stringContaining("unexpected end of JSON input")],
    ["POST", "/api/v1/namespaces/default/pods", "nonsense", 400, expect.stringContaining("invalid character")],
    ["POST", "/api/v1/namespaces/default/pods", "[]", 400, expect.stringContaining("cannot unmarshal array")],
    ["POST", "/api/v1/namespaces/default/configmaps", '{"metadata":{"name":"x","namespace":"elsewhere"}}', 400, "the namespace of the provided object does not match the namespace sent on the request"],
    ["GET", "/api/v1/pods?limit=x", undefined, 400, expect.stringContaining("invalid syntax")],
    ["GET", "/api/v1/pods?labelSelector=a%20b%20c", undefined, 400, expect.any(String)],
    ["GET", "/api/v1/pods?watch=1&labelSelector=a%20b%20c", undefined, 400, expect.any(String)],
    ["POST", "/api/v1/namespaces/default/configmaps?dryRun=Some", "{}", 422, expect.stringContaining('Unsupported value: ["Some"]')],
    ["GET", "/api/v1/%zz", undefined, 400, "the request path is not properly percent-encoded"],
  ] as const)("%s %s %s", async (method, path, body, status, text) => {
    expect(await message(path, { method, headers: json, body })).toEqual([status, text as string]);
  });

  test.each(["/apis/../metrics", "/healthz/../metrics", "/apis/%2e%2e/metrics", "//metrics", "/metrics/x"])("%s is not /metrics", async (url) => {
    const { answer, done } = exchange(server.handler, { url, peer: { commonName: "root", organizations: ["system:masters"], fingerprint: "" } });
    await done;
    expect([answer.status, answer.text()]).toEqual([404, expect.not.stringContaining("apiserver_request_total")]);
  });

  test("encodings that aren't served", async () => {
    expect(await get("/api/v1/pods", { headers: { accept: "text/html" } })).toMatchObject({ status: 406, text: expect.stringContaining("only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf") });
    expect((await get("/api/v1/namespaces/default/pods", { method: "POST", headers: { "content-type": "text/plain" }, body: "x" })).status).toBe(415);
    expect((await get("/api/v1/namespaces/default/pods/one", { method: "PATCH", headers: { "content-type": "application/strange-patch+json" }, body: "{}" })).status).toBe(415);
    const review = { method: "POST", headers: { ...json, accept: "application/json;as=Table;v=v1;g=meta.k8s.io" }, body: JSON.stringify({ spec: { resourceAttributes: { verb: "get", resource: "pods" } } }) };
    expect((await get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)).status).toBe(406);
  });
});

test("the version is had in JSON alone", async () => {
  const statusOf = async (accept: string): Promise<number> => (await get("/version", { headers: { accept } })).status;
  for (const accept of ["application/json", "application/json;as=Table", "*/*", "application/vnd.kubernetes.protobuf, application/json", "text/*, */*;q=0.1"]) expect([accept, await statusOf(accept)]).toEqual([accept, 200]);
  for (const accept of ["text/html", "application/*", "application/yaml"]) expect([accept, await statusOf(accept)]).toEqual([accept, 406]);
  expect(await message("/version", { headers: { accept: "text/html" } })).toEqual([406, "406: Not Acceptable\n\nAvailable representations: application/json"]);
});

test("a Scale as a Table, for kubectl get --subresource=scale", async () => {
  await server.client().create(deployments, { metadata: { name: "scaled", namespace: "default" }, spec: { replicas: 2, selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } } } });
  const path = "/apis/apps/v1/namespaces/default/deployments/scaled/scale", accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const table = JSON.parse((await get(path, { headers: { accept } })).text) as { columnDefinitions: { name: string }[] };
  expect(table).toMatchObject({ kind: "Table", metadata: { resourceVersion: expect.any(String) }, rows: [{ cells: ["scaled", 2, 0, expect.any(String)], object: { kind: "PartialObjectMetadata", metadata: { name: "scaled" } } }] });
  expect(table.columnDefinitions.map(({ name }) => name)).toEqual(["Name", "Desired", "Available", "Age"]);
  const changed = await get(path, { method: "PATCH", headers: { "content-type": "application/merge-patch+json", accept }, body: '{"spec":{"replicas":3}}' });
  expect(JSON.parse(changed.text)).toMatchObject({ kind: "Table", rows: [{ cells: ["scaled", 3, 0, expect.any(String)] }] });
  expect(JSON.parse((await get(`${path}?includeObject=Object`, { headers: { accept } })).text)).toMatchObject({ rows: [{ object: { kind: "Scale", apiVersion: "autoscaling/v1", spec: { replicas: 3 } } }] });
});

describe("watches", () => {
  test("initial objects, then changes, then the end that was asked for", async () => {
    const path = "/api/v1/namespaces/default/configmaps", client = server.client(), begun = Promise.withResolvers<void>();
    await client.create(configmaps, { metadata: { name: "watched", namespace: "default" } });
    const frames = readWatch(server, `${path}?watch=1&timeoutSeconds=5&fieldSelector=metadata.name%3Dwatched`, 9, { onFrame: () => begun.resolve() });
    await begun.promise;
    await client.patch(configmaps, { namespace: "default", name: "watched" }, { type: "application/merge-patch+json", body: { data: { x: "y" } } });
    await client.delete(configmaps, { namespace: "default", name: "watched" });
    expect((await frames).map(({ type, object }) => [type, object.kind])).toEqual([["ADDED", "ConfigMap"], ["MODIFIED", "ConfigMap"], ["DELETED", "ConfigMap"]]);
  });

  test("a streaming list ends with its bookmark", async () => {
    const frames = await readWatch(server, "/api/v1/namespaces/default/configmaps?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&resourceVersion=&labelSelector=", 3);
    expect(frames.map(({ type }) => type)).toEqual(["ADDED", "ADDED", "BOOKMARK"]);
    expect(frames[2]!.object).toMatchObject({ kind: "ConfigMap", metadata: { annotations: { "k8s.io/initial-events-end": "true" } } });
  });

  test("the old /watch/ paths", async () => {
    expect(await readWatch(server, "/api/v1/watch/namespaces/default/configmaps/mine", 1)).toMatchObject([{ type: "ADDED", object: { metadata: { name: "mine" } } }]);
  });

  test("as Tables of one row", async () => {
    const [frame] = await readWatch(server, "/api/v1/namespaces/default/configmaps?watch=1&fieldSelector=metadata.name%3Dmine", 1, { headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } });
    expect(frame).toMatchObject({ type: "ADDED", object: { kind: "Table", rows: [{ cells: ["mine", 1, expect.any(String)], object: { kind: "PartialObjectMetadata" } }] } });
  });
});

describe("discovery and health", () => {
  test("aggregated by Accept, with its type and an ETag", async () => {
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    const first = await get("/apis", { headers: { accept } });
    expect(first.headers.get("content-type")).toBe("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    const list = JSON.parse(first.text) as { items: { metadata: { name: string }; versions: { resources: { resource: string; subresources?: object[] }[] }[] }[] };
    expect(list.items.find(({ metadata }) => metadata.name === "apps")?.versions[0]?.resources.find(({ resource }) => resource === "deployments")).toMatchObject({
      resource: "deployments", scope: "Namespaced", shortNames: ["deploy"], responseKind: { group: "", version: "", kind: "Deployment" },
      subresources: [{ subresource: "scale", responseKind: { group: "autoscaling", version: "v1", kind: "Scale" } }, { subresource: "status" }],
    });
    expect((await get("/apis", { headers: { accept, "if-none-match": first.headers.get("etag")! } })).status).toBe(304);
    expect(JSON.parse((await get("/apis")).text)).toMatchObject({ kind: "APIGroupList" });
  });

  test("plain resource lists name subresources and their kinds", async () => {
    const { resources } = JSON.parse((await get("/api/v1")).text) as { resources: { name: string; kind: string; group?: string }[] };
    const kinds = Object.fromEntries(resources.map(({ name, kind }) => [name, kind]));
    expect(kinds).toMatchObject({ pods: "Pod", "pods/log": "Pod", "pods/exec": "PodExecOptions", "pods/eviction": "Eviction", "serviceaccounts/token": "TokenRequest", "nodes/proxy": "NodeProxyOptions" });
  });

  test("health", async () => {
    expect((await get("/readyz?verbose")).text).toBe("[+]ping ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n");
    expect((await get("/readyz/informer-sync")).text).toBe("ok");
    expect((await get("/readyz/none")).status).toBe(404);
    expect((await get("/metrics")).text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect((await get("/metrics")).text).toContain('apiserver_request_total{verb="LIST",group="",version="v1",resource="pods",subresource="",scope="cluster",code="200"}');
  });

  test("large answers are compressed for who asks", async () => {
    const data = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key${i}`, "x".repeat(1000)]));
    await server.client().create(configmaps, { metadata: { name: "large", namespace: "default" }, data });
    const large = await get("/api/v1/namespaces/default/configmaps/large", { headers: { "accept-encoding": "gzip" } });
    expect([large.headers.get("content-encoding"), (JSON.parse(large.text) as { data: object }).data]).toEqual(["gzip", data]);
    await server.client().delete(configmaps, { namespace: "default", name: "large" });
  });
});

test("kubectl's everyday commands", async () => {
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await server.kubectl(...args);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const manifest = `${server.directory}/web.yaml`;
  const deployment = (replicas: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "busybox:1", ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`;
  await Bun.write(manifest, deployment(2));
  expect(await run("apply", "-f", manifest)).toBe("deployment.apps/web created\nservice/web created\n");
  expect(await run("apply", "-f", manifest)).toBe("deployment.apps/web unchanged\nservice/web unchanged\n");
  await Bun.write(manifest, deployment(3));
  expect(await run("apply", "-f", manifest)).toBe("deployment.apps/web configured\nservice/web unchanged\n");
  expect(await run("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}")).toBe("3");
  expect(await run("get", "deploy,svc", "--no-headers")).toMatch(/deployment.apps\/web +0\/3[^]*service\/web +ClusterIP +10\.43\./);
  expect(await run("patch", "deploy", "web", "-p", '{"spec":{"paused":true}}')).toBe("deployment.apps/web patched\n");
  expect(await run("scale", "deploy", "web", "--replicas=1")).toBe("deployment.apps/web scaled\n");
  expect(await run("set", "image", "deploy/web", "web=busybox:2")).toBe("deployment.apps/web image updated\n");
  expect(await run("describe", "deploy", "web")).toContain("busybox:2");
  expect(await run("explain", "deployment.spec.replicas")).toContain("replicas <integer>");
  expect(await run("api-resources", "--api-group=apps", "--no-headers")).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment\nreplicasets/m);
  expect(await run("auth", "can-i", "create", "pods")).toBe("yes\n");
  expect((await server.kubectl("auth", "can-i", "create", "pods", "--as", "bob")).stdout).toBe("no\n");
  expect(await run("logs", "one")).toBe("kubelet /containerLogs/default/one/a\n");
  expect(await run("create", "configmap", "made", "--from-literal=a=b")).toBe("configmap/made created\n");
  expect((await server.kubectl("apply", "-f", "-")).code).not.toBe(0);
  expect(await run("delete", "-f", manifest)).toBe('deployment.apps "web" deleted\nservice "web" deleted\n');
}, 180_000);

test("the default namespace is there and namespaces can be made", async () => {
  expect((await server.kubectl("create", "namespace", "made")).stdout).toBe("namespace/made created\n");
  expect(server.informers.informer(namespaces).lister.get("made")?.status?.phase).toBe("Active");
});
