import { describe, expect, test } from "bun:test";
import type { Node, PersistentVolume, Pod } from "../../apis/generated/core/v1.ts";
import type { VolumeAttachment } from "../../apis/generated/storage/v1.ts";
import { attachmentName, planAttach, type AttachWorld } from "./plan.ts";

const volume = (accessModes: string[] = ["ReadWriteOnce"]): PersistentVolume => ({ metadata: { name: "v" }, spec: { accessModes: accessModes as never, csi: { driver: "d", volumeHandle: "h" } } });
const attachment = (node: string, metadata: object = {}): VolumeAttachment => ({ metadata: { name: attachmentName("h", "d", node), ...metadata }, spec: { attacher: "d", nodeName: node, source: { persistentVolumeName: "v" } }, status: { attached: true } });
const pod = (name: string): Pod => ({ metadata: { name, namespace: "ns" }, spec: { containers: [] } });
const node = (name: string, { inUse = false, ready = true, outOfService = false } = {}): Node => ({
  metadata: { name }, spec: outOfService ? { taints: [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }] } : {},
  status: { volumesInUse: inUse ? ["kubernetes.io/csi/d^h"] : [], conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});
const world = (more: Partial<AttachWorld>): AttachWorld => ({ volume: volume(), attachments: [], pods: new Map(), node: (name) => node(name), detachWantedFor: () => 0, ...more });
const minute = 60_000;

describe("a volume is", () => {
  test.each<[string, Partial<AttachWorld>, { attach?: string[]; detach?: string[]; refused?: string[]; waiting?: number; requeueAfter?: number }]>([
    ["attached where a pod needs it", { pods: new Map([["a", [pod("p")]]]) }, { attach: ["a"] }],
    ["left where it is attached already", { pods: new Map([["a", [pod("p")]]]), attachments: [attachment("a")] }, {}],
    ["attached to several nodes if it can be shared", { volume: volume(["ReadWriteMany"]), pods: new Map([["a", [pod("p")]], ["b", [pod("q")]]]) }, { attach: ["a", "b"] }],
    ["attached to several nodes if nobody knows better", { volume: volume([]), pods: new Map([["a", [pod("p")]], ["b", [pod("q")]]]) }, { attach: ["a", "b"] }],
    ["attached to one node if it can't be shared", { pods: new Map([["a", [pod("p")]], ["b", [pod("q")]]]) }, { attach: ["a"], refused: ['b: Multi-Attach error for volume "v" Volume is already used by pod(s) p'] }],
    ["not attached before another node let go", { pods: new Map([["b", [pod("q")]]]), attachments: [attachment("a", { deletionTimestamp: "2026-01-01T00:00:00Z" })] }, { refused: ['b: Multi-Attach error for volume "v" Volume is already exclusively attached to one node and can\'t be attached to another'] }],
    ["not attached again while it is being detached", { pods: new Map([["a", [pod("q")]]]), attachments: [attachment("a", { deletionTimestamp: "2026-01-01T00:00:00Z" })] }, {}],
    ["detached where no pod needs it", { attachments: [attachment("a")] }, { detach: ["a"] }],
    ["detached from a node that is gone", { attachments: [attachment("a")], node: () => undefined }, { detach: ["a"] }],
    ["left while a node has it mounted", { attachments: [attachment("a")], node: (name) => node(name, { inUse: true }), detachWantedFor: () => 60 * minute }, { waiting: 1 }],
    ["left with a node that doesn't answer for six minutes", { attachments: [attachment("a")], node: (name) => node(name, { inUse: true, ready: false }), detachWantedFor: () => 2 * minute }, { waiting: 1, requeueAfter: 4 * minute }],
    ["taken from it then", { attachments: [attachment("a")], node: (name) => node(name, { inUse: true, ready: false }), detachWantedFor: () => 6 * minute }, { detach: ["a"] }],
    ["taken at once from a node out of service", { attachments: [attachment("a")], node: (name) => node(name, { inUse: true, ready: false, outOfService: true }) }, { detach: ["a"] }],
    ["detached when its object has gone", { volume: undefined, attachments: [attachment("a")], pods: new Map() }, { detach: ["a"] }],
  ])("%s", (_, more, { attach = [], detach = [], refused = [], waiting = 0, requeueAfter }) => {
    const plan = planAttach(world(more));
    expect({ attach: plan.attach.map((each) => each.node), detach: plan.detach.map((each) => each.node), refused: plan.refused.map((each) => `${each.node}: ${each.message}`), waiting: plan.waiting.length, requeueAfter: plan.requeueAfter })
      .toEqual({ attach, detach, refused, waiting, requeueAfter });
  });
});

test("attachments are named as drivers' tools expect", () => {
  expect(attachmentName("testvolume", "csi/test", "fakeNode")).toBe("csi-" + new Bun.CryptoHasher("sha256").update("testvolumecsi/testfakeNode").digest("hex"));
});
