import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { namespaces, nodes, persistentvolumeclaims, pods, priorityclasses } from "../../src/apis/builtins.ts";
import { definePlugin, extensionPoints, pending, skip, unschedulable, waitFor, type Handle, type PluginFactory, type ProfileConfiguration, type SchedulerConfiguration, type Status } from "../../src/scheduler/framework.ts";
import { defaultPlugins, defaultProfile, pluginRegistry } from "../../src/scheduler/plugins/index.ts";
import type { SchedulerOptions } from "../../src/scheduler/scheduler.ts";
import { eventually } from "../support/eventually.ts";
import { namespace, startSchedulerCluster, type SchedulerCluster } from "../support/scheduler-cluster.ts";

let cluster: SchedulerCluster;
afterEach(() => cluster[Symbol.asyncDispose]());

/** The default profile with one more plugin, at all points, before the others. */
function withPlugin(name: string, factory: PluginFactory): Partial<SchedulerOptions> {
  const list = [{ name }, ...defaultPlugins];
  const plugins = Object.fromEntries(extensionPoints.map((point) => [point, list])) as unknown as ProfileConfiguration["plugins"];
  return { plugins: { ...pluginRegistry, [name]: factory }, configuration: { profiles: [{ ...defaultProfile(), plugins }] } };
}
const start = async (options: Parameters<typeof startSchedulerCluster>[0] = {}, ...names: string[]): Promise<void> => {
  cluster = await startSchedulerCluster(options);
  for (const name of names.length > 0 ? names : ["only"]) await cluster.addNode(name);
};
const isPending = async (name: string): Promise<void> => expect((await cluster.getPod(name)).spec.nodeName).toBeUndefined();
const announced = (name: string, nodeName: string): Promise<void> => eventually(async () => expect((await cluster.getPod(name)).status?.nominatedNodeName).toBe(nodeName));

describe("profiles", () => {
  test("a scheduler each, told apart in Events and metrics; pods of unknown ones are left alone", async () => {
    const second: ProfileConfiguration = { ...defaultProfile("packer"), pluginArgs: {} };
    const configuration: SchedulerConfiguration = { profiles: [defaultProfile(), second] };
    await start({ configuration });
    for (const [name, schedulerName] of [["one", "default-scheduler"], ["two", "packer"], ["three", "nobody"]] as const) await cluster.addPod(name, { schedulerName }, { cpu: "100m" });
    await cluster.nodeOf("one");
    await cluster.nodeOf("two");
    await isPending("three");
    await eventually(async () => {
      expect((await cluster.eventsOf("one")).map(({ reason, reportingComponent }) => [reason, reportingComponent])).toEqual([["Scheduled", "default-scheduler"]]);
      expect((await cluster.eventsOf("two")).map(({ reason, reportingComponent }) => [reason, reportingComponent])).toEqual([["Scheduled", "packer"]]);
    });
    await eventually(() => expect(cluster.metrics().render()).toContain('scheduler_schedule_attempts_total{result="scheduled",profile="packer"} 1\n'));
  });
  test("a plugin that doesn't exist is refused", async () => {
    await start();
    const broken = { ...defaultProfile(), plugins: { ...defaultProfile().plugins, filter: [{ name: "Missing" }] } };
    await expect(cluster.restart({ configuration: { profiles: [broken] } })).rejects.toThrow("Missing does not exist");
  });
});

