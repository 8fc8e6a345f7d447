import { describe, expect, test } from "bun:test";
import { FakeClock, settle } from "../../test/support/fake-clock.ts";
import type { ClusterEvent, EventInterest } from "./cluster-events.ts";
import { unresolvable, type AnyPlugin } from "./framework.ts";
import { PodNominator } from "./nominator.ts";
import { prioritySort } from "./plugins/priority-sort.ts";
import { schedulingGates } from "./plugins/scheduling-gates.ts";
import { podInfo } from "./pod-info.ts";
import type { PluginSet } from "./profile.ts";
import { SchedulingQueue } from "./queue.ts";
import type { QueuedPod } from "./queued-pod.ts";
import { createSchedulerMetrics } from "./scheduler-metrics.ts";
import { createMetrics } from "../base/metrics.ts";
import { node, pod, type PodShape } from "./testing/cluster.ts";

const nodeAdded: ClusterEvent = { resource: "Node", action: "Add", current: node("n") };
const nodeRelabelled: ClusterEvent = { resource: "Node", action: "UpdateNodeLabel", old: node("n"), current: node("n") };
const podDeleted: ClusterEvent = { resource: "AssignedPod", action: "Delete", old: pod("other") };

const fit = new Set(["Fit"]);
const nobody = new Set<string>();

function start({ plugins = [], interests = {}, backoff }: { plugins?: AnyPlugin[]; interests?: Record<string, readonly EventInterest[] | undefined>; backoff?: { initial: number; max: number } } = {}) {
  const clock = new FakeClock();
  const preEnqueue = [schedulingGates, ...plugins];
  const of = new Map<string, readonly EventInterest[] | undefined>(Object.entries({ Fit: [{ resource: "Node", actions: ["Add"] }, { resource: "Pod", actions: ["UpdatePodLabel"] }], ...interests }));
  for (const plugin of preEnqueue) of.set(plugin.name, plugin.events?.());
  const nominator = new PodNominator();
  const registry = createMetrics();
  const queue = new SchedulingQueue({
    clock, nominator, metrics: createSchedulerMetrics(registry), sort: prioritySort.queueSort!, ...(backoff ? { backoff } : {}),
    profiles: new Map([["default-scheduler", { plugins: { preEnqueue } as unknown as PluginSet, interests: of }]]),
  });
  /** The names of all that are ready, taken in order and left taken. */
  async function ready(): Promise<string[]> {
    queue.add(pod("last", { priority: -1000 }));
    const names: string[] = [];
    for (let entry = await queue.take(); entry!.uid !== "last"; entry = await queue.take()) names.push(entry!.uid);
    queue.remove("last");
    return names;
  }
  const take = async (name: string, shape: PodShape = {}): Promise<QueuedPod> => {
    queue.add(pod(name, shape));
    return (await queue.take())!;
  };
  return { clock, queue, ready, take, nominator, registry };
}

