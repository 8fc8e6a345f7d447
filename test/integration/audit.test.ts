import { afterAll, beforeAll, expect, test } from "bun:test";
import { createAuditor } from "../../src/apiserver/audit/auditor.ts";
import type { AuditEvent } from "../../src/apiserver/audit/event.ts";
import { checkPolicy } from "../../src/apiserver/audit/policy.ts";
import { mutatingwebhookconfigurations } from "../../src/apis/admissionregistration/mutatingwebhookconfiguration.ts";
import { validatingadmissionpolicies } from "../../src/apis/admissionregistration/validatingadmissionpolicy.ts";
import { validatingadmissionpolicybindings } from "../../src/apis/admissionregistration/validatingadmissionpolicybinding.ts";
import { validatingwebhookconfigurations } from "../../src/apis/admissionregistration/validatingwebhookconfiguration.ts";
import { serviceaccounts } from "../../src/apis/builtins.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { patchAnswer, startWebhookServer } from "../support/webhook-server.ts";

let server: TestApiServer;
const events: AuditEvent[] = [];
/** Whether events can be stored. */
let storing = true;
const policy = checkPolicy({
  apiVersion: "audit.k8s.io/v1", kind: "Policy", omitManagedFields: true,
  rules: [
    { level: "None", nonResourceURLs: ["/healthz"] }, { level: "Metadata", resources: [{ group: "", resources: ["secrets"] }], omitStages: ["RequestReceived"] },
    { level: "RequestResponse", resources: [{ group: "", resources: ["configmaps"] }], omitStages: ["RequestReceived"] }, { level: "Metadata" },
  ],
});

beforeAll(async () => {
  server = await startApiServer({ auditor: createAuditor({ policy, backends: [{ record: (event) => events.push(event) > 0 && storing, close: async () => undefined }], now: Date.now }) });
  await server.client().create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
});
afterAll(() => server.stop());

const send = async (path: string, init: Parameters<TestApiServer["fetch"]>[1] = {}): Promise<AuditEvent[]> => {
  events.length = 0;
  const answer = await server.fetch(path, init);
  await answer.text();
  const id = answer.headers.get("audit-id");
  return eventually(() => {
    const mine = events.filter(({ auditID }) => auditID === id);
    if (mine.at(-1)?.stage !== "ResponseComplete") throw new Error("not complete");
    return mine;
  });
};
const json = { "content-type": "application/json" };

