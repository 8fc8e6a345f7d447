import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { encodeCbor } from "../../src/apimachinery/schema/cbor/encode.ts";
import type { Deployment } from "../../src/apis/generated/apps/v1.ts";
import type { Scale } from "../../src/apis/generated/autoscaling/v1.ts";
import type { ManagedFieldsEntry, Status } from "../../src/apis/generated/meta/v1.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { kubectlMinor } from "../support/kubectl-version.ts";

let server: TestApiServer;
beforeAll(async () => {
  server = await startApiServer();
});
afterAll(() => server.stop());

const collection = "/apis/apps/v1/namespaces/default/deployments";
const deployment = (name: string, more: { replicas?: number; env?: string; labels?: Record<string, string> } = {}): unknown => ({
  apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace: "default", labels: { app: name, ...more.labels } },
  spec: {
    ...(more.replicas === undefined ? {} : { replicas: more.replicas }), selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "busybox:1.36", ...(more.env ? { env: [{ name: "A", value: more.env }] } : {}) }] } },
  },
});

async function request<T>(method: string, path: string, body?: unknown, type = "application/json"): Promise<{ code: number; body: T }> {
  const response = await server.fetch(path, { method, headers: { "content-type": type, accept: "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { code: response.status, body: await response.json() as T };
}
const get = async (name: string): Promise<Deployment> => (await request<Deployment>("GET", `${collection}/${name}`)).body;
const managers = ({ metadata }: Deployment): (string | undefined)[][] => (metadata!.managedFields as ManagedFieldsEntry[]).map(({ manager, operation, subresource }) => [manager, operation, subresource]);

async function kubectlApply(object: unknown, ...flags: string[]): Promise<void> {
  const file = join(server.directory, "applied.json");
  await Bun.write(file, JSON.stringify(object));
  const { code, stderr } = await server.kubectl("apply", "-f", file, ...flags);
  expect([code, stderr]).toEqual([0, ""]);
}

test("kubectl goes over from client-side to server-side apply without a conflict, and then prunes", async () => {
  await kubectlApply(deployment("moved", { replicas: 2, env: "1", labels: { tier: "back" } }));
  expect(managers(await get("moved"))).toEqual([["kubectl-client-side-apply", "Update", undefined]]);
  await kubectlApply(deployment("moved", { replicas: 3, env: "2", labels: { tier: "back" } }), "--server-side");
  expect(managers(await get("moved"))).toContainEqual(["kubectl", "Apply", undefined]);
  await kubectlApply(deployment("moved", { replicas: 3 }), "--server-side");
  const pruned = await get("moved");
  expect(pruned.spec!.replicas).toBe(3);
  // Older ones leave to client-side apply what it once had.
  if (kubectlMinor() < 26) return;
  expect(pruned.metadata!.labels).toEqual({ app: "moved" });
  expect(pruned.spec!.template.spec!.containers[0]!.env).toBeUndefined();
}, 180_000);

test("replicas are given over from an applier to who scales", async () => {
  await kubectlApply(deployment("scaled", { replicas: 1 }), "--server-side");
  const scale = `${collection}/scaled/scale`, config = { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "scaled" }, spec: { replicas: 5 } };
  const conflict = await request<Status>("PATCH", `${scale}?fieldManager=scaler`, config, "application/apply-patch+yaml");
  expect(conflict).toMatchObject({ code: 409, body: { message: 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas', details: { causes: [{ reason: "FieldManagerConflict", field: ".spec.replicas" }] } } });
  expect((await request<Scale>("PATCH", `${scale}?fieldManager=scaler&force=true`, config, "application/apply-patch+yaml"))).toMatchObject({ code: 200, body: { kind: "Scale", spec: { replicas: 5 } } });
  expect(managers(await get("scaled"))).toEqual([["scaler", "Apply", "scale"], ["kubectl", "Apply", undefined]]);
  // Who no longer says how many leaves that to the scaler.
  await kubectlApply(deployment("scaled"), "--server-side");
  expect((await get("scaled")).spec!.replicas).toBe(5);
}, 180_000);

test("an apply that changes nothing is no new revision", async () => {
  await kubectlApply(deployment("still", { replicas: 1 }), "--server-side");
  const before = await get("still");
  await kubectlApply(deployment("still", { replicas: 1 }), "--server-side");
  expect(await get("still")).toEqual(before);
}, 180_000);

test("a configuration in CBOR", async () => {
  const body = encodeCbor({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "binary" }, data: { a: "1" } });
  const response = await server.fetch("/api/v1/namespaces/default/configmaps/binary?fieldManager=m", { method: "PATCH", headers: { "content-type": "application/apply-patch+cbor" }, body });
  expect([response.status, await response.json()]).toMatchObject([201, { data: { a: "1" }, metadata: { managedFields: [{ manager: "m", operation: "Apply" }] } }]);
});

test.each([
  ["no manager", `${collection}/new`, deployment("new"), 422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'],
  ["another kind", `${collection}/new?fieldManager=m`, { apiVersion: "v1", kind: "Pod", metadata: { name: "new" } }, 400, "invalid object type: /v1, Kind=Pod"],
  ["no name", `${collection}/new?fieldManager=m`, { apiVersion: "apps/v1", kind: "Deployment", metadata: {} }, 400, "the name of the object (new based on URL) was undeterminable: name must be provided"],
  ["a uid", `${collection}/new?fieldManager=m`, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "new", uid: "u" } }, 409, 'Operation cannot be fulfilled on deployments.apps "new": uid mismatch: the provided object specified uid u, and no existing object was found'],
  ["managers of its own", `${collection}/new?fieldManager=m`, { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "new", managedFields: [] } }, 400, "metadata.managedFields must be nil"],
])("an apply with %s is refused", async (_, path, body, code, message) => {
  expect(await request<Status>("PATCH", path, body, "application/apply-patch+yaml")).toMatchObject({ code, body: { message } });
});
