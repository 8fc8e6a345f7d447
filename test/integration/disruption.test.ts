import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { deployments, events, namespaces, poddisruptionbudgets, pods, replicationcontrollers, serviceaccounts, statefulsets } from "../../src/apis/builtins.ts";
import { StatusError } from "../../src/apimachinery/status.ts";
import type { Event, Pod } from "../../src/apis/generated/core/v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from "../../src/apis/generated/policy/v1.ts";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { systemClock } from "../../src/base/clock.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { disruption } from "../../src/controllers/disruption/disruption.ts";
import { startApiServer } from "../support/apiserver.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hollowCluster } from "../support/hollow-cluster.ts";

const clock = new FakeClock();
const names = ["disruption-controller", "stale-disruption-target-controller", "deployment-controller", "replicaset-controller", "replication-controller", "service-account-controller"];
let plane: ControlPlane;
let count = 0;
beforeAll(async () => {
  plane = await startControlPlane({ clock, select: ({ name }) => names.includes(name) });
});
afterAll(() => plane[Symbol.asyncDispose]());

/** Time passes while it is waited: what is to be tried again has its turn. */
const soon = <T>(check: () => T | Promise<T>): Promise<T> => eventually(async () => {
  await clock.advance(10);
  return check();
});

async function namespace(): Promise<string> {
  const name = `disruption-${count++}`;
  await plane.client.create(namespaces, { metadata: { name }, spec: {} });
  await soon(() => plane.client.get(serviceaccounts, { namespace: name, name: "default" }));
  return name;
}
const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } };
const selector = { matchLabels: { app: "web" } };

const budget = (namespace: string, spec: Partial<PodDisruptionBudgetSpec>, name = "budget"): Promise<unknown> =>
  plane.client.create<PodDisruptionBudget>(poddisruptionbudgets, { metadata: { name, namespace }, spec: { selector, ...spec } });
// A copy: toMatchObject puts its matchers into what it compares.
const statusOf = async (namespace: string, name = "budget") => structuredClone(await plane.client.get(poddisruptionbudgets, { namespace, name })).status!;
async function deploy(namespace: string, replicas: number, run = replicas): Promise<Pod[]> {
  await plane.client.create(deployments, { metadata: { name: "web", namespace }, spec: { replicas, selector, template } });
  await soon(() => expect(plane.pods(namespace)).toHaveLength(replicas));
  await plane.runPods(namespace, { ready: run > 0 });
  return plane.pods(namespace);
}
async function evict(namespace: string, name: string, deleteOptions = {}): Promise<{ code: number; cause?: string; retryAfter?: number }> {
  try {
    await plane.client.createSubresource(pods, { namespace, name }, "eviction", { metadata: { name, namespace }, deleteOptions });
    return { code: 201 };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { code: error.code, cause: error.status.details?.causes?.[0]?.message, retryAfter: error.status.details?.retryAfterSeconds };
  }
}
const told = (namespace: string, reason: string): Event[] => plane.list<Event>(events, namespace).filter((event) => event.reason === reason);

