import { expect, test } from "bun:test";
import { Backoff, crashLoopLimits } from "./backoff.ts";

test("the first restart is free, then 10 s doubling to 300 s, forgotten after ten good minutes", () => {
  const backoff = new Backoff(crashLoopLimits);
  let now = 0;
  const waits: number[] = [];
  for (let crash = 0; crash < 8; crash++) {
    now += 1000;
    waits.push(backoff.remaining("a", now, now) / 1000);
    const finishedAt = now;
    now += backoff.remaining("a", now, now);
    backoff.next("a", finishedAt, now);
  }
  expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  now += 600_001;
  expect(backoff.remaining("a", now, now)).toBe(0);
  backoff.next("a", now, now);
  expect(backoff.remaining("a", now, now)).toBe(10_000);
});

test("keys are apart, and forgotten by prefix", () => {
  const backoff = new Backoff(crashLoopLimits);
  backoff.next("u/a", 0, 0);
  backoff.next("v/a", 0, 0);
  backoff.forget("u/");
  expect([backoff.remaining("u/a", 0, 0), backoff.remaining("v/a", 0, 4000)]).toEqual([0, 6000]);
});

test("a clock that is set back by an hour keeps nothing waiting for an hour", () => {
  const backoff = new Backoff(crashLoopLimits);
  const hour = 3_600_000;
  backoff.next("a", hour, hour);
  expect(backoff.remaining("a", hour + 2000, hour + 2500)).toBe(9500);
  expect(backoff.remaining("a", hour + 2000, 2500)).toBe(0);
  backoff.next("a", hour + 2000, 2500);
  expect(backoff.remaining("a", 4000, 4000)).toBe(20_000);
});
