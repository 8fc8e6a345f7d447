import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { serviceUnavailable } from "../../../src/apimachinery/status.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { logger } from "../../../src/base/log.ts";
import type { Pod, PodCondition, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import { StatusManager } from "./status-manager.ts";

/** What is written of the status of a pod whose conditions the API has so. */
async function written(conditions: readonly PodCondition[], status: PodStatus): Promise<Record<string, unknown>> {
  const bodies: { status: Record<string, unknown> }[] = [];
  const client = { patch: (_card: unknown, _name: unknown, { body }: { body: { status: Record<string, unknown> } }) => Promise.resolve(bodies.push(body)) } as unknown as Client;
  const manager = new StatusManager({ client, clock: systemClock, log: logger("test"), signal: new AbortController().signal });
  const pod: Pod = { metadata: { name: "p", namespace: "default", uid: "u" }, spec: { containers: [] }, status: { phase: "Pending", conditions: [...conditions] } };
  manager.set(pod, status);
  await manager.flushed("u");
  expect(bodies).toHaveLength(1);
  return bodies[0]!.status;
}

const condition = (type: string, reason?: string): PodCondition => ({ type, status: "True", ...(reason ? { reason } : {}) });

test("of conditions only the kubelet's own are written, and those it no longer tells are taken back", async () => {
  const { conditions } = await written([condition("PodScheduled"), condition("Ready"), condition("example.com/gate")], { phase: "Running", conditions: [condition("Ready"), condition("example.com/gate")] });
  expect(conditions).toEqual([{ type: "Ready", status: "True", reason: null, message: null }, { type: "PodScheduled", $patch: "delete" }]);
});

test("what was told a moment ago is taken back, also where the object is known as it was before that", async () => {
  const bodies: { status: Record<string, unknown> }[] = [];
  const client = { patch: (_card: unknown, _name: unknown, { body }: { body: { status: Record<string, unknown> } }) => Promise.resolve(bodies.push(body)) } as unknown as Client;
  const manager = new StatusManager({ client, clock: systemClock, log: logger("test"), signal: new AbortController().signal });
  const pod: Pod = { metadata: { name: "p", namespace: "default", uid: "u" }, spec: { containers: [] }, status: { phase: "Running", conditions: [condition("Ready")] } };
  manager.set(pod, { phase: "Running", reason: "x", conditions: [condition("Ready"), condition("PodResizeInProgress")] });
  await manager.flushed("u");
  manager.set(pod, { phase: "Running", conditions: [condition("Ready")] });
  await manager.flushed("u");
  manager.set(pod, { phase: "Failed", conditions: [condition("Ready")] });
  await manager.flushed("u");
  expect(bodies.map(({ status: { conditions, reason } }) => [(conditions as { type: string; $patch?: string }[]).map(({ type, $patch }) => `${type} ${$patch ?? "told"}`).join(), reason])).toEqual([
    ["Ready told,PodResizeInProgress told", "x"], ["Ready told,PodResizeInProgress delete", null], ["Ready told", undefined],
  ]);
});

test("a disruption is written when it was the kubelet's", async () => {
  expect((await written([], { conditions: [condition("DisruptionTarget", "TerminationByKubelet")] }))["conditions"]).toHaveLength(1);
  expect((await written([], { phase: "Failed", conditions: [condition("DisruptionTarget", "EvictionByEvictionAPI")] }))["conditions"]).toEqual([]);
});

test("while the server is away one write tries for all pods; when it is back each is written once, as it is then", async () => {
  const clock = new FakeClock();
  const tried: string[] = [], bodies = new Map<string, { status: PodStatus }>();
  let away = true;
  const client = { async patch(_card: unknown, { name }: { name: string }, { body }: { body: { status: PodStatus } }) {
    tried.push(name);
    if (away) throw serviceUnavailable("cannot reach the server");
    bodies.set(name, body);
  } } as unknown as Client;
  const stop = new AbortController();
  const manager = new StatusManager({ client, clock, log: logger("test"), signal: stop.signal });
  const pods = ["a", "b", "c", "d"].map((name): Pod => ({ metadata: { name, namespace: "default", uid: name }, spec: { containers: [] } }));
  for (const pod of pods) manager.set(pod, { phase: "Pending" });
  await clock.advance(60_000);
  const before = tried.length;
  for (const pod of pods) manager.set(pod, { phase: "Running" });
  await clock.advance(60_000);
  // The one that tries has done so every ten seconds; had the others too, there would be four times as many.
  expect(tried.length - before).toBeLessThanOrEqual(8);
  // The one that tries for the others goes: another takes its part.
  manager.forget("a");
  manager.forget("b");
  await clock.advance(60_000);
  away = false;
  tried.length = 0;
  await clock.advance(12_000);
  expect(tried.toSorted()).toEqual(["c", "d"]);
  expect([...bodies.values()].map(({ status }) => status.phase)).toEqual(["Running", "Running"]);
  await manager.flushed("c");
  stop.abort();
});
