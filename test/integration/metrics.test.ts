import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { apiservices } from "../../src/apis/apiregistration/apiservice.ts";
import { nodes, pods, rolebindings, serviceaccounts } from "../../src/apis/builtins.ts";
import { metricsKinds } from "../../src/apis/metrics/metrics-kinds.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { logger } from "../../src/base/log.ts";
import { metricsApi } from "../../src/server/metrics-api/metrics-api.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { extensionService, startExtensionServer, type ExtensionServer } from "../support/extension-server.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** metrics.k8s.io as the API server serves it, of two kubelets that say what the test wants. */
const clock = new FakeClock();
const stop = new AbortController();
let server: TestApiServer, aggregating: Promise<void>, extension: ExtensionServer;
const asked: string[] = [];
/** Cores that each container uses all the time. */
const cores: Record<string, number> = { web: 0.25, sidecar: 0.005 };

const kubelet = (name: string): HttpHandler => (_, response) => {
  asked.push(name);
  const at = clock.now(), seconds = clock.monotonic() / 1000;
  const containers = name === "node-1" ? Object.entries(cores).flatMap(([container, used]) => [["cpu_usage_seconds_total", used * seconds], ["memory_working_set_bytes", 64 * 2 ** 20], ["start_time_seconds", 1]]
    .map(([metric, value]) => `container_${metric}{container="${container}",namespace="default",pod="p"} ${value} ${at}\n`)) : [];
  response.send(200, {}, `${containers.join("")}node_cpu_usage_seconds_total ${1.5 * seconds} ${at}\nnode_memory_working_set_bytes ${2 ** 30} ${at}\n`);
};

beforeAll(async () => {
  extension = await startExtensionServer((_, { pathname }) => (pathname === base
    ? { kind: "APIResourceList", apiVersion: "v1", groupVersion: "metrics.k8s.io/v1beta1", resources: [{ name: "nodes", singularName: "", namespaced: false, kind: "NodeMetrics", verbs: ["get", "list"] }] }
    : { kind: "NodeMetricsList", apiVersion: "metrics.k8s.io/v1beta1", metadata: {}, items: [{ metadata: { name: "theirs" } }] }));
  server = await startApiServer({
    serviceAddresses: new Map([[extensionService, { host: "127.0.0.1", port: extension.port }]]),
    cards: metricsKinds, readers: (informers) => metricsApi({ informers, clock, log: logger("metrics"), nodes: { connect: (name) => (name === "node-3" ? undefined : kubelet(name)) } }),
  });
  const client = server.client();
  for (const name of ["node-1", "node-2", "node-3"]) await client.create(nodes, { metadata: { name, labels: { zone: name === "node-2" ? "b" : "a" } }, spec: {} });
  await client.create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
  await client.create(pods, { metadata: { name: "p", namespace: "default", labels: { app: "web" } }, spec: { nodeName: "node-1", containers: [{ name: "web", image: "i" }, { name: "sidecar", image: "i" }] } } as never);
  await client.patch(pods, { namespace: "default", name: "p" }, { type: "application/merge-patch+json", body: { status: { phase: "Running" } } }, { subresource: "status" });
  aggregating = server.runAggregator(stop.signal);
});
afterAll(async () => {
  stop.abort();
  await aggregating;
  await server.stop();
  await extension.stop();
});

/** Time passes while a question is answered, as soon as the answer waits for that. */
async function answered<T>(question: Promise<T>): Promise<T> {
  let done = false;
  void question.finally(() => (done = true)).catch(() => undefined);
  await eventually(async () => {
    if (done) return;
    if (clock.sleeping > 0) await clock.advance(1000);
    throw new Error("not answered yet");
  });
  return question;
}

const base = "/apis/metrics.k8s.io/v1beta1";
const json = async (path: string): Promise<any> => answered(server.fetch(path).then((response) => response.json()));

test("discovery and the APIService say that the group is there", async () => {
  await eventually(async () => {
    const service = await server.client().get(apiservices, { name: "v1beta1.metrics.k8s.io" });
    expect(service.status?.conditions).toMatchObject([{ type: "Available", status: "True", reason: "Local" }]);
    expect(service.spec).toMatchObject({ groupPriorityMinimum: 100, versionPriority: 100 });
  });
  const { resources } = await (await server.fetch(base)).json() as { resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[] };
  expect(resources.map(({ name, kind, namespaced, verbs }) => [name, kind, namespaced, verbs.join()])).toEqual([["nodes", "NodeMetrics", false, "get,list"], ["pods", "PodMetrics", true, "get,list"]]);
});