describe("a budget", () => {
  test("counts the pods of a Deployment as they become ready, and follows its scale", async () => {
    const ns = await namespace();
    await budget(ns, { minAvailable: "50%" });
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ observedGeneration: 1, expectedPods: 0, disruptionsAllowed: 0, conditions: [{ type: "DisruptionAllowed", status: "False", reason: "InsufficientPods" }] }));
    await soon(() => expect(told(ns, "NoPods")[0]).toMatchObject({ type: "Normal", message: "No matching pods found", involvedObject: { name: "budget" } }));
    await deploy(ns, 5);
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ expectedPods: 5, desiredHealthy: 3, currentHealthy: 5, disruptionsAllowed: 2, conditions: [{ status: "True", reason: "SufficientPods" }] }));
    await plane.client.patch(deployments, { namespace: ns, name: "web" }, { type: "application/merge-patch+json", body: { spec: { replicas: 8 } } });
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ expectedPods: 8, desiredHealthy: 4, currentHealthy: 5, disruptionsAllowed: 1 }));
  });

  test("adds up what all controllers of its pods want", async () => {
    const ns = await namespace();
    await deploy(ns, 2);
    await plane.client.create(replicationcontrollers, { metadata: { name: "rc", namespace: ns }, spec: { replicas: 3, selector: { app: "web" }, template } });
    await soon(() => expect(plane.pods(ns)).toHaveLength(5));
    await plane.runPods(ns);
    await budget(ns, { maxUnavailable: 1 });
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ expectedPods: 5, desiredHealthy: 4, currentHealthy: 5, disruptionsAllowed: 1 }));
  });

  test("asks any kind with a scale", async () => {
    const ns = await namespace();
    const set = await plane.client.create(statefulsets, { metadata: { name: "set", namespace: ns }, spec: { replicas: 4, serviceName: "s", selector, template } });
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "set", uid: set.metadata.uid!, controller: true };
    for (const i of [0, 1, 2]) await plane.client.create(pods, { metadata: { name: `set-${i}`, namespace: ns, labels: { app: "web" }, ownerReferences: [owner] }, spec: template.spec } as never);
    await plane.runPods(ns);
    await budget(ns, { maxUnavailable: "25%" });
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ expectedPods: 4, desiredHealthy: 3, currentHealthy: 3, disruptionsAllowed: 0 }));
  });

  test("says which pods nobody controls, and what can't be counted", async () => {
    const ns = await namespace();
    await plane.client.create(pods, { metadata: { name: "bare", namespace: ns, labels: { app: "web" } }, spec: template.spec } as never);
    await plane.runPods(ns);
    await budget(ns, { maxUnavailable: 1 });
    await soon(() => expect(told(ns, "UnmanagedPods")[0]?.message).toStartWith("Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged."));
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ expectedPods: 0, disruptionsAllowed: 0, currentHealthy: 1 }));
    const owner = { apiVersion: "batch/v1", kind: "Job", name: "job", uid: "u", controller: true };
    await plane.client.create(pods, { metadata: { name: "of-job", namespace: ns, labels: { app: "web" }, ownerReferences: [owner] }, spec: template.spec } as never);
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ disruptionsAllowed: 0, conditions: [{ status: "False", reason: "SyncFailed", message: "jobs.batch does not implement the scale subresource" }] }));
    await soon(() => expect(told(ns, "CalculateExpectedPodCountFailed")[0]?.message).toBe("Failed to calculate the number of expected pods: jobs.batch does not implement the scale subresource"));
    expect(await evict(ns, "bare")).toMatchObject({ code: 429, cause: "The disruption budget budget does not allow evicting pods currently because it failed sync: jobs.batch does not implement the scale subresource" });
  });

  test("warns of a pod that has another one", async () => {
    const ns = await namespace();
    const [pod] = await deploy(ns, 1);
    await budget(ns, { minAvailable: 0 }, "one");
    await budget(ns, { minAvailable: 0 }, "two");
    await soon(() => expect(told(ns, "MultiplePodDisruptionBudgets")[0]).toMatchObject({ message: `Pod "${ns}"/"${pod!.metadata.name}" matches multiple PodDisruptionBudgets.  Chose "one" arbitrarily.`, involvedObject: { kind: "Pod", name: pod!.metadata.name } }));
    expect((await evict(ns, pod!.metadata.name!)).code).toBe(500);
  });
});

describe("evictions", () => {
  test("are granted one after another, as the budget lets them", async () => {
    const ns = await namespace();
    const all = await deploy(ns, 3);
    await budget(ns, { minAvailable: 2 });
    await soon(async () => expect((await statusOf(ns)).disruptionsAllowed).toBe(1));
    const answers = await Promise.all(all.map((pod) => evict(ns, pod.metadata.name!, { gracePeriodSeconds: 0 })));
    expect(answers.map(({ code }) => code).sort()).toEqual([201, 429, 429]);
    // The one that went is made anew, and counts once it is ready: then the next may go.
    await soon(async () => {
      await plane.runPods(ns);
      expect(await statusOf(ns)).toMatchObject({ currentHealthy: 3, disruptionsAllowed: 1 });
      expect((await statusOf(ns)).disruptedPods).toBeUndefined();
    });
    const refused = all.find((_, i) => answers[i]!.code === 429)!;
    expect((await evict(ns, refused.metadata.name!)).code).toBe(201);
  });

  test("that don't come true are given back after two minutes", async () => {
    const ns = await namespace();
    const [pod] = await deploy(ns, 2);
    const name = pod!.metadata.name!;
    await budget(ns, { minAvailable: 1 });
    await soon(async () => expect((await statusOf(ns)).disruptionsAllowed).toBe(1));
    // The eviction is granted, and the server dies before it deletes the pod.
    const granted = structuredClone(await plane.client.get(poddisruptionbudgets, { namespace: ns, name: "budget" })) as PodDisruptionBudget;
    await plane.client.update(poddisruptionbudgets, { ...granted, status: { ...granted.status!, disruptionsAllowed: 0, disruptedPods: { [name]: new Date(clock.now()).toISOString() } } }, { subresource: "status" });
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ currentHealthy: 1, disruptionsAllowed: 0, disruptedPods: { [name]: expect.any(String) } }));
    await clock.advance(125_000);
    await soon(async () => expect(await statusOf(ns)).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1 }));
    expect((await statusOf(ns)).disruptedPods).toBeUndefined();
    await soon(() => expect(told(ns, "NotDeleted")[0]).toMatchObject({ type: "Warning", message: `Pod was expected by PDB ${ns}/budget to be deleted but it wasn't`, involvedObject: { name } }));
  });

  test("whose mark is left on a pod that was spared lose it after two minutes", async () => {
    const ns = await namespace();
    const [pod] = await deploy(ns, 1);
    const key = { namespace: ns, name: pod!.metadata.name! };
    const mark = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI", message: "m", lastTransitionTime: new Date(clock.now()).toISOString() };
    await plane.client.patch(pods, key, { type: "application/merge-patch+json", body: { status: { conditions: [...pod!.status!.conditions!, mark] } } }, { subresource: "status" });
    const condition = async () => structuredClone(await plane.client.get(pods, key)).status!.conditions!.find(({ type }) => type === "DisruptionTarget")!;
    await clock.advance(100_000);
    expect((await condition()).status).toBe("True");
    await clock.advance(30_000);
    await soon(async () => expect(await condition()).toMatchObject({ status: "False" }));
    expect(await condition()).not.toHaveProperty("reason");
  });
});

