import { describe, expect, test } from "bun:test";
import { controllerrevisions, events, persistentvolumeclaims, pods, statefulsets } from "../../src/apis/builtins.ts";
import type { ControllerRevision, StatefulSet } from "../../src/apis/generated/apps/v1.ts";
import type { Event, PersistentVolumeClaim, Pod } from "../../src/apis/generated/core/v1.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { hollowCluster } from "../support/hollow-cluster.ts";
import { eventually } from "../support/eventually.ts";

const ns = "default";
const key = { namespace: ns, name: "web" };

function web(image: string, spec: Partial<StatefulSet["spec"] & object> = {}): StatefulSet {
  return {
    apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "web", namespace: ns },
    spec: { serviceName: "web", replicas: 3, selector: { matchLabels: { app: "web" } }, template: { metadata: { labels: { app: "web" } }, spec: { nodeName: "here", containers: [{ name: "c", image }] } }, ...spec },
  };
}

const claimTemplate = { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce" as const], resources: { requests: { storage: "1Gi" } } } };

const set = (plane: ControlPlane): StatefulSet => plane.list<StatefulSet>(statefulsets, ns)[0]!;
const named = (plane: ControlPlane): string[] => plane.pods(ns).map((pod) => `${pod.metadata.name}:${pod.spec.containers[0]!.image}`);
const claims = (plane: ControlPlane): PersistentVolumeClaim[] => plane.list<PersistentVolumeClaim>(persistentvolumeclaims, ns).toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
const patch = (plane: ControlPlane, spec: object): Promise<unknown> => plane.client.patch(statefulsets, key, { type: "application/merge-patch+json", body: { spec } });
const useImage = (plane: ControlPlane, image: string): Promise<unknown> => patch(plane, { template: { spec: { containers: [{ name: "c", image }] } } });

/** No kubelet ends the pods: deletion with grace, which those on a node have, would wait for one. */
async function endDeleted(plane: ControlPlane): Promise<void> {
  for (const pod of plane.pods(ns)) if (pod.metadata.deletionTimestamp) await plane.client.delete(pods, { namespace: ns, name: pod.metadata.name! }, { gracePeriodSeconds: 0 });
}

async function settled(plane: ControlPlane, expected: string[]): Promise<StatefulSet> {
  return eventually(async () => {
    await endDeleted(plane);
    await plane.runPods(ns);
    expect(named(plane)).toEqual(expected);
    const { metadata, spec, status } = set(plane);
    const { replicas, readyReplicas = 0, observedGeneration } = status ?? {};
    expect({ replicas, readyReplicas, observedGeneration }).toEqual({ replicas: spec!.replicas!, readyReplicas: spec!.replicas!, observedGeneration: metadata.generation! });
    return set(plane);
  });
}

describe("a stateful set", () => {
  test("makes its pods one after the other, each with its identity and claim", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(statefulsets, web("v1", { ordinals: { start: 5 }, volumeClaimTemplates: [claimTemplate] }));
    for (const names of [["web-5"], ["web-5", "web-6"]]) {
      await eventually(() => expect(plane.pods(ns).map(({ metadata }) => metadata.name!)).toEqual(names));
      await plane.runPods(ns);
    }
    const done = await settled(plane, ["web-5:v1", "web-6:v1", "web-7:v1"]);
    const [pod] = plane.pods(ns);
    expect(pod!.metadata.labels).toEqual({ app: "web", "statefulset.kubernetes.io/pod-name": "web-5", "apps.kubernetes.io/pod-index": "5", "controller-revision-hash": done.status!.updateRevision! });
    expect({ hostname: pod!.spec.hostname, subdomain: pod!.spec.subdomain, claim: pod!.spec.volumes!.find(({ name }) => name === "data")?.persistentVolumeClaim }).toEqual({ hostname: "web-5", subdomain: "web", claim: { claimName: "data-web-5" } });
    expect(claims(plane).map(({ metadata }) => [metadata.name, metadata.labels, metadata.ownerReferences])).toEqual(["data-web-5", "data-web-6", "data-web-7"].map((name) => [name, { app: "web" }, undefined]));
    expect(done.status).toMatchObject({ currentRevision: done.status!.updateRevision!, currentReplicas: 3, updatedReplicas: 3, availableReplicas: 3, collisionCount: 0 });
    await eventually(() => expect(plane.list<Event>(events, ns).filter((event) => event.involvedObject.kind === "StatefulSet").map((event) => event.message!)).toEqual(expect.arrayContaining([
      "Create Pod web-5 in StatefulSet web successful", "Create Claim data-web-5 Pod web-5 in StatefulSet web success",
    ])));
  });

  test("rolls out from the highest ordinal, keeps its history and takes a revision up again", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(statefulsets, web("v1"));
    const first = await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v1"]);
    await useImage(plane, "v2");
    await eventually(() => expect(plane.pods(ns).filter(({ metadata }) => metadata.deletionTimestamp).map(({ metadata }) => metadata.name)).toEqual(["web-2"]));
    await eventually(() => expect(set(plane).status).toMatchObject({ currentReplicas: 2, currentRevision: first.status!.currentRevision! }));
    await eventually(() => expect(set(plane).status!.updateRevision).not.toBe(first.status!.updateRevision!));
    const second = await settled(plane, ["web-0:v2", "web-1:v2", "web-2:v2"]);
    expect(second.status!.currentRevision).not.toBe(first.status!.currentRevision);
    await useImage(plane, "v1");
    const third = await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v1"]);
    expect(third.status!.currentRevision).toBe(first.status!.currentRevision!);
    expect(plane.list<ControllerRevision>(controllerrevisions, ns).map(({ revision }) => revision).toSorted()).toEqual([2, 3]);
  });

  test("keeps pods below the partition as they were, also when they come anew", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(statefulsets, web("v1", { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } }));
    await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v1"]);
    await useImage(plane, "v2");
    await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v2"]);
    for (const name of ["web-0", "web-2"]) await plane.client.delete(pods, { namespace: ns, name }, { gracePeriodSeconds: 0 });
    const canary = await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v2"]);
    expect(canary.status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
    await patch(plane, { updateStrategy: { rollingUpdate: { partition: 0 } } });
    const done = await settled(plane, ["web-0:v2", "web-1:v2", "web-2:v2"]);
    await eventually(() => expect(set(plane).status).toMatchObject({ currentReplicas: 3, updatedReplicas: 3, currentRevision: done.status!.updateRevision! }));
  });

  test("stands still while a pod is not ready, growing and shrinking", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(statefulsets, web("v1", { replicas: 2 }));
    await settled(plane, ["web-0:v1", "web-1:v1"]);
    const ready = (name: string, status: "True" | "False"): Promise<unknown> => plane.client.patch(pods, { namespace: ns, name }, { type: "application/strategic-merge-patch+json", body: { status: { conditions: [{ type: "Ready", status }] } } }, { subresource: "status" });
    const generationSeen = (): void => expect(set(plane).status!.observedGeneration).toBe(set(plane).metadata.generation!);
    await ready("web-0", "False");
    await patch(plane, { replicas: 3 });
    await eventually(generationSeen);
    expect(named(plane)).toEqual(["web-0:v1", "web-1:v1"]);
    await ready("web-0", "True");
    await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v1"]);
    for (const name of ["web-1", "web-2"]) await ready(name, "False");
    await patch(plane, { replicas: 0 });
    await eventually(generationSeen);
    expect(plane.pods(ns).filter(({ metadata }) => metadata.deletionTimestamp).map(({ metadata }) => metadata.name)).toEqual([]);
    for (const name of ["web-1", "web-2"]) await ready(name, "True");
    await settled(plane, []);
    await eventually(() => expect(plane.list<Event>(events, ns).map(({ message }) => message)).toContain("Delete Pod web-2 in StatefulSet web successful"));
  });

  test("in parallel makes all pods at once, and replaces failed ones", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(statefulsets, web("v1", { podManagementPolicy: "Parallel" }));
    await eventually(() => expect(named(plane)).toEqual(["web-0:v1", "web-1:v1", "web-2:v1"]));
    await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v1"]);
    const uid = plane.pods(ns)[1]!.metadata.uid;
    await plane.client.patch(pods, { namespace: ns, name: "web-1" }, { type: "application/merge-patch+json", body: { status: { phase: "Failed" } } }, { subresource: "status" });
    await eventually(async () => {
      await settled(plane, ["web-0:v1", "web-1:v1", "web-2:v1"]);
      expect(plane.pods(ns)[1]!.metadata.uid).not.toBe(uid);
    });
  });

  test("has its claims deleted when it says so", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(statefulsets, web("v1", { replicas: 2, volumeClaimTemplates: [claimTemplate], persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Delete" } }));
    await settled(plane, ["web-0:v1", "web-1:v1"]);
    await eventually(() => expect(claims(plane).map(({ metadata }) => metadata.ownerReferences?.map(({ kind, controller }) => [kind, controller]))).toEqual([[["StatefulSet", true]], [["StatefulSet", true]]]));
    await patch(plane, { replicas: 1 });
    await eventually(() => expect(claims(plane).map(({ metadata }) => metadata.ownerReferences?.map(({ kind, name }) => `${kind} ${name}`))).toEqual([["StatefulSet web"], ["Pod web-1"]]));
    await settled(plane, ["web-0:v1"]);
    await eventually(() => expect(claims(plane).map(({ metadata }) => metadata.name)).toEqual(["data-web-0"]));
    await patch(plane, { replicas: 2, persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" } });
    await settled(plane, ["web-0:v1", "web-1:v1"]);
    await eventually(() => expect(claims(plane).map(({ metadata }) => metadata.ownerReferences ?? [])).toEqual([[], []]));
  });

  test("adopts what is left of the one before", async () => {
    await using plane = await startControlPlane();
    await plane.client.create(statefulsets, web("v1", { replicas: 1 }));
    await settled(plane, ["web-0:v1"]);
    const [before] = plane.pods(ns) as [Pod];
    await plane.client.delete(statefulsets, key, { propagationPolicy: "Orphan" });
    await eventually(() => expect(plane.pods(ns)[0]!.metadata.ownerReferences ?? []).toEqual([]));
    await eventually(() => expect(set(plane)).toBeUndefined());
    await plane.client.create(statefulsets, web("v1", { replicas: 1 }));
    await settled(plane, ["web-0:v1"]);
    const [after] = plane.pods(ns) as [Pod];
    expect({ uid: after.metadata.uid, owner: after.metadata.ownerReferences?.[0]?.uid }).toEqual({ uid: before.metadata.uid!, owner: set(plane).metadata.uid! });
    expect(plane.list<ControllerRevision>(controllerrevisions, ns).map(({ metadata, revision }) => [metadata.ownerReferences?.[0]?.uid, revision])).toEqual([[set(plane).metadata.uid, 1]]);
  });
});

describe("a stateful set on nodes", () => {
  const template = (image: string, annotations: Record<string, string> = {}): object => ({ template: { metadata: { labels: { app: "web" }, annotations }, spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "c", image }] } } });
  const running = (cluster: ControlPlane, expected: string[]): Promise<void> => eventually(() => {
    expect(named(cluster)).toEqual(expected);
    expect(set(cluster).status).toMatchObject({ availableReplicas: expected.length, observedGeneration: set(cluster).metadata.generation! });
  });

  test("makes an evicted pod anew", async () => {
    await using cluster = await hollowCluster({ nodes: 2 });
    await cluster.client.create(statefulsets, web("v1", { replicas: 2, ...template("v1") }));
    await running(cluster, ["web-0:v1", "web-1:v1"]);
    const [before] = cluster.pods(ns);
    cluster.hollow.failPod("default/web-0", { reason: "Evicted", message: "The node was low on resource: memory." });
    await cluster.podWhen("web-0", ({ metadata, status }) => metadata.uid !== before!.metadata.uid && status?.phase === "Running");
    await running(cluster, ["web-0:v1", "web-1:v1"]);
  });

  test("stands at a broken revision until users help: the pod that never was ready goes by hand", async () => {
    await using cluster = await hollowCluster({ nodes: 2 });
    await cluster.client.create(statefulsets, web("v1", { replicas: 2, ...template("v1") }));
    await running(cluster, ["web-0:v1", "web-1:v1"]);
    await patch(cluster, template("nonexistent"));
    await cluster.podWhen("web-1", ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === "ImagePullBackOff");
    expect(named(cluster)).toEqual(["web-0:v1", "web-1:nonexistent"]);
    await patch(cluster, template("v1"));
    await eventually(() => expect(set(cluster).status).toMatchObject({ observedGeneration: set(cluster).metadata.generation!, currentReplicas: 1, updatedReplicas: 1, readyReplicas: 1 }));
    expect(named(cluster)).toEqual(["web-0:v1", "web-1:nonexistent"]);
    await cluster.client.delete(pods, { namespace: ns, name: "web-1" });
    await running(cluster, ["web-0:v1", "web-1:v1"]);
  });

  test("minReadySeconds: the next comes when the one before has been ready for so long", async () => {
    await using cluster = await hollowCluster({ nodes: 2 });
    await cluster.client.create(statefulsets, web("v1", { replicas: 2, minReadySeconds: 1, ...template("v1") }));
    await running(cluster, ["web-0:v1", "web-1:v1"]);
    const [first, second] = cluster.pods(ns);
    const ready = first!.status!.conditions!.find(({ type }) => type === "Ready")!.lastTransitionTime!;
    expect(Date.parse(second!.metadata.creationTimestamp!) - Date.parse(ready)).toBeGreaterThanOrEqual(1000);
  });
});
