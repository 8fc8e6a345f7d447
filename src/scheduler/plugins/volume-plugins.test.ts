import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { csinodes, persistentvolumeclaims, persistentvolumes, storageclasses, volumeattachments } from "../../apis/builtins.ts";
import type { PersistentVolume, PersistentVolumeClaim, Volume } from "../../apis/generated/core/v1.ts";
import type { CSINode, VolumeAttachment } from "../../apis/generated/storage/v1.ts";
import { podInfo } from "../pod-info.ts";
import { cluster, handleOf, node, pod, rejectionsBy } from "../testing/cluster.ts";
import { nodeVolumeLimits } from "./node-volume-limits.ts";
import { volumeRestrictions } from "./volume-restrictions.ts";
import { volumeZone } from "./volume-zone.ts";

const claim = (name: string, spec: PersistentVolumeClaim["spec"] = {}): PersistentVolumeClaim => ({ metadata: { name, namespace: "default", uid: name }, spec: { accessModes: ["ReadWriteOnce"], ...spec } });
const volume = (name: string, labels: Record<string, string> = {}, spec: PersistentVolume["spec"] = {}): PersistentVolume => ({ metadata: { name, labels }, spec });
const named = (claimName: string): Volume => ({ name: claimName, persistentVolumeClaim: { claimName } });
const handle = (objects: [AnyResource, KubeObject[]][]) => handleOf(new Map(objects));

describe("VolumeZone", () => {
  const zone = "topology.kubernetes.io/zone", region = "topology.kubernetes.io/region", oldZone = "failure-domain.beta.kubernetes.io/zone";
  const nodes = cluster([node("z1", { labels: { [zone]: "1", [region]: "r" } }), node("z2", { labels: { [zone]: "2", [region]: "r" } }), node("old", { labels: { [oldZone]: "1" } }), node("nowhere")]);
  const elsewhere = "node(s) had no available volume zone (for good)";
  test.each<[string, PersistentVolume | undefined, Record<string, string>]>([
    ["without labels goes anywhere", volume("v"), {}],
    ["goes to its zone, and where there are none", volume("v", { [zone]: "1" }), { z2: elsewhere, old: elsewhere }],
    ["goes to any of its zones", volume("v", { [zone]: "1__2" }), { old: elsewhere }],
    ["with an older label goes by either", volume("v", { [oldZone]: "1" }), { z2: elsewhere }],
    ["with a label that can't be read goes anywhere", volume("v", { [zone]: "1__" }), {}],
    ["goes to its region and zone", volume("v", { [zone]: "1", [region]: "other" }), { z1: elsewhere, z2: elsewhere, old: elsewhere }],
    ["that is gone goes nowhere", undefined, { "*": 'persistentvolume "v" not found' }],
  ])("a volume %s", (_, v, expected) => {
    const plugin = volumeZone(undefined, handle([[persistentvolumeclaims, [claim("c", { volumeName: "v" })]], [persistentvolumes, v ? [v] : []]]));
    expect(rejectionsBy(plugin, pod("p", { volumes: [named("c")] }), nodes)).toEqual(expected);
  });

  test.each<[string, PersistentVolumeClaim, Record<string, string>]>([
    ["waits for the pod", claim("c", { storageClassName: "later" }), {}],
    ["should be bound", claim("c", { storageClassName: "now" }), { "*": "PersistentVolume had no name" }],
    ["has no class", claim("c"), { "*": "PersistentVolumeClaim had no pv name and storageClass name" }],
    ["has a class that is gone", claim("c", { storageClassName: "gone" }), { "*": 'storageclass.storage.k8s.io "gone" not found' }],
  ])("a claim that %s", (_, c, expected) => {
    const plugin = volumeZone(undefined, handle([[persistentvolumeclaims, [c]], [storageclasses, [{ metadata: { name: "later" }, volumeBindingMode: "WaitForFirstConsumer" } as KubeObject, { metadata: { name: "now" }, volumeBindingMode: "Immediate" } as KubeObject]]]));
    expect(rejectionsBy(plugin, pod("p", { volumes: [named("c")] }), nodes)).toEqual(expected);
  });
});

