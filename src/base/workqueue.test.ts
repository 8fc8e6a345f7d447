import { expect, test } from "bun:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { DelayHeap } from "./delay-heap.ts";
import { Workqueue } from "./workqueue.ts";

const newQueue = (): { clock: FakeClock; queue: Workqueue } => {
  const clock = new FakeClock();
  return { clock, queue: new Workqueue({ clock }) };
};

test("a key added twice before it is taken is handed out once", async () => {
  const { queue } = newQueue();
  queue.add("a");
  queue.add("b");
  queue.add("a");
  expect([await queue.get(), await queue.get(), queue.length]).toEqual(["a", "b", 0]);
});

test("a key added while it is worked on waits for done", async () => {
  const { queue } = newQueue();
  queue.add("a");
  await queue.get();
  queue.add("a");
  queue.add("a");
  expect(queue.length).toBe(0);
  queue.done("a");
  expect(await queue.get()).toBe("a");
  queue.done("a");
  expect(queue.idle).toBe(true);
});

test("a waiting get is served by the next add", async () => {
  const { queue } = newQueue();
  const taken = [queue.get(), queue.get()];
  queue.add("a");
  queue.add("b");
  expect(await Promise.all(taken)).toEqual(["a", "b"]);
});

test("failures back off from 5 ms, doubling, until forgotten", async () => {
  const { clock, queue } = newQueue();
  for (const delay of [5, 10, 20]) {
    queue.addRateLimited("a");
    await clock.advance(delay - 1);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    queue.done((await queue.get())!);
  }
  expect(queue.failures("a")).toBe(3);
  queue.forget("a");
  queue.addRateLimited("a");
  await clock.advance(5);
  expect(queue.length).toBe(1);
});

test("delayed keys share one timer, and the earliest time of a key counts", async () => {
  const { clock, queue } = newQueue();
  queue.addAfter("late", 100);
  queue.addAfter("early", 10);
  queue.addAfter("late", 50);
  queue.addAfter("early", 500);
  await clock.advance(0);
  expect(clock.sleeping).toBe(1);
  await clock.advance(10);
  expect(queue.length).toBe(1);
  await clock.advance(40);
  expect(queue.length).toBe(2);
  await clock.advance(1000);
  expect(queue.length).toBe(2);
});

test("a delay is time that passes: setting the clock neither shortens nor stretches it", async () => {
  const { clock, queue } = newQueue();
  queue.addAfter("a", 60_000);
  clock.jump(-3_600_000);
  await clock.advance(59_999);
  expect(queue.length).toBe(0);
  clock.jump(7_200_000);
  await clock.advance(1);
  expect(queue.length).toBe(1);
});

test("a wall time is kept when the clock is set on or back, and needs no timer longer than one can be", async () => {
  const { clock, queue } = newQueue();
  const day = 86_400_000;
  queue.addAt("a", clock.now() + 40 * day);
  await clock.advance(day);
  expect(queue.length).toBe(0);
  clock.jump(-day);
  await clock.advance(40 * day - 1);
  expect(queue.length).toBe(0);
  await clock.advance(1);
  expect(queue.length).toBe(1);
  queue.addAt("b", clock.now() + day);
  clock.jump(day);
  await clock.advance(30_000);
  expect(queue.length).toBe(2);
});

test("shutDown hands out what is ready, drops what is delayed, takes nothing new", async () => {
  const { clock, queue } = newQueue();
  queue.add("a");
  queue.addAfter("b", 10);
  queue.shutDown();
  queue.add("c");
  expect(await queue.get()).toBe("a");
  expect(await queue.get()).toBeUndefined();
  await clock.advance(20);
  expect(clock.sleeping).toBe(0);
  expect(await queue.get()).toBeUndefined();
});

test("the heap gives keys by time", () => {
  const heap = new DelayHeap<number>();
  const times = Array.from({ length: 200 }, (_, i) => (i * 7919) % 1009);
  times.forEach((at, key) => heap.add(key, at + 1));
  times.forEach((at, key) => heap.add(key, at));
  expect(heap.due(500).map((key) => times[key]!)).toEqual(times.filter((at) => at <= 500).toSorted((a, b) => a - b));
  expect(heap.size).toBe(times.filter((at) => at > 500).length);
});
