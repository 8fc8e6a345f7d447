import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { customresourcedefinitions } from "../../src/apis/apiextensions/customresourcedefinition.ts";
import { apiservices } from "../../src/apis/apiregistration/apiservice.ts";
import { deployments, events, horizontalpodautoscalers, namespaces, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { HorizontalPodAutoscalerSpec, MetricSpec } from "../../src/apis/generated/autoscaling/v2.ts";
import type { Event } from "../../src/apis/generated/core/v1.ts";
import { rulesOf } from "../../src/client/controller.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { horizontalPodAutoscaler } from "../../src/controllers/horizontal-pod-autoscaler/horizontal-pod-autoscaler.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { extensionService, startExtensionServer, type ExtensionServer } from "../support/extension-server.ts";
import { FakeClock } from "../support/fake-clock.ts";

const clock = new FakeClock();
const user = { name: "system:serviceaccount:kube-system:horizontal-pod-autoscaler", groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"] };
const stop = new AbortController();
let server: TestApiServer, extension: ExtensionServer, running: Promise<unknown>;
let count = 0, ns = "";

/** What the metrics APIs say now, and what they were asked. */
const asked: { path: string; query: string; user: string }[] = [];
let uses: Record<string, Record<string, string>> = {}, values: Record<string, string[]> = {}, broken = false;

function answer(request: Request, { pathname, searchParams }: URL): object {
  const list = (groupVersion: string, ...names: string[]): object => ({ kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: names.map((name) => ({ name, singularName: "", namespaced: true, kind: "X", verbs: ["get", "list"] })) });
  const [, , group, version, ...rest] = pathname.split("/");
  if (rest.length === 0) return broken ? new Response("no", { status: 500 }) : list(`${group}/${version}`, "pods");
  asked.push({ path: pathname, query: searchParams.toString(), user: request.headers.get("x-remote-user") ?? "" });
  if (broken) return new Response("out of order", { status: 500 });
  const timestamp = new Date(clock.now()).toISOString();
  if (group === "metrics.k8s.io") return { kind: "PodMetricsList", items: Object.entries(uses).map(([name, usage]) => ({ metadata: { name }, timestamp, window: "30s", containers: [{ name: "c", usage }] })) };
  const metric = rest.at(-1)!, found = values[metric];
  if (!found) return Response.json({ kind: "Status", apiVersion: "v1", status: "Failure", message: `the server could not find the metric ${metric}`, reason: "NotFound", code: 404 }, { status: 404 });
  return { items: found.map((value, i) => ({ describedObject: { kind: "Pod", name: `p${i}` }, metricName: metric, timestamp, value })) };
}

beforeAll(async () => {
  extension = await startExtensionServer(answer);
  // Its role alone is what it may do.
  const named = horizontalPodAutoscaler({ kinds: { cards: [], onChange: () => () => undefined }, extensions: { served: () => [], request: () => Promise.reject(new Error("unused")) }, monotonic: () => 0 });
  server = await startApiServer({ serviceAddresses: new Map([[extensionService, { host: "127.0.0.1", port: extension.port }]]), controllers: [{ name: named.name, rules: rulesOf(named) }] });
  const controller = horizontalPodAutoscaler({ kinds: server.registry.resources, extensions: server.extensionApis(user), monotonic: () => clock.monotonic() });
  const recorder = createEventRecorder({ client: server.client(user), events, component: controller.name, clock }, stop.signal);
  running = Promise.all([
    server.runAggregator(stop.signal),
    startControllers([controller], { clientFor: () => server.client(user), recorderFor: () => recorder, informers: server.informers, clock }, stop.signal),
  ]);
});
afterAll(async () => {
  stop.abort();
  await running;
  await server.stop();
  await extension.stop();
});
beforeEach(async () => {
  ns = `autoscaling-${count++}`;
  [uses, values] = [{}, {}];
  broken = false;
  asked.length = 0;
  await server.client().create(namespaces, { metadata: { name: ns }, spec: {} });
  await server.client().create(serviceaccounts, { metadata: { name: "default", namespace: ns } });
});

const podSpec = { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "1", memory: "1Gi" } } }] };
const selector = { matchLabels: { app: "web" } };

