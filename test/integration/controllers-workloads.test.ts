import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import type { AnyResource } from "../../src/apimachinery/resource.ts";
import { builtins, controllerrevisions, daemonsets, deployments, endpoints, endpointslices, events, nodes, persistentvolumeclaims, pods, replicasets, replicationcontrollers, serviceaccounts, services, statefulsets } from "../../src/apis/builtins.ts";
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../../src/apis/generated/apps/v1.ts";
import type { Endpoints, Event, Pod, ReplicationController, Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Client } from "../../src/client/client.ts";
import { fixedKinds } from "../../src/client/controller.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { controllers } from "../../src/controllers/index.ts";
import { startRegistry } from "../../src/registry/testing/fixture.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { quiet } from "../support/quiet.ts";

const ns = "default";

function web(image: string, spec: Partial<Deployment["spec"]> = {}): Deployment {
  return {
    apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: ns, annotations: { "kubernetes.io/change-cause": `use ${image}` } },
    spec: { replicas: 3, selector: { matchLabels: { app: "web" } }, template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image, ports: [{ name: "http", containerPort: 8080 }] }] } }, ...spec },
  };
}

const live = (plane: ControlPlane): Pod[] => plane.pods(ns).filter((pod) => !pod.metadata.deletionTimestamp);
const deployment = (plane: ControlPlane): Deployment => plane.list<Deployment>(deployments, ns)[0]!;
const images = (plane: ControlPlane): string[] => live(plane).map((pod) => pod.spec.containers[0]!.image!).toSorted();

async function rollOut(plane: ControlPlane): Promise<Deployment> {
  return eventually(async () => {
    await plane.runPods(ns);
    // No kubelet ends the pods: deletion with grace would wait for one.
    for (const pod of plane.pods(ns)) if (pod.metadata.deletionTimestamp) await plane.client.delete(pods, { namespace: ns, name: pod.metadata.name! }, { gracePeriodSeconds: 0 });
    const d = deployment(plane);
    const { observedGeneration, updatedReplicas, replicas, availableReplicas } = d.status ?? {};
    expect({ observedGeneration, updatedReplicas, replicas, availableReplicas }).toEqual({ observedGeneration: d.metadata.generation, updatedReplicas: d.spec.replicas!, replicas: d.spec.replicas!, availableReplicas: d.spec.replicas! });
    expect(d.status?.conditions?.find((c) => c.type === "Progressing")?.reason).toBe("NewReplicaSetAvailable");
    return d;
  });
}

test("a replication controller makes pods, adopts and lets go, scales", async () => {
  await using plane = await startControlPlane();
  const key = { namespace: ns, name: "old" };
  await plane.client.create(pods, { metadata: { name: "orphan", namespace: ns, labels: { app: "old" } }, spec: { containers: [{ name: "c", image: "v1" }] } } as Pod);
  await plane.client.create(replicationcontrollers, {
    apiVersion: "v1", kind: "ReplicationController", metadata: { name: "old", namespace: ns },
    spec: { replicas: 3, template: { metadata: { labels: { app: "old" } }, spec: { containers: [{ name: "c", image: "v1" }] } } },
  } as ReplicationController);
  const settled = (replicas: number): Promise<Pod[]> => eventually(async () => {
    await plane.runPods(ns);
    const { status, metadata } = plane.list<ReplicationController>(replicationcontrollers, ns)[0]!;
    const mine = live(plane).filter((pod) => pod.metadata.ownerReferences?.some(({ kind, uid, controller }) => kind === "ReplicationController" && uid === metadata.uid && controller));
    expect({ replicas: status?.replicas, ready: status?.readyReplicas ?? 0, mine: mine.length, observed: status?.observedGeneration }).toEqual({ replicas, ready: replicas, mine: replicas, observed: metadata.generation });
    return mine;
  });
  const first = await settled(3);
  expect(first.map(({ metadata }) => metadata.name)).toContain("orphan");
  await plane.client.patch(pods, { namespace: ns, name: "orphan" }, { type: "application/merge-patch+json", body: { metadata: { labels: { app: "free" } } } });
  await eventually(async () => expect((await settled(3)).map(({ metadata }) => metadata.name)).not.toContain("orphan"));
  await plane.client.patch(replicationcontrollers, key, { type: "application/merge-patch+json", body: { spec: { replicas: 1 } } });
  await eventually(async () => {
    for (const pod of plane.pods(ns)) if (pod.metadata.deletionTimestamp) await plane.client.delete(pods, { namespace: ns, name: pod.metadata.name! }, { gracePeriodSeconds: 0 });
    expect(live(plane).filter(({ metadata }) => metadata.labels?.["app"] === "old")).toHaveLength(1);
  });
  await settled(1);
});

