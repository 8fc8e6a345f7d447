import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { releaseVolumes } from "../../agents/kubelet/volumes/local-path.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { csidrivers, csinodes, csistoragecapacities, events, nodes, persistentvolumeclaims, persistentvolumes, pods, serviceaccounts, storageclasses } from "../../src/apis/builtins.ts";
import type { Event, Node, PersistentVolume, PersistentVolumeClaim, Pod, PodSpec, Volume } from "../../src/apis/generated/core/v1.ts";
import type { StorageClass } from "../../src/apis/generated/storage/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { ensureLocalPathStorageClass } from "../../src/registry/bootstrap/storage-class.ts";
import { createScheduler } from "../../src/scheduler/scheduler.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "default";
const merge = "application/merge-patch+json" as const;
const concerned = /^(persistent-volume-binder|pvc?-protection-controller|local-path-provisioner|ephemeral-volume-controller|garbage-collector|generic-garbage-collector)$/;

let plane: ControlPlane;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  plane = await startControlPlane({ select: ({ name }) => concerned.test(name) });
  stop = new AbortController();
  const { client, informers } = plane;
  await client.create(serviceaccounts, { metadata: { name: "default", namespace } });
  await ensureLocalPathStorageClass(client);
  const recorder = createEventRecorder({ client, events, component: "default-scheduler", clock: systemClock }, stop.signal);
  running = createScheduler({ client, informers, recorderFor: () => recorder, clock: systemClock }).run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  await plane[Symbol.asyncDispose]();
});

async function addNode(name: string, labels: Record<string, string> = {}): Promise<void> {
  const { client } = plane;
  await client.create(nodes, { metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } }, spec: {} });
  const room = { cpu: "8", memory: "16Gi", pods: "50" };
  await client.patch(nodes, { name }, { type: merge, body: { status: { capacity: room, allocatable: room } } }, { subresource: "status" });
  await client.patch(nodes, { name }, { type: merge, body: { spec: { taints: [] } } });
}
const addClaim = (name: string, spec: PersistentVolumeClaim["spec"] = {}): Promise<unknown> =>
  plane.client.create(persistentvolumeclaims, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name, namespace }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec } });
const addClass = (name: string, more: Partial<StorageClass> = {}): Promise<unknown> =>
  plane.client.create(storageclasses, { metadata: { name }, provisioner: "example.com/disk", volumeBindingMode: "WaitForFirstConsumer", ...more });
const onNodes = (...values: string[]): PersistentVolume["spec"] => ({ nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values }] }] } } });
const addVolume = (name: string, spec: PersistentVolume["spec"], labels: Record<string, string> = {}): Promise<unknown> =>
  plane.client.create(persistentvolumes, { metadata: { name, labels }, spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, local: { path: `/srv/${name}` }, ...onNodes("a", "b", "c"), ...spec } });
const claimed = (claimName: string): Volume => ({ name: claimName, persistentVolumeClaim: { claimName } });
const addPod = (name: string, volumes: Volume[], spec: Partial<PodSpec> = {}): Promise<Frozen<Pod>> =>
  plane.client.create(pods, { metadata: { name, namespace }, spec: { containers: [{ name: "c", image: "i" }], volumes, ...spec } });

const podOf = (name: string): Pod => plane.list<Pod>(pods, namespace).find(({ metadata }) => metadata.name === name)!;
const claimOf = (name: string): PersistentVolumeClaim | undefined => plane.list<PersistentVolumeClaim>(persistentvolumeclaims, namespace).find(({ metadata }) => metadata.name === name);
const nodeOf = (name: string): Promise<string> => eventually(() => {
  expect(podOf(name).spec.nodeName).toBeString();
  return podOf(name).spec.nodeName!;
});
const says = (name: string, message: string): Promise<void> => eventually(() => expect(podOf(name).status?.conditions?.find(({ type }) => type === "PodScheduled")).toMatchObject({ status: "False", reason: "Unschedulable", message: expect.stringContaining(message) as never }));
const told = (reason: string): string[] => plane.list<Event>(events, namespace).filter((event) => event.reason === reason).map(({ message }) => message!);

