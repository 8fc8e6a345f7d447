import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { builtins, configmaps, daemonsets, events, nodes, pods, statefulsets } from "../../src/apis/builtins.ts";
import type { DaemonSet, StatefulSet } from "../../src/apis/generated/apps/v1.ts";
import type { UserInfo } from "../../src/registry/attributes.ts";
import { fixedKinds, rulesOf } from "../../src/client/controller.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { createHttpClient } from "../../src/client/http-client.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { createReflectingInformers } from "../../src/client/reflecting-informers.ts";
import { controllers } from "../../src/controllers/index.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";

const account = (name: string): UserInfo => ({ name: `system:serviceaccount:kube-system:${name}`, groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"] });

/** An API server with RBAC, all controllers as the service accounts of their names, and something like a kubelet. */
async function startCluster(): Promise<TestApiServer & AsyncDisposable> {
  const list = controllers({ kinds: fixedKinds(builtins), ca: "the ca", clusterCidr: "10.42.0.0/16" });
  const server = await startApiServer({ controllers: list.map((controller) => ({ name: controller.name, rules: rulesOf(controller) })) });
  const stop = new AbortController();
  const clientFor = (name: string): ReturnType<TestApiServer["client"]> => server.client(account(name));
  const running = startControllers(list, {
    clientFor, informers: server.informers, clock: systemClock,
    recorderFor: (component) => createEventRecorder({ client: clientFor(component), events, component, clock: systemClock }, stop.signal),
  }, stop.signal);
  const unsubscribe = actAsKubelet(server);
  return { ...server, async [Symbol.asyncDispose]() {
    unsubscribe();
    stop.abort();
    await running;
    await server.stop();
  } };
}

function actAsKubelet(server: TestApiServer): () => void {
  const client = server.client();
  const status = { phase: "Running", conditions: [{ type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() }] };
  return server.informers.informer(pods).onChange((_old, pod) => {
    if (!pod) return;
    const key = { namespace: pod.metadata.namespace, name: pod.metadata.name! };
    const done = pod.metadata.deletionTimestamp ? client.delete(pods, key, { gracePeriodSeconds: 0 })
      : pod.status?.phase === "Pending" ? client.patch(pods, key, { type: "application/merge-patch+json", body: { status } }, { subresource: "status" }) : undefined;
    // The pod may be gone before its turn comes.
    done?.catch(() => {});
  });
}

test("kubectl rolls a deployment out, back and on, under RBAC", async () => {
  await using cluster = await startCluster();
  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.kubectl(...args);
    expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" });
    return stdout.trim();
  };
  await eventually(() => kubectl("get", "serviceaccount", "default"));
  await kubectl("create", "deployment", "web", "--image=v1", "--replicas=3");
  expect(await kubectl("rollout", "status", "deployment/web", "--timeout=60s")).toEndWith("successfully rolled out");
  await kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=to v2");
  await kubectl("set", "image", "deployment/web", "v1=v2");
  expect(await kubectl("rollout", "status", "deployment/web", "--timeout=60s")).toEndWith("successfully rolled out");
  expect(await kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}")).toBe("v2 v2 v2");
  const history = await kubectl("rollout", "history", "deployment/web");
  expect(history.split("\n").map((line) => line.trim().split(/\s{2,}/)[0])).toEqual(["deployment.apps/web", "REVISION", "1", "2"]);
  expect(history).toContain("to v2");
  await kubectl("rollout", "undo", "deployment/web");
  await kubectl("rollout", "status", "deployment/web", "--timeout=60s");
  expect(await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image} {.metadata.annotations.deployment\\.kubernetes\\.io/revision}")).toBe("v1 3");
  await kubectl("rollout", "restart", "deployment/web");
  await kubectl("rollout", "status", "deployment/web", "--timeout=60s");
  await kubectl("scale", "deployment/web", "--replicas=1");
  await eventually(async () => expect(await kubectl("get", "deployment", "web", "-o", "jsonpath={.status.availableReplicas}")).toBe("1"));
  expect(await kubectl("get", "events", "--field-selector=reason=ScalingReplicaSet", "-o", "jsonpath={.items[0].source.component}")).toBe("deployment-controller");
  await kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=60s");
  expect(await kubectl("get", "replicasets,pods", "-o", "name")).toBe("");
}, 300_000);

const selected = (name: string): object => ({ selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "v1" }] } } });

