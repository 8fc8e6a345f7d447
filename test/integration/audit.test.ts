import { afterAll, beforeAll, expect, test } from "bun:test";
import { createAuditor } from "../../src/apiserver/audit/auditor.ts";
import type { AuditEvent } from "../../src/apiserver/audit/event.ts";
import { checkPolicy } from "../../src/apiserver/audit/policy.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";

let server: TestApiServer;
const events: AuditEvent[] = [];
const policy = checkPolicy({
  apiVersion: "audit.k8s.io/v1", kind: "Policy", omitManagedFields: true,
  rules: [
    { level: "None", nonResourceURLs: ["/healthz"] }, { level: "Metadata", resources: [{ group: "", resources: ["secrets"] }], omitStages: ["RequestReceived"] },
    { level: "RequestResponse", resources: [{ group: "", resources: ["configmaps"] }], omitStages: ["RequestReceived"] }, { level: "Metadata" },
  ],
});

beforeAll(async () => {
  server = await startApiServer({ auditor: createAuditor({ policy, backends: [{ record: (event) => void events.push(event), close: async () => undefined }], now: Date.now }) });
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
