import { describe, expect, test } from "bun:test";
import type { Pod } from "../apis/generated/core/v1.ts";
import { isPodActive, isPodAvailable, untilNextAvailable } from "./pod-status.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const ready = (secondsAgo: number | undefined, status: "True" | "False" = "True"): Pod => ({
  metadata: {}, spec: { containers: [] },
  status: { phase: "Running", conditions: [{ type: "Ready", status, ...(secondsAgo === undefined ? {} : { lastTransitionTime: new Date(now - secondsAgo * 1000).toISOString() }) }] },
});

describe("a pod is available", () => {
  for (const [name, pod, minReadySeconds, expected] of [
    ["as soon as it is ready", ready(0), 0, true],
    ["not when it isn't", ready(100, "False"), 0, false],
    ["once it has been for long enough", ready(10), 10, true],
    ["not a moment before", ready(9.9), 10, false],
    ["not when nobody knows since when", ready(undefined), 10, false],
    ["not yet, by a clock that is a little ahead", ready(-5), 10, false],
    ["when it was ready before the clock was set back an hour", ready(-3600), 10, true],
  ] as const) {
    test(name, () => expect(isPodAvailable(pod, minReadySeconds, now)).toBe(expected));
  }
});

test("the next pod to wait for is the one that is available first", () => {
  expect(untilNextAvailable([ready(2), ready(4), ready(100), ready(1, "False")], 10, now)).toBe(6000);
  expect(untilNextAvailable([ready(2)], 0, now)).toBeUndefined();
  expect(untilNextAvailable([ready(100), ready(-3600)], 10, now)).toBeUndefined();
});

test("finished pods and those that go count no more", () => {
  const active = (phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown", deletionTimestamp?: string): boolean => isPodActive({ metadata: { deletionTimestamp }, spec: { containers: [] }, status: { phase } });
  expect([active("Pending"), active("Running"), active("Unknown"), active("Succeeded"), active("Failed"), active("Running", "2026-01-01T12:00:00Z")]).toEqual([true, true, true, false, false, false]);
});