describe("local-path", () => {
  test("a claim waits for its pod, gets a volume on the pod's node, and later pods go there", async () => {
    for (const name of ["a", "b", "c"]) await addNode(name);
    await addClaim("data");
    await eventually(() => expect(told("WaitForFirstConsumer")).toEqual(["waiting for first consumer to be created before binding"]));
    expect(claimOf("data")!.spec!.storageClassName).toBe("local-path");
    await addPod("first", [claimed("data")]);
    const node = await nodeOf("first");
    const name = `pvc-${claimOf("data")!.metadata.uid}`;
    // Phases are written last: the pod needn't wait for them.
    await eventually(() => expect([claimOf("data")!.status?.phase, ...plane.list<PersistentVolume>(persistentvolumes).map(({ status }) => status?.phase)]).toEqual(["Bound", "Bound"]));
    expect(claimOf("data")).toMatchObject({ spec: { volumeName: name }, metadata: { annotations: { "volume.kubernetes.io/selected-node": node, "volume.kubernetes.io/storage-provisioner": "skiff.io/local-path" } } });
    expect(plane.list<PersistentVolume>(persistentvolumes)).toMatchObject([{
      metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": "skiff.io/local-path" } },
      spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], persistentVolumeReclaimPolicy: "Delete", storageClassName: "local-path", local: { path: `/var/lib/skiff/storage/${name}_default_data` }, ...onNodes(node) },
      status: { phase: "Bound" },
    }]);
    await eventually(() => expect(told("ProvisioningSucceeded")).toEqual([`Successfully provisioned volume ${name}`]));
    for (const other of ["second", "third", "fourth"]) await addPod(other, [claimed("data")]);
    for (const other of ["second", "third", "fourth"]) expect(await nodeOf(other)).toBe(node);
  });

  test("pods that share a claim go to one node at once", async () => {
    for (const name of ["a", "b", "c"]) await addNode(name);
    await addClaim("shared");
    const names = ["one", "two", "three"];
    await Promise.all(names.map((name) => addPod(name, [claimed("shared")])));
    expect(new Set(await Promise.all(names.map(nodeOf))).size).toBe(1);
    expect([told("FailedScheduling"), plane.list(persistentvolumes).length]).toEqual([[], 1]);
  });

  test("what can't be provided for is said, and the pod waits", async () => {
    await addNode("a");
    await addClaim("shared", { accessModes: ["ReadWriteMany"] });
    await addPod("p", [claimed("shared")]);
    await eventually(() => expect(told("ProvisioningFailed")).toContain('failed to provision volume with StorageClass "local-path": access mode ReadWriteMany is not supported: a volume is a directory of one node (ReadWriteOnce, ReadWriteOncePod)'));
    expect(podOf("p").spec.nodeName).toBeUndefined();
    // The scheduler stops waiting when the pod goes.
    await plane.client.delete(pods, { namespace, name: "p" }, { gracePeriodSeconds: 0 });
  });

  test("a released volume's directory is deleted by its node, also when that was away, and others' stay", async () => {
    const storageDirectory = mkdtempSync(join(tmpdir(), "skiff-storage-"));
    try {
      await addNode("a");
      for (const name of ["data", "other"]) {
        await addClaim(name);
        await addPod(name, [claimed(name)]);
        await nodeOf(name);
      }
      const paths = plane.list<PersistentVolume>(persistentvolumes).map(({ spec }) => join(storageDirectory, basename(spec!.local!.path)));
      for (const path of paths) {
        mkdirSync(path);
        writeFileSync(join(path, "file"), "data");
      }
      const gone = `pvc-${claimOf("data")!.metadata.uid}`;
      await plane.client.delete(pods, { namespace, name: "data" }, { gracePeriodSeconds: 0 });
      await plane.client.delete(persistentvolumeclaims, { namespace, name: "data" });
      // Nobody is at the node: the volume waits for it.
      const annotations = (): Node["metadata"]["annotations"] => plane.list<Node>(nodes)[0]!.metadata.annotations;
      await eventually(() => expect(annotations()).toEqual({ [`local-path.skiff.io/${gone}`]: "release" }));
      expect(plane.list<PersistentVolume>(persistentvolumes).find(({ metadata }) => metadata.name === gone)).toMatchObject({ status: { phase: "Released" }, metadata: { finalizers: ["external-provisioner.volume.kubernetes.io/finalizer"] } });
      const { client, informers } = plane;
      const node = releaseVolumes({ own: informers.informer(nodes, { fieldSelector: "metadata.name=a" }), client, clock: systemClock, log: logger("test"), nodeName: "a", storageDirectory }, stop.signal);
      await eventually(() => expect(plane.list<PersistentVolume>(persistentvolumes).map(({ metadata }) => metadata.name)).not.toContain(gone));
      await eventually(() => expect(annotations() ?? {}).toEqual({}));
      expect(paths.map((path) => [basename(path).startsWith(gone), existsSync(path)]).filter(([isGone, exists]) => isGone === exists)).toEqual([]);
      stop.abort();
      await node;
    } finally {
      rmSync(storageDirectory, { recursive: true });
    }
  });

  test("a volume that is to be kept is not held, and one that isn't any more is", async () => {
    await addNode("a");
    await addClaim("data");
    await addPod("p", [claimed("data")]);
    await nodeOf("p");
    const name = `pvc-${claimOf("data")!.metadata.uid}`;
    const finalizers = (): string[] => plane.list<PersistentVolume>(persistentvolumes)[0]?.metadata.finalizers ?? [];
    const policy = (value: string): Promise<unknown> => plane.client.patch(persistentvolumes, { name }, { type: merge, body: { spec: { persistentVolumeReclaimPolicy: value } } });
    await policy("Retain");
    await eventually(() => expect(finalizers()).toEqual(["kubernetes.io/pv-protection"]));
    await policy("Delete");
    await eventually(() => expect(finalizers()).toContain("external-provisioner.volume.kubernetes.io/finalizer"));
    await policy("Retain");
    await plane.client.delete(pods, { namespace, name: "p" }, { gracePeriodSeconds: 0 });
    await plane.client.delete(persistentvolumeclaims, { namespace, name: "data" });
    await eventually(() => expect(plane.list<PersistentVolume>(persistentvolumes)[0]?.status?.phase).toBe("Released"));
  });

  test("a volume grows where its class lets it", async () => {
    await addNode("a");
    await addClass("growing", { provisioner: "skiff.io/local-path", allowVolumeExpansion: true });
    for (const [name, storageClassName] of [["fixed", "local-path"], ["data", "growing"]] as const) {
      await addClaim(name, { storageClassName });
      await addPod(name, [claimed(name)]);
      await nodeOf(name);
    }
    const grow = (name: string): Promise<unknown> => plane.client.patch(persistentvolumeclaims, { namespace, name }, { type: merge, body: { spec: { resources: { requests: { storage: "3Gi" } } } } });
    await expect(grow("fixed")).rejects.toThrow("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize");
    await grow("data");
    await eventually(() => expect(claimOf("data")!.status!.capacity).toEqual({ storage: "3Gi" }));
    expect(plane.list<PersistentVolume>(persistentvolumes).find(({ metadata }) => metadata.name === claimOf("data")!.spec!.volumeName)!.spec!.capacity).toEqual({ storage: "3Gi" });
    await eventually(() => expect([told("Resizing").length, told("VolumeResizeSuccessful")]).toEqual([1, ["Resize volume succeeded"]]));
  });

  test("an ephemeral volume comes and goes with its pod", async () => {
    await addNode("a");
    const template = { metadata: { labels: { app: "x" } }, spec: { accessModes: ["ReadWriteOnce" as const], resources: { requests: { storage: "1Gi" } } } };
    await addClaim("q-scratch");
    const p = await addPod("p", [{ name: "scratch", ephemeral: { volumeClaimTemplate: template } }]);
    await nodeOf("p");
    await eventually(() => expect(claimOf("p-scratch")).toMatchObject({ metadata: { labels: { app: "x" }, ownerReferences: [{ kind: "Pod", name: "p", uid: p.metadata.uid!, controller: true, blockOwnerDeletion: true }] }, status: { phase: "Bound" } }));
    const conflict = (uid: string): string => `PVC default/q-scratch was not created for pod default/q (pod is not owner)${uid}`;
    await addPod("q", [{ name: "scratch", ephemeral: { volumeClaimTemplate: template } }]);
    await eventually(() => expect(told("FailedBinding")).toContain(`ephemeral volume scratch: ${conflict("")}`));
    await says("q", conflict(""));
    // Once what is in its way is gone, it is the pod's turn.
    await plane.client.delete(persistentvolumeclaims, { namespace, name: "q-scratch" });
    expect(await nodeOf("q")).toBe("a");
  });
});