describe("the scheduling queue", () => {
  test("goes by priority, then age", async () => {
    const { clock, queue, ready } = start();
    queue.add(pod("low", { priority: 1 }));
    queue.add(pod("high", { priority: 10 }));
    await clock.advance(5);
    queue.add(pod("late", { priority: 10 }));
    queue.add(pod("gone", { priority: 20 }));
    queue.remove("gone");
    expect(await ready()).toEqual(["high", "late", "low"]);
  });
  test("wakes who waits, and lets go when closed", async () => {
    const { queue } = start();
    const taking = queue.take();
    queue.add(pod("p"));
    expect((await taking)!.uid).toBe("p");
    const waiting = queue.take();
    await settle();
    queue.close();
    expect(await waiting).toBeUndefined();
  });
  test("a rejected pod waits for a change that may help", async () => {
    const { clock, queue, ready, take } = start();
    queue.reject(await take("p"), fit, nobody);
    queue.moveOn(nodeRelabelled);
    await clock.advance(60_000);
    expect(await ready()).toEqual([]);
    queue.moveOn(nodeAdded);
    expect(await ready()).toEqual(["p"]);
  });
  test("a hint has the last word, and one that throws stands for yes", async () => {
    const hints = { Fit: [{ resource: "Node" as const, actions: ["Add" as const], hint: (_: unknown, __: unknown, current?: { metadata: { name?: string } }) => (current?.metadata.name === "n" ? "Skip" as const : "Queue" as const) }] };
    const { queue, ready, take, clock } = start({ interests: { ...hints, Broken: [{ resource: "Node", actions: ["Add"], hint: () => { throw new Error("bug"); } }] } });
    queue.reject(await take("p"), fit, nobody);
    queue.reject(await take("q"), new Set(["Broken"]), nobody);
    await clock.advance(60_000);
    queue.moveOn(nodeAdded);
    expect(await ready()).toEqual(["q"]);
    queue.moveOn({ ...nodeAdded, current: node("other") });
    expect(await ready()).toEqual(["p"]);
  });
  test("any change helps against a plugin that names none", async () => {
    const { queue, take } = start({ interests: { Silent: undefined } });
    queue.reject(await take("p"), new Set(["Silent"]), nobody);
    queue.moveOn(podDeleted);
    expect((await queue.take())!.uid).toBe("p");
  });
  test("when something went wrong, the back-off doubles from 1 s to 10 s", async () => {
    const { clock, queue, ready, take } = start();
    const entry = await take("p");
    for (const delay of [1000, 2000, 4000, 8000, 10_000, 10_000]) {
      queue.retryLater(entry);
      await clock.advance(delay - 1);
      expect(await ready()).toEqual([]);
      await clock.advance(1);
      expect(await ready()).toEqual(["p"]);
    }
  });
  test("a rejected pod in back-off comes after the others, before its time when there are none", async () => {
    const { queue, ready, take } = start();
    queue.reject(await take("p", { priority: 5 }), fit, nobody);
    queue.moveOn(nodeAdded);
    queue.add(pod("q"));
    expect(queue.sizes()).toMatchObject({ active: 1, backoff: 1 });
    expect((await queue.take())!.uid).toBe("q");
    expect((await queue.take())!.uid).toBe("p");
    expect(await ready()).toEqual([]);
  });
  test("the back-off is as configured; none at all when its longest is 0", async () => {
    const slow = start({ backoff: { initial: 4000, max: 5000 } });
    const entry = await slow.take("p");
    for (const delay of [4000, 5000]) {
      slow.queue.retryLater(entry);
      expect(entry.until).toBe(slow.clock.monotonic() + delay);
    }
    const none = start({ backoff: { initial: 1000, max: 0 } });
    none.queue.retryLater(await none.take("p"));
    expect(await none.ready()).toEqual(["p"]);
  });
  test("who waits for a plugin that has set something going skips the back-off", async () => {
    const { queue, take } = start();
    queue.reject(await take("p"), fit, fit);
    queue.moveOn(nodeAdded);
    expect(queue.sizes()).toMatchObject({ active: 1, backoff: 0 });
  });
  test("gets another look after five minutes; nothing is timed before there is a reason", async () => {
    const { clock, queue, ready, take } = start();
    const entry = await take("p");
    expect(clock.sleeping).toBe(0);
    queue.reject(entry, fit, nobody);
    await clock.advance(299_000);
    expect(await ready()).toEqual([]);
    await clock.advance(1000);
    expect(await ready()).toEqual(["p"]);
    expect(entry.flushed).toBe(true);
    expect(clock.sleeping).toBe(0);
  });
  test("a change of the pod itself may help, what is written of it doesn't", async () => {
    const { clock, queue, ready, take } = start();
    queue.reject(await take("p"), fit, nobody);
    await clock.advance(1000);
    queue.update(pod("p"), pod("p"));
    expect(await ready()).toEqual([]);
    queue.update(pod("p"), pod("p", { labels: { a: "b" } }));
    expect(await ready()).toEqual(["p"]);
  });
  test("what happens while a pod is tried isn't lost on it, and not kept longer", async () => {
    const { queue, take, ready } = start();
    const [first, second] = [await take("first"), await take("second")];
    queue.moveOn(nodeAdded);
    queue.done(first);
    const third = await take("third");
    queue.reject(second, fit, nobody);
    queue.reject(third, fit, nobody);
    expect(queue.sizes()).toMatchObject({ backoff: 1, unschedulable: 1 });
    expect(await ready()).toEqual([]);
    expect((await queue.take())!.uid).toBe("second");
  });
  test("a gated pod comes when its gates are gone", async () => {
    const { queue, ready } = start();
    queue.add(pod("p", { schedulingGates: [{ name: "g" }] }));
    queue.moveOn(nodeAdded);
    expect(await ready()).toEqual([]);
    expect(queue.sizes()).toMatchObject({ gated: 1 });
    queue.update(pod("p", { schedulingGates: [{ name: "g" }] }), pod("p"));
    expect(await ready()).toEqual(["p"]);
  });
  test("a plugin keeps a rejected pod out until its own events", async () => {
    let open = false;
    const keeper: AnyPlugin = { name: "Keeper", events: () => [{ resource: "Pod", actions: ["Delete"], hint: () => "Skip" }], preEnqueue: () => (open ? undefined : unresolvable("wait")) };
    const { queue, ready, take } = start({ plugins: [keeper], interests: { Fit: [{ resource: "Pod", actions: ["Delete"] }, { resource: "Node", actions: ["Add"] }] } });
    open = true;
    const entry = await take("p");
    open = false;
    queue.reject(entry, fit, nobody);
    queue.moveOn(podDeleted);
    expect(queue.sizes()).toMatchObject({ gated: 1 });
    open = true;
    queue.moveOn(nodeAdded);
    expect(await ready()).toEqual([]);
    queue.moveOn(podDeleted);
    expect((await queue.take())!.uid).toBe("p");
  });
  test("when what was done for a pod has failed, it waits out a back-off and no more", async () => {
    const { queue, take, clock, ready } = start();
    const [waiting, tried] = [await take("waiting"), await take("tried")];
    queue.reject(waiting, fit, nobody);
    for (const { pod: one } of [waiting, tried]) queue.backOff(one);
    expect(queue.sizes()).toMatchObject({ backoff: 1, taken: 1 });
    queue.reject(tried, fit, nobody);
    expect(queue.sizes()).toMatchObject({ backoff: 2 });
    // Not even with nothing else to do is it tried before.
    expect((await queue.take())!.uid).toBe("tried");
    expect(await ready()).toEqual([]);
    await clock.advance(1000);
    expect(await ready()).toEqual(["waiting"]);
  });
  test("a pod that left while it was tried stays away", async () => {
    const { clock, queue, ready, take } = start();
    const entry = await take("p");
    queue.remove("p");
    expect(queue.retryLater(entry)).toBe(false);
    await clock.advance(10_000);
    expect(await ready()).toEqual([]);
    expect(queue.size).toBe(0);
  });
  test("takes up nominations that pods bring", () => {
    const { queue, nominator } = start();
    queue.add({ ...pod("p"), status: { nominatedNodeName: "n" } });
    expect(nominator.on("n").map(({ uid }) => uid)).toEqual(["p"]);
    queue.remove("p");
    expect(nominator.size).toBe(0);
  });
  test("counts pods by what they wait for", async () => {
    const { queue, take, registry } = start();
    const entry = await take("p");
    queue.reject(entry, fit, nobody);
    expect(registry.render()).toContain('scheduler_unschedulable_pods{plugin="Fit",profile="default-scheduler"} 1\n');
    queue.remove("p");
    const text = registry.render();
    expect(text).toContain('scheduler_unschedulable_pods{plugin="Fit",profile="default-scheduler"} 0\n');
    expect(text).toContain('scheduler_queue_incoming_pods_total{queue="active",event="UnschedulablePodAdd"} 1\n');
    expect(text).toContain('scheduler_queue_incoming_pods_total{queue="unschedulable",event="ScheduleAttemptFailure"} 1\n');
  });
});

describe("nominations", () => {
  const nominated = (nominatedNodeName?: string) => ({ ...pod("p"), status: nominatedNodeName ? { nominatedNodeName } : {} });

  test("ours counts until the API says something of it", () => {
    const nominator = new PodNominator();
    nominator.set(podInfo(pod("p")), "a");
    nominator.update(nominated(), nominated());
    expect(nominator.nodeOf("p")).toBe("a");
    nominator.update(nominated(), nominated("b"));
    expect(nominator.nodeOf("p")).toBe("b");
    nominator.update(nominated("b"), nominated());
    expect(nominator.size).toBe(0);
  });
  test("an empty name takes it back", () => {
    const nominator = new PodNominator();
    nominator.set(podInfo(nominated("a")));
    expect(nominator.nodeOf("p")).toBe("a");
    nominator.set(podInfo(nominated("a")), "");
    expect(nominator.on("a")).toEqual([]);
  });
});