test("a budget counts what custom resources want, by their own paths", async () => {
  const server = await startApiServer(), client = server.client(), stop = new AbortController();
  const running = startControllers([disruption({ kinds: server.registry.resources })], { clientFor: () => client, recorderFor: () => ({ event: () => undefined }), informers: server.informers, clock: systemClock }, stop.signal);
  try {
    await client.create(server.registry.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")!, {
      apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "fleets.scaled.example.com" },
      spec: { group: "scaled.example.com", scope: "Namespaced", names: { plural: "fleets", singular: "fleet", kind: "Fleet" }, versions: [{ name: "v1", served: true, storage: true, subresources: { scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" } }, schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } }] },
    } as KubeObject);
    const fleets = await eventually(() => server.registry.find("scaled.example.com", "v1", "fleets") ?? Promise.reject(new Error("not served")));
    const fleet = await client.create<KubeObject>(fleets, { metadata: { name: "f", namespace: "default" }, spec: { size: 3 } } as KubeObject);
    await client.create(serviceaccounts, { metadata: { name: "default", namespace: "default" } });
    const owner = { apiVersion: "scaled.example.com/v1", kind: "Fleet", name: "f", uid: fleet.metadata.uid!, controller: true };
    for (const name of ["f-0", "f-1"]) {
      await client.create(pods, { metadata: { name, namespace: "default", labels: { app: "web" }, ownerReferences: [owner] }, spec: template.spec } as never);
      await client.patch(pods, { namespace: "default", name }, { type: "application/merge-patch+json", body: { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } } }, { subresource: "status" });
    }
    await client.create<PodDisruptionBudget>(poddisruptionbudgets, { metadata: { name: "budget", namespace: "default" }, spec: { selector, maxUnavailable: 2 } });
    await eventually(async () => expect(structuredClone(await client.get(poddisruptionbudgets, { namespace: "default", name: "budget" })).status).toMatchObject({ expectedPods: 3, desiredHealthy: 1, currentHealthy: 2, disruptionsAllowed: 1 }));
  } finally {
    stop.abort();
    await running;
    await server.stop();
  }
});

test("a node is drained with never more pods gone than the budget allows", async () => {
  await using cluster = await hollowCluster({ nodes: 3 });
  const { client } = cluster, ready = (): Pod[] => cluster.pods("default").filter(({ metadata, status }) => !metadata.deletionTimestamp && status?.conditions?.some(({ type, status: state }) => type === "Ready" && state === "True"));
  await client.create(deployments, { metadata: { name: "web", namespace: "default" }, spec: { replicas: 12, selector, template: { ...template, spec: { ...template.spec, terminationGracePeriodSeconds: 0 } } } });
  await eventually(() => expect(ready()).toHaveLength(12));
  await client.create<PodDisruptionBudget>(poddisruptionbudgets, { metadata: { name: "budget", namespace: "default" }, spec: { selector, maxUnavailable: 2 } });
  let fewest = 12;
  const end = cluster.informers.informer(pods).onChange(() => void (fewest = Math.min(fewest, ready().length)));
  // As several kubectl drain at once: everything is asked for, and again where it was refused.
  await Promise.all(ready().map(({ metadata: { name = "", uid } }) => eventually(async () => {
    await client.createSubresource(pods, { namespace: "default", name }, "eviction", { metadata: { name, namespace: "default" }, deleteOptions: { preconditions: { uid } } }).catch((error: unknown) => {
      if (!(error instanceof StatusError) || error.code !== 404) throw error;
    });
  }, { timeout: 60_000, interval: 20 })));
  end();
  await eventually(() => expect(ready()).toHaveLength(12));
  expect(fewest).toBeGreaterThanOrEqual(10);
  expect(fewest).toBeLessThan(12);
});