describe("a node", () => {
  test("is measured by two readings, when somebody asks", async () => {
    await clock.advance(600_000);
    asked.length = 0;
    const node = await json(`${base}/nodes/node-1`);
    expect(node).toMatchObject({ kind: "NodeMetrics", apiVersion: "metrics.k8s.io/v1beta1", metadata: { name: "node-1", labels: { zone: "a" } }, usage: { cpu: "1500m", memory: "1Gi" } });
    expect(node.window).toMatch(/^[1-9][0-9.]*s$/);
    expect(asked).toEqual(["node-1", "node-1"]);
  });

  test("is asked once where there is a reading to compare with, and not at all for what was known a moment ago", async () => {
    asked.length = 0;
    await json(`${base}/nodes/node-1`);
    expect(asked).toEqual([]);
    await clock.advance(15_000);
    const node = await json(`${base}/nodes/node-1`);
    expect(asked).toEqual(["node-1"]);
    expect(node.usage.cpu).toBe("1500m");
    await clock.advance(600_000);
    expect(asked).toEqual(["node-1"]);
  });

  test("that can't be reached is left out of lists, and not found", async () => {
    expect((await json(`${base}/nodes`)).items.map(({ metadata }: { metadata: { name: string } }) => metadata.name).sort()).toEqual(["node-1", "node-2"]);
    expect(await json(`${base}/nodes/node-3`)).toMatchObject({ kind: "Status", code: 404, reason: "NotFound" });
  });

  test("is chosen by labels, and others aren't asked", async () => {
    asked.length = 0;
    await clock.advance(6000);
    expect((await json(`${base}/nodes?labelSelector=zone%3Db`)).items).toHaveLength(1);
    expect(new Set(asked)).toEqual(new Set(["node-2"]));
  });
});

describe("a pod", () => {
  test("tells of its containers", async () => {
    const list = await json(`${base}/namespaces/default/pods?labelSelector=app%3Dweb`);
    expect(list).toMatchObject({ kind: "PodMetricsList", apiVersion: "metrics.k8s.io/v1beta1", items: [{ metadata: { name: "p", namespace: "default", labels: { app: "web" } } }] });
    expect(list.items[0].containers).toEqual([{ name: "web", usage: { cpu: "250m", memory: "64Mi" } }, { name: "sidecar", usage: { cpu: "5m", memory: "64Mi" } }]);
    expect((await json(`${base}/namespaces/other/pods`)).items).toEqual([]);
    expect(await json(`${base}/namespaces/default/pods/none`)).toMatchObject({ code: 404 });
  });

  test("as a table", async () => {
    const table = await answered(server.fetch(`${base}/pods`, { headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } }).then((response) => response.json())) as { columnDefinitions: { name: string }[]; rows: { cells: unknown[] }[] };
    expect(table.columnDefinitions.map(({ name }) => name)).toEqual(["Name", "cpu", "memory", "Window"]);
    expect(table.rows[0]!.cells.slice(0, 3)).toEqual(["p", "255m", "128Mi"]);
  });

  test("is known to the autoscaler", async () => {
    const user = { name: "system:serviceaccount:kube-system:hpa", groups: ["system:masters"] };
    const list = await answered(server.extensionApis(user).request({ verb: "list", group: "metrics.k8s.io", version: "v1beta1", namespace: "default", resource: "pods", query: { labelSelector: "app=web" } })) as { items: { containers: unknown[] }[] };
    expect(list.items[0]!.containers).toHaveLength(2);
  });
});

test("kubectl top", async () => {
  const top = (...args: string[]) => answered(server.kubectl("top", ...args));
  expect((await top("pods", "--containers")).stdout).toMatch(/p\s+sidecar\s+5m\s+64Mi\s*\np\s+web\s+250m\s+64Mi/);
  expect((await top("pods", "-A", "--sum")).stdout).toMatch(/default\s+p\s+255m\s+128Mi[\s\S]*255m\s+128Mi/);
  expect((await top("pods", "-l", "app=none")).stderr).toContain("No resources found");
}, 180_000);

test("those who may view may see what is used", async () => {
  const [name, groups] = ["eve", ["system:authenticated"]];
  const client = server.client({ name, groups });
  const card = metricsKinds[1]!;
  expect(client.list(card, { namespace: "default" })).rejects.toMatchObject({ code: 403 });
  await server.client().create(rolebindings, { metadata: { name: "eve", namespace: "default" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:aggregated-metrics-reader" }, subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name }] });
  expect((await answered(client.list(card, { namespace: "default" }))).items).toHaveLength(1);
  expect(client.list(metricsKinds[0]!)).rejects.toMatchObject({ code: 403 });
});

test("a server of metrics that the user brings takes the group over, and gives it back", async () => {
  const name = "v1beta1.metrics.k8s.io", client = server.client();
  await extension.register(client, "elsewhere.example.com", "v1beta1");
  const { spec } = await client.get(apiservices, { name: "v1beta1.elsewhere.example.com" });
  // As "kubectl apply" does: what we put there stays where it isn't overwritten.
  await client.patch(apiservices, { name }, { type: "application/merge-patch+json", body: { spec: { service: spec.service, caBundle: spec.caBundle } } });
  await eventually(async () => expect(await json(`${base}/nodes`)).toMatchObject({ items: [{ metadata: { name: "theirs" } }] }), { timeout: 60_000 });
  await clock.advance(1000);
  expect((await client.get(apiservices, { name })).spec.service).toMatchObject({ name: "extension" });
  await client.delete(apiservices, { name });
  await eventually(async () => expect((await client.get(apiservices, { name })).spec.service).toBeUndefined());
  expect((await json(`${base}/nodes`)).items).toHaveLength(2);
}, 180_000);
