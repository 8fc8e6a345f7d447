import { afterEach, beforeEach, expect, test } from "bun:test";
import { csidrivers, events, nodes, persistentvolumeclaims, persistentvolumes, pods, serviceaccounts, volumeattachments } from "../../src/apis/builtins.ts";
import type { Event, Node, PersistentVolumeClaim } from "../../src/apis/generated/core/v1.ts";
import type { VolumeAttachment } from "../../src/apis/generated/storage/v1.ts";
import { startControlPlane, type ControlPlane } from "../support/control-plane.ts";
import { eventually } from "../support/eventually.ts";

const namespace = "default";
const merge = "application/merge-patch+json" as const;
const inNode = "kubernetes.io/csi/disk.example.com^handle-v";
let plane: ControlPlane;

beforeEach(async () => {
  plane = await startControlPlane({ select: ({ name }) => /^(persistent-volume-binder|attachdetach-controller|expand-controller)$/.test(name) });
  await plane.client.create(serviceaccounts, { metadata: { name: "default", namespace } });
  for (const name of ["a", "b"]) {
    await plane.client.create(nodes, { metadata: { name, annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" } }, spec: {} });
    await setStatus(name, { conditions: [{ type: "Ready", status: "True" }] });
  }
});
afterEach(() => plane[Symbol.asyncDispose]());

const setStatus = (name: string, status: object): Promise<unknown> => plane.client.patch(nodes, { name }, { type: merge, body: { status } }, { subresource: "status" });
async function addVolume(accessModes: string[] = ["ReadWriteOnce"]): Promise<void> {
  await plane.client.create(persistentvolumes, { metadata: { name: "v" }, spec: { accessModes: accessModes as never, capacity: { storage: "1Gi" }, storageClassName: "", csi: { driver: "disk.example.com", volumeHandle: "handle-v" } } });
  await plane.client.create(persistentvolumeclaims, { metadata: { name: "data", namespace }, spec: { storageClassName: "", volumeName: "v", accessModes: accessModes as never, resources: { requests: { storage: "1Gi" } } } });
  await eventually(() => expect(plane.list<PersistentVolumeClaim>(persistentvolumeclaims)[0]!.status!.phase).toBe("Bound"));
}
const addPod = (name: string, nodeName: string): Promise<unknown> =>
  plane.client.create(pods, { metadata: { name, namespace }, spec: { nodeName, containers: [{ name: "c", image: "i" }], volumes: [{ name: "d", persistentVolumeClaim: { claimName: "data" } }] } });
const removePod = (name: string): Promise<void> => plane.client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
const attachments = (): VolumeAttachment[] => plane.list<VolumeAttachment>(volumeattachments);
/** What a driver's attacher does. */
async function driverSays(node: string, status: object): Promise<void> {
  const { metadata } = attachments().find(({ spec }) => spec.nodeName === node)!;
  await plane.client.patch(volumeattachments, { name: metadata.name! }, { type: merge, body: { status } }, { subresource: "status" });
}
const told = (reason: string): string[] => plane.list<Event>(events, namespace).filter((event) => event.reason === reason).map(({ message, involvedObject }) => `${involvedObject.name}: ${message}`);
const reported = (name: string): string[] => (plane.list<Node>(nodes).find(({ metadata }) => metadata.name === name)!.status!.volumesAttached ?? []).map((each) => each.name);
const attachedTo = (...names: string[]): Promise<void> => eventually(() => expect(attachments().map(({ spec }) => spec.nodeName).toSorted()).toEqual(names));

test("a volume is attached for its pod, detached when the node has let go, and attached elsewhere then", async () => {
  await addVolume();
  await addPod("p", "a");
  await attachedTo("a");
  expect(attachments()[0]).toMatchObject({ metadata: { name: expect.stringMatching(/^csi-[0-9a-f]{64}$/) as never }, spec: { attacher: "disk.example.com", nodeName: "a", source: { persistentVolumeName: "v" } }, status: { attached: false } });
  await driverSays("a", { attachError: { time: "2026-01-01T00:00:00Z", message: "out of disks" } });
  await eventually(() => expect(told("FailedAttachVolume")).toEqual(['p: AttachVolume.Attach failed for volume "v" : out of disks']));
  await driverSays("a", { attached: true, attachError: null });
  await eventually(() => expect([reported("a"), told("SuccessfulAttachVolume")]).toEqual([[inNode], ['p: AttachVolume.Attach succeeded for volume "v" ']]));
  await setStatus("a", { volumesInUse: [inNode] });

  await addPod("q", "b");
  await eventually(() => expect(told("FailedAttachVolume")).toContain('q: Multi-Attach error for volume "v" Volume is already used by pod(s) p'));
  await removePod("p");
  await addPod("r", "b");
  await attachedTo("a");
  expect(told("FailedAttachVolume").filter((text) => text.includes("Multi-Attach"))).toHaveLength(1);
  expect(reported("a")).toEqual([inNode]);
  await setStatus("a", { volumesInUse: null });
  await attachedTo("b");
  expect(reported("a")).toEqual([]);
});

test("a volume is taken from a node that is out of service, and one that can be shared goes to all", async () => {
  await addVolume(["ReadWriteMany"]);
  await addPod("p", "a");
  await addPod("q", "b");
  await attachedTo("a", "b");
  await driverSays("a", { attached: true });
  await setStatus("a", { volumesInUse: [inNode] });
  await eventually(() => expect(reported("a")).toEqual([inNode]));
  await removePod("p");
  await plane.client.patch(nodes, { name: "a" }, { type: merge, body: { spec: { taints: [{ key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" }] } } });
  await attachedTo("b");
});

test("drivers that need no attaching are left alone, and nodes that see to it themselves", async () => {
  await plane.client.create(csidrivers, { metadata: { name: "disk.example.com" }, spec: { attachRequired: false } });
  await addVolume();
  await addPod("p", "a");
  await plane.client.create(persistentvolumes, { metadata: { name: "w" }, spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, storageClassName: "", csi: { driver: "other.example.com", volumeHandle: "handle-w" } } });
  await plane.client.create(persistentvolumeclaims, { metadata: { name: "more", namespace }, spec: { storageClassName: "", volumeName: "w", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } });
  await plane.client.create(nodes, { metadata: { name: "c" }, spec: {} });
  const more = (name: string, nodeName: string): Promise<unknown> => plane.client.create(pods, { metadata: { name, namespace }, spec: { nodeName, containers: [{ name: "c", image: "i" }], volumes: [{ name: "d", persistentVolumeClaim: { claimName: "more" } }] } });
  await more("unmanaged", "c");
  await more("managed", "b");
  await attachedTo("b");
});

test("attachments that others made are theirs", async () => {
  await addVolume();
  await plane.client.create(volumeattachments, { metadata: { name: "by-hand" }, spec: { attacher: "disk.example.com", nodeName: "a", source: { persistentVolumeName: "v" } } });
  await addPod("p", "b");
  await attachedTo("a", "b");
  await driverSays("a", { attached: true });
  await removePod("p");
  await attachedTo("a");
  expect([attachments()[0]!.metadata.name, reported("a")]).toEqual(["by-hand", []]);
});

test("who is to grow a volume is told", async () => {
  await addVolume();
  // What admission of a class that allows it lets through.
  const { metadata } = plane.list<PersistentVolumeClaim>(persistentvolumeclaims)[0]!;
  await plane.client.patch(persistentvolumeclaims, { namespace, name: metadata.name! }, { type: merge, body: { status: { capacity: { storage: "500Mi" } } } }, { subresource: "status" });
  await plane.client.patch(persistentvolumeclaims, { namespace, name: metadata.name! }, { type: merge, body: { status: { capacity: { storage: "600Mi" } } } }, { subresource: "status" });
  await eventually(() => expect(told("ExternalExpanding")).toEqual(["data: waiting for an external controller to expand this PVC"]));
});