describe("VolumeRestrictions", () => {
  const plugin = volumeRestrictions(undefined, handle([[persistentvolumeclaims, [claim("shared"), claim("alone", { accessModes: ["ReadWriteOncePod"] })]]]));
  const disk = "node(s) had no available disk", busy = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";
  const rbd = (image: string, monitors: string[], readOnly = false): Volume => ({ name: "d", rbd: { image, monitors, pool: "rbd", readOnly } });
  const gce = (pdName: string, readOnly = false): Volume => ({ name: "d", gcePersistentDisk: { pdName, readOnly } });
  const iscsi = (iqn: string, readOnly = false): Volume => ({ name: "d", iscsi: { iqn, lun: 0, targetPortal: "t", readOnly } });
  test.each<[string, Volume, Volume, Record<string, string>]>([
    ["the same disk", gce("x"), gce("x"), { a: disk }],
    ["the same disk, both reading", gce("x", true), gce("x", true), {}],
    ["the same disk, one reading", gce("x", true), gce("x"), { a: disk }],
    ["another disk", gce("x"), gce("y"), {}],
    ["the same EBS volume", { name: "d", awsElasticBlockStore: { volumeID: "x", readOnly: true } }, { name: "d", awsElasticBlockStore: { volumeID: "x", readOnly: true } }, { a: disk }],
    ["the same iSCSI target", iscsi("x"), iscsi("x"), { a: disk }],
    ["the same image by a common monitor", rbd("x", ["1", "2"]), rbd("x", ["2", "3"]), { a: disk }],
    ["an image of the name elsewhere", rbd("x", ["1"]), rbd("x", ["2"]), {}],
    ["a claim that others may use", named("shared"), named("shared"), {}],
    ["a claim for one pod", named("alone"), named("alone"), { a: busy, b: busy }],
    ["a claim that isn't there", named("gone"), named("gone"), { "*": 'persistentvolumeclaim "gone" not found' }],
  ])("%s", (_, mine, theirs, expected) => {
    const state = cluster([node("a"), node("b")], [pod("other", { volumes: [theirs], nodeName: "a" })]);
    expect(rejectionsBy(plugin, pod("p", { volumes: [mine] }), state)).toEqual(expected);
  });

  test("a dry run without the other user finds room", () => {
    const other = pod("other", { volumes: [named("alone")], nodeName: "a" });
    const state = cluster([node("a")], [other]);
    const info = podInfo(pod("p", { volumes: [named("alone")] }));
    const prepared = plugin.preFilter!(info, state) as { state: unknown };
    const copy = plugin.preFilterExtensions!.clone(prepared.state);
    plugin.preFilterExtensions!.removePod(info, podInfo(other), state.node("a")!, copy);
    expect([plugin.filter!(info, state.node("a")!, copy), plugin.filter!(info, state.node("a")!, prepared.state)?.code]).toEqual([undefined, "Unschedulable"]);
    plugin.preFilterExtensions!.addPod(info, podInfo(other), state.node("a")!, copy);
    expect(plugin.filter!(info, state.node("a")!, copy)?.code).toBe("Unschedulable");
  });

  const hint = (deleted: Volume, mine: Volume, namespace = "default") => {
    const interest = plugin.events!().find(({ resource }) => resource === "Pod")!;
    return (interest.hint as (pod: unknown, old: unknown) => unknown)(pod("p", { volumes: [mine] }), pod("gone", { volumes: [deleted], namespace }));
  };
  test("a deleted pod helps if it used the same", () => {
    expect([hint(named("alone"), named("alone")), hint(named("x"), named("alone")), hint(named("alone"), named("alone"), "other"), hint(gce("x"), gce("x")), hint(gce("x"), gce("y"))]).toEqual(["Queue", "Skip", "Skip", "Queue", "Skip"]);
  });
});

describe("NodeVolumeLimits", () => {
  const csi = (name: string, driver = "d"): PersistentVolume => volume(name, {}, { csi: { driver, volumeHandle: name } });
  const limited = (count?: number): CSINode => ({ metadata: { name: "a" }, spec: { drivers: [{ name: "d", nodeID: "a", topologyKeys: [], ...(count === undefined ? {} : { allocatable: { count } }) }] } });
  const attached = (name: string): VolumeAttachment => ({ metadata: { name }, spec: { attacher: "d", nodeName: "a", source: { persistentVolumeName: name } } });
  const exceeded = { a: "node(s) exceed max volume count" };
  const claims = ["v1", "v2", "v3"].map((name) => claim(name, { volumeName: name }));
  const later = claim("later", { storageClassName: "csi" });
  test.each<[string, CSINode, string[], VolumeAttachment[], string[], Record<string, string>]>([
    ["one more than there can be", limited(2), ["v1", "v2"], [], ["v3"], exceeded],
    ["as many as there can be", limited(3), ["v1", "v2"], [], ["v3"], {}],
    ["no limit", limited(), ["v1", "v2"], [], ["v3"], {}],
    ["one that is there already", limited(2), ["v1", "v2"], [], ["v2"], {}],
    ["what is attached though no pod has it", limited(2), ["v1"], [attached("v2")], ["v3"], exceeded],
    ["what is attached for a pod counts once", limited(2), ["v1"], [attached("v1")], ["v3"], {}],
    ["one that is yet to be made", limited(1), ["v1"], [], ["later"], exceeded],
    ["two where one fits", limited(1), [], [], ["v1", "v2"], exceeded],
    ["a claim that isn't there", limited(1), [], [], ["gone"], { a: 'looking up PVC default/gone: persistentvolumeclaim "gone" not found (for good)' }],
  ])("%s", (_, limits, there, attachments, wanted, expected) => {
    const plugin = nodeVolumeLimits(undefined, handle([[persistentvolumeclaims, [...claims, later]], [persistentvolumes, ["v1", "v2", "v3"].map((name) => csi(name))], [csinodes, [limits]], [volumeattachments, attachments], [storageclasses, [{ metadata: { name: "csi" }, provisioner: "d" } as KubeObject]]]));
    const state = cluster([node("a")], there.map((name) => pod(`on-${name}`, { volumes: [named(name)], nodeName: "a" })));
    expect(rejectionsBy(plugin, pod("p", { volumes: wanted.map(named) }), state)).toEqual(expected);
  });
});