describe("permit", () => {
  let handle: Handle;
  const gatekeeper = (timeout: number): Partial<SchedulerOptions> => withPlugin("Gatekeeper", (_, given) => {
    handle = given;
    return definePlugin({ name: "Gatekeeper", events: () => [], permit: ({ pod }) => (pod.metadata.labels?.wait ? waitFor(timeout) : undefined) });
  });
  const uidOf = async (name: string): Promise<string> => (await cluster.getPod(name)).metadata.uid!;
  const waits = (name: string) => eventually(async () => {
    const waiting = handle.waitingPods.get(await uidOf(name));
    expect(waiting?.nodeName).toBe("only");
    return waiting!;
  });
  const addWaiting = (name: string, cpu = "2") => cluster.addPod(name, {}, { cpu }, { wait: "yes" });

  test("holds a pod, whose room is taken, until it is allowed", async () => {
    await start(gatekeeper(60_000));
    await addWaiting("held");
    const waiting = await waits("held");
    expect(waiting.pendingPlugins).toEqual(["Gatekeeper"]);
    await announced("held", "only");
    await cluster.addPod("next");
    await cluster.says("next", "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.");
    await isPending("held");
    waiting.allow("Gatekeeper");
    expect(await cluster.nodeOf("held")).toBe("only");
  });
  test("rejects by its time-out, and gives the room back", async () => {
    await start(gatekeeper(50));
    await addWaiting("held");
    await cluster.says("held", "0/1 nodes are available: 1 rejected due to timeout after waiting 50ms at plugin Gatekeeper.");
    await cluster.addPod("next", {}, { cpu: "2" });
    await cluster.nodeOf("next");
    expect((await cluster.getPod("held")).status?.nominatedNodeName).toBeUndefined();
  });
  test("a waiting pod that is deleted gives its room back", async () => {
    await start(gatekeeper(60_000));
    await addWaiting("held");
    await waits("held");
    await cluster.addPod("next", {}, { cpu: "2" });
    await cluster.says("next", "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.");
    await cluster.removePod("held");
    expect(await cluster.nodeOf("next")).toBe("only");
  });
  test("a waiting victim isn't deleted, but goes back to the queue", async () => {
    await start(gatekeeper(60_000));
    await addWaiting("held");
    await waits("held");
    await cluster.client.create(priorityclasses, { metadata: { name: "urgent" }, value: 1000 });
    await cluster.addPod("first", { priorityClassName: "urgent" }, { cpu: "2" });
    expect(await cluster.nodeOf("first")).toBe("only");
    const held = await cluster.getPod("held");
    expect(held.metadata.deletionTimestamp).toBeUndefined();
    expect(held.spec.nodeName).toBeUndefined();
    await eventually(async () => expect((await cluster.eventsOf("held")).map(({ message }) => message)).toContainEqual(expect.stringContaining("on node only (in kube-scheduler memory).")));
  });
});