describe("a deployment", () => {
  test("makes pods, rolls out a new template, rolls back, keeps history", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(deployments, web("v1"));
    const first = await rollOut(plane);
    expect(first.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("1");
    expect(first.metadata.generation).toBe(1);
    expect(images(plane)).toEqual(["v1", "v1", "v1"]);
    expect(first.status?.conditions?.map((c) => `${c.type}=${c.status}`).toSorted()).toEqual(["Available=True", "Progressing=True"]);

    const change = (image: string): Promise<unknown> => plane.client.patch(deployments, { namespace: ns, name: "web" }, { type: "application/strategic-merge-patch+json", body: { spec: { template: { spec: { containers: [{ name: "c", image }] } } } } });
    await change("v2");
    const second = await rollOut(plane);
    expect(second.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("2");
    expect(images(plane)).toEqual(["v2", "v2", "v2"]);
    await change("v1");
    await rollOut(plane);
    const sets = plane.list<ReplicaSet>(replicasets, ns);
    expect(sets.map((rs) => [rs.spec.template!.spec!.containers[0]!.image!, rs.spec.replicas!, rs.metadata.annotations!["deployment.kubernetes.io/revision"]!]).toSorted()).toEqual([["v1", 3, "3"], ["v2", 0, "2"]]);
    expect(sets[0]!.metadata.annotations?.["kubernetes.io/change-cause"]).toBe("use v1");
    await eventually(() => {
      const messages = plane.list<Event>(events, ns).filter((e) => e.reason === "ScalingReplicaSet").map((e) => e.message!);
      expect(messages.some((m) => /^Scaled up replica set web-\w+ from 0 to 3$/.test(m))).toBe(true);
      expect(messages.some((m) => /^Scaled down replica set web-\w+ from 1 to 0$/.test(m))).toBe(true);
    });
  });

  test("scales, pauses, resumes and settles", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(deployments, web("v1"));
    await rollOut(plane);
    const patch = (spec: object): Promise<unknown> => plane.client.patch(deployments, { namespace: ns, name: "web" }, { type: "application/merge-patch+json", body: { spec } });
    await patch({ replicas: 5 });
    await rollOut(plane);
    expect(live(plane).length).toBe(5);
    await patch({ paused: true, template: { metadata: { labels: { app: "web", round: "2" } } } });
    await eventually(() => expect(deployment(plane).status?.conditions?.find((c) => c.type === "Progressing")?.reason).toBe("DeploymentPaused"));
    expect(plane.list(replicasets, ns).length).toBe(1);
    await patch({ paused: false });
    await rollOut(plane);
    expect(live(plane).every((pod) => pod.metadata.labels?.round === "2")).toBe(true);
    // Nothing more is written once all is well.
    await quiet(plane);
    const revision = plane.informers.informer(deployments).lister.resourceVersion;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(plane.informers.informer(deployments).lister.resourceVersion).toBe(revision);
  });

  test("Recreate stops all old pods before it starts new ones", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(deployments, web("v1", { strategy: { type: "Recreate" } }));
    await rollOut(plane);
    await plane.client.patch(deployments, { namespace: ns, name: "web" }, { type: "application/strategic-merge-patch+json", body: { spec: { template: { spec: { containers: [{ name: "c", image: "v2" }] } } } } });
    const seen = new Set<string>();
    plane.informers.informer(pods).onChange(() => seen.add([...new Set(plane.pods(ns).map((pod) => pod.spec.containers[0]!.image!))].toSorted().join("+")));
    await rollOut(plane);
    expect([...seen].toSorted().filter((mix) => mix.includes("+"))).toEqual([]);
    expect(images(plane)).toEqual(["v2", "v2", "v2"]);
  });

  test("takes in a ReplicaSet's lost pods, and lets go of relabelled ones", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(deployments, web("v1", { replicas: 1 }));
    await rollOut(plane);
    const [pod] = live(plane);
    await plane.client.patch(pods, { namespace: ns, name: pod!.metadata.name! }, { type: "application/merge-patch+json", body: { metadata: { labels: { app: "other" } } } });
    await eventually(() => {
      const released = live(plane).find((p) => p.metadata.name === pod!.metadata.name)!;
      expect(released.metadata.ownerReferences ?? []).toEqual([]);
      expect(live(plane).length).toBe(2);
    });
    await plane.client.patch(pods, { namespace: ns, name: pod!.metadata.name! }, { type: "application/merge-patch+json", body: { metadata: { labels: { app: "web" } } } });
    await eventually(() => expect(live(plane).length).toBe(1));
  });
});

