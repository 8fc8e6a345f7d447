import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mutatingwebhookconfigurations } from "../../src/apis/admissionregistration/mutatingwebhookconfiguration.ts";
import { validatingwebhookconfigurations } from "../../src/apis/admissionregistration/validatingwebhookconfiguration.ts";
import { configmaps, deployments, endpointslices, namespaces, pods, serviceaccounts, services } from "../../src/apis/builtins.ts";
import type { MutatingWebhook, ValidatingWebhook } from "../../src/apis/generated/admissionregistration/v1.ts";
import type { ConfigMap } from "../../src/apis/generated/core/v1.ts";
import type { Deployment } from "../../src/apis/generated/apps/v1.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { patchAnswer, startWebhookServer, type WebhookServer } from "../support/webhook-server.ts";

let server: TestApiServer, hooks: WebhookServer;
let round = 0;

beforeAll(async () => {
  server = await startApiServer();
  hooks = await startWebhookServer({
    "/deny": () => ({ allowed: false, status: { message: "no such luck", code: 403, reason: "Nope" } }),
    "/deny-silently": () => ({ allowed: false }),
    "/allow": () => ({ warnings: ["mind the gap"], auditAnnotations: { seen: "yes" } }),
    "/slow": () => new Promise(() => undefined),
    "/broken": () => new Response("out of order", { status: 500 }),
    "/not-json": () => new Response("hello"),
    "/wrong-uid": () => ({ uid: "other" }),
    "/first": () => patchAnswer({ op: "add", path: "/data/mutation-stage-1", value: "yes" }),
    "/second": ({ object }) => ((object as unknown as ConfigMap).data?.["mutation-stage-1"] === "yes" ? patchAnswer({ op: "add", path: "/data/mutation-stage-2", value: "yes" }) : {}),
    "/no-strategy": () => patchAnswer({ op: "remove", path: "/spec/strategy" }),
    "/other-namespace": () => patchAnswer({ op: "replace", path: "/metadata/namespace", value: "kube-system" }),
    "/other-kind": () => patchAnswer({ op: "replace", path: "/kind", value: "Secret" }),
    "/other-version": () => patchAnswer({ op: "replace", path: "/apiVersion", value: "v9" }),
    "/no-kind": () => patchAnswer({ op: "remove", path: "/kind" }),
    "/own-uid": () => patchAnswer({ op: "add", path: "/metadata/uid", value: "mine" }, { op: "add", path: "/metadata/creationTimestamp", value: "2001-01-01T00:00:00Z" }),
    "/wrong-managers": ({ object }) => patchAnswer({ op: "add", path: "/metadata/managedFields", value: JSON.parse((object as unknown as ConfigMap).data!["managers"]!) as unknown }),
    "/never-applies": () => patchAnswer({ op: "remove", path: "/spec/nowhere" }),
  }, ["hook.default.svc"]);
});
afterAll(async () => {
  hooks.stop();
  await server.stop();
});
afterEach(async () => {
  await server.client().deleteCollection(validatingwebhookconfigurations);
  await server.client().deleteCollection(mutatingwebhookconfigurations);
  hooks.requests.clear();
});

const client = (path: string): MutatingWebhook["clientConfig"] => ({ url: hooks.url(path), caBundle: hooks.caBundle });
const onConfigMaps = { operations: ["CREATE", "UPDATE", "DELETE"] as ("CREATE" | "UPDATE" | "DELETE")[], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] };
const hook = (path: string, rest: Partial<MutatingWebhook> = {}): MutatingWebhook & ValidatingWebhook =>
  ({ name: `${path.slice(1)}.example.com`, clientConfig: client(path), rules: [onConfigMaps], sideEffects: "None", admissionReviewVersions: ["v1"], failurePolicy: "Fail", timeoutSeconds: 5, ...rest });
