import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { internalError } from "../../src/apimachinery/status.ts";
import { events, namespaces, nodes, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Event, Node, Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { startRegistry, type RegistryFixture } from "../../src/registry/testing/fixture.ts";
import { createScheduler } from "../../src/scheduler/scheduler.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "shop";
const afterPreemption = (nodes: number, reasons: string): string => ` no new claims to deallocate, preemption: 0/${nodes} nodes are available: ${reasons}.`;

describe("scheduler over the registry", () => {
  let fixture: RegistryFixture;
  let stop: AbortController;
  let running: Promise<void>;
  /** So many bindings will fail. */
  let failing: number;

  beforeEach(async () => {
    fixture = await startRegistry();
    stop = new AbortController();
    await fixture.client.create(namespaces, { metadata: { name: namespace }, spec: {} });
    await fixture.client.create(serviceaccounts, { metadata: { name: "default", namespace } });
    const recorder = createEventRecorder({ client: fixture.client, events, component: "default-scheduler", clock: systemClock }, stop.signal);
    failing = 0;
    running = createScheduler({ client: { ...fixture.client, createSubresource: async (...call) => {
      if (failing-- > 0) throw internalError(new Error("the disk is full"));
      return fixture.client.createSubresource(...call) as never;
    } }, informers: fixture.informers, recorderFor: () => recorder, clock: systemClock }).run(stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await fixture[Symbol.asyncDispose]();
  });

  /** As a node is once it is ready: with room, and without the taint that new nodes have. */
  async function addNode(name: string, { cpu = "2", taints = [], ...spec }: { cpu?: string } & Node["spec"] = {}): Promise<void> {
    const { client } = fixture;
    const type = "application/merge-patch+json" as const;
    await client.create(nodes, { metadata: { name, labels: { "kubernetes.io/hostname": name } }, spec });
    const room = { cpu, memory: "4Gi", pods: "10" };
    await client.patch(nodes, { name }, { type, body: { status: { capacity: room, allocatable: room } } }, { subresource: "status" });
    await client.patch(nodes, { name }, { type, body: { spec: { taints } } });
  }
  const addPod = (name: string, spec: Partial<PodSpec> = {}, cpu = "1"): Promise<Frozen<Pod>> =>
    fixture.client.create(pods, { metadata: { name, namespace, labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "web:1", resources: { requests: { cpu } } }], ...spec } });
  const getPod = (name: string): Promise<Frozen<Pod>> => fixture.client.get(pods, { namespace, name });
  const nodeOf = (name: string): Promise<string> => eventually(async () => {
    const { nodeName } = (await getPod(name)).spec;
    expect(nodeName).toBeString();
    return nodeName!;
  });
  const saysOf = (name: string, message: string): Promise<void> => eventually(async () => {
    const condition = (await getPod(name)).status?.conditions?.find(({ type }) => type === "PodScheduled");
    expect(condition).toMatchObject({ status: "False", reason: "Unschedulable", message });
  });
  const eventsOf = async (name: string): Promise<Frozen<Event>[]> => (await fixture.client.list(events, { namespace })).items.filter(({ involvedObject }) => involvedObject.name === name);

  test("spreads pods over nodes, and says so", async () => {
    for (const name of ["a", "b", "c"]) await addNode(name);
    for (const name of ["p1", "p2", "p3"]) await addPod(name);
    const placed = await Promise.all(["p1", "p2", "p3"].map(nodeOf));
    expect(placed.toSorted()).toEqual(["a", "b", "c"]);
    expect((await getPod("p1")).status?.conditions?.map(({ type, status }) => [type, status])).toEqual([["PodScheduled", "True"]]);
    await eventually(async () => expect(await eventsOf("p1")).toMatchObject([{
      type: "Normal", reason: "Scheduled", message: `Successfully assigned shop/p1 to ${placed[0]}`, reportingComponent: "default-scheduler",
    }]));
  });

  test("explains a pod that fits nowhere, and binds it when a node comes", async () => {
    await addPod("first");
    await saysOf("first", "no nodes available to schedule pods");
    await addNode("small", { cpu: "500m" });
    await addNode("cordoned", { unschedulable: true });
    await addNode("tainted", { taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] });
    await saysOf("first", `0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.${afterPreemption(3, "3 Preemption is not helpful for scheduling")}`);
    await addNode("big");
    expect(await nodeOf("first")).toBe("big");
    const failures = await eventually(async () => {
      const all = (await eventsOf("first")).filter(({ reason }) => reason === "FailedScheduling");
      expect(all.length).toBeGreaterThan(1);
      return all;
    });
    expect(new Set(failures.map(({ message }) => message)).size).toBe(failures.length);
  });

  test("binds a waiting pod when another goes, and when another ends", async () => {
    await addNode("only");
    await addPod("full", {}, "2");
    await nodeOf("full");
    await addPod("next", {}, "2");
    await saysOf("next", `0/1 nodes are available: 1 Insufficient cpu.${afterPreemption(1, "1 No preemption victims found for incoming pod")}`);
    await fixture.client.delete(pods, { namespace, name: "full" }, { gracePeriodSeconds: 0 });
    expect(await nodeOf("next")).toBe("only");
    await addPod("last", {}, "2");
    await saysOf("last", `0/1 nodes are available: 1 Insufficient cpu.${afterPreemption(1, "1 No preemption victims found for incoming pod")}`);
    await fixture.client.patch(pods, { namespace, name: "next" }, { type: "application/merge-patch+json", body: { status: { phase: "Succeeded" } } }, { subresource: "status" });
    expect(await nodeOf("last")).toBe("only");
  });

  test("leaves gated pods and those of other schedulers alone, until the gates are gone", async () => {
    await addNode("only");
    await addPod("gated", { schedulingGates: [{ name: "example.com/wait" }] });
    await addPod("foreign", { schedulerName: "other" });
    await addPod("plain", {}, "100m");
    await nodeOf("plain");
    await eventually(async () => expect((await getPod("gated")).status?.conditions?.[0]).toMatchObject({ type: "PodScheduled", reason: "SchedulingGated" }));
    expect((await getPod("foreign")).spec.nodeName).toBeUndefined();
    await fixture.client.patch(pods, { namespace, name: "gated" }, { type: "application/json-patch+json", body: [{ op: "remove", path: "/spec/schedulingGates" }] });
    expect(await nodeOf("gated")).toBe("only");
  });

  test("a binding that fails gives the room back, is told, and tried again", async () => {
    await addNode("only");
    failing = 1;
    await addPod("unlucky", {}, "2");
    await eventually(async () => {
      const condition = (await getPod("unlucky")).status?.conditions?.find(({ type }) => type === "PodScheduled");
      expect(condition).toMatchObject({ status: "False", reason: "SchedulerError", message: 'running Bind plugin "DefaultBinder": Internal error occurred: the disk is full' });
    });
    expect(await nodeOf("unlucky")).toBe("only");
    expect((await getPod("unlucky")).status?.conditions?.map(({ type, status }) => [type, status])).toEqual([["PodScheduled", "True"]]);
  });

  test("never puts more on a node than fits, however fast pods come", async () => {
    for (const name of ["a", "b", "c"]) await addNode(name);
    await Promise.all(Array.from({ length: 30 }, (_, i) => addPod(`p${i}`, {}, "500m")));
    await eventually(async () => {
      const { items } = await fixture.client.list(pods, { namespace });
      const on = (name: string): number => items.filter(({ spec }) => spec.nodeName === name).length;
      expect(["a", "b", "c"].map(on)).toEqual([4, 4, 4]);
      expect(items.filter(({ status }) => status?.conditions?.[0]?.reason === "Unschedulable").length).toBe(18);
    });
  });

  test("when it starts, counts the pods that are there", async () => {
    stop.abort();
    await running;
    await addNode("only");
    await addPod("there", { nodeName: "only" }, "1500m");
    await addPod("waiting");
    stop = new AbortController();
    running = createScheduler({ client: fixture.client, informers: fixture.informers, recorderFor: () => ({ event: () => undefined }), clock: systemClock }).run(stop.signal);
    await saysOf("waiting", `0/1 nodes are available: 1 Insufficient cpu.${afterPreemption(1, "1 No preemption victims found for incoming pod")}`);
  });
});