test("metadata: who did what, and why it was allowed", async () => {
  const [received, complete] = await send("/api/v1/namespaces/default/pods", { headers: { "user-agent": "me", "audit-id": "mine" } });
  expect(received).toMatchObject({
    kind: "Event", apiVersion: "audit.k8s.io/v1", level: "Metadata", auditID: "mine", stage: "RequestReceived", requestURI: "/api/v1/namespaces/default/pods", verb: "list", userAgent: "me",
    user: { username: "system:admin", groups: ["system:masters", "system:authenticated"] }, sourceIPs: [expect.stringContaining("127.0.0.1")], objectRef: { resource: "pods", namespace: "default", apiVersion: "v1" },
  });
  expect(complete).toMatchObject({ stage: "ResponseComplete", responseStatus: { metadata: {}, code: 200 }, annotations: { "authorization.k8s.io/decision": "allow" } });
  expect(complete!.requestReceivedTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  expect(complete).not.toHaveProperty("responseObject");
});

test("bodies where the policy says so, without managedFields", async () => {
  const [complete] = await send("/api/v1/namespaces/default/configmaps", { method: "POST", headers: json, body: JSON.stringify({ metadata: { name: "a" }, data: { b: "c" } }) });
  expect(complete).toMatchObject({ verb: "create", objectRef: { resource: "configmaps", name: "a" }, responseStatus: { code: 201 }, requestObject: { kind: "ConfigMap", data: { b: "c" } }, responseObject: { kind: "ConfigMap", apiVersion: "v1", data: { b: "c" }, metadata: { uid: expect.any(String) } } });
  expect(JSON.stringify(complete)).not.toContain("managedFields");
  const [patched] = await send("/api/v1/namespaces/default/configmaps/a", { method: "PATCH", headers: { "content-type": "application/merge-patch+json" }, body: '{"data":{"d":"e"}}' });
  expect(patched).toMatchObject({ verb: "patch", requestObject: { data: { d: "e" } }, responseObject: { data: { b: "c", d: "e" } } });
});

test("what a deletion asks for", async () => {
  await send("/api/v1/namespaces/default/configmaps", { method: "POST", headers: json, body: JSON.stringify({ metadata: { name: "gone" } }) });
  const [complete] = await send("/api/v1/namespaces/default/configmaps/gone", { method: "DELETE", headers: json, body: JSON.stringify({ kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" }) });
  expect(complete).toMatchObject({ verb: "delete", objectRef: { name: "gone" }, requestObject: { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" } });
});

test("secrets keep theirs", async () => {
  const [complete] = await send("/api/v1/namespaces/default/secrets", { method: "POST", headers: json, body: JSON.stringify({ metadata: { name: "s" }, stringData: { p: "hidden" } }) });
  expect(complete).toMatchObject({ objectRef: { name: "s" }, responseStatus: { code: 201 } });
  expect(JSON.stringify(complete)).not.toContain("hidden");
});

test("refusals are recorded with their status", async () => {
  const [, complete] = await send("/api/v1/nodes", { as: await server.certificate("alice") });
  expect(complete).toMatchObject({ user: { username: "alice" }, responseStatus: { status: "Failure", reason: "Forbidden", code: 403 }, annotations: { "authorization.k8s.io/decision": "forbid" } });
});

test("impersonation names both users", async () => {
  const [, complete] = await send("/api/v1/namespaces/default/pods", { headers: { "impersonate-user": "bob", "impersonate-group": "system:masters" } });
  expect(complete).toMatchObject({ user: { username: "system:admin" }, impersonatedUser: { username: "bob", groups: ["system:masters", "system:authenticated"] } });
});

test("what policies, webhooks and Pod Security note", async () => {
  const hooks = await startWebhookServer({ "/note": () => ({ auditAnnotations: { seen: "yes" } }), "/patch": () => patchAnswer({ op: "add", path: "/data/patched", value: "yes" }) });
  const rules = [{ operations: ["CREATE" as const], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }];
  const hook = (path: string) => ({ name: `${path}.example.com`, clientConfig: { url: hooks.url(`/${path}`), caBundle: hooks.caBundle }, rules, sideEffects: "None" as const, admissionReviewVersions: ["v1"] });
  const client = server.client();
  await client.create(validatingwebhookconfigurations, { metadata: { name: "v" }, webhooks: [hook("note")] });
  await client.create(mutatingwebhookconfigurations, { metadata: { name: "m" }, webhooks: [hook("patch")] });
  await client.create(validatingadmissionpolicies, { metadata: { name: "p" }, spec: { matchConstraints: { resourceRules: rules }, validations: [{ expression: "false", message: "never" }], auditAnnotations: [{ key: "size", valueExpression: "string(object.data.size())" }] } } as never);
  await client.create(validatingadmissionpolicybindings, { metadata: { name: "b" }, spec: { policyName: "p", validationActions: ["Audit"] } });
  try {
    const [complete] = await send("/api/v1/namespaces/default/configmaps", { method: "POST", headers: json, body: JSON.stringify({ metadata: { name: "noted" }, data: { a: "b" } }) });
    expect(complete!.annotations).toEqual({
      "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "", "note.example.com/seen": "yes", "p/size": "2",
      "mutation.webhook.admission.k8s.io/round_0_index_0": '{"configuration":"m","webhook":"patch.example.com","mutated":true}',
      "patch.webhook.admission.k8s.io/round_0_index_0": '{"configuration":"m","webhook":"patch.example.com","patch":[{"op":"add","path":"/data/patched","value":"yes"}],"patchType":"JSONPatch"}',
      "validation.policy.admission.k8s.io/validation_failure": '[{"message":"never","policy":"p","binding":"b","expressionIndex":0,"validationActions":["Audit"]}]',
    });
  } finally {
    await Promise.all([client.deleteCollection(validatingwebhookconfigurations), client.deleteCollection(mutatingwebhookconfigurations), client.deleteCollection(validatingadmissionpolicies), client.deleteCollection(validatingadmissionpolicybindings)]);
    hooks.stop();
  }
  const [, pod] = await send("/api/v1/namespaces/default/pods?dryRun=All", { method: "POST", headers: json, body: JSON.stringify({ metadata: { name: "p" }, spec: { automountServiceAccountToken: false, containers: [{ name: "c", image: "i" }] } }) });
  expect(pod!.annotations?.["pod-security.kubernetes.io/enforce-policy"] ?? pod!.responseStatus?.message).toBe("privileged:latest");
});

test("a request whose event must be stored, and can't be, is refused", async () => {
  storing = false;
  const answer = await server.fetch("/api/v1/namespaces/default/configmaps", { method: "POST", headers: json, body: JSON.stringify({ metadata: { name: "unstored" } }) }).finally(() => (storing = true));
  // This policy leaves out RequestReceived of ConfigMaps, so that there was nothing to store before it ran.
  expect(answer.status).toBe(201);
  storing = false;
  const refused = await server.fetch("/api/v1/namespaces/default/pods").finally(() => (storing = true));
  expect([refused.status, ((await refused.json()) as { message: string }).message]).toEqual([500, "Internal error occurred: failed to store audit event"]);
});

test("credentials that nobody accepts are recorded too", async () => {
  events.length = 0;
  expect((await server.fetch("/api/v1/pods", { as: null, headers: { authorization: "Bearer nonsense" } })).status).toBe(401);
  await eventually(() => expect(events).toMatchObject([{ stage: "ResponseStarted", user: { username: "" }, responseStatus: { code: 401 } }]));
});

test("watches tell when they have begun", async () => {
  const stages = (await send("/api/v1/namespaces/default/pods?watch=1&timeoutSeconds=1")).map(({ stage, verb }) => `${verb} ${stage}`);
  expect(stages).toEqual(["watch RequestReceived", "watch ResponseStarted", "watch ResponseComplete"]);
});

test("what the policy leaves out leaves no trace", async () => {
  events.length = 0;
  expect((await server.fetch("/healthz")).status).toBe(200);
  expect(events).toEqual([]);
});