describe("a service", () => {
  const service = (spec: Partial<Service["spec"]> = {}): Service => ({ apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: ns, labels: { team: "a" } }, spec: { selector: { app: "web" }, ports: [{ name: "main", port: 80, targetPort: "http" }], ...spec } as Service["spec"] });
  const slices = (plane: ControlPlane): EndpointSlice[] => plane.list<EndpointSlice>(endpointslices, ns).filter((s) => s.metadata.labels?.["kubernetes.io/service-name"] === "web");
  const classic = (plane: ControlPlane): Endpoints => plane.list<Endpoints>(endpoints, ns).find((e) => e.metadata.name === "web")!;

  test("has its ready pods as endpoints, in both forms, until it goes", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(services, service());
    await eventually(() => expect(slices(plane).map((s) => s.endpoints ?? [])).toEqual([[]]));
    await plane.client.create(deployments, web("v1", { replicas: 2 }));
    await rollOut(plane);
    const addresses = await eventually(() => {
      const [slice, ...more] = slices(plane);
      expect(more).toEqual([]);
      expect(slice!.ports).toEqual([{ name: "main", port: 8080, protocol: "TCP" }]);
      expect(slice!.endpoints.map((e) => e.conditions)).toEqual([1, 2].map(() => ({ ready: true, serving: true, terminating: false })));
      return slice!.endpoints.map((e) => e.addresses[0]!).toSorted();
    });
    expect(slices(plane)[0]!.metadata.labels).toEqual({ team: "a", "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" });
    await eventually(() => {
      expect(classic(plane).subsets?.map((s) => ({ ips: s.addresses?.map((a) => a.ip), ports: s.ports }))).toEqual([{ ips: addresses, ports: [{ name: "main", port: 8080, protocol: "TCP" }] }]);
    });
    await plane.client.delete(services, { namespace: ns, name: "web" });
    await eventually(() => {
      expect(slices(plane)).toEqual([]);
      expect(classic(plane)).toBeUndefined();
    });
  });

  test("without a selector is left alone", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(services, service({ selector: undefined }));
    await plane.client.create(services, { ...service(), metadata: { name: "other", namespace: ns } });
    await eventually(() => expect(plane.list(endpoints, ns).map((e) => e.metadata.name)).toContain("other"));
    expect(slices(plane)).toEqual([]);
    expect(classic(plane)).toBeUndefined();
  });
});

/** A client that dies with a write: the write is done, but nobody hears of it, and nothing follows. */
function dying(client: Client, after: number): { client: Client; died: Promise<void> } {
  const { promise: died, resolve } = Promise.withResolvers<void>();
  let left = after;
  const deadly = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    if (left <= 0) throw new Error("died before");
    if (--left > 0) return work(...args);
    await work(...args).catch(() => undefined);
    resolve();
    throw new Error("died");
  };
  const bound = { create: deadly(client.create.bind(client)), update: deadly(client.update.bind(client)), patch: deadly(client.patch.bind(client)), delete: deadly(client.delete.bind(client)) };
  return { died, client: { ...bound, get: client.get.bind(client), list: client.list.bind(client), createSubresource: client.createSubresource.bind(client), deleteCollection: client.deleteCollection.bind(client), watch: client.watch.bind(client) } as Client };
}

