import { describe, expect, test } from "bun:test";
import { events, persistentvolumeclaims, persistentvolumes, storageclasses } from "../../src/apis/builtins.ts";
import type { Event, PersistentVolume, PersistentVolumeClaim } from "../../src/apis/generated/core/v1.ts";
import type { StorageClass } from "../../src/apis/generated/storage/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { persistentVolumeBinder } from "../../src/controllers/persistentvolume-binder/persistentvolume-binder.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "default";
const merge = "application/merge-patch+json" as const;
const concerned = /^(persistent-volume-binder|pvc?-protection-controller|local-path-provisioner|ephemeral-volume-controller|expand-controller|generic-garbage-collector|garbage-collector)$/;
const start = (): Promise<ControlPlane> => startControlPlane({ select: ({ name }) => concerned.test(name) });

const claim = (name: string, spec: PersistentVolumeClaim["spec"] = {}): PersistentVolumeClaim => ({
  apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name, namespace },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, storageClassName: "", ...spec },
});
const volume = (name: string, storage: string, spec: PersistentVolume["spec"] = {}): PersistentVolume => ({
  apiVersion: "v1", kind: "PersistentVolume", metadata: { name },
  spec: { accessModes: ["ReadWriteOnce"], capacity: { storage }, nfs: { server: "nfs", path: "/" }, ...spec },
});
const storageClass = (name: string, more: Partial<StorageClass> = {}): StorageClass => ({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name }, provisioner: "example.com/disk", ...more });
const claimOf = (plane: ControlPlane, name: string): PersistentVolumeClaim | undefined => plane.list<PersistentVolumeClaim>(persistentvolumeclaims, namespace).find(({ metadata }) => metadata.name === name);
const volumeOf = (plane: ControlPlane, name: string): PersistentVolume | undefined => plane.list<PersistentVolume>(persistentvolumes).find(({ metadata }) => metadata.name === name);
const phases = (plane: ControlPlane, claimName: string, volumeName: string): unknown[] => [claimOf(plane, claimName)?.status?.phase, volumeOf(plane, volumeName)?.status?.phase];
const told = (plane: ControlPlane, reason: string): string[] => plane.list<Event>(events, namespace).filter((event) => event.reason === reason).map(({ message }) => message!);

