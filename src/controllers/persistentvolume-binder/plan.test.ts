import { describe, expect, test } from "bun:test";
import type { PersistentVolume, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import type { StorageClass } from "../../apis/generated/storage/v1.ts";
import { claimStatusIn, planClaim, type ClaimWorld } from "./claim-plan.ts";
import { planVolume, unboundVolume } from "./volume-plan.ts";

const completed = { "pv.kubernetes.io/bind-completed": "yes" };
const byController = { "pv.kubernetes.io/bound-by-controller": "yes" };

const claim = (spec: PersistentVolumeClaim["spec"] = {}, annotations: Record<string, string> = {}, status: PersistentVolumeClaim["status"] = { phase: "Pending" }): PersistentVolumeClaim => ({
  metadata: { name: "data", namespace: "ns", uid: "c1", annotations },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "5Gi" } }, storageClassName: "slow", ...spec }, status,
});
const volume = (name: string, storage: string, spec: PersistentVolume["spec"] = {}, more: { labels?: Record<string, string>; annotations?: Record<string, string>; phase?: string; deletionTimestamp?: string } = {}): PersistentVolume => ({
  metadata: { name, labels: more.labels ?? {}, annotations: more.annotations ?? {}, ...(more.deletionTimestamp ? { deletionTimestamp: more.deletionTimestamp } : {}) },
  spec: { accessModes: ["ReadWriteOnce"], capacity: { storage }, storageClassName: "slow", ...spec }, status: { phase: (more.phase ?? "Available") as never },
});
const ref = (uid?: string, name = "data") => ({ namespace: "ns", name, ...(uid ? { uid } : {}) });
const classes: Record<string, StorageClass> = {
  slow: { metadata: { name: "slow" }, provisioner: "kubernetes.io/no-provisioner", volumeBindingMode: "Immediate" },
  later: { metadata: { name: "later" }, provisioner: "example.com/disk", volumeBindingMode: "WaitForFirstConsumer" },
  disk: { metadata: { name: "disk" }, provisioner: "example.com/disk", volumeBindingMode: "Immediate" },
};
const world = (volumes: PersistentVolume[], more: Partial<ClaimWorld> = {}): ClaimWorld => ({
  volumes: () => volumes, volume: (name) => volumes.find(({ metadata }) => metadata.name === name), storageClass: (name) => classes[name],
  defaultClass: () => undefined, unscheduledPods: () => [], ...more,
});
const chosen = (plan: ReturnType<typeof planClaim>): string => (plan.action === "bind" ? plan.volume.metadata.name! : plan.action);

