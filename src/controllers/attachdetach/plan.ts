import { createHash } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, PersistentVolume, Pod } from "../../apis/generated/core/v1.ts";
import type { VolumeAttachment } from "../../apis/generated/storage/v1.ts";
import { isNodeReady } from "../node-status.ts";

type Volume = Frozen<PersistentVolume>;
type Attachment = Frozen<VolumeAttachment>;

/** Of CSI volumes, which are the only ones that are attached by objects. Source: k8s.io/kubernetes/pkg/volume/csi. */
export const attachmentName = (handle: string, driver: string, node: string): string => `csi-${createHash("sha256").update(`${handle}${driver}${node}`).digest("hex")}`;
/** Others may make attachments too, under other names: those are theirs to delete. */
export const isOurs = ({ metadata }: Frozen<VolumeAttachment>): boolean => /^csi-[0-9a-f]{64}$/.test(metadata.name ?? "");
/** As nodes name volumes in their status. */
export const uniqueName = ({ spec }: Volume): string => `kubernetes.io/csi/${spec!.csi!.driver}^${spec!.csi!.volumeHandle}`;

/** Whether several nodes may have the volume at once; without modes the driver has to know. */
const isShared = ({ spec }: Volume): boolean => !spec?.accessModes?.length || spec.accessModes.some((mode) => mode === "ReadWriteMany" || mode === "ReadOnlyMany");

export interface AttachWorld {
  /** Undefined when the volume's object has gone, or says that it needs no attaching: what is attached goes then. */
  volume: Volume | undefined;
  /** Those of ours that name the volume. */
  attachments: readonly Attachment[];
  /** The pods that need the volume, by the nodes they are on. */
  pods: ReadonlyMap<string, readonly Frozen<Pod>[]>;
  node(name: string): Frozen<Node> | undefined;
  /** For how long a detachment has been wanted, in milliseconds of time that passes. */
  detachWantedFor(attachment: string): number;
}

export interface AttachPlan {
  attach: { name: string; driver: string; node: string }[];
  /** The node's status is to stop telling of it first. */
  detach: { name: string; node: string }[];
  /** What has to be told to pods. */
  refused: { node: string; pods: readonly Frozen<Pod>[]; message: string }[];
  /** Names of attachments whose detachment is wanted and has to wait, and when to look again at the latest. */
  waiting: string[];
  requeueAfter?: number;
}

/** A node that doesn't answer is given so long to let go of a volume. Source: maxWaitForUnmountDuration. */
const forceDetachAfter = 6 * 60_000;

/** Source: the reconciler of k8s.io/kubernetes/pkg/controller/volume/attachdetach. Detaching comes first. */
export function planAttach({ volume, attachments, pods, node, detachWantedFor }: AttachWorld): AttachPlan {
  const plan: AttachPlan = { attach: [], detach: [], refused: [], waiting: [] };
  for (const attachment of attachments) {
    const { name, deletionTimestamp } = attachment.metadata, nodeName = attachment.spec.nodeName;
    if (deletionTimestamp || (volume && pods.has(nodeName))) continue;
    const wait = volume ? waitForUnmount(volume, node(nodeName), detachWantedFor(name!)) : 0;
    if (wait === 0) {
      plan.detach.push({ name: name!, node: nodeName });
      continue;
    }
    plan.waiting.push(name!);
    if (wait !== Infinity) plan.requeueAfter = Math.min(plan.requeueAfter ?? Infinity, wait);
  }
  if (volume) planAttachments(plan, volume, attachments, pods);
  return plan;
}

/** How long to wait before the volume may be taken from the node, in milliseconds; Infinity until the node has let go of it. */
function waitForUnmount(volume: Volume, node: Frozen<Node> | undefined, wantedFor: number): number {
  const inUse = node?.status?.volumesInUse?.includes(uniqueName(volume));
  if (!node || !inUse || node.spec?.taints?.some(({ key }) => key === "node.kubernetes.io/out-of-service")) return 0;
  return isNodeReady(node) ? Infinity : Math.max(0, forceDetachAfter - wantedFor);
}

function planAttachments(plan: AttachPlan, volume: Volume, attachments: readonly Attachment[], pods: AttachWorld["pods"]): void {
  const { driver, volumeHandle } = volume.spec!.csi!;
  const taken = attachments.map(({ spec }) => spec.nodeName);
  for (const node of pods.keys()) {
    if (taken.includes(node)) continue;
    const others = taken.filter((other) => other !== node);
    if (!isShared(volume) && others.length > 0) {
      const theirs = others.flatMap((other) => pods.get(other) ?? []);
      plan.refused.push({ node, pods: pods.get(node)!, message: `Multi-Attach error for volume "${volume.metadata.name}" ${whoHasIt(theirs)}` });
      continue;
    }
    taken.push(node);
    plan.attach.push({ name: attachmentName(volumeHandle, driver, node), driver, node });
  }
}

/** A claim's pods are all of one namespace, so that none has to be kept secret. */
const whoHasIt = (pods: readonly Frozen<Pod>[]): string =>
  pods.length === 0 ? "Volume is already exclusively attached to one node and can't be attached to another" : `Volume is already used by pod(s) ${pods.map(({ metadata }) => metadata.name).join(", ")}`;
