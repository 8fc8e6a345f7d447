import { describe, expect, test } from "bun:test";
import type { Node, PersistentVolume, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import type { StorageClass } from "../../apis/generated/storage/v1.ts";
import { finalizer, planProvision, planRelease, type ProvisionWorld } from "./plan.ts";

const uid = "01234567-89ab-cdef-0123-456789abcdef", name = `pvc-${uid}`;
const asked = { "volume.kubernetes.io/storage-provisioner": "skiff.io/local-path", "volume.kubernetes.io/selected-node": "n1" };
const claim = (spec: PersistentVolumeClaim["spec"] = {}, metadata: object = {}): PersistentVolumeClaim => ({
  metadata: { name: "data", namespace: "ns", uid, resourceVersion: "7", annotations: asked, ...metadata },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "5Gi" } }, storageClassName: "local-path", ...spec },
});
const node = (annotations: Record<string, string> = {}): Node => ({ metadata: { name: "n1", labels: { "kubernetes.io/hostname": "host-1" }, annotations }, spec: {} });
const storageClass = (more: Partial<StorageClass> = {}): StorageClass => ({ metadata: { name: "local-path" }, provisioner: "skiff.io/local-path", reclaimPolicy: "Delete", ...more });
const world = (more: Partial<ProvisionWorld> = {}): ProvisionWorld => ({ storageClass: () => storageClass(), node: () => node(), storageDirectory: "/data/storage", ...more });

describe("a claim gets", () => {
  test("a directory of the node that was chosen", () => {
    expect(planProvision(claim(), world())).toEqual({
      action: "create",
      volume: {
        apiVersion: "v1", kind: "PersistentVolume", metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": "skiff.io/local-path" }, finalizers: [finalizer] },
        spec: {
          accessModes: ["ReadWriteOnce"], capacity: { storage: "5Gi" }, volumeMode: "Filesystem", persistentVolumeReclaimPolicy: "Delete", storageClassName: "local-path",
          claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: "ns", name: "data", uid, resourceVersion: "7" },
          local: { path: `/data/storage/${name}_ns_data` },
          nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["host-1"] }] }] } },
        },
      },
    });
  });

  test("one that nothing holds where it is to be kept", () => {
    const plan = planProvision(claim(), world({ storageClass: () => storageClass({ reclaimPolicy: "Retain" }) }));
    expect(plan).toMatchObject({ volume: { spec: { persistentVolumeReclaimPolicy: "Retain" } } });
    expect((plan as { volume: PersistentVolume }).volume.metadata.finalizers).toBeUndefined();
  });

  test("a name that the file system takes, however long its own is", () => {
    const plan = planProvision(claim({}, { name: "x".repeat(253) }), world()) as { volume: PersistentVolume };
    expect(plan.volume.spec!.local!.path.slice("/data/storage/".length)).toHaveLength(255);
  });

  test.each<[string, PersistentVolumeClaim, Partial<ProvisionWorld>, object]>([
    ["nothing when it asks another provisioner", claim({}, { annotations: { ...asked, "volume.kubernetes.io/storage-provisioner": "example.com/x" } }), {}, { action: "none" }],
    ["nothing when its class has another", claim(), { storageClass: () => storageClass({ provisioner: "example.com/x" }) }, { action: "none" }],
    ["nothing when it has a volume", claim({ volumeName: "v" }), {}, { action: "none" }],
    ["nothing when it is being deleted", claim({}, { deletionTimestamp: "2026-01-01T00:00:00Z" }), {}, { action: "none" }],
    ["another node when its own is gone", claim(), { node: () => undefined }, { action: "reschedule", reason: 'node "n1" not found' }],
    ["another node when its own has no hostname", claim(), { node: () => ({ metadata: { name: "n1" }, spec: {} }) }, { action: "reschedule", reason: 'node "n1" has no label kubernetes.io/hostname' }],
    ["a refusal of a class that doesn't wait", claim({}, { annotations: { "volume.kubernetes.io/storage-provisioner": "skiff.io/local-path" } }), {}, { action: "fail", reason: "no node was selected; the class must have volumeBindingMode WaitForFirstConsumer" }],
    ["a refusal of many nodes", claim({ accessModes: ["ReadWriteMany"] }), {}, { action: "fail", reason: "access mode ReadWriteMany is not supported: a volume is a directory of one node (ReadWriteOnce, ReadWriteOncePod)" }],
    ["a refusal of blocks", claim({ volumeMode: "Block" }), {}, { action: "fail", reason: "skiff.io/local-path does not support block volume provisioning" }],
    ["a refusal of a selector", claim({ selector: {} }), {}, { action: "fail", reason: "claim.Spec.Selector is not supported" }],
    ["a refusal of a source", claim({ dataSource: { kind: "PersistentVolumeClaim", name: "x" } }), {}, { action: "fail", reason: "claims with a data source are not supported" }],
  ])("%s", (_, wanted, more, expected) => expect(planProvision(wanted, world(more)) as object).toEqual(expected));
});

describe("a volume", () => {
  const volume = (phase: string, metadata: object = {}, policy = "Delete"): PersistentVolume => ({
    ...(planProvision(claim(), world()) as { volume: PersistentVolume }).volume, status: { phase: phase as never },
    metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": "skiff.io/local-path" }, finalizers: ["x", finalizer], ...metadata },
    spec: { ...(planProvision(claim(), world()) as { volume: PersistentVolume }).volume.spec, persistentVolumeReclaimPolicy: policy as never },
  });
  const deleted = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  const key = `local-path.skiff.io/${name}`;
  test.each<[string, PersistentVolume, Node | undefined, object]>([
    ["in use stays", volume("Bound"), node(), { action: "none" }],
    ["that is released is deleted", volume("Released"), node(), { action: "delete" }],
    ["that is released and to be kept stays", volume("Released", { finalizers: ["x"] }, "Retain"), node(), { action: "none" }],
    ["that is to be kept is let go", volume("Bound", {}, "Retain"), node(), { action: "finalizers", finalizers: ["x"] }],
    ["that isn't to be kept any more is held", volume("Bound", { finalizers: ["x"] }), node(), { action: "finalizers", finalizers: ["x", finalizer] }],
    ["deleted while in use waits", volume("Bound", deleted), node(), { action: "none" }],
    ["that is deleted has its node asked", volume("Released", deleted), node(), { action: "ask", node: "n1" }],
    ["waits for its node's answer", volume("Released", deleted), node({ [key]: "release" }), { action: "none" }],
    ["waits for its node", volume("Released", deleted), undefined, { action: "none" }],
    ["goes when its node has answered", volume("Released", deleted), node({ [key]: "released" }), { action: "finish", node: "n1", finalizers: ["x"] }],
    ["of another provisioner is left alone", volume("Released", { ...deleted, annotations: { "pv.kubernetes.io/provisioned-by": "x" } }), node(), { action: "none" }],
    ["of another's name is left alone", volume("Released", { ...deleted, name: "../../etc" }), node(), { action: "none" }],
  ])("%s", (_, subject, at, expected) => expect(planRelease(subject, (hostname) => (hostname === "host-1" ? at : undefined)) as object).toEqual(expected));
});