/** A Deployment of so many replicas, and as many pods that have long been ready. Nobody looks after either. */
async function deploy(replicas: number): Promise<void> {
  const client = server.client();
  await client.create(deployments, { metadata: { name: "web", namespace: ns }, spec: { replicas, selector, template: { metadata: { labels: { app: "web" } }, spec: podSpec } } });
  await client.patch(deployments, { namespace: ns, name: "web" }, { type: "application/merge-patch+json", body: { status: { replicas } } }, { subresource: "status" });
  const long = new Date(clock.now() - 3_600_000).toISOString();
  for (let i = 0; i < replicas; i++) {
    await client.create(pods, { metadata: { name: `p${i}`, namespace: ns, labels: { app: "web" } }, spec: podSpec } as never);
    await client.patch(pods, { namespace: ns, name: `p${i}` }, { type: "application/merge-patch+json", body: { status: { phase: "Running", startTime: long, conditions: [{ type: "Ready", status: "True", lastTransitionTime: long }] } } }, { subresource: "status" });
  }
}
const cpu = (averageUtilization: number): MetricSpec => ({ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization } } });
/** Makes an autoscaler; it is first looked at after fifteen seconds. */
async function autoscaler(metrics: MetricSpec[], spec: Partial<HorizontalPodAutoscalerSpec> = {}, name = "web"): Promise<void> {
  await server.client().create(horizontalpodautoscalers, {
    metadata: { name, namespace: ns }, spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" }, minReplicas: 1, maxReplicas: 10, metrics, ...spec },
  });
  await clock.advance(14_000);
  expect((await status(name)).conditions).toBeUndefined();
  await clock.advance(1000);
}
/** What was asked of this test's namespace: autoscalers of earlier tests go on. */
const here = () => asked.filter(({ path }) => path.includes(`/namespaces/${ns}/`));
const key = () => ({ namespace: ns, name: "web" });
const replicas = async (): Promise<number | undefined> => (await server.client().get(deployments, key())).spec.replicas;
// A copy: toMatchObject puts its matchers into what it compares.
const status = async (name = "web") => structuredClone(await server.client().get(horizontalpodautoscalers, { namespace: ns, name })).status!;
const condition = async (type: string, name = "web") => (await status(name)).conditions?.find((each) => each.type === type);
const told = (reason: string): Event[] => structuredClone(server.informers.informer(events).lister.list(ns)).filter((event) => event.reason === reason) as Event[];

test("without a metrics API an autoscaler says so, and changes nothing", async () => {
  await deploy(2);
  await autoscaler([cpu(50)]);
  const why = "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";
  await eventually(async () => expect(await condition("ScalingActive")).toMatchObject({ status: "False", reason: "FailedGetResourceMetric", message: `the HPA was unable to compute the replica count: ${why}` }));
  expect(await condition("AbleToScale")).toMatchObject({ status: "True", reason: "SucceededGetScale", message: "the HPA controller was able to get the target's current scale" });
  expect(await status()).toMatchObject({ currentReplicas: 2, desiredReplicas: 0, currentMetrics: [{ type: "" }] });
  await eventually(() => expect([told("FailedGetResourceMetric")[0]?.message, told("FailedComputeMetricsReplicas")[0]?.message]).toEqual([why, `invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${why}`]));
  expect(await replicas()).toBe(2);
});

