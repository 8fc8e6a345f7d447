import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logger } from "../../../src/base/log.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { Pod as PodObject } from "../../../src/apis/generated/core/v1.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { RuntimePod } from "../runtime/runtime-status.ts";
import { ResizeCheckpoints } from "./checkpoints.ts";
import { Resizer } from "./resizer.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-resize-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A node with room for so many thousandths of CPU. */
function nodeOf(capacity: number) {
  const events: string[] = [], woken: string[] = [], taken = new Map<string, number>();
  const recorder = { event: (_: unknown, __: unknown, reason: string, message: string) => events.push(`${reason}: ${message}`) } as unknown as EventRecorder;
  const milli = (pod: Readonly<PodObject>): number => Number.parseInt(String(pod.spec.containers[0]!.resources!.requests!["cpu"]), 10);
  const regrant = (pod: Readonly<PodObject>): string | undefined => {
    const others = [...taken].reduce((sum, [uid, amount]) => sum + (uid === pod.metadata.uid ? 0 : amount), 0);
    if (others + milli(pod) > capacity) return "Node didn't have enough resource: cpu";
    taken.set(pod.metadata.uid!, milli(pod));
    return undefined;
  };
  const clock = new FakeClock();
  const resizer = new Resizer({ checkpoints: new ResizeCheckpoints(directory, logger("test")), recorder, clock, regrant: regrant as never, wake: (uid) => woken.push(uid) });
  return { resizer, events, woken, taken, clock };
}

const podOf = (uid: string, cpu: string, generation = 1): PodObject => ({ metadata: { name: uid, namespace: "n", uid, generation }, spec: { containers: [{ name: "a", resources: { requests: { cpu } } }] } });
const cpuOf = (pod: { readonly spec: { readonly containers: readonly { readonly resources?: { readonly requests?: Readonly<Record<string, unknown>> } }[] } }) => pod.spec.containers[0]!.resources!.requests!["cpu"] as string;
const nothing: RuntimePod = { uid: "u", name: "", namespace: "", sandboxes: [], containers: [] };

test("a resize for which there is room is granted at once, and completed when nothing is left to be set", () => {
  const { resizer, events, woken, taken } = nodeOf(1000);
  taken.set("u", 100);
  resizer.observe(podOf("u", "100m"));
  const bigger = podOf("u", "200m", 2);
  resizer.observe(bigger);
  expect(resizer.granted(bigger)).toBe(bigger);
  expect(woken).toEqual(["u"]);
  expect(resizer.conditions("u")).toMatchObject([{ type: "PodResizeInProgress", status: "True", observedGeneration: 2 }]);
  resizer.settle(bigger, nothing);
  expect(resizer.conditions("u")).toEqual([]);
  expect(events).toEqual(['ResizeStarted: Pod resize started: {"containers":[{"name":"a","resources":{"requests":{"cpu":"200m"}}}],"generation":2}', 'ResizeCompleted: Pod resize completed: {"containers":[{"name":"a","resources":{"requests":{"cpu":"200m"}}}],"generation":2}']);
});

test("without room it is deferred: the pod stays as granted, is told of once, and gets it when another goes", () => {
  const { resizer, events, taken } = nodeOf(1000);
  taken.set("u", 100).set("v", 800);
  resizer.observe(podOf("u", "100m"));
  const bigger = podOf("u", "500m", 2);
  resizer.observe(bigger);
  resizer.retry();
  expect(cpuOf(resizer.granted(bigger))).toBe("100m");
  expect(resizer.conditions("u")).toMatchObject([{ type: "PodResizePending", status: "True", reason: "Deferred", message: "Node didn't have enough resource: cpu", observedGeneration: 2 }]);
  expect(events).toHaveLength(1);
  expect(events[0]).toStartWith("ResizeDeferred: Pod resize Deferred: {");
  taken.delete("v");
  resizer.retry();
  expect(cpuOf(resizer.granted(bigger))).toBe("500m");
  expect(resizer.conditions("u").map(({ type }) => type)).toEqual(["PodResizeInProgress"]);
});

test("a deferred resize that is taken back waits no longer", () => {
  const { resizer } = nodeOf(100);
  resizer.observe(podOf("u", "100m"));
  resizer.observe(podOf("u", "500m", 2));
  resizer.observe(podOf("u", "100m", 3));
  expect(resizer.conditions("u")).toEqual([]);
});

test("a kubelet that restarts knows what was granted: by its checkpoint, or by what the containers were made with", () => {
  const first = nodeOf(1000);
  first.taken.set("u", 100).set("v", 900);
  first.resizer.observe(podOf("u", "100m"));
  first.resizer.observe(podOf("u", "80m", 2));
  expect(readdirSync(directory)).toEqual(["u.json"]);
  const second = nodeOf(1000);
  second.taken.set("u", 80).set("v", 900);
  // Both were changed while nobody looked.
  second.resizer.adopt(podOf("u", "700m", 3), new Map([["a", { container: { requests: { cpu: "100m" } } }]]));
  second.resizer.adopt(podOf("v", "950m", 2), new Map([["a", { container: { requests: { cpu: "900m" } } }]]));
  expect([cpuOf(second.resizer.granted(podOf("u", "700m", 3))), cpuOf(second.resizer.granted(podOf("v", "950m", 2)))]).toEqual(["80m", "900m"]);
  second.resizer.retry();
  expect([cpuOf(second.resizer.granted(podOf("u", "700m", 3))), cpuOf(second.resizer.granted(podOf("v", "950m", 2)))]).toEqual(["80m", "900m"]);
  second.taken.delete("v");
  second.resizer.forget("v");
  second.resizer.retry();
  expect(cpuOf(second.resizer.granted(podOf("u", "700m", 3)))).toBe("700m");
  second.resizer.forget("u");
  expect(readdirSync(directory)).toEqual([]);
});

test("a checkpoint that makes no sense is set aside", () => {
  writeFileSync(join(directory, "u.json"), "{");
  const { resizer } = nodeOf(1000);
  resizer.adopt(podOf("u", "100m"), new Map());
  expect(cpuOf(resizer.granted(podOf("u", "100m")))).toBe("100m");
  expect(existsSync(join(directory, "u.json.corrupt"))).toBe(true);
});

test("an error while it is set is told, once, with the generation that began it", () => {
  const { resizer, events } = nodeOf(1000);
  resizer.observe(podOf("u", "100m"));
  resizer.observe(podOf("u", "200m", 2));
  resizer.failed(podOf("u", "200m", 3), "memory is in use");
  resizer.failed(podOf("u", "200m", 3), "memory is in use");
  expect(resizer.conditions("u")).toMatchObject([{ type: "PodResizeInProgress", reason: "Error", message: "memory is in use", observedGeneration: 2 }]);
  expect(events.filter((event) => event.startsWith("ResizeError"))).toHaveLength(1);
});
