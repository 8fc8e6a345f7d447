import { describe, expect, test } from "bun:test";
import { FakeClock, settle } from "../../test/support/fake-clock.ts";
import { SchedulingQueue } from "./queue.ts";
import { pod, type PodShape } from "./testing/cluster.ts";

function start() {
  const clock = new FakeClock();
  const queue = new SchedulingQueue({ clock, admits: ({ spec }) => !spec.schedulingGates?.length, mayHelp: ({ resource, action }, rejector) => resource === "Node" && action === "Add" && rejector === "Fit" });
  /** The names of all that are ready, taken in order and left taken. */
  async function ready(): Promise<string[]> {
    queue.add(pod("last", { priority: -1000 }));
    const names: string[] = [];
    for (let entry = await queue.take(); entry!.pod.metadata.name !== "last"; entry = await queue.take()) names.push(entry!.uid);
    queue.remove("last");
    return names;
  }
  const take = async (name: string, shape: PodShape = {}) => {
    queue.add(pod(name, shape));
    return (await queue.take())!;
  };
  return { clock, queue, ready, take };
}
const fit = new Set(["Fit"]);

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
  test("a rejected pod waits for a change that may help, and out its back-off", async () => {
    const { clock, queue, ready, take } = start();
    queue.reject(await take("p"), fit);
    queue.moveOn({ resource: "Node", action: "UpdateNodeLabel" });
    await clock.advance(60_000);
    expect(await ready()).toEqual([]);
    queue.moveOn({ resource: "Node", action: "Add" });
    expect(await ready()).toEqual(["p"]);
  });
  test("the back-off doubles from 1 s to 10 s", async () => {
    const { clock, queue, ready, take } = start();
    const entry = await take("p");
    for (const delay of [1000, 2000, 4000, 8000, 10_000, 10_000]) {
      queue.reject(entry, fit);
      queue.moveOn({ resource: "Node", action: "Add" });
      await clock.advance(delay - 1);
      expect(await ready()).toEqual([]);
      await clock.advance(1);
      expect(await ready()).toEqual(["p"]);
    }
  });
  test("gets another look after five minutes; nothing is timed before there is a reason", async () => {
    const { clock, queue, ready, take } = start();
    const entry = await take("p");
    expect(clock.sleeping).toBe(0);
    queue.reject(entry, fit);
    await clock.advance(299_000);
    expect(await ready()).toEqual([]);
    await clock.advance(1000);
    expect(await ready()).toEqual(["p"]);
    expect(clock.sleeping).toBe(0);
  });
  test("a change of the pod itself may help, what is written of it doesn't", async () => {
    const { clock, queue, ready, take } = start();
    queue.reject(await take("p"), fit);
    await clock.advance(1000);
    queue.update(pod("p"), false);
    expect(await ready()).toEqual([]);
    queue.update(pod("p", { labels: { a: "b" } }), true);
    expect(await ready()).toEqual(["p"]);
  });
  test("a gated pod comes when its gates are gone", async () => {
    const { queue, ready } = start();
    queue.add(pod("p", { schedulingGates: [{ name: "g" }] }));
    queue.moveOn({ resource: "Node", action: "Add" });
    expect(await ready()).toEqual([]);
    queue.update(pod("p"), true);
    expect(await ready()).toEqual(["p"]);
  });
  test("a pod that left while it was tried stays away", async () => {
    const { clock, queue, ready, take } = start();
    const entry = await take("p");
    queue.remove("p");
    queue.retryLater(entry);
    await clock.advance(10_000);
    expect(await ready()).toEqual([]);
    expect(queue.size).toBe(0);
  });
});