test("kubectl rolls stateful and daemon sets out, back and on, and tells their history", async () => {
  await using cluster = await startCluster();
  const client = cluster.client();
  for (const name of ["a", "b"]) await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec: {} });
  await client.create(statefulsets, { metadata: { name: "db", namespace: "default" }, spec: { replicas: 2, serviceName: "db", ...selected("db") } } as StatefulSet);
  await client.create(daemonsets, { metadata: { name: "log", namespace: "default" }, spec: selected("log") } as DaemonSet);
  const kubectl = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await cluster.kubectl(...args);
    expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" });
    return stdout.trim();
  };
  for (const [set, app, done] of [["statefulset/db", "db", "partitioned roll out complete: 2 new pods have been updated..."], ["daemonset/log", "log", 'daemon set "log" successfully rolled out']] as const) {
    const rolledOut = async (image: string): Promise<void> => {
      expect(await kubectl("rollout", "status", set, "--timeout=60s")).toEndWith(done);
      expect(await kubectl("get", "pods", "-l", `app=${app}`, "-o", "jsonpath={.items[*].spec.containers[0].image}")).toBe(`${image} ${image}`);
    };
    const revisions = async (): Promise<string[]> => (await kubectl("rollout", "history", set)).split("\n").slice(2).map((line) => line.split(/\s+/)[0]!);
    await rolledOut("v1");
    await kubectl("set", "image", set, "c=v2");
    await rolledOut("v2");
    expect(await revisions()).toEqual(["1", "2"]);
    expect(await kubectl("rollout", "history", set, "--revision=1")).toMatch(/Image:\s+v1/);
    await kubectl("rollout", "undo", set);
    await rolledOut("v1");
    expect(await revisions()).toEqual(["2", "3"]);
    await kubectl("rollout", "undo", set, "--to-revision=2");
    await rolledOut("v2");
    await kubectl("rollout", "restart", set);
    await rolledOut("v2");
    expect(await revisions()).toEqual(["3", "4", "5"]);
  }
}, 300_000);

test("a namespace that is deleted with kubectl goes with all it has", async () => {
  await using cluster = await startCluster();
  expect((await cluster.kubectl("create", "namespace", "team")).code).toBe(0);
  await eventually(async () => expect((await cluster.kubectl("get", "serviceaccount", "default", "-n", "team")).code).toBe(0));
  await cluster.kubectl("create", "deployment", "web", "--image=v1", "--replicas=2", "-n", "team");
  expect(await cluster.kubectl("delete", "namespace", "team", "--timeout=60s")).toMatchObject({ code: 0 });
  expect((await cluster.kubectl("get", "namespace", "team")).stderr).toContain("NotFound");
}, 180_000);

test("informers over HTTPS follow the server", async () => {
  const server = await startApiServer();
  const admin = await server.certificate("system:admin", "system:masters");
  const stop = new AbortController();
  const client = createHttpClient({ server: server.url, tls: { ca: server.ca, cert: admin.certificate, key: admin.key } });
  const informers = createReflectingInformers({ client, clock: systemClock }, stop.signal);
  try {
    const local = server.client();
    const create = (name: string): Promise<unknown> => local.create(configmaps, { metadata: { name, namespace: "default", labels: { n: name } } });
    await create("a");
    const { lister, synced } = informers.informer(configmaps, { namespace: "default" });
    const only = informers.informer(configmaps, { labelSelector: "n=b" });
    await synced();
    expect(lister.list().map((c) => `${c.apiVersion} ${c.kind} ${c.metadata.name}`)).toEqual(["v1 ConfigMap a"]);
    await create("b");
    await local.delete(configmaps, { namespace: "default", name: "a" });
    await eventually(() => {
      expect(lister.list().map((c) => c.metadata.name!)).toEqual(["b"]);
      expect(only.lister.list().map((c) => c.metadata.name!)).toEqual(["b"]);
    });
  } finally {
    stop.abort();
    await informers.stopped();
    await server.stop();
  }
});
