import { describe, expect, test } from "bun:test";
import type { PersistentVolume, PersistentVolumeClaim, Volume } from "../../../apis/generated/core/v1.ts";
import type { CSIDriver, CSIStorageCapacity, StorageClass } from "../../../apis/generated/storage/v1.ts";
import { messageOf } from "../../framework.ts";
import { cluster, node, pod } from "../../testing/cluster.ts";
import { isStatus, placeVolumes, podVolumes, type VolumeWorld } from "./pod-volumes.ts";

const zone = "topology.kubernetes.io/zone";
const nodes = cluster([node("a", { labels: { [zone]: "z1" } }), node("b", { labels: { [zone]: "z1" } }), node("c", { labels: { [zone]: "z2" } })]).nodes;

const claim = (name: string, size: string, spec: PersistentVolumeClaim["spec"] = {}, annotations: Record<string, string> = {}, status: PersistentVolumeClaim["status"] = { phase: "Pending" }): PersistentVolumeClaim => ({
  metadata: { name, namespace: "default", uid: name, annotations }, spec: { accessModes: ["ReadWriteOnce"], storageClassName: "manual", resources: { requests: { storage: size } }, ...spec }, status,
});
const bound = (name: string, volumeName: string): PersistentVolumeClaim => claim(name, "1Gi", { volumeName }, { "pv.kubernetes.io/bind-completed": "yes" }, { phase: "Bound" });
const volume = (name: string, size: string, on: string[], spec: PersistentVolume["spec"] = {}): PersistentVolume => ({
  metadata: { name }, status: { phase: "Available" },
  spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: size }, storageClassName: "manual", nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: on }] }] } }, ...spec },
});
const classes: StorageClass[] = [
  { metadata: { name: "manual" }, provisioner: "kubernetes.io/no-provisioner", volumeBindingMode: "WaitForFirstConsumer" },
  { metadata: { name: "made" }, provisioner: "disk", volumeBindingMode: "WaitForFirstConsumer" },
  { metadata: { name: "zonal" }, provisioner: "disk", volumeBindingMode: "WaitForFirstConsumer", allowedTopologies: [{ matchLabelExpressions: [{ key: zone, values: ["z2", "z3"] }] }] },
  { metadata: { name: "sized" }, provisioner: "csi", volumeBindingMode: "WaitForFirstConsumer" },
  { metadata: { name: "now" }, provisioner: "disk", volumeBindingMode: "Immediate" },
];
const capacity = (amount: string, zoneName: string, maximumVolumeSize?: string): CSIStorageCapacity =>
  ({ metadata: { name: zoneName }, storageClassName: "sized", capacity: amount, nodeTopology: { matchLabels: { [zone]: zoneName } }, ...(maximumVolumeSize ? { maximumVolumeSize } : {}) });
const world = (claims: PersistentVolumeClaim[], volumes: PersistentVolume[] = [], capacities: CSIStorageCapacity[] = []): VolumeWorld => ({
  claim: (key) => claims.find(({ metadata }) => `default/${metadata.name}` === key), volume: (name) => volumes.find(({ metadata }) => metadata.name === name), volumes: () => volumes,
  storageClass: (name) => classes.find(({ metadata }) => metadata.name === name), csiDriver: (name) => (name === "csi" ? { metadata: { name }, spec: { storageCapacity: true } } as CSIDriver : undefined), capacities: () => capacities,
});

const named = (name: string): Volume => ({ name, persistentVolumeClaim: { claimName: name } });
const user = (...names: string[]) => pod("p", { volumes: names.map(named) });

/** What happens on each node: why not, or what is bound and what provisioned. */
function outcome(given: VolumeWorld, ...claims: string[]): string | undefined | Record<string, string> {
  const volumes = podVolumes(user(...claims), given);
  if (isStatus(volumes)) return messageOf(volumes);
  return volumes && Object.fromEntries(nodes.map((one) => {
    const placed = placeVolumes(volumes, one);
    return [one.name, "code" in placed ? messageOf(placed) : [...placed.bind.map((each) => `${each.claim.metadata.name}=${each.volume.metadata.name}`), ...placed.provision.map(({ metadata }) => `${metadata.name}+`)].join(" ")];
  }));
}

const [affinity, noMatch, noRoom, lost] = ["node(s) didn't match PersistentVolume's node affinity", "node(s) didn't find available persistent volumes to bind", "node(s) did not have enough free storage", "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"];

