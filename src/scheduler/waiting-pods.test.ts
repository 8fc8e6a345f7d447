import { describe, expect, test } from "bun:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { podInfo } from "./pod-info.ts";
import { pod } from "./testing/cluster.ts";
import { duration, WaitingPodsMap } from "./waiting-pods.ts";

describe("pods that permit plugins hold", () => {
  function hold(timeouts: Record<string, number>) {
    const clock = new FakeClock();
    const pods = new WaitingPodsMap(clock);
    const held = pods.hold(podInfo(pod("p")), "n", new Map(Object.entries(timeouts)));
    return { clock, pods, held, waiting: pods.get("p")! };
  }

  test("go on when all plugins allow it", async () => {
    const { clock, pods, held, waiting } = hold({ A: 1000, B: 2000 });
    waiting.allow("A");
    expect(waiting.pendingPlugins).toEqual(["B"]);
    await clock.advance(1500);
    waiting.allow("B");
    expect((await held).status).toBeUndefined();
    expect(pods.get("p")).toBeUndefined();
    expect(clock.sleeping).toBe(0);
  });
  test("are rejected by the first whose time is over", async () => {
    const { clock, held } = hold({ A: 90_000, B: 120_000 });
    await clock.advance(90_000);
    expect(await held).toEqual({ plugin: "A", status: { code: "Unschedulable", reasons: ["rejected due to timeout after waiting 1m30s at plugin A"] } });
    expect(clock.sleeping).toBe(0);
  });
  test("are decided on once", async () => {
    const { held, waiting, pods } = hold({ A: 1000 });
    expect(waiting.reject("A", "no")).toBe(true);
    expect(waiting.preempt("B", "preempted")).toBe(false);
    waiting.allow("A");
    expect((await held).status?.reasons).toEqual(["no"]);
    expect(pods.reject("p", "", "removed")).toBe(false);
  });
  test("that are preempted have done nothing wrong", async () => {
    const { held, waiting } = hold({ A: 1000 });
    waiting.preempt("DefaultPreemption", "preempted");
    expect((await held).status?.code).toBe("Error");
  });
  test.each([[0, "0s"], [50, "50ms"], [1500, "1.5s"], [60_000, "1m0s"], [3_600_000, "1h0m0s"], [3_725_000, "1h2m5s"]])("%d ms are %s", (ms, text) => expect(duration(ms)).toBe(text));
});
