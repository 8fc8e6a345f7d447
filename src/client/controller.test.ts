import { describe, expect, test } from "bun:test";
import { FakeClock, settle } from "../../test/support/fake-clock.ts";
import { createMetrics } from "../base/metrics.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { configmaps, pods, replicasets } from "../apis/builtins.ts";
import type { ConfigMap, Pod } from "../apis/generated/core/v1.ts";
import type { Client } from "./client.ts";
import { createControllerMetrics } from "./controller-metrics.ts";
import { defineController, rulesOf, TerminalError, watchOf, type Controller, type ReconcileResult } from "./controller.ts";
import type { Informer, InformerFactory } from "./informer.ts";
import { ObjectStore } from "./object-store.ts";
import { startControllers } from "./run-controllers.ts";

let version = 0;
const configMap = (name: string, extra: Partial<KubeObject["metadata"]> = {}): Frozen<ConfigMap> => ({ metadata: { name, namespace: "d", uid: name, resourceVersion: String(++version), ...extra } });

/** Informers whose stores the test fills. */
function stores(): { of<T extends KubeObject>(card: ResourceCard<T>): ObjectStore<T>; informers: InformerFactory } {
  const all = new Map<string, ObjectStore<any>>();
  const of = <T extends KubeObject>(card: ResourceCard<T>): ObjectStore<T> => {
    const store = all.get(card.resource) ?? new ObjectStore<T>();
    all.set(card.resource, store);
    return store;
  };
  const informers: InformerFactory = { informer: <T extends KubeObject>(card: ResourceCard<T>): Informer<T> => ({ lister: of(card), onChange: (handler) => of(card).onChange(handler), synced: async () => {} }) };
  return { of, informers };
}

function start(definition: Partial<Controller> & { reconcile(key: string): Promise<ReconcileResult> }) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const { of, informers } = stores();
  const controller = defineController({ name: "test", for: configmaps, writes: [], ...definition } as Controller);
  const running = startControllers([controller], { clientFor: () => ({}) as Client, recorderFor: () => ({ event: () => {} }), informers, clock }, stop.signal);
  return { clock, of, running, stop: async () => {
    stop.abort();
    await running;
  }, abort: () => stop.abort() };
}