test("controllers that die with any write are followed by others that end exactly where they should", async () => {
  await using fixture = await startRegistry();
  const { client, informers } = fixture;
  const list = <T extends KubeObject>(card: AnyResource): T[] => informers.informer<any>(card).lister.list(ns) as T[];
  const template = (app: string, image: string): Pick<Deployment["spec"], "selector" | "template"> => ({ selector: { matchLabels: { app } }, template: { metadata: { labels: { app } }, spec: { tolerations: [{ operator: "Exists" }], containers: [{ name: "c", image }] } } });
  await client.create(serviceaccounts, { metadata: { name: "default", namespace: ns } });
  for (const name of ["a", "b"]) await client.create(nodes, { metadata: { name }, spec: {} });
  await client.create(deployments, { metadata: { name: "web", namespace: ns }, spec: { replicas: 3, ...template("web", "v1") } });
  await client.create(statefulsets, { metadata: { name: "db", namespace: ns }, spec: { replicas: 2, serviceName: "db", volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }], ...template("db", "v1") } });
  await client.create(daemonsets, { metadata: { name: "log", namespace: ns }, spec: template("log", "v1") });

  /** Runs the controllers until they have written so much, or have nothing more to write. */
  async function live(writes: number): Promise<void> {
    const stop = new AbortController();
    const mortal = dying(client, writes);
    let dead = false;
    void mortal.died.then(() => (dead = true));
    const ours = controllers({ kinds: fixedKinds(builtins), ca: "", clusterCidr: "10.42.0.0/16" }).filter(({ name }) => ["deployment-controller", "replicaset-controller", "statefulset-controller", "daemonset-controller"].includes(name));
    const running = startControllers(ours, { clientFor: () => mortal.client, recorderFor: () => ({ event: () => undefined }), informers, clock: systemClock }, stop.signal);
    await Promise.race([mortal.died, Bun.sleep(100)]);
    if (!dead) await quiet(fixture);
    stop.abort();
    await running;
  }
  async function kubelets(): Promise<void> {
    for (const { metadata: { name, deletionTimestamp }, status } of list<Pod>(pods)) {
      const key = { namespace: ns, name: name! };
      if (deletionTimestamp) await client.delete(pods, key, { gracePeriodSeconds: 0 });
      else if (status?.phase !== "Running") await client.patch(pods, key, { type: "application/merge-patch+json", body: { status: { phase: "Running", conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }] } } }, { subresource: "status" });
    }
  }
  const of = (app: string): string[] => list<Pod>(pods).filter(({ metadata }) => metadata.labels?.["app"] === app && !metadata.deletionTimestamp).map(({ spec }) => spec.containers[0]!.image!).toSorted();
  const held = (): void => {
    const asked = list<ReplicaSet>(replicasets).reduce((sum, { spec }) => sum + spec.replicas!, 0);
    expect({ web: asked <= 4, log: of("log").length <= 2 }).toEqual({ web: true, log: true });
  };
  async function rolledOut(image: string): Promise<void> {
    const settled = (): boolean => [deployments, statefulsets, daemonsets].every((card) => list<Deployment>(card)[0]!.status?.observedGeneration === list<Deployment>(card)[0]!.metadata.generation)
      && list<StatefulSet>(statefulsets)[0]!.status!.updatedReplicas === 2 && list<Deployment>(deployments)[0]!.status!.availableReplicas === 3 && list<DaemonSet>(daemonsets)[0]!.status!.numberAvailable === 2
      && JSON.stringify([of("web"), of("db"), of("log")]) === JSON.stringify([[image, image, image], [image, image], [image, image]]);
    for (let round = 0; !settled(); round++) {
      expect(round).toBeLessThan(500);
      await live(1 + (round % 3));
      held();
      await kubelets();
    }
    // Undisturbed they find nothing more to do.
    await live(100);
    await kubelets();
    await live(100);
    expect([of("web"), of("db"), of("log")]).toEqual([[image, image, image], [image, image], [image, image]]);
  }
  await rolledOut("v1");
  for (const [card, name] of [[deployments, "web"], [statefulsets, "db"], [daemonsets, "log"]] as const) {
    await client.patch<any>(card, { namespace: ns, name }, { type: "application/merge-patch+json", body: { spec: { template: { spec: { containers: [{ name: "c", image: "v2" }] } } } } });
  }
  await rolledOut("v2");
  expect(list<ReplicaSet>(replicasets).map(({ spec }) => spec.replicas!).toSorted()).toEqual([0, 3]);
  expect(list<ControllerRevision>(controllerrevisions).map(({ metadata, revision }) => `${metadata.labels!["app"]} ${revision}`).toSorted()).toEqual(["db 1", "db 2", "log 1", "log 2"]);
  expect(list<KubeObject>(persistentvolumeclaims).map(({ metadata }) => metadata.name!).toSorted()).toEqual(["data-db-0", "data-db-1"]);
}, 180_000);