describe("before binding", () => {
  test("a rejection makes the pod unschedulable for now, and it is tried again", async () => {
    let calls = 0;
    await start(withPlugin("Slow", () => definePlugin({ name: "Slow", events: () => [], preBind: async () => (calls++ === 0 ? unschedulable("not yet") : undefined) })));
    await cluster.addPod("p");
    await cluster.says("p", "not yet");
    expect(await cluster.nodeOf("p")).toBe("only");
  });
  test("an error is a SchedulerError, and everything reserved is given back in reverse", async () => {
    const said: string[] = [];
    const plugin = (name: string, preBind?: () => Promise<Status | undefined>): PluginFactory => () => definePlugin({ name, events: () => [], reserve: () => void said.push(`${name} reserves`), unreserve: () => void said.push(`${name} unreserves`), ...(preBind ? { preBind } : {}) });
    let broken = true;
    const first = withPlugin("A", plugin("A"));
    const profile = first.configuration!.profiles[0]!;
    const both = Object.fromEntries(Object.entries(profile.plugins).map(([point, list]) => [point, [...list, { name: "B" }]])) as unknown as ProfileConfiguration["plugins"];
    await start({
      configuration: { profiles: [{ ...profile, plugins: both }] },
      plugins: { ...first.plugins, B: plugin("B", async () => { if (broken) throw new Error("no disk"); return undefined; }) },
    });
    await cluster.addPod("p", {}, { cpu: "2" });
    await cluster.says("p", 'running PreBind plugin "B": no disk', "SchedulerError");
    expect(said.slice(0, 4)).toEqual(["A reserves", "B reserves", "B unreserves", "A unreserves"]);
    broken = false;
    expect(await cluster.nodeOf("p")).toBe("only");
  });
  test("nobody is told of the node when nothing takes long", async () => {
    const patches: unknown[] = [];
    cluster = await startSchedulerCluster({
      ...withPlugin("Idle", () => definePlugin({ name: "Idle", preBindPreFlight: () => skip, preBind: async () => { throw new Error("must not run"); } })),
      wrap: (client) => ({ ...client, patch: (...call) => { patches.push(call); return client.patch(...call); } }),
    });
    await cluster.addNode("only");
    await cluster.addPod("p");
    await cluster.nodeOf("p");
    expect(patches).toEqual([]);
  });
  test("the next plugin binds what the first leaves", async () => {
    await start(withPlugin("Picky", () => definePlugin({ name: "Picky", bind: async () => skip })));
    await cluster.addPod("p");
    expect(await cluster.nodeOf("p")).toBe("only");
  });
  test("a pod in preBind that is preempted starts over", async () => {
    let aborted: unknown;
    await start(withPlugin("Slow", () => definePlugin({
      name: "Slow", events: () => [],
      preBind: ({ pod }, _, __, signal) => (pod.spec.priority ? Promise.resolve(undefined) : new Promise((__, reject) => signal.addEventListener("abort", () => reject((aborted = signal.reason))))),
    })));
    await cluster.addPod("slow", {}, { cpu: "2" });
    await announced("slow", "only");
    await cluster.client.create(priorityclasses, { metadata: { name: "urgent" }, value: 1000 });
    await cluster.addPod("first", { priorityClassName: "urgent" }, { cpu: "2" });
    expect(await cluster.nodeOf("first")).toBe("only");
    expect((aborted as Error).message).toBe("preempted by DefaultPreemption");
    expect((await cluster.getPod("slow")).metadata.deletionTimestamp).toBeUndefined();
  });
});

describe("a scheduler that stops", () => {
  const logged: unknown[][] = [];
  const log = { debug: () => undefined, info: () => undefined, warn: (...call: unknown[]) => logged.push(call), error: (...call: unknown[]) => logged.push(call) } as never;
  const never = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  beforeEach(() => logged.splice(0));

  test("leaves pods that wait to the next without a word", async () => {
    let inPreBind = 0;
    await start({ log, ...withPlugin("Slow", () => definePlugin({
      name: "Slow", permit: ({ pod }) => (pod.metadata.name === "held" ? waitFor(60_000) : undefined),
      preBind: (_, __, ___, signal) => (inPreBind++, never(signal)),
    })) });
    for (const name of ["held", "one", "two"]) await cluster.addPod(name, {}, { cpu: "100m" });
    await announced("held", "only");
    await eventually(() => expect(inPreBind).toBe(2));
    await cluster.stop();
    expect(logged).toEqual([]);
    for (const name of ["held", "one", "two"]) expect([await cluster.scheduled(name), await cluster.eventsOf(name)]).toEqual([undefined, []]);
  });

  test("begins no preBind any more", async () => {
    const announcing = Promise.withResolvers<void>(), stopping = Promise.withResolvers<void>();
    let began = false;
    await start({
      log, ...withPlugin("Slow", () => definePlugin({ name: "Slow", preBind: (_, __, ___, signal) => ((began = true), never(signal)) })),
      wrap: (client) => ({ ...client, patch: async (...call) => {
        announcing.resolve();
        await stopping.promise;
        return client.patch(...call);
      } }),
    });
    await cluster.addPod("p");
    await announcing.promise;
    const stopped = cluster.stop();
    stopping.resolve();
    await stopped;
    expect([began, logged]).toEqual([false, []]);
  });
});