describe("a pod's volumes", () => {
  test.each<[string, string[], VolumeWorld, ReturnType<typeof outcome>]>([
    ["none", [], world([]), undefined],
    ["bound to one of a node", ["x"], world([bound("x", "v")], [volume("v", "1Gi", ["b"])]), { a: affinity, b: "", c: affinity }],
    ["bound to one of everywhere", ["x"], world([bound("x", "v")], [volume("v", "1Gi", [], { nodeAffinity: undefined })]), { a: "", b: "", c: "" }],
    ["bound to one that is gone", ["x"], world([bound("x", "v")]), { a: lost, b: lost, c: lost }],
    ["to be bound to the smallest that is reached", ["x"], world([claim("x", "2Gi")], [volume("large", "9Gi", ["a", "b"]), volume("small", "3Gi", ["b"]), volume("tiny", "1Gi", ["a"])]), { a: "x=large", b: "x=small", c: noMatch }],
    ["two, the smaller chosen for first", ["big", "little"], world([claim("big", "5Gi"), claim("little", "1Gi")], [volume("v5", "5Gi", ["a", "b"]), volume("v1", "1Gi", ["a"])]), { a: "little=v1 big=v5", b: noMatch, c: noMatch }],
    ["set aside on one node, and no other", ["x"], world([claim("x", "1Gi")], [volume("mine", "1Gi", ["c"], { claimRef: { namespace: "default", name: "x" } }), volume("other", "1Gi", ["a", "c"])]), { a: noMatch, b: noMatch, c: "x=mine" }],
    ["another's", ["x"], world([claim("x", "1Gi")], [volume("v", "1Gi", ["a"], { claimRef: { namespace: "default", name: "y" } })]), { a: noMatch, b: noMatch, c: noMatch }],
    ["to be made anywhere", ["x"], world([claim("x", "1Gi", { storageClassName: "made" })]), { a: "x+", b: "x+", c: "x+" }],
    ["there on one node, to be made on others", ["x"], world([claim("x", "1Gi", { storageClassName: "made" })], [volume("v", "1Gi", ["b"], { storageClassName: "made" })]), { a: "x+", b: "x=v", c: "x+" }],
    ["to be made on the node that was chosen", ["x"], world([claim("x", "1Gi", { storageClassName: "made" }, { "volume.kubernetes.io/selected-node": "b" })]), { a: noMatch, b: "x+", c: noMatch }],
    ["to be made in some zones", ["x"], world([claim("x", "1Gi", { storageClassName: "zonal" })]), { a: noMatch, b: noMatch, c: "x+" }],
    ["to be made where there is room", ["x"], world([claim("x", "5Gi", { storageClassName: "sized" })], [], [capacity("4Gi", "z1"), capacity("50Gi", "z2")]), { a: noRoom, b: noRoom, c: "x+" }],
    ["to be made where it isn't too large", ["x"], world([claim("x", "5Gi", { storageClassName: "sized" })], [], [capacity("40Gi", "z1", "5Gi"), capacity("50Gi", "z2", "4Gi")]), { a: "x+", b: "x+", c: noRoom }],
    ["one bound elsewhere, one not to be had", ["x", "y"], world([bound("x", "v"), claim("y", "1Gi")], [volume("v", "1Gi", ["a"], { claimRef: { namespace: "default", name: "x" } })]), { a: noMatch, b: `${affinity}, ${noMatch}`, c: `${affinity}, ${noMatch}` }],
    ["one bound, one to be made", ["x", "y"], world([bound("x", "v"), claim("y", "1Gi", { storageClassName: "made" })], [volume("v", "1Gi", ["a"])]), { a: "y+", b: affinity, c: affinity }],
    ["a claim that isn't there", ["x"], world([]), 'persistentvolumeclaim "x" not found'],
    ["a claim that is lost", ["x"], world([claim("x", "1Gi", { volumeName: "v" }, {}, { phase: "Lost" })]), 'persistentvolumeclaim "x" bound to non-existent persistentvolume "v"'],
    ["a claim that is being deleted", ["x"], world([{ ...claim("x", "1Gi"), metadata: { name: "x", namespace: "default", deletionTimestamp: "2026-01-01T00:00:00Z" } }]), 'persistentvolumeclaim "x" is being deleted'],
    ["a claim that is to be bound at once", ["x"], world([claim("x", "1Gi", { storageClassName: "now" })]), "pod has unbound immediate PersistentVolumeClaims"],
    ["a claim that names its volume", ["x"], world([claim("x", "1Gi", { volumeName: "v" })]), "pod has unbound immediate PersistentVolumeClaims"],
  ])("%s", (_, claims, given, expected) => expect(outcome(given, ...claims) as unknown).toEqual(expected));

  test("ephemeral ones have claims of their own", () => {
    const one = pod("p", { volumes: [{ name: "s", ephemeral: { volumeClaimTemplate: { spec: {} } } }] });
    const said = (claims: PersistentVolumeClaim[]): unknown => {
      const result = podVolumes(one, world(claims));
      return isStatus(result) ? messageOf(result) : result?.unbound.length;
    };
    const own = { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", uid: "p", controller: true }] };
    expect(said([])).toBe('waiting for ephemeral volume controller to create the persistentvolumeclaim "p-s"');
    expect(said([claim("p-s", "1Gi")])).toBe("PVC default/p-s was not created for pod default/p (pod is not owner)");
    expect(said([{ ...claim("p-s", "1Gi"), metadata: { ...claim("p-s", "1Gi").metadata, ...own } }])).toBe(1);
  });
});
