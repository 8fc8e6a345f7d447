import { describe, expect, test } from "bun:test";
import type { Pod, PodSpec, PodStatus } from "../../src/apis/generated/core/v1.ts";
import { HollowPod } from "./hollow-pod.ts";
import { ImageShelf } from "./images.ts";

/** A pod with one container that is told to go `grace` seconds ahead; says when and how its container ends, in milliseconds after that. */
function ends(container: Partial<PodSpec["containers"][number]>, grace: number, annotations: Record<string, string> = {}, regraced?: { after: number; grace: number }): { after: number; code: number | undefined } {
  const start = Date.parse("2026-01-01T00:00:00Z");
  const pod: Pod = { metadata: { name: "p", namespace: "default", uid: "u", annotations }, spec: { containers: [{ name: "main", image: "web:1", ...container }] } };
  const hollow = new HollowPod(pod, { hostIps: ["10.0.0.1"], images: new ImageShelf(), address: () => "10.1.0.1", warn: () => undefined }, { now: start, passed: 0 });
  let told: PodStatus | undefined = hollow.look(pod, undefined, { now: start, passed: 0 }).status;
  const going = (seconds: number): Pod => ({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: seconds } });
  for (let passed = 0, steps = 0; steps < 20; steps++) {
    const look = hollow.look(going(regraced && passed >= regraced.after ? regraced.grace : grace), told, { now: start + passed, passed });
    told = look.status ?? told;
    if (look.ended) return { after: passed, code: look.status?.containerStatuses?.[0]?.state?.terminated?.exitCode };
    passed = Math.min(look.wakeAt ?? Infinity, regraced && passed < regraced.after ? regraced.after : Infinity);
  }
  throw new Error("the pod doesn't end");
}

describe("a hollow pod that is told to go", () => {
  const sleep = (seconds: number) => ({ lifecycle: { preStop: { sleep: { seconds } } } });
  const cases: [name: string, ...Parameters<typeof ends>, after: number, code: number][] = [
    ["goes at once without a hook", {}, 30, {}, undefined, 0, 0],
    ["sleeps first where its hook does", sleep(5), 30, {}, undefined, 5000, 0],
    ["does what a well-known command of its hook does", { lifecycle: { preStop: { exec: { command: ["sh", "-c", "sleep 3; echo bye"] } } } }, 30, {}, undefined, 3000, 0],
    ["takes its time after the hook", sleep(5), 30, { "hollow.skiff/stop": "143 after 2s" }, undefined, 7000, 143],
    ["is asked to go when the hook has used up the grace period", sleep(60), 4, {}, undefined, 4000, 0],
    ["has two seconds more then", sleep(60), 4, { "hollow.skiff/stop": "ignored" }, undefined, 6000, 137],
    ["is killed at the end of the grace period, hook or not", sleep(1), 4, { "hollow.skiff/stop": "ignored" }, undefined, 4000, 137],
    ["may end by itself meanwhile", { ...sleep(20), command: ["sleep", "10"] }, 30, {}, undefined, 10_000, 0],
    ["is killed at once when nobody waits any more", sleep(20), 30, {}, { after: 3000, grace: 0 }, 3000, 137],
  ];
  test.each(cases)("%s", (_, container, grace, annotations, regraced, after, code) => expect(ends(container, grace, annotations, regraced)).toEqual({ after, code }));
});