describe("plugins that fail", () => {
  test.each([
    ["preFilter", 'running PreFilter plugin "Broken": a bug'], ["filter", 'running "Broken" filter plugin: a bug'], ["score", 'running Score plugins: plugin "Broken" failed with: a bug'],
    ["reserve", 'running Reserve plugin "Broken": a bug'], ["permit", 'running Permit plugin "Broken": a bug'],
  ] as const)("%s throws: that pod's attempt is an error, others go on", async (point, message) => {
    await start(withPlugin("Broken", () => definePlugin({
      name: "Broken",
      [point]: (given: { pod: { metadata: { name?: string } } }) => {
        if (given.pod.metadata.name === "bad") throw new Error("a bug");
        return point === "preFilter" ? { skip: true } : point === "score" ? 0 : undefined;
      },
    })), "a", "b");
    await cluster.addPod("bad", {}, { cpu: "100m" });
    await cluster.addPod("good", {}, { cpu: "100m" });
    await cluster.nodeOf("good");
    await eventually(async () => expect(await cluster.scheduled("bad")).toMatchObject({ status: "False", reason: "SchedulerError", message }));
    await eventually(() => expect(cluster.metrics().render()).toContain('scheduler_schedule_attempts_total{result="error",profile="default-scheduler"}'));
  });
});

describe("what wakes a pod", () => {
  const full = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";

  test("pods that scale down, gates, tolerations, labels of nodes and of namespaces", async () => {
    await start();
    await cluster.addPod("big", {}, { cpu: "2" });
    await cluster.nodeOf("big");
    await cluster.addPod("waiting");
    await cluster.says("waiting", full);
    await cluster.client.patch(pods, { namespace, name: "big" }, { type: "application/json-patch+json", body: [{ op: "replace", path: "/spec/containers/0/resources/requests/cpu", value: "1" }] }, { subresource: "resize" });
    await cluster.patchPod("big", { status: { containerStatuses: [{ name: "main", image: "web:1", imageID: "", ready: true, restartCount: 0, allocatedResources: { cpu: "1" }, resources: { requests: { cpu: "1" } } }] } }, "status");
    expect(await cluster.nodeOf("waiting")).toBe("only");

    await cluster.addPod("picky", { nodeSelector: { disk: "fast" } }, { memory: "1Mi" });
    await eventually(async () => expect((await cluster.scheduled("picky"))?.message).toContain("didn't match Pod's node affinity/selector"));
    await cluster.client.patch(nodes, { name: "only" }, { type: "application/merge-patch+json", body: { metadata: { labels: { disk: "fast" } } } });
    await cluster.nodeOf("picky");

    await cluster.client.patch(nodes, { name: "only" }, { type: "application/merge-patch+json", body: { spec: { taints: [{ key: "k", effect: "NoSchedule" }] } } });
    await cluster.addPod("shy", {}, { memory: "1Mi" });
    await eventually(async () => expect((await cluster.scheduled("shy"))?.message).toContain("had untolerated taint(s)"));
    await cluster.client.patch(pods, { namespace, name: "shy" }, { type: "application/json-patch+json", body: [{ op: "add", path: "/spec/tolerations/-", value: { key: "k", operator: "Exists" } }] });
    await cluster.nodeOf("shy");
    await cluster.client.patch(nodes, { name: "only" }, { type: "application/merge-patch+json", body: { spec: { taints: null } } });

    await cluster.addPod("friend", { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "db" } }, namespaceSelector: { matchLabels: { team: "data" } } }] } } }, { memory: "1Mi" });
    await eventually(async () => expect((await cluster.scheduled("friend"))?.message).toContain("didn't match pod affinity rules"));
    await cluster.patchPod("shy", { metadata: { labels: { app: "db" } } });
    await isPending("friend");
    await cluster.client.patch(namespaces, { name: namespace }, { type: "application/merge-patch+json", body: { metadata: { labels: { team: "data" } } } });
    expect(await cluster.nodeOf("friend")).toBe("only");
  });

  test("other kinds, when a plugin waits for them", async () => {
    await start(withPlugin("Claims", (_, { lister }) => {
      const claims = lister(persistentvolumeclaims);
      return definePlugin({
        name: "Claims", events: () => [{ resource: "PersistentVolumeClaim", actions: ["Add"], hint: (_pod, _old, claim) => (claim?.metadata.name === "wanted" ? "Queue" : "Skip") }],
        preFilter: () => (claims.get(`${namespace}/wanted`) ? { skip: true } : { rejected: pending("no claim") }),
      });
    }));
    await cluster.addPod("p");
    await cluster.says("p", "0/1 nodes are available: no claim. not found");
    const claim = (name: string) => cluster.client.create(persistentvolumeclaims, { metadata: { name, namespace }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } });
    await claim("other");
    await isPending("p");
    await claim("wanted");
    expect(await cluster.nodeOf("p")).toBe("only");
  });

  test("a pod that is going isn't tried", async () => {
    await start();
    await cluster.client.create(pods, { metadata: { name: "going", namespace, finalizers: ["example.com/hold"] }, spec: { schedulingGates: [{ name: "example.com/wait" }], containers: [{ name: "main", image: "web:1" }] } });
    await cluster.removePod("going");
    await cluster.client.patch(pods, { namespace, name: "going" }, { type: "application/json-patch+json", body: [{ op: "remove", path: "/spec/schedulingGates" }] });
    await eventually(async () => expect((await cluster.eventsOf("going")).map(({ reason, message }) => [reason, message])).toEqual([["FailedScheduling", `skip schedule deleting pod: ${namespace}/going`]]));
    await isPending("going");
    await cluster.patchPod("going", { metadata: { finalizers: null } });
  });
});