const validate = (...webhooks: ValidatingWebhook[]) => server.client().create(validatingwebhookconfigurations, { metadata: { name: `v${round++}` }, webhooks });
const mutate = (name: string, ...webhooks: MutatingWebhook[]) => server.client().create(mutatingwebhookconfigurations, { metadata: { name }, webhooks });
const configMap = (rest: Partial<ConfigMap> = {}): ConfigMap => ({ metadata: { name: `c${round++}`, namespace: "default", labels: { tier: "web" } }, data: { "mutation-start": "yes" }, ...rest });
const send = async (method: string, path: string, body?: object, type = "application/json") => {
  const answer = await server.fetch(path, { method, ...(body ? { body: JSON.stringify(body), headers: { "content-type": type } } : {}) });
  return { code: answer.status, warning: answer.headers.get("warning"), body: await answer.json() as { message: string; reason: string; details?: object; data?: Record<string, string>; metadata: { name: string } } };
};
const create = (body: object = configMap(), query = "") => send("POST", `/api/v1/namespaces/default/configmaps${query}`, body);

describe("validating webhooks", () => {
  test("refuse in Kubernetes' words, with the webhook's own code and reason", async () => {
    await validate(hook("/deny"));
    expect(await create()).toMatchObject({ code: 403, body: { reason: "Nope", message: 'admission webhook "deny.example.com" denied the request: no such luck' } });
  });

  test("are asked after the kind's own warnings were given", async () => {
    await validate(hook("/deny", { rules: [{ operations: ["CREATE"], apiGroups: ["node.k8s.io"], apiVersions: ["v1"], resources: ["runtimeclasses"] }] }));
    const scheduling = { nodeSelector: { "beta.kubernetes.io/os": "linux" } };
    const { code, warning } = await send("POST", "/apis/node.k8s.io/v1/runtimeclasses", { metadata: { name: "old" }, handler: "h", scheduling });
    expect(code).toBe(403);
    expect(warning).toContain("scheduling.nodeSelector");
  });

  test("without explanation it is a 400", async () => {
    await validate(hook("/deny-silently"));
    expect(await create()).toMatchObject({ code: 400, body: { message: 'admission webhook "deny-silently.example.com" denied the request without explanation' } });
  });

  test("see the request, and may warn", async () => {
    await validate(hook("/allow"));
    const { code, warning } = await create(configMap({ metadata: { name: "seen", namespace: "default" } }));
    expect(code).toBe(201);
    expect(warning).toBe('299 - "mind the gap"');
    expect(hooks.urls.at(-1)).toBe("/allow?timeout=5s");
    const [request] = hooks.requests.get("/allow")!;
    expect(request).toMatchObject({
      kind: { group: "", version: "v1", kind: "ConfigMap" }, resource: { group: "", version: "v1", resource: "configmaps" }, requestKind: { group: "", version: "v1", kind: "ConfigMap" },
      name: "seen", namespace: "default", operation: "CREATE", dryRun: false, oldObject: null, userInfo: { username: "system:admin", groups: ["system:masters", "system:authenticated"] },
      object: { kind: "ConfigMap", apiVersion: "v1", data: { "mutation-start": "yes" } }, options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    });
    expect(request!.object).toHaveProperty("metadata.uid");
  });

  test("see the old object of updates and deletions, and each object of a deletecollection", async () => {
    const names = await Promise.all([create(), create()]).then((made) => made.map(({ body }) => body.metadata.name));
    await validate(hook("/allow", { objectSelector: { matchLabels: { tier: "web" } } }));
    await send("PATCH", `/api/v1/namespaces/default/configmaps/${names[0]}`, { data: { a: "b" } }, "application/merge-patch+json");
    await send("DELETE", "/api/v1/namespaces/default/configmaps?labelSelector=tier%3Dweb");
    const seen = hooks.requests.get("/allow")!.map(({ operation, object, oldObject, options }) => [operation, object !== null, oldObject !== null, options!["kind"]]);
    expect(seen.slice(0, 2)).toEqual([["UPDATE", true, true, "UpdateOptions"], ["DELETE", false, true, "DeleteOptions"]]);
    expect(seen.length).toBeGreaterThanOrEqual(3);
  });

  test("are asked about what they are for: operations, resources, scope, selectors", async () => {
    await server.client().create(namespaces, { metadata: { name: "watched", labels: { watched: "yes" } }, spec: {} });
    const cases: [string, Partial<MutatingWebhook>][] = [
      ["update", { rules: [{ ...onConfigMaps, operations: ["UPDATE"] }] }], ["cluster", { rules: [{ ...onConfigMaps, scope: "Cluster" }] }], ["subresource", { rules: [{ ...onConfigMaps, resources: ["configmaps/status", "*/scale"] }] }],
      ["version", { rules: [{ ...onConfigMaps, apiVersions: ["v2"] }] }], ["label", { objectSelector: { matchLabels: { tier: "db" } } }], ["namespace", { namespaceSelector: { matchExpressions: [{ key: "watched", operator: "Exists" }] } }],
      ["all", { rules: [{ operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], scope: "Namespaced" }] }],
    ];
    await validate(...cases.map(([name, rest]) => hook("/allow", { ...rest, name: `${name}.example.com`, clientConfig: { url: `${hooks.url("/allow")}/${name}`, caBundle: hooks.caBundle } })));
    const asked = async (namespace: string, tier: string): Promise<string[]> => {
      hooks.urls.length = 0;
      expect((await send("POST", `/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: `m${round++}`, labels: { tier } } })).code).toBe(201);
      return hooks.urls.map((url) => /allow\/(\w+)/.exec(url)![1]!).sort();
    };
    expect(await asked("default", "web")).toEqual(["all"]);
    expect(await asked("default", "db")).toEqual(["all", "label"]);
    expect(await asked("watched", "web")).toEqual(["all", "namespace"]);
  });

  test("are asked only where all their conditions hold", async () => {
    const conditions = [{ name: "not-nodes", expression: "!('system:nodes' in request.userInfo.groups)" }, { name: "marked", expression: "has(object.data) && 'deny' in object.data" }];
    await validate(hook("/deny", { matchConditions: conditions }));
    expect((await create()).code).toBe(201);
    expect((await create(configMap({ data: { deny: "me" } }))).code).toBe(403);
    await server.client().deleteCollection(validatingwebhookconfigurations);
    await validate(hook("/allow", { matchConditions: [{ name: "fails", expression: "object.data.nothing == 'x'" }] }));
    expect(await create()).toMatchObject({ code: 403, body: { message: expect.stringContaining("no such key: nothing") } });
  });

  test("have no say over webhook configurations", async () => {
    await validate(hook("/deny", { rules: [{ operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] }] }));
    await mutate("free", hook("/first"));
    await server.client().delete(mutatingwebhookconfigurations, { name: "free" });
  });

  test("that don't answer in time fail the request, or not, as their policy says", async () => {
    await validate(hook("/slow", { timeoutSeconds: 1 }));
    expect(await create()).toMatchObject({ code: 500, body: { reason: "InternalError", message: `Internal error occurred: failed calling webhook "slow.example.com": failed to call webhook: Post "${hooks.url("/slow")}?timeout=1s": context deadline exceeded` } });
    await server.client().deleteCollection(validatingwebhookconfigurations);
    await validate(hook("/slow", { timeoutSeconds: 1, failurePolicy: "Ignore" }));
    expect((await create()).code).toBe(201);
  });

  test("may hold a request up as long as its own timeout allows", async () => {
    await validate(hook("/slow", { timeoutSeconds: 5 }));
    expect(await create(configMap(), "?timeout=100ms")).toMatchObject({ code: 504, body: { reason: "Timeout", message: "Timeout: request did not complete within the allotted timeout" } });
  });

  test.each([
    ["/broken", {}, 'failed to call webhook: an error on the server ("out of order") has prevented the request from succeeding'],
    ["/not-json", {}, "failed to call webhook: couldn't get version/kind; json parse error"],
    ["/wrong-uid", {}, "received invalid webhook response: expected response.uid="],
    ["/allow", { clientConfig: { url: "https://127.0.0.1:1/x" } }, 'failed to call webhook: Post "https://127.0.0.1:1/x?timeout=5s": dial tcp 127.0.0.1:1: connect: connection refused'],
    ["/first", {}, "received invalid webhook response: validating webhook may not return response.patch"],
    ["/allow", { clientConfig: { service: { namespace: "default", name: "none" } } }, 'Post "https://none.default.svc:443/?timeout=5s": service "none" not found'],
  ] as [string, Partial<MutatingWebhook>, string][])("failures of %s %j are told", async (path, rest, words) => {
    await validate(hook(path, rest));
    expect(await create()).toMatchObject({ code: 500, body: { message: expect.stringContaining(words) } });
  });

  test("must be who their CA says", async () => {
    await validate(hook("/allow", { clientConfig: { url: hooks.url("/allow"), caBundle: Buffer.from(server.ca).toString("base64") } }));
    expect((await create()).body.message).toContain("tls: failed to verify certificate: x509: certificate signed by unknown authority");
  });

  test("are reached behind a Service, at a ready endpoint", async () => {
    await server.client().create(services, { metadata: { name: "hook", namespace: "default" }, spec: { ports: [{ name: "https", port: 443, targetPort: hooks.port }], selector: { app: "hook" } } });
    const slice = { metadata: { name: "hook-1", namespace: "default", labels: { "kubernetes.io/service-name": "hook" } }, addressType: "IPv4" as const, ports: [{ name: "https", port: hooks.port }] };
    await validate(hook("/deny", { clientConfig: { service: { namespace: "default", name: "hook", path: "/deny" }, caBundle: hooks.caBundle } }));
    expect((await create()).body.message).toContain('no endpoints available for service "hook"');
    const unready = { addresses: ["10.255.255.1"], conditions: { ready: false } };
    await server.client().create(endpointslices, { ...slice, endpoints: [unready] });
    expect((await create()).body.message).toContain('no endpoints available for service "hook"');
  });

  test("learn of dry runs", async () => {
    await validate(hook("/allow", { sideEffects: "NoneOnDryRun" }));
    expect((await create(configMap(), "?dryRun=All")).code).toBe(201);
    expect(hooks.requests.get("/allow")!.at(-1)).toMatchObject({ dryRun: true, options: { dryRun: ["All"] } });
  });

  test("may keep connections from being opened", async () => {
    await server.client().create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
    await server.client().create(pods, { metadata: { name: "p", namespace: "default" }, spec: { containers: [{ name: "a", image: "b" }] } });
    await validate(hook("/deny", { rules: [{ operations: ["CONNECT"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods/attach"] }] }));
    expect((await send("POST", "/api/v1/namespaces/default/pods/p/attach?stdout=true&container=a")).body.message).toContain('"deny.example.com" denied');
    expect(hooks.requests.get("/deny")![0]).toMatchObject({ operation: "CONNECT", subResource: "attach", name: "p", object: { kind: "PodAttachOptions", apiVersion: "v1", stdout: true, container: "a" }, kind: { group: "", version: "v1", kind: "PodAttachOptions" } });
  });
});

describe("mutating webhooks", () => {
  test("change objects in order of their configurations' names", async () => {
    await mutate("b", hook("/second"));
    await mutate("a", hook("/first"));
    const { code, body } = await create();
    expect(code).toBe(201);
    expect(body.data).toEqual({ "mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes" });
  });

  test("are called again after later changes, where they ask for it", async () => {
    await mutate("a", hook("/second", { reinvocationPolicy: "IfNeeded" }), hook("/first"));
    expect((await create()).body.data).toHaveProperty("mutation-stage-2", "yes");
    expect(hooks.requests.get("/second")).toHaveLength(2);
    expect(hooks.requests.get("/first")).toHaveLength(1);
    await server.client().deleteCollection(mutatingwebhookconfigurations);
    await mutate("a", hook("/second", { reinvocationPolicy: "Never" }), hook("/first"));
    expect((await create()).body.data).not.toHaveProperty("mutation-stage-2");
  });

  test("defaults are filled in after them", async () => {
    await mutate("a", hook("/no-strategy", { rules: [{ operations: ["CREATE"], apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments"] }] }));
    const deployment: Deployment = { metadata: { name: "d", namespace: "default" }, spec: { selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "a", image: "b" }] } }, strategy: { type: "Recreate" } } };
    const made = await server.client().create(deployments, deployment);
    expect(made.spec!.strategy).toEqual({ type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } });
  });

  test("see no uid of a new object, whatever the client sent, and can't choose it", async () => {
    await mutate("own-uid", hook("/own-uid"));
    const { code, body } = await create(configMap({ metadata: { name: "unborn", namespace: "default", uid: "sent", creationTimestamp: "2001-01-01T00:00:00Z" } }));
    const object = hooks.requests.get("/own-uid")![0]!.object as unknown as ConfigMap;
    expect(object.metadata).toMatchObject({ name: "unborn", managedFields: expect.anything() });
    expect(object.metadata).not.toHaveProperty("uid");
    expect(object.metadata).not.toHaveProperty("creationTimestamp");
    expect(code).toBe(201);
    expect(body.metadata).toMatchObject({ uid: expect.stringMatching(/^[0-9a-f-]{36}$/), creationTimestamp: expect.not.stringMatching(/^2001/) });
  });

  test("that leave managedFields unreadable are told so, and the former ones stay", async () => {
    await mutate("wrong-managers", hook("/wrong-managers"));
    const entry = { manager: "m", operation: "Update", apiVersion: "v1", fieldsType: "FieldsV1", fieldsV1: { "f:data": {} } };
    const written = async (managers: object[]) => {
      const { code, warning, body } = await create(configMap({ data: { managers: JSON.stringify(managers) } }), "?fieldManager=client");
      expect(code).toBe(201);
      return [(body.metadata as ConfigMap["metadata"]).managedFields?.map(({ manager }) => manager), warning];
    };
    const warned = (fault: string): string => `299 - ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${fault}"`;
    expect(await written([entry])).toEqual([["m"], null]);
    expect(await written([])).toEqual([undefined, null]);
    expect(await written([{ ...entry, operation: "Bogus" }])).toEqual([["client"], warned("operation must be `Apply` or `Update`")]);
    expect(await written([{ ...entry, apiVersion: "" }])).toEqual([["client"], warned("apiVersion must not be empty")]);
    expect(await written([{ ...entry, fieldsType: "Odd" }])).toEqual([["client"], warned('invalid fieldsType \\"Odd\\" in managed fields entry 0')]);
  });

  test("can't move an object elsewhere, nor change what is deleted, nor patch what isn't there", async () => {
    await mutate("a", hook("/other-namespace"));
    expect(await create()).toMatchObject({ code: 400, body: { message: "the namespace of the provided object does not match the namespace sent on the request" } });
    await server.client().deleteCollection(mutatingwebhookconfigurations);
    const { body } = await create();
    await mutate("a", hook("/first"));
    expect(await send("DELETE", `/api/v1/namespaces/default/configmaps/${body.metadata.name}`)).toMatchObject({ code: 500, body: { message: 'Internal error occurred: admission webhook "first.example.com" attempted to modify the object, which is not supported for this operation' } });
    await server.client().deleteCollection(mutatingwebhookconfigurations);
    await mutate("a", hook("/never-applies"));
    expect(await create()).toMatchObject({ code: 500, body: { message: 'Internal error occurred: remove operation does not apply: doc is missing path: "/spec/nowhere": missing value' } });
  });

  test("can't make an object one of another kind", async () => {
    await mutate("a", hook("/other-kind"));
    expect(await create()).toMatchObject({ code: 500, body: { message: "Internal error occurred: converting (v1.Secret) to (v1.ConfigMap): unknown conversion" } });
    await server.client().deleteCollection(mutatingwebhookconfigurations);
    await mutate("a", hook("/other-version"));
    expect(await create()).toMatchObject({ code: 500, body: { message: 'Internal error occurred: no kind "ConfigMap" is registered for version "v9"' } });
    await server.client().deleteCollection(mutatingwebhookconfigurations);
    await mutate("a", hook("/no-kind"));
    expect(await create()).toMatchObject({ code: 201, body: { kind: "ConfigMap", apiVersion: "v1" } });
  });

  test("a change to a configuration counts from the next request on", async () => {
    await mutate("a", hook("/first"));
    expect((await create()).body.data).toHaveProperty("mutation-stage-1");
    await server.client().patch(mutatingwebhookconfigurations, { name: "a" }, { type: "application/json-patch+json", body: [{ op: "replace", path: "/webhooks/0/rules/0/operations", value: ["UPDATE"] }] });
    expect((await create()).body.data).not.toHaveProperty("mutation-stage-1");
  });
});

test("configmaps without webhooks are as they were sent", async () => {
  expect((await server.client().create(configmaps, configMap())).data).toEqual({ "mutation-start": "yes" });
});