describe("a controller", () => {
  test("works on what is there, and on each change", async () => {
    const keys: string[] = [];
    const plane = start({ reconcile: async (key) => void keys.push(key) });
    plane.of(configmaps).set(configMap("a"));
    await settle();
    plane.of(configmaps).set(configMap("b"));
    plane.of(configmaps).delete("d/a");
    await settle();
    expect(keys.toSorted()).toEqual(["d/a", "d/a", "d/b"]);
    await plane.stop();
  });

  test("is woken for the controlling owner, old and new, and by its own watches", async () => {
    const keys: string[] = [];
    const plane = start({
      for: replicasets, owns: [pods], reconcile: async (key) => void keys.push(key),
      watches: [watchOf(configmaps, (current, old) => [`watched-${(current ?? old!).metadata.name}`])],
    });
    const pod = (owner: string, kind = "ReplicaSet", controller = true): Frozen<Pod> =>
      ({ metadata: { name: "p", namespace: "d", resourceVersion: String(++version), ownerReferences: [{ apiVersion: kind === "ReplicaSet" ? "apps/v1" : "batch/v1", kind, name: owner, uid: owner, controller }] }, spec: { containers: [] } });
    await settle();
    plane.of(pods).set(pod("a"));
    plane.of(pods).set(pod("b"));
    plane.of(pods).set(pod("job", "Job"));
    plane.of(pods).set(pod("c", "ReplicaSet", false));
    plane.of(configmaps).set(configMap("x"));
    await settle();
    expect([...new Set(keys)].toSorted()).toEqual(["d/a", "d/b", "watched-x"]);
    await plane.stop();
  });

  test("tries again after an error, later and later; not after a TerminalError", async () => {
    const tries: Record<string, number> = {};
    const plane = start({ reconcile: async (key) => {
      tries[key] = (tries[key] ?? 0) + 1;
      if (key === "d/hopeless") throw new TerminalError("no");
      if (tries[key]! < 4) throw new Error("not yet");
    } });
    for (const name of ["flaky", "hopeless"]) plane.of(configmaps).set(configMap(name));
    await plane.clock.advance(14);
    expect(tries).toEqual({ "d/flaky": 2, "d/hopeless": 1 });
    await plane.clock.advance(100_000);
    expect(tries).toEqual({ "d/flaky": 4, "d/hopeless": 1 });
    await plane.stop();
  });

  test("comes back when asked to", async () => {
    const { clock, ...plane } = start({ reconcile: async () => (++runs < 3 ? { requeueAfter: 1000 } : undefined) });
    let runs = 0;
    plane.of(configmaps).set(configMap("a"));
    await clock.advance(999);
    expect(runs).toBe(1);
    await clock.advance(10_000);
    expect(runs).toBe(3);
    await plane.stop();
  });

  test("never works on a key twice at once, on several keys it does", async () => {
    let most = 0;
    const busy = new Map<string, number>();
    const release = Promise.withResolvers<void>();
    const plane = start({ workers: 3, reconcile: async (key) => {
      busy.set(key, (busy.get(key) ?? 0) + 1);
      most = Math.max(most, busy.size);
      expect(busy.get(key)).toBe(1);
      await release.promise;
      busy.delete(key);
    } });
    for (const name of ["a", "b", "a", "c", "a"]) plane.of(configmaps).set(configMap(name));
    await settle();
    plane.of(configmaps).set(configMap("a"));
    await settle();
    expect(most).toBe(3);
    release.resolve();
    await plane.stop();
  });

  test("drains: stopping waits for the work under way and begins none", async () => {
    const release = Promise.withResolvers<void>();
    const ended: string[] = [];
    const plane = start({ reconcile: async (key) => {
      await release.promise;
      ended.push(key);
    } });
    for (const name of ["a", "b"]) plane.of(configmaps).set(configMap(name));
    await settle();
    plane.abort();
    let stopped = false;
    void plane.running.then(() => { stopped = true; });
    await settle();
    expect(stopped).toBe(false);
    release.resolve();
    await plane.running;
    expect(ended).toEqual(["d/a"]);
  });

  test("that throws is heard of, and neither its other keys nor other controllers are stopped", async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const { of, informers } = stores();
    const metrics = createMetrics();
    const events: string[] = [];
    const worked: string[] = [];
    const broken = defineController({
      name: "broken", for: configmaps, writes: [],
      watches: [watchOf(configmaps, (current) => {
        if (current?.metadata.name === "strange") throw new RangeError("not understood");
        return [];
      })],
      async reconcile(key) {
        if (key === "d/bad") throw new TypeError("x is not a function");
        worked.push(`broken ${key}`);
      },
    });
    const sound = defineController({ name: "sound", for: configmaps, writes: [], reconcile: async (key) => void worked.push(`sound ${key}`) });
    const running = startControllers([broken, sound], {
      clientFor: () => ({}) as Client, informers, clock, metrics: createControllerMetrics(metrics),
      recorderFor: () => ({ event: (about, type, reason, message) => void events.push(`${(about as KubeObject).metadata.name} ${type} ${reason} ${message}`) }),
    }, stop.signal);
    for (const name of ["bad", "strange", "good"]) of(configmaps).set(configMap(name));
    await settle();
    expect(worked.toSorted()).toEqual(["broken d/good", "broken d/strange", "sound d/bad", "sound d/good", "sound d/strange"]);
    expect(events).toEqual(["bad Warning ReconcileError broken failed and will try again: x is not a function"]);
    const text = metrics.render();
    expect(text).toContain('controller_runtime_reconcile_panics_total{controller="broken"} 2\n');
    expect(text).toContain('workqueue_adds_total{name="sound"} 3\n');
    expect(text).toContain('workqueue_retries_total{name="broken"} 1\n');
    stop.abort();
    await running;
  });
});

test("rules: reads of what is watched, writes with status, Events", () => {
  const rules = rulesOf(defineController({ name: "test", for: replicasets, owns: [pods], reads: [configmaps], writes: [pods as AnyResource, { apiGroups: ["x"], resources: ["y"], verbs: ["escalate"] }], reconcile: async () => {} }));
  expect(rules).toEqual([
    { apiGroups: ["apps"], resources: ["replicasets"], verbs: ["get", "list", "watch"] },
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
    { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] },
    { apiGroups: [""], resources: ["pods", "pods/finalizers", "pods/status"], verbs: ["create", "delete", "get", "patch", "update"] },
    { apiGroups: ["x"], resources: ["y"], verbs: ["escalate"] },
    { apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch", "update"] },
  ]);
});