describe("with metrics APIs", () => {
  beforeAll(async () => {
    for (const [group, version] of [["metrics.k8s.io", "v1beta1"], ["custom.metrics.k8s.io", "v1beta1"], ["custom.metrics.k8s.io", "v1beta2"], ["external.metrics.k8s.io", "v1beta1"]] as const) {
      await extension.register(server.client(), group, version);
    }
    await available("True");
  });
  const available = (state: string): Promise<void> => eventually(async () => {
    await clock.advance(3000);
    const states = (await server.client().list(apiservices)).items.filter(({ spec }) => spec.service).map(({ status }) => status?.conditions?.[0]?.status);
    expect(states).toEqual([state, state, state, state]);
  });

  test("replicas follow CPU use, as the controller's own user asks for it", async () => {
    await deploy(2);
    uses = { p0: { cpu: "800m", memory: "1Gi" }, p1: { cpu: "800m", memory: "1Gi" }, other: { cpu: "9" } };
    await autoscaler([cpu(50)]);
    await eventually(async () => expect(await replicas()).toBe(4));
    await eventually(async () => expect(await status()).toMatchObject({
      currentReplicas: 2, desiredReplicas: 4, lastScaleTime: expect.any(String), currentMetrics: [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: 80, averageValue: "800m" } } }],
      conditions: [
        { type: "AbleToScale", status: "True", reason: "SucceededRescale", message: "the HPA controller was able to update the target scale to 4" },
        { type: "ScalingActive", status: "True", reason: "ValidMetricFound", message: "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)" },
        { type: "ScalingLimited", status: "False", reason: "DesiredWithinRange", message: "the desired count is within the acceptable range" },
      ],
    }));
    await eventually(() => expect(told("SuccessfulRescale")[0]).toMatchObject({ type: "Normal", message: "New size: 4; reason: cpu resource utilization (percentage of request) above target", source: { component: "horizontal-pod-autoscaler" } }));
    expect(here()[0]).toEqual({ path: `/apis/metrics.k8s.io/v1beta1/namespaces/${ns}/pods`, query: "labelSelector=app%3Dweb", user: user.name });
  });

  test("less is asked for only when five minutes asked for no more", async () => {
    await deploy(4);
    uses = Object.fromEntries([0, 1, 2, 3].map((i) => [`p${i}`, { cpu: "100m" }]));
    await autoscaler([cpu(50)]);
    await eventually(async () => expect(await condition("AbleToScale")).toMatchObject({ reason: "ScaleDownStabilized" }));
    await clock.advance(280_000);
    expect(await replicas()).toBe(4);
    await eventually(async () => {
      await clock.advance(15_000);
      expect(await replicas()).toBe(1);
    });
    await eventually(() => expect(told("SuccessfulRescale")[0]?.message).toBe("New size: 1; reason: All metrics below target"));
  });

  test("the clock's being set ends no window", async () => {
    await deploy(4);
    uses = Object.fromEntries([0, 1, 2, 3].map((i) => [`p${i}`, { cpu: "100m" }]));
    await autoscaler([cpu(50)]);
    await eventually(async () => expect(await condition("AbleToScale")).toMatchObject({ reason: "ScaleDownStabilized" }));
    const before = here().length;
    clock.jump(3_600_000);
    // In small steps: the window of five minutes must not pass while metrics are asked for.
    await eventually(async () => {
      await clock.advance(1000);
      expect(here().length).toBeGreaterThan(before + 1);
    }, { interval: 50 });
    expect(await replicas()).toBe(4);
  });

  test("the most of pods', objects' and external metrics counts", async () => {
    await deploy(2);
    values = { requests: ["15", "25"], queue: ["30"], connections: ["7", "5"], "connections-each": ["6"], depth: ["4"], cron: ["1"] };
    const averageValue = "10";
    await autoscaler([
      { type: "Pods", pods: { metric: { name: "requests", selector: { matchLabels: { verb: "GET" } } }, target: { type: "AverageValue", averageValue } } },
      { type: "Object", object: { describedObject: { apiVersion: "v1", kind: "Service", name: "front" }, metric: { name: "queue" }, target: { type: "Value", value: "12" } } },
      { type: "Object", object: { describedObject: { apiVersion: "v1", kind: "Namespace", name: "elsewhere" }, metric: { name: "depth" }, target: { type: "AverageValue", averageValue: "2" } } },
      { type: "External", external: { metric: { name: "connections", selector: { matchLabels: { a: "b" } } }, target: { type: "Value", value: "12" } } },
      { type: "External", external: { metric: { name: "connections-each" }, target: { type: "AverageValue", averageValue: "3" } } },
    ]);
    // Five are asked for; without a behaviour two may double at most.
    await eventually(async () => expect(await replicas()).toBe(4));
    await eventually(async () => expect(await condition("ScalingLimited")).toMatchObject({ status: "True", reason: "ScaleUpLimit", message: "the desired replica count is increasing faster than the maximum scale rate" }));
    expect((await status()).currentMetrics).toMatchObject([
      { type: "Pods", pods: { metric: { name: "requests" }, current: { averageValue: "20" } } }, { type: "Object", object: { metric: { name: "queue" }, current: { value: "30" } } },
      { type: "Object", object: { describedObject: { kind: "Namespace" }, current: { averageValue: "2" } } }, { type: "External", external: { current: { value: "12" } } }, { type: "External", external: { current: { averageValue: "3" } } },
    ]);
    await eventually(() => expect(told("SuccessfulRescale")[0]?.message).toBe("New size: 4; reason: Service metric queue above target"));
    expect(here().slice(0, 5).map(({ path, query }) => `${path}?${query}`.replace(ns, "NS"))).toEqual([
      "/apis/custom.metrics.k8s.io/v1beta2/namespaces/NS/pods/*/requests?labelSelector=app%3Dweb&metricLabelSelector=verb%3DGET",
      "/apis/custom.metrics.k8s.io/v1beta2/namespaces/NS/services/front/queue?",
      "/apis/custom.metrics.k8s.io/v1beta2/namespaces/NS/metrics/depth?",
      "/apis/external.metrics.k8s.io/v1beta1/namespaces/NS/connections?labelSelector=a%3Db",
      "/apis/external.metrics.k8s.io/v1beta1/namespaces/NS/connections-each?",
    ]);
  });

  test("where one metric fails the others may ask for more, but not for less", async () => {
    await deploy(2);
    values = { requests: ["1", "1"] };
    const failing: MetricSpec = { type: "External", external: { metric: { name: "gone", selector: { matchLabels: { a: "b" } } }, target: { type: "Value", value: "1" } } };
    await autoscaler([failing, { type: "Pods", pods: { metric: { name: "requests" }, target: { type: "AverageValue", averageValue: "10" } } }]);
    const why = `unable to get external metric ${ns}/gone/&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}: unable to fetch metrics from external metrics API: the server could not find the metric gone`;
    await eventually(async () => expect(await condition("ScalingActive")).toMatchObject({ status: "False", reason: "FailedGetExternalMetric", message: `the HPA was unable to compute the replica count: ${why}` }));
    await eventually(() => expect(told("FailedComputeMetricsReplicas")[0]?.message).toBe(`invalid metrics (1 invalid out of 2), first error is: failed to get gone external metric value: failed to get external metric gone: ${why}`));
    expect(await replicas()).toBe(2);
    values = { requests: ["20", "20"] };
    await eventually(async () => {
      await clock.advance(15_000);
      expect(await replicas()).toBe(4);
    });
  });

  test("limits hold, whatever metrics say", async () => {
    await deploy(2);
    await autoscaler([cpu(50)], { minReplicas: 3, maxReplicas: 5 });
    await eventually(async () => expect(await replicas()).toBe(3));
    await eventually(() => expect(told("SuccessfulRescale")[0]?.message).toBe("New size: 3; reason: Current number of replicas below Spec.MinReplicas"));
    await server.client().patch(horizontalpodautoscalers, key(), { type: "application/merge-patch+json", body: { spec: { minReplicas: 1, maxReplicas: 1 } } });
    // Its own last write may have come too late for the change, and is tried again after a while.
    await eventually(async () => {
      await clock.advance(1000);
      expect(await replicas()).toBe(1);
    });
    await server.client().patch(deployments, key(), { type: "application/merge-patch+json", body: { spec: { replicas: 0 } } });
    await eventually(async () => {
      await clock.advance(15_000);
      expect(await condition("ScalingActive")).toMatchObject({ status: "False", reason: "ScalingDisabled", message: "scaling is disabled since the replica count of the target is zero" });
    });
  });

  test("what has no scale, or no selector of its own, is not scaled", async () => {
    await autoscaler([cpu(50)]);
    await eventually(async () => expect(await condition("AbleToScale")).toMatchObject({ status: "False", reason: "FailedGetScale", message: `the HPA controller was unable to get the target's current scale: deployments.apps "web" not found` }));
    await autoscaler([cpu(50)], { scaleTargetRef: { apiVersion: "example.com/v1", kind: "Nothing", name: "x" } }, "nothing");
    await eventually(async () => expect((await condition("AbleToScale", "nothing"))?.message).toBe(`the HPA controller was unable to get the target's current scale: no matches for kind "Nothing" in group "example.com"`));
    await eventually(() => expect(told("FailedGetScale").map(({ message }) => message)).toContain(`no matches for kind "Nothing" in group "example.com"`));
    await deploy(1);
    await autoscaler([cpu(50)], {}, "twin");
    await eventually(async () => {
      await clock.advance(15_000);
      expect(await condition("ScalingActive")).toMatchObject({ status: "False", reason: "AmbiguousSelector", message: `pods by selector app=web are controlled by multiple HPAs: [${ns}/twin ${ns}/web]` });
    });
    await server.client().delete(horizontalpodautoscalers, { namespace: ns, name: "twin" });
    uses = { p0: { cpu: "500m" } };
    await eventually(async () => {
      await clock.advance(15_000);
      expect(await condition("ScalingActive")).toMatchObject({ status: "True" });
    });
  });

  test("custom resources are scaled by their own paths", async () => {
    const client = server.client();
    await client.create(customresourcedefinitions, {
      apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "fleets.scaled.example.com" },
      spec: { group: "scaled.example.com", scope: "Namespaced", names: { plural: "fleets", singular: "fleet", kind: "Fleet" }, versions: [{ name: "v1", served: true, storage: true, subresources: { status: {}, scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size", labelSelectorPath: ".status.labels" } }, schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } }] },
    });
    const fleets = await eventually(() => server.registry.find("scaled.example.com", "v1", "fleets") ?? Promise.reject(new Error("not served")));
    await deploy(2);
    await client.create<KubeObject>(fleets, { metadata: { name: "f", namespace: ns }, spec: { size: 2 } } as KubeObject);
    await client.patch(fleets, { namespace: ns, name: "f" }, { type: "application/merge-patch+json", body: { status: { size: 2, labels: "app=web" } } }, { subresource: "status" });
    uses = { p0: { cpu: "1" }, p1: { cpu: "1" } };
    await autoscaler([{ type: "ContainerResource", containerResource: { name: "cpu", container: "c", target: { type: "Utilization", averageUtilization: 50 } } }], { scaleTargetRef: { apiVersion: "scaled.example.com/v1", kind: "Fleet", name: "f" } });
    await eventually(async () => expect((await client.get<KubeObject & { spec?: { size: number } }>(fleets, { namespace: ns, name: "f" })).spec?.size).toBe(4));
    // Its status is written after the scale.
    await eventually(async () => expect((await status()).currentMetrics).toMatchObject([{ type: "ContainerResource", containerResource: { name: "cpu", container: "c", current: { averageUtilization: 100, averageValue: "1" } } }]));
  });

  test("a metrics API that is out of order costs nothing else", async () => {
    await deploy(2);
    uses = { p0: { cpu: "500m" }, p1: { cpu: "500m" } };
    await autoscaler([cpu(50)]);
    await eventually(async () => expect(await condition("ScalingActive")).toMatchObject({ status: "True" }));
    broken = true;
    await eventually(async () => {
      await clock.advance(15_000);
      expect((await condition("ScalingActive"))?.message).toContain(`an error on the server ("out of order") has prevented the request from succeeding (get pods.metrics.k8s.io)`);
    });
    broken = false;
    await eventually(async () => {
      await clock.advance(15_000);
      expect(await condition("ScalingActive")).toMatchObject({ status: "True" });
    });
  });

  test("who may not ask is refused before the metrics API hears of it", async () => {
    const request = { verb: "list" as const, group: "metrics.k8s.io", version: "v1beta1", namespace: ns, resource: "pods" };
    await expect(server.extensionApis({ name: "nobody", groups: ["system:authenticated"] }).request(request)).rejects.toThrow(`pods.metrics.k8s.io is forbidden: User "nobody" cannot list resource "pods" in API group "metrics.k8s.io" in the namespace "${ns}"`);
    expect(here()).toEqual([]);
    expect(await server.extensionApis(user).request(request)).toMatchObject({ kind: "PodMetricsList" });
  });

  test("nothing is asked while there are no autoscalers", async () => {
    await deploy(2);
    await autoscaler([cpu(50)]);
    await eventually(() => expect(asked.length).toBeGreaterThan(0));
    for (const { metadata } of server.informers.informer(horizontalpodautoscalers).lister.list()) await server.client().delete(horizontalpodautoscalers, { namespace: metadata.namespace, name: metadata.name! });
    const request = { verb: "list" as const, group: "metrics.k8s.io", version: "v1beta1", namespace: ns, resource: "pods" };
    // What was asked before may arrive only now; ours arrives after what a minute would bring.
    await eventually(async () => {
      asked.length = 0;
      await clock.advance(60_000);
      await server.extensionApis(user).request(request);
      expect(asked).toHaveLength(1);
    });
  });
});