test("a bound pod has the labels of its node's place, and keeps the order of its conditions", async () => {
  await start();
  const place = { "topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1" };
  await cluster.addPod("p", { nodeSelector: place });
  await eventually(async () => expect(await cluster.scheduled("p")).toMatchObject({ status: "False" }));
  await cluster.patchPod("p", { status: { conditions: [await cluster.scheduled("p"), { type: "example.com/other", status: "True" }] } }, "status");
  await cluster.client.patch(nodes, { name: "only" }, { type: "application/merge-patch+json", body: { metadata: { labels: place } } });
  await cluster.nodeOf("p");
  const { metadata, status } = await cluster.getPod("p");
  expect(metadata.labels).toEqual({ app: "web", ...place });
  expect(status?.conditions?.map(({ type, status: value }) => [type, value])).toEqual([["PodScheduled", "True"], ["example.com/other", "True"]]);
});

test("metrics have kube-scheduler's names", async () => {
  await start({ random: () => 0 });
  await cluster.addPod("p");
  await cluster.nodeOf("p");
  await cluster.addPod("gated", { schedulingGates: [{ name: "example.com/wait" }] });
  await eventually(() => {
    const text = cluster.metrics().render();
    for (const line of [
      'scheduler_pending_pods{queue="gated"} 1', 'scheduler_pending_pods{queue="active"} 0', 'scheduler_cache_size{type="nodes"} 1', 'scheduler_cache_size{type="pods"} 1',
      "scheduler_pod_scheduling_attempts_count 1", 'scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"} 1',
      'scheduler_scheduling_attempt_duration_seconds_count{result="scheduled",profile="default-scheduler"} 1',
      'scheduler_framework_extension_point_duration_seconds_count{extension_point="Filter",status="Success",profile="default-scheduler"} 1',
      'scheduler_plugin_execution_duration_seconds_count{plugin="NodeResourcesFit",extension_point="Filter",status="Success"} 1',
      'scheduler_plugin_execution_duration_seconds_count{plugin="DefaultBinder",extension_point="Bind",status="Success"} 1',
      'scheduler_unschedulable_pods{plugin="SchedulingGates",profile="default-scheduler"} 1',
      'scheduler_queue_incoming_pods_total{queue="active",event="UnschedulablePodAdd"} 1',
    ]) expect(text).toContain(`${line}\n`);
  });
});