describe("a pod's volumes decide where it goes", () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ["a claim that isn't there", async () => undefined, 'persistentvolumeclaim "data" not found'],
    ["a claim that should be bound by now", async () => addClaim("data", { storageClassName: "" }), "pod has unbound immediate PersistentVolumeClaims"],
    ["no volume where nobody makes any", async () => {
      await addClass("manual", { provisioner: "kubernetes.io/no-provisioner" });
      await addClaim("data", { storageClassName: "manual" });
    }, "node(s) didn't find available persistent volumes to bind"],
    ["a volume of another node", async () => {
      await addVolume("v", onNodes("elsewhere"));
      await addClaim("data", { storageClassName: "" });
    }, "node(s) didn't match PersistentVolume's node affinity"],
    ["a volume of another zone", async () => {
      await addVolume("v", { nfs: { server: "s", path: "/" }, local: undefined, nodeAffinity: undefined }, { "topology.kubernetes.io/zone": "z2" });
      await addClaim("data", { storageClassName: "" });
    }, "node(s) had no available volume zone"],
    ["a provisioner that doesn't serve the zone", async () => {
      await addClass("zonal", { allowedTopologies: [{ matchLabelExpressions: [{ key: "topology.kubernetes.io/zone", values: ["z2"] }] }] });
      await addClaim("data", { storageClassName: "zonal" });
    }, "node(s) didn't find available persistent volumes to bind"],
    ["a driver without room", async () => {
      await addClass("small");
      await plane.client.create(csidrivers, { metadata: { name: "example.com/disk".replace("/", ".") }, spec: { storageCapacity: true } });
      await plane.client.create(storageclasses, { metadata: { name: "csi" }, provisioner: "example.com.disk", volumeBindingMode: "WaitForFirstConsumer" });
      await plane.client.create(csistoragecapacities, { metadata: { name: "c", namespace }, storageClassName: "csi", capacity: "100Mi", nodeTopology: { matchLabels: { "topology.kubernetes.io/zone": "z1" } } });
      await addClaim("data", { storageClassName: "csi" });
    }, "node(s) did not have enough free storage"],
  ])("%s keeps it back", async (_, given, reason) => {
    await addNode("a", { "topology.kubernetes.io/zone": "z1" });
    await given();
    await eventually(() => expect(claimOf("data")?.status?.phase ?? "Pending").toBe(/affinity|zone/.test(reason) ? "Bound" : "Pending"));
    await addPod("p", [claimed("data")]);
    await says("p", reason);
  });

  test("it goes where a free volume is, smallest first, and one volume serves one claim", async () => {
    for (const name of ["a", "b", "c"]) await addNode(name);
    await addClass("manual", { provisioner: "kubernetes.io/no-provisioner" });
    const spec = { storageClassName: "manual" };
    await addVolume("a-large", { ...spec, capacity: { storage: "10Gi" }, ...onNodes("a") });
    await addVolume("b-small", { ...spec, capacity: { storage: "1Gi" }, ...onNodes("b") });
    await addVolume("b-large", { ...spec, capacity: { storage: "5Gi" }, ...onNodes("b") });
    await addClaim("one", { ...spec, resources: { requests: { storage: "2Gi" } } });
    await addClaim("two", spec);
    await addPod("p", [claimed("one"), claimed("two")]);
    expect(await nodeOf("p")).toBe("b");
    await eventually(() => expect([claimOf("one"), claimOf("two")].map((claim) => [claim!.spec!.volumeName, claim!.status!.phase])).toEqual([["b-large", "Bound"], ["b-small", "Bound"]]));
    // Many pods at once never get the same volume.
    const names = Array.from({ length: 8 }, (_, index) => `m${index}`);
    await Promise.all(names.map((name) => addVolume(`v-${name}`, { ...spec, ...onNodes("a", "b", "c") })));
    await Promise.all(names.map((name) => addClaim(name, spec)));
    await Promise.all(names.map((name) => addPod(name, [claimed(name)])));
    for (const name of names) await nodeOf(name);
    expect(new Set(names.map((name) => claimOf(name)!.spec!.volumeName)).size).toBe(names.length);
  });

  test("it is tried again as soon as the claim, the volume or room for one more comes", async () => {
    await addNode("a");
    await addPod("early", [claimed("late")]);
    await says("early", 'persistentvolumeclaim "late" not found');
    await addClaim("late");
    expect(await nodeOf("early")).toBe("a");

    await addClass("manual", { provisioner: "kubernetes.io/no-provisioner" });
    await addClaim("by-hand", { storageClassName: "manual" });
    await addPod("waits", [claimed("by-hand")]);
    await says("waits", "node(s) didn't find available persistent volumes to bind");
    await eventually(() => expect(told("WaitForPodScheduled")).toContain("waiting for pod waits to be scheduled"));
    await addVolume("made-by-hand", { storageClassName: "manual" });
    expect(await nodeOf("waits")).toBe("a");
  });

  test("a claim for one pod serves one at a time", async () => {
    await addNode("a");
    await addClaim("alone", { accessModes: ["ReadWriteOncePod"] });
    await addPod("first", [claimed("alone")]);
    await nodeOf("first");
    await addPod("second", [claimed("alone")]);
    await says("second", "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod");
    await plane.client.delete(pods, { namespace, name: "first" }, { gracePeriodSeconds: 0 });
    expect(await nodeOf("second")).toBe("a");
  });

  test("no more of a driver's volumes than the node can have", async () => {
    await addNode("a");
    await plane.client.create(csinodes, { metadata: { name: "a" }, spec: { drivers: [{ name: "disk.example.com", nodeID: "a", topologyKeys: [], allocatable: { count: 1 } }] } });
    for (const name of ["v1", "v2"]) await addVolume(name, { local: undefined, nodeAffinity: undefined, csi: { driver: "disk.example.com", volumeHandle: name } });
    for (const name of ["c1", "c2"]) await addClaim(name, { storageClassName: "" });
    await eventually(() => expect([claimOf("c1")?.status?.phase, claimOf("c2")?.status?.phase]).toEqual(["Bound", "Bound"]));
    await addPod("p1", [claimed("c1")]);
    await nodeOf("p1");
    await addPod("p2", [claimed("c2")]);
    await says("p2", "node(s) exceed max volume count");
    await addPod("again", [claimed("c1")]);
    expect(await nodeOf("again")).toBe("a");
    await plane.client.patch(csinodes, { name: "a" }, { type: merge, body: { spec: { drivers: [{ name: "disk.example.com", nodeID: "a", topologyKeys: [], allocatable: { count: 2 } }] } } });
    expect(await nodeOf("p2")).toBe("a");
  });

  test("a provisioner that gives up has the pod decided on again", async () => {
    await addNode("a");
    await addClass("slow");
    await addClaim("data", { storageClassName: "slow" });
    await addPod("p", [claimed("data")]);
    const selected = (): string | undefined => claimOf("data")!.metadata.annotations?.["volume.kubernetes.io/selected-node"];
    await eventually(() => expect([selected(), ...told("ExternalProvisioning")]).toContain("a"));
    await addNode("b");
    await plane.client.patch(nodes, { name: "a" }, { type: merge, body: { spec: { unschedulable: true } } });
    await plane.client.patch(persistentvolumeclaims, { namespace, name: "data" }, { type: merge, body: { metadata: { annotations: { "volume.kubernetes.io/selected-node": null } } } });
    await eventually(() => expect(selected()).toBe("b"));
    await eventually(() => expect(told("FailedScheduling").join()).toContain('running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data"'));
    // What a provisioner does.
    const { uid } = claimOf("data")!.metadata;
    await addVolume("made", { storageClassName: "slow", claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: "data", uid }, ...onNodes("b") });
    expect(await nodeOf("p")).toBe("b");
  });
});