describe("claims and volumes", () => {
  test("find each other, and part", async () => {
    await using plane = await start();
    const { client } = plane;
    await client.create(persistentvolumeclaims, claim("data"));
    await eventually(() => expect(told(plane, "FailedBinding")).toContain("no persistent volumes available for this claim and no storage class is set"));
    await client.create(persistentvolumes, volume("large", "10Gi"));
    await eventually(() => expect(phases(plane, "data", "large")).toEqual(["Bound", "Bound"]));
    const bound = claimOf(plane, "data")!, its = volumeOf(plane, "large")!;
    expect(bound.metadata.annotations).toEqual({ "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes" });
    expect(bound.status).toEqual({ phase: "Bound", accessModes: ["ReadWriteOnce"], capacity: { storage: "10Gi" } });
    expect(its.metadata.annotations).toEqual({ "pv.kubernetes.io/bound-by-controller": "yes" });
    expect(its.spec!.claimRef).toMatchObject({ kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name: "data", uid: bound.metadata.uid });

    // Kept: released, and the next claim doesn't get it until somebody frees it.
    await client.delete(persistentvolumeclaims, { namespace, name: "data" });
    await eventually(() => expect(volumeOf(plane, "large")?.status?.phase).toBe("Released"));
    await client.create(persistentvolumeclaims, claim("next"));
    await eventually(() => expect(claimOf(plane, "next")?.status?.phase).toBe("Pending"));
    await client.patch(persistentvolumes, { name: "large" }, { type: merge, body: { spec: { claimRef: null } } });
    await eventually(() => expect(phases(plane, "next", "large")).toEqual(["Bound", "Bound"]));
    // Its protection holds it as long as it is bound, unless somebody takes that from it.
    await client.delete(persistentvolumes, { name: "large" });
    await client.patch(persistentvolumes, { name: "large" }, { type: merge, body: { metadata: { finalizers: null } } });
    await eventually(() => expect([claimOf(plane, "next")?.status?.phase, ...told(plane, "ClaimLost")]).toEqual(["Lost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"]));
  });

  test("are bound as users set them aside for each other", async () => {
    await using plane = await start();
    const { client } = plane;
    await client.create(persistentvolumes, volume("for-a", "2Gi", { claimRef: { namespace, name: "a" } }));
    await client.create(persistentvolumes, volume("small", "1Gi"));
    await eventually(() => expect([volumeOf(plane, "for-a")?.status?.phase, volumeOf(plane, "small")?.status?.phase]).toEqual(["Available", "Available"]));
    await client.create(persistentvolumeclaims, claim("a"));
    await eventually(() => expect(phases(plane, "a", "for-a")).toEqual(["Bound", "Bound"]));
    expect(volumeOf(plane, "for-a")!.metadata.annotations).toBeUndefined();

    await client.create(persistentvolumeclaims, claim("b", { volumeName: "later" }));
    await client.create(persistentvolumes, volume("later", "3Gi"));
    await eventually(() => expect(phases(plane, "b", "later")).toEqual(["Bound", "Bound"]));
    expect(claimOf(plane, "b")!.metadata.annotations).toEqual({ "pv.kubernetes.io/bind-completed": "yes" });
    expect(volumeOf(plane, "small")!.status!.phase).toBe("Available");

    await client.create(persistentvolumeclaims, claim("c", { volumeName: "later" }));
    await eventually(() => expect(told(plane, "FailedBinding")).toContain('volume "later" already bound to a different claim.'));
  });

  test("are bound one to one, however many come at once", async () => {
    await using plane = await start();
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    await Promise.all(numbers.flatMap((index) => [plane.client.create(persistentvolumeclaims, claim(`c${index}`)), plane.client.create(persistentvolumes, volume(`v${index}`, `${1 + (index % 3)}Gi`))]));
    await eventually(() => expect(plane.list<PersistentVolumeClaim>(persistentvolumeclaims).map(({ status }) => status?.phase)).toEqual(numbers.map(() => "Bound")));
    const names = plane.list<PersistentVolumeClaim>(persistentvolumeclaims).map(({ spec }) => spec!.volumeName!);
    expect(new Set(names).size).toBe(numbers.length);
    for (const { metadata, spec } of plane.list<PersistentVolumeClaim>(persistentvolumeclaims)) expect(volumeOf(plane, spec!.volumeName!)!.spec!.claimRef!.uid).toBe(metadata.uid);
  });

  /** What a kill between any two of the writes of a bond leaves behind. */
  test.each<[string, (bound: PersistentVolume) => PersistentVolume, (bound: PersistentVolumeClaim) => PersistentVolumeClaim]>([
    ["the volume's half", (v) => ({ ...v, status: { phase: "Available" } }), (c) => ({ ...c, spec: claim("x").spec!, metadata: { ...c.metadata, annotations: {} }, status: { phase: "Pending" } })],
    ["the volume's phase", (v) => v, (c) => ({ ...c, spec: claim("x").spec!, metadata: { ...c.metadata, annotations: {} }, status: { phase: "Pending" } })],
    ["the claim's half", (v) => v, (c) => ({ ...c, status: { phase: "Pending" } })],
  ])("are bound when a server ended after it wrote %s", async (_, leftVolume, leftClaim) => {
    await using plane = await startControlPlane({ select: () => false });
    const { client, informers } = plane;
    const c = await client.create(persistentvolumeclaims, claim("data"));
    const annotations = { "pv.kubernetes.io/bound-by-controller": "yes" };
    const v = leftVolume({ ...volume("v", "1Gi", { claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: "data", uid: c.metadata.uid } }), metadata: { name: "v", annotations }, status: { phase: "Bound" } });
    const created = await client.create(persistentvolumes, v);
    await client.update(persistentvolumes, { ...structuredClone(created) as PersistentVolume, status: v.status }, { subresource: "status" });
    const half = leftClaim({ ...structuredClone(c) as PersistentVolumeClaim, metadata: { ...structuredClone(c).metadata as object, annotations: { ...annotations, "pv.kubernetes.io/bind-completed": "yes" } }, spec: { ...claim("x").spec, volumeName: "v" }, status: { phase: "Bound" } });
    await client.update(persistentvolumeclaims, half);
    const stop = new AbortController();
    const running = startControllers([persistentVolumeBinder()], { informers, clock: systemClock, clientFor: () => client, recorderFor: () => ({ event: () => undefined }) }, stop.signal);
    await eventually(() => expect(phases(plane, "data", "v")).toEqual(["Bound", "Bound"]));
    stop.abort();
    await running;
    expect(claimOf(plane, "data")).toMatchObject({ spec: { volumeName: "v" }, metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } }, status: { capacity: { storage: "1Gi" } } });
  });

  test("that came before there was a default class get it", async () => {
    await using plane = await start();
    const { client } = plane;
    const { storageClassName: _, ...spec } = claim("x").spec!;
    await client.create(persistentvolumeclaims, { ...claim("early"), spec });
    await client.create(persistentvolumeclaims, claim("none"));
    await eventually(() => expect(told(plane, "FailedBinding").length).toBeGreaterThanOrEqual(2));
    await client.create(storageclasses, storageClass("plain"));
    await client.create(storageclasses, storageClass("usual", { metadata: { name: "usual", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } } }));
    await eventually(() => expect(claimOf(plane, "early")).toMatchObject({ spec: { storageClassName: "usual" }, metadata: { annotations: { "volume.kubernetes.io/storage-provisioner": "example.com/disk", "volume.beta.kubernetes.io/storage-provisioner": "example.com/disk" } } }));
    expect(claimOf(plane, "none")!.spec!.storageClassName).toBe("");
    await eventually(() => expect(told(plane, "ExternalProvisioning")[0]).toStartWith("Waiting for a volume to be created either by the external provisioner 'example.com/disk' or manually"));
    // What an external provisioner does.
    const { uid } = claimOf(plane, "early")!.metadata;
    await client.create(persistentvolumes, { ...volume("made", "1Gi", { storageClassName: "usual", persistentVolumeReclaimPolicy: "Delete", claimRef: { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name: "early", uid } }), metadata: { name: "made", annotations: { "pv.kubernetes.io/provisioned-by": "example.com/disk" } } });
    await eventually(() => expect(phases(plane, "early", "made")).toEqual(["Bound", "Bound"]));
    await client.delete(persistentvolumeclaims, { namespace, name: "early" });
    await eventually(() => expect(volumeOf(plane, "made")?.status?.phase).toBe("Released"));
  });

  test("that nobody can reclaim fail, and say why", async () => {
    await using plane = await start();
    const { client } = plane;
    for (const [name, persistentVolumeReclaimPolicy] of [["deleted", "Delete"], ["recycled", "Recycle"]] as const) {
      await client.create(persistentvolumes, volume(name, "1Gi", { persistentVolumeReclaimPolicy }));
      await client.create(persistentvolumeclaims, claim(name, { volumeName: name }));
      await eventually(() => expect(phases(plane, name, name)).toEqual(["Bound", "Bound"]));
      await client.delete(persistentvolumeclaims, { namespace, name });
    }
    await eventually(() => expect(["deleted", "recycled"].map((name) => [volumeOf(plane, name)?.status?.phase, volumeOf(plane, name)?.status?.message])).toEqual([
      ["Failed", 'error getting deleter volume plugin for volume "deleted": no deletable volume plugin matched'], ["Failed", "No recycler plugin found for the volume!"],
    ]));
  });
});
