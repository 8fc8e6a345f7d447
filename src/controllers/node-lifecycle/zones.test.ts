import { describe, expect, test } from "bun:test";
import { Zones, zoneState } from "./zones.ts";

test.each([[0, 0, "Normal"], [0, 1, "FullDisruption"], [1, 2, "Normal"], [1, 3, "PartialDisruption"], [3, 3, "Normal"], [4, 5, "PartialDisruption"], [9, 0, "Normal"]] as const)("%p ready, %p not: %s", (ready, notReady, expected) =>
  expect(zoneState(ready, notReady)).toBe(expected));

/** A zone `a` of so many nodes: `r0`… ready, `x0`… not. */
function zonesOf(ready: number, notReady: number, zone = "a", zones = new Zones()): Zones {
  for (let i = 0; i < ready; i++) zones.track(`${zone}-r${i}`, { zone, ready: true, counts: true });
  for (let i = 0; i < notReady; i++) zones.track(`${zone}-x${i}`, { zone, ready: false, counts: true });
  return zones;
}

describe("turns", () => {
  test("one in ten seconds, in order", () => {
    const zones = zonesOf(8, 3);
    zones.evaluate(0);
    expect(["a-x0", "a-x1", "a-x2"].map((name) => zones.admit(name, 0))).toEqual([0, 10_000, 20_000]);
    zones.taken("a-x0", 0);
    expect(["a-x1", "a-x2"].map((name) => zones.admit(name, 4000))).toEqual([6000, 16_000]);
    zones.dismiss("a-x1");
    expect(zones.admit("a-x2", 10_000)).toBe(0);
  });

  test("of each zone for itself", () => {
    const zones = zonesOf(3, 1, "b", zonesOf(3, 1));
    zones.evaluate(0);
    expect([zones.admit("a-x0", 0), zones.admit("b-x0", 0)]).toEqual([0, 0]);
  });

  test("none in a small zone that is disrupted, until it recovers", () => {
    const zones = zonesOf(2, 3);
    zones.evaluate(0);
    expect([zones.stateOf("a"), zones.admit("a-x0", 0)]).toEqual(["PartialDisruption", Infinity]);
    zones.track("a-x1", { zone: "a", ready: true, counts: true });
    expect(zones.evaluate(5000)).toEqual({ wake: ["a-x0"], resumed: false });
    expect(zones.admit("a-x0", 5000)).toBe(10_000);
  });

  test("one in a hundred seconds in a large one", () => {
    const zones = zonesOf(20, 40);
    zones.evaluate(0);
    expect([zones.admit("a-x0", 0), zones.admit("a-x1", 0)]).toEqual([0, 100_000]);
  });
});

test("when nobody answers nothing is evicted, and those that are silent have to wait when somebody does again", () => {
  const zones = zonesOf(0, 2, "b", zonesOf(0, 1));
  expect(zones.evaluate(0)).toEqual({ wake: ["a-x0", "b-x0", "b-x1"], resumed: false });
  expect([zones.stopped, zones.admit("b-x0", 0)]).toEqual([true, Infinity]);
  zones.track("a-x0", { zone: "a", ready: true, counts: true });
  expect(zones.evaluate(60_000).resumed).toBe(true);
  expect([zones.stopped, zones.stateOf("b"), zones.admit("b-x0", 60_000)]).toEqual([false, "FullDisruption", 10_000]);
});

test("nodes that don't count don't disrupt", () => {
  const zones = zonesOf(1, 0);
  for (let i = 0; i < 5; i++) zones.track(`out${i}`, { zone: "a", ready: false, counts: false });
  zones.evaluate(0);
  expect([zones.stateOf("a"), zones.admit("out0", 0)]).toEqual(["Normal", 0]);
});

test("nodes come, change and go", () => {
  const zones = zonesOf(1, 1);
  expect(zones.track("a-x0", { zone: "a", ready: false, counts: true })).toBe(false);
  expect(zones.track("a-x0", { zone: "b", ready: false, counts: true })).toBe(true);
  zones.evaluate(0);
  expect([zones.stateOf("a"), zones.stateOf("b"), zones.stopped]).toEqual(["Normal", "FullDisruption", false]);
  zones.track("a-x0", undefined);
  zones.evaluate(0);
  expect(zones.stateOf("b")).toBeUndefined();
});
