import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { ActiveTime } from "./active-time.ts";
import type { Pod } from "./pod.ts";

const podOf = (creationTimestamp?: string): Pod => ({ metadata: { name: "p", ...(creationTimestamp ? { creationTimestamp } : {}) }, spec: { containers: [] } });
const hour = 3_600_000;

test.each([
  ["began an hour ago", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", hour],
  ["began later, as the clock was set back since", "2026-01-01T03:00:00Z", "2026-01-01T00:00:00Z", 0],
  ["began in 1970, as the clock said then", "1970-01-01T00:00:00Z", "2026-01-01T00:30:00Z", hour / 2],
  ["began in 1970, and only its node knows it", "1970-01-01T00:00:00Z", undefined, Date.parse("2026-01-01T01:00:00Z")],
])("a pod that %s", (_, startTime, creationTimestamp, expected) => {
  expect(new ActiveTime(new FakeClock(Date.parse("2026-01-01T01:00:00Z"))).of(podOf(creationTimestamp), startTime)).toBe(expected);
});

test("goes on by time that passes", async () => {
  const clock = new FakeClock(0);
  const active = new ActiveTime(clock);
  expect(active.of(podOf(), "1970-01-01T00:00:00Z")).toBe(0);
  clock.jump(56 * 365 * 24 * hour);
  await clock.advance(1000);
  expect(active.of(podOf(), "1970-01-01T00:00:00Z")).toBe(1000);
  clock.jump(-24 * hour);
  await clock.advance(1000);
  expect(active.of(podOf(), "1970-01-01T00:00:00Z")).toBe(2000);
});
