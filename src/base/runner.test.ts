import { expect, test } from "bun:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { backoffDelay } from "./backoff.ts";
import { componentManager, type Component } from "./component.ts";
import { Runner } from "./runner.ts";

test("triggers during a run make one more run, not before minInterval", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const at: number[] = [];
  const begin = clock.now();
  const runner = new Runner({ clock, minInterval: 100, run: async () => {
    at.push(clock.now() - begin);
    if (at.length === 1) for (let i = 0; i < 5; i++) runner.trigger();
  } });
  const running = runner.run(stop.signal);
  await clock.advance(50);
  expect(at).toEqual([]);
  runner.trigger();
  await clock.advance(1000);
  expect(at).toEqual([50, 150]);
  stop.abort();
  await running;
});

test("a failing run is tried again with back-off", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const failures: number[] = [];
  let runs = 0;
  const runner = new Runner({ clock, minInterval: 1, retry: { base: 100, max: 1000 }, onError: (_, n) => failures.push(n), run: async () => {
    if (++runs <= 3) throw new Error("no");
  } });
  const running = runner.run(stop.signal);
  runner.trigger();
  await clock.advance(2000);
  expect({ runs, failures }).toEqual({ runs: 4, failures: [1, 2, 3] });
  stop.abort();
  await running;
});

test("maxInterval runs without a trigger", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let runs = 0;
  const runner = new Runner({ clock, minInterval: 1, maxInterval: 100, run: async () => void runs++ });
  const running = runner.run(stop.signal);
  await clock.advance(350);
  expect(runs).toBe(3);
  stop.abort();
  await running;
  expect(clock.sleeping).toBe(0);
});

test("back-off grows to its limit, jitter never passes it", () => {
  expect([0, 1, 2, 10, 1000].map((n) => backoffDelay(n, { base: 5, max: 1000 }))).toEqual([5, 10, 20, 1000, 1000]);
  expect(backoffDelay(1, { base: 5, max: 1000, jitter: 0.5, random: () => 0.5 })).toBe(12.5);
  expect(backoffDelay(20, { base: 5, max: 1000, jitter: 0.5, random: () => 1 })).toBe(1000);
});

test("components init in order, start in order, stop in reverse, also when one fails", async () => {
  const calls: string[] = [];
  const part = (name: string, fails = false): Component => ({
    name,
    init: async () => void calls.push(`init ${name}`),
    start: async () => {
      calls.push(`start ${name}`);
      if (fails) throw new Error("broken");
    },
    ready: async () => void calls.push(`ready ${name}`),
    stop: async () => void calls.push(`stop ${name}`),
  });
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const manager = componentManager([part("a"), part("b")], quiet);
  await manager.start(new AbortController().signal);
  await manager.stop();
  expect(calls).toEqual(["init a", "init b", "start a", "ready a", "start b", "ready b", "stop b", "stop a"]);
  calls.length = 0;
  await expect(componentManager([part("a"), part("b", true), part("c")], quiet).start(new AbortController().signal)).rejects.toThrow("broken");
  expect(calls).toEqual(["init a", "init b", "init c", "start a", "ready a", "start b", "stop b", "stop a"]);
});