describe("a claim is matched with", () => {
  test.each<[string, PersistentVolumeClaim, PersistentVolume[], string]>([
    ["the smallest volume that is large enough", claim(), [volume("s", "1Gi"), volume("l", "10Gi"), volume("m", "6Gi")], "m"],
    ["the first of equal volumes", claim(), [volume("a", "6Gi"), volume("b", "6Gi")], "a"],
    ["one of exactly its size in other units", claim({ resources: { requests: { storage: "5120Mi" } } }), [volume("x", "5Gi")], "x"],
    ["one that offers the fewest modes besides", claim(), [volume("many", "5Gi", { accessModes: ["ReadWriteOnce", "ReadWriteMany"] }), volume("one", "50Gi")], "one"],
    ["one that offers all modes", claim({ accessModes: ["ReadWriteOnce", "ReadOnlyMany"] }), [volume("one", "5Gi"), volume("all", "9Gi", { accessModes: ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"] })], "all"],
    ["one of its class", claim({ storageClassName: "disk" }), [volume("slow", "5Gi"), volume("disk", "9Gi", { storageClassName: "disk" })], "disk"],
    ["one without a class when it wants none", claim({ storageClassName: "" }), [volume("slow", "5Gi"), volume("none", "9Gi", { storageClassName: "" })], "none"],
    ["one that its selector picks", claim({ selector: { matchLabels: { tier: "gold" } } }), [volume("tin", "5Gi"), volume("gold", "9Gi", {}, { labels: { tier: "gold" } })], "gold"],
    ["one of its volume mode", claim({ volumeMode: "Block" }), [volume("fs", "5Gi"), volume("raw", "9Gi", { volumeMode: "Block" })], "raw"],
    ["one of its attributes class", claim({ volumeAttributesClassName: "fast" }), [volume("plain", "5Gi"), volume("fast", "9Gi", { volumeAttributesClassName: "fast" })], "fast"],
    ["what is set aside for it by name, of any class and size", claim(), [volume("m", "5Gi"), volume("mine", "50Gi", { claimRef: ref(), storageClassName: "other" })], "mine"],
    ["what is made for it", claim(), [volume("made", "5Gi", { claimRef: ref("c1") }, { phase: "Pending" })], "made"],
    ["not what is too small though set aside", claim(), [volume("mine", "1Gi", { claimRef: ref() })], "tell"],
    ["not what is set aside for a namesake that is gone", claim(), [volume("old", "5Gi", { claimRef: ref("c0") })], "tell"],
    ["not what is being deleted", claim(), [volume("x", "5Gi", {}, { deletionTimestamp: "2026-01-01T00:00:00Z" })], "tell"],
    ["not what is released or pending", claim(), [volume("x", "5Gi", {}, { phase: "Released" }), volume("y", "5Gi", {}, { phase: "Pending" })], "tell"],
    ["nothing free while it waits for its consumer", claim({ storageClassName: "later" }), [volume("x", "5Gi", { storageClassName: "later" })], "wait"],
    ["what is set aside for it while it waits for its consumer", claim({ storageClassName: "later" }), [volume("x", "5Gi", { storageClassName: "later", claimRef: ref() })], "x"],
  ])("%s", (_, wanted, volumes, expected) => expect(chosen(planClaim(wanted, world(volumes)))).toBe(expected));
});

describe("without a volume", () => {
  const message = (plan: ReturnType<typeof planClaim>): string | undefined => ("told" in plan && plan.told ? `${plan.told.type} ${plan.told.reason}: ${plan.told.message}` : undefined);
  test.each<[string, PersistentVolumeClaim, Partial<ClaimWorld>, string, string | undefined]>([
    ["and without a class", claim({ storageClassName: undefined }), {}, "wait", "Normal FailedBinding: no persistent volumes available for this claim and no storage class is set"],
    ["with a default class", claim({ storageClassName: undefined }), { defaultClass: () => "disk" }, "assignClass", undefined],
    ["that wants no class, with a default class", claim({ storageClassName: "" }), { defaultClass: () => "disk" }, "wait", "Normal FailedBinding: no persistent volumes available for this claim and no storage class is set"],
    ["of a class that isn't there", claim({ storageClassName: "gone" }), {}, "tell", 'Warning ProvisioningFailed: storageclass.storage.k8s.io "gone" not found'],
    ["of a class that nobody provisions", claim(), {}, "tell", "Warning ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner"],
    ["of a class with a provisioner", claim({ storageClassName: "disk" }), {}, "provision", "Normal ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'example.com/disk' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."],
    ["before there is a pod", claim({ storageClassName: "later" }), {}, "wait", "Normal WaitForFirstConsumer: waiting for first consumer to be created before binding"],
    ["before its pod has a node", claim({ storageClassName: "later" }), { unscheduledPods: () => ["p"] }, "wait", "Normal WaitForPodScheduled: waiting for pod p to be scheduled"],
    ["before its pods have nodes", claim({ storageClassName: "later" }), { unscheduledPods: () => ["p", "q"] }, "wait", "Normal WaitForPodScheduled: waiting for pods p,q to be scheduled"],
    ["once its pod has a node", claim({ storageClassName: "later" }, { "volume.kubernetes.io/selected-node": "n1" }), {}, "provision", expect.stringContaining("example.com/disk") as never],
  ])("a claim %s", (_, wanted, more, action, told) => {
    const plan = planClaim(wanted, world([], more));
    expect([plan.action, message(plan)]).toEqual([action, told]);
  });

  test.each<[string, PersistentVolumeClaim, PersistentVolume[], string, string | undefined]>([
    ["that names one waits for it", claim({ volumeName: "v" }), [], "wait", undefined],
    ["that names one too small", claim({ volumeName: "v" }), [volume("v", "1Gi")], "wait", 'Warning VolumeMismatch: Cannot bind to requested volume "v": requested PV is too small'],
    ["that names one of another class", claim({ volumeName: "v" }), [volume("v", "5Gi", { storageClassName: "x" })], "wait", 'Warning VolumeMismatch: Cannot bind to requested volume "v": storageClassName does not match'],
    ["that names one of another attributes class", claim({ volumeName: "v" }), [volume("v", "5Gi", { volumeAttributesClassName: "x" })], "wait", 'Warning VolumeMismatch: Cannot bind to requested volume "v": volumeAttributesClassName does not match'],
    ["that names one of another mode", claim({ volumeName: "v" }), [volume("v", "5Gi", { volumeMode: "Block" })], "wait", 'Warning VolumeMismatch: Cannot bind to requested volume "v": incompatible volumeMode'],
    ["that names one without its access mode", claim({ volumeName: "v" }), [volume("v", "5Gi", { accessModes: ["ReadOnlyMany"] })], "wait", 'Warning VolumeMismatch: Cannot bind to requested volume "v": incompatible accessMode'],
    ["that names one being deleted", claim({ volumeName: "v" }), [volume("v", "5Gi", {}, { deletionTimestamp: "2026-01-01T00:00:00Z" })], "wait", 'Warning VolumeMismatch: Cannot bind to requested volume "v": the volume is marked for deletion "v"'],
    ["that names another's", claim({ volumeName: "v" }), [volume("v", "5Gi", { claimRef: ref("x", "other") })], "wait", 'Warning FailedBinding: volume "v" already bound to a different claim.'],
    ["that the binder gave another's", claim({ volumeName: "v" }, byController), [volume("v", "5Gi", { claimRef: ref("x", "other") })], "tell", 'Warning FailedBinding: volume "v" already bound to a different claim.'],
    ["that names a free one", claim({ volumeName: "v" }), [volume("v", "5Gi")], "bind", undefined],
    ["that names one that is set aside for it", claim({ volumeName: "v" }), [volume("v", "5Gi", { claimRef: ref() })], "bind", undefined],
    ["that was bound to one that is gone", claim({ volumeName: "v" }, completed), [], "lose", "Warning ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!"],
    ["that was bound to one it no longer names", claim({}, completed), [], "lose", "Warning ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"],
    ["that was bound to one with another claimant", claim({ volumeName: "v" }, completed), [volume("v", "5Gi", { claimRef: ref("c0") })], "lose", "Warning ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly"],
    ["that is bound to one that lost its half", claim({ volumeName: "v" }, completed), [volume("v", "5Gi")], "bind", undefined],
    ["that is bound", claim({ volumeName: "v" }, completed), [volume("v", "5Gi", { claimRef: ref("c1") }, { phase: "Bound" })], "bind", undefined],
  ])("a claim %s", (_, wanted, volumes, action, told) => {
    const plan = planClaim(wanted, world(volumes));
    expect([plan.action, message(plan)]).toEqual([action as never, told]);
  });
});

describe("a volume", () => {
  const made = { "pv.kubernetes.io/provisioned-by": "example.com/disk" };
  test.each<[string, PersistentVolume, PersistentVolumeClaim | undefined, string]>([
    ["that is new is available", volume("v", "5Gi", {}, { phase: "Pending" }), undefined, "phase Available"],
    ["that is free stays so", volume("v", "5Gi"), undefined, "none"],
    ["that is set aside is available", volume("v", "5Gi", { claimRef: ref() }, { phase: "Pending" }), undefined, "phase Available"],
    ["whose release was undone is available", volume("v", "5Gi", {}, { phase: "Released" }), undefined, "phase Available"],
    ["with its claim is bound", volume("v", "5Gi", { claimRef: ref("c1") }), claim({ volumeName: "v" }), "phase Bound"],
    ["whose claim has yet to know waits", volume("v", "5Gi", { claimRef: ref("c1") }), claim(), "none"],
    ["of another mode than its claim says so", volume("v", "5Gi", { claimRef: ref("c1"), volumeMode: "Block" }), claim(), "mismatch"],
    ["without its claim is released", volume("v", "5Gi", { claimRef: ref("c1") }, { phase: "Bound" }), undefined, "phase Released"],
    ["with a namesake of its claim is released", volume("v", "5Gi", { claimRef: ref("c0") }, { phase: "Bound" }), claim(), "phase Released"],
    ["that is kept stays released", volume("v", "5Gi", { claimRef: ref("c0"), persistentVolumeReclaimPolicy: "Retain" }, { phase: "Released" }), undefined, "none"],
    ["that its provisioner deletes stays released", volume("v", "5Gi", { claimRef: ref("c0"), persistentVolumeReclaimPolicy: "Delete" }, { phase: "Released", annotations: made }), undefined, "none"],
    ["that its driver deletes stays released", volume("v", "5Gi", { claimRef: ref("c0"), persistentVolumeReclaimPolicy: "Delete", csi: { driver: "d", volumeHandle: "h" } }, { phase: "Released" }), undefined, "none"],
    ["that nobody can delete failed", volume("v", "5Gi", { claimRef: ref("c0"), persistentVolumeReclaimPolicy: "Delete", nfs: { server: "s", path: "/" } }, { phase: "Released" }), undefined, 'phase Failed VolumeFailedDelete: error getting deleter volume plugin for volume "v": no deletable volume plugin matched'],
    ["of a node that nobody can delete failed", volume("v", "5Gi", { claimRef: ref("c0"), persistentVolumeReclaimPolicy: "Delete", local: { path: "/x" } }, { phase: "Released" }), undefined, 'phase Failed VolumeFailedDelete: error getting deleter volume plugin for volume "v": no volume plugin matched'],
    ["that nobody can recycle failed", volume("v", "5Gi", { claimRef: ref("c0"), persistentVolumeReclaimPolicy: "Recycle" }, { phase: "Released" }), undefined, "phase Failed VolumeFailedRecycle: No recycler plugin found for the volume!"],
    ["that failed stays so", volume("v", "5Gi", { claimRef: ref("c0"), persistentVolumeReclaimPolicy: "Recycle" }, { phase: "Failed" }), undefined, "none"],
    ["whose claim has another is free again", volume("v", "5Gi", { claimRef: ref("c1") }, { annotations: byController }), claim({ volumeName: "w" }), "unbind"],
    ["that was made for a claim that has another is released", volume("v", "5Gi", { claimRef: ref("c1"), persistentVolumeReclaimPolicy: "Delete" }, { annotations: made }), claim({ volumeName: "w" }), "phase Released"],
  ])("%s", (_, subject, of, expected) => {
    const plan = planVolume(subject, of);
    const told = plan.action === "phase" && plan.told ? ` ${plan.told.reason}: ${plan.told.message}` : "";
    expect(plan.action === "phase" ? `phase ${plan.phase}${told}` : plan.action).toBe(expected);
  });

  test("that is unbound keeps what the user set aside", () => {
    expect(unboundVolume(volume("v", "5Gi", { claimRef: ref("c1") })).spec!.claimRef).toEqual(ref());
    const freed = unboundVolume(volume("v", "5Gi", { claimRef: ref("c1") }, { annotations: byController }));
    expect([freed.spec!.claimRef, freed.metadata.annotations]).toEqual([undefined, {}]);
  });
});

describe("a claim's status", () => {
  const v = volume("v", "10Gi", { accessModes: ["ReadWriteOnce", "ReadOnlyMany"], volumeAttributesClassName: "fast" });
  const bound = { phase: "Bound", accessModes: ["ReadWriteOnce", "ReadOnlyMany"], capacity: { storage: "10Gi" }, currentVolumeAttributesClassName: "fast" } as const;
  test.each<[string, ReturnType<typeof claimStatusIn>, unknown]>([
    ["tells what was bound", claimStatusIn("Bound", claim(), v), bound],
    ["is written once", claimStatusIn("Bound", claim({}, {}, bound as never), v), undefined],
    ["keeps a size that came later", claimStatusIn("Bound", claim({}, {}, { ...bound, capacity: { storage: "7Gi" }, accessModes: ["ReadWriteOnce"] } as never), v), { ...bound, capacity: { storage: "7Gi" } }],
    ["has the size before an expansion under way", claimStatusIn("Bound", claim(), volume("v", "10Gi", {}, { annotations: { "volume.alpha.kubernetes.io/pre-resize-capacity": "5Gi" } })), { phase: "Bound", accessModes: ["ReadWriteOnce"], capacity: { storage: "5Gi" } }],
    ["forgets a volume that is lost", claimStatusIn("Lost", claim({}, {}, bound as never), undefined), { phase: "Lost" }],
    ["stays pending", claimStatusIn("Pending", claim(), undefined), undefined],
  ])("%s", (_, status, expected) => expect(status as unknown).toEqual(expected));
});
