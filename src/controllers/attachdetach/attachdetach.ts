import type { Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { csidrivers, nodes, persistentvolumeclaims, persistentvolumes, pods, volumeattachments } from "../../apis/builtins.ts";
import { isFullyBound } from "../../apis/core/volume/binding.ts";
import { claimNames } from "../../apis/core/volume/pod-claims.ts";
import type { AttachedVolume, ContainerStatus, Node, PersistentVolume, Pod } from "../../apis/generated/core/v1.ts";
import type { VolumeAttachment } from "../../apis/generated/storage/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext } from "../../client/controller.ts";
import { isNodeReady } from "../node-status.ts";
import { isPodTerminal } from "../pod-status.ts";
import { isOurs, planAttach, uniqueName, type AttachPlan } from "./plan.ts";

/** Marks nodes whose kubelet leaves attaching to us. */
const managed = "volumes.kubernetes.io/controller-managed-attach-detach";
const nodePrefix = "node/";

/** What was told or begun, and is forgotten with the process: then it is told again, or begins anew. */
interface Memory {
  /** When each detachment was first wanted, in monotonic milliseconds, by attachment. */
  detachWanted: Map<string, number>;
  /** By volume, what its pods were told of last on each node. */
  told: Map<string, ReadonlyMap<string, string>>;
}

/**
 * Asks drivers, by VolumeAttachments, to attach CSI volumes to the nodes of pods that need them, and to detach them when no pod does and the
 * node has let go. Keys are names of volumes, and `node/<name>` for the volumes a node's status tells of.
 * Source: k8s.io/kubernetes/pkg/controller/volume/attachdetach.
 */
export function attachDetach(): Controller {
  const memory: Memory = { detachWanted: new Map(), told: new Map() };
  return defineController<VolumeAttachment>({
    name: "attachdetach-controller", writes: [volumeattachments, { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch", "update"] }],
    reads: [csidrivers],
    watches: [
      watchOf(pods, (pod, old, { lister }) => (old && pod && needs(old) === needs(pod) ? [] : volumesOf((pod ?? old)!, lister))),
      watchOf(persistentvolumeclaims, (claim, _, { lister }) => (claim && isFullyBound(claim) ? csiVolumes([claim.spec!.volumeName!], lister) : [])),
      watchOf(persistentvolumes, (volume, old) => ((volume ?? old)!.spec?.csi ? [(volume ?? old)!.metadata.name!] : [])),
      watchOf(volumeattachments, (attachment, old) => {
        const { nodeName, source } = (attachment ?? old)!.spec;
        return [...(source.persistentVolumeName ? [source.persistentVolumeName] : []), `${nodePrefix}${nodeName}`];
      }),
      watchOf(nodes, (node, old, { lister }) => (attachmentFacts(node) === attachmentFacts(old) ? [] : volumesOfNode((node ?? old)!, isManaged(node) && !isManaged(old), lister))),
    ],
    async reconcile(key, context) {
      if (key.startsWith(nodePrefix)) return reportAttached(key.slice(nodePrefix.length), context);
      return syncVolume(key, memory, context);
    },
  });
}

const isManaged = (node: Frozen<Node> | undefined): boolean => node?.metadata.annotations?.[managed] === "true";

/** What of a node has a say in detaching, in one string. */
const attachmentFacts = (node: Frozen<Node> | undefined): string =>
  node ? JSON.stringify([isManaged(node), node.status?.volumesInUse ?? [], node.spec?.taints?.some(({ key }) => key === "node.kubernetes.io/out-of-service") ?? false, isNodeReady(node)]) : "";

/** The node that needs the pod's volumes; "" for none. A pod being deleted needs them until its containers have ended. */
function needs({ spec, status, metadata }: Frozen<Pod>): string {
  const running = ({ state }: Frozen<ContainerStatus>): boolean => !state?.terminated && !state?.waiting;
  const all = (): readonly Frozen<ContainerStatus>[] => [...status?.initContainerStatuses ?? [], ...status?.containerStatuses ?? [], ...status?.ephemeralContainerStatuses ?? []];
  if (!spec.nodeName || isPodTerminal({ spec, status, metadata })) return "";
  return metadata.deletionTimestamp && !all().some(running) ? "" : spec.nodeName;
}

const csiVolumes = (names: readonly string[], lister: Listers): string[] => names.filter((name) => lister(persistentvolumes).get(name)?.spec?.csi);

function volumesOf(pod: Frozen<Pod>, lister: Listers): string[] {
  if (!pod.spec.nodeName) return [];
  const claims = claimNames(pod).map((name) => lister(persistentvolumeclaims).get(`${pod.metadata.namespace}/${name}`));
  return csiVolumes(claims.flatMap((claim) => (claim?.spec?.volumeName ? [claim.spec.volumeName] : [])), lister);
}

function volumesOfNode({ metadata: { name } }: Frozen<Node>, nowManaged: boolean, lister: Listers): string[] {
  const attached = lister(volumeattachments).list().flatMap(({ spec: { nodeName, source } }) => (nodeName === name && source.persistentVolumeName ? [source.persistentVolumeName] : []));
  const needed = nowManaged ? lister(pods).list().filter(({ spec }) => spec.nodeName === name).flatMap((pod) => volumesOf(pod, lister)) : [];
  return [...new Set([...attached, ...needed]), `${nodePrefix}${name}`];
}

async function syncVolume(name: string, memory: Memory, context: ReconcileContext): Promise<{ requeueAfter?: number }> {
  const { lister, monotonic } = context;
  const attachments = lister(volumeattachments).list().filter((attachment) => attachment.spec.source.persistentVolumeName === name && isOurs(attachment));
  const volume = attachable(name, lister);
  if (!volume && attachments.length === 0) return {};
  const podsByNode = volume ? podsOf(volume, lister) : new Map<string, Frozen<Pod>[]>();
  const plan = planAttach({
    volume, attachments, pods: podsByNode, node: (node) => lister(nodes).get(node),
    detachWantedFor(attachment) {
      const since = memory.detachWanted.get(attachment) ?? monotonic();
      memory.detachWanted.set(attachment, since);
      return monotonic() - since;
    },
  });
  for (const { metadata } of attachments) if (!plan.waiting.includes(metadata.name!)) memory.detachWanted.delete(metadata.name!);
  tell(name, plan, attachments, podsByNode, memory, context);
  await apply(name, plan, context);
  return plan.requeueAfter === undefined ? {} : { requeueAfter: plan.requeueAfter };
}

/** The volume, if it is one that its driver wants attached. */
function attachable(name: string, lister: Listers): Frozen<PersistentVolume> | undefined {
  const volume = lister(persistentvolumes).get(name);
  return volume?.spec?.csi && lister(csidrivers).get(volume.spec.csi.driver)?.spec.attachRequired !== false ? volume : undefined;
}

function podsOf({ metadata, spec }: Frozen<PersistentVolume>, lister: Listers): Map<string, Frozen<Pod>[]> {
  const ref = spec!.claimRef;
  const claim = ref && lister(persistentvolumeclaims).get(`${ref.namespace}/${ref.name}`);
  if (!claim || claim.metadata.uid !== ref.uid || claim.spec?.volumeName !== metadata.name) return new Map();
  const users = lister(pods).list(claim.metadata.namespace).filter((pod) => needs(pod) && claimNames(pod).includes(claim.metadata.name!) && isManaged(lister(nodes).get(pod.spec.nodeName!)));
  return Map.groupBy(users, (pod) => pod.spec.nodeName!);
}

/** Says once what keeps pods from their volume. */
function tell(volume: string, { refused }: AttachPlan, attachments: readonly Frozen<VolumeAttachment>[], users: ReadonlyMap<string, readonly Frozen<Pod>[]>, memory: Memory, { recorder }: ReconcileContext): void {
  const failed = attachments.filter(({ metadata, status }) => status?.attachError && !status.attached && !metadata.deletionTimestamp);
  const news = [
    ...refused.map(({ node, message }) => ({ node, message, stamp: "refused" })),
    ...failed.map(({ spec, status }) => ({ node: spec.nodeName, message: `AttachVolume.Attach failed for volume "${volume}" : ${status!.attachError!.message}`, stamp: `${status!.attachError!.time} ${status!.attachError!.message}` })),
  ];
  const before = memory.told.get(volume);
  for (const { node, message, stamp } of news) {
    if (before?.get(node) === stamp) continue;
    for (const pod of users.get(node) ?? []) recorder.event(pod, "Warning", "FailedAttachVolume", message);
  }
  if (news.length === 0) memory.told.delete(volume);
  else memory.told.set(volume, new Map(news.map(({ node, stamp }) => [node, stamp])));
}

async function apply(volume: string, { attach, detach }: AttachPlan, context: ReconcileContext): Promise<void> {
  const { client } = context;
  for (const { name, node } of detach) {
    await reportAttached(node, context, name);
    await client.delete(volumeattachments, { name }).catch(unlessGone);
  }
  for (const { name, driver, node } of attach) {
    try {
      await client.create(volumeattachments, { apiVersion: "storage.k8s.io/v1", kind: "VolumeAttachment", metadata: { name }, spec: { attacher: driver, nodeName: node, source: { persistentVolumeName: volume } } });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
}

/** Makes the node's status tell of what is attached to it, but for what is about to be detached; pods hear of what is new there. */
async function reportAttached(nodeName: string, { client, lister, recorder }: ReconcileContext, detaching?: string): Promise<void> {
  const node = lister(nodes).get(nodeName);
  if (!node) return;
  const attached = lister(volumeattachments).list().filter((attachment) => {
    const { metadata, spec, status } = attachment;
    return spec.nodeName === nodeName && status?.attached && !metadata.deletionTimestamp && metadata.name !== detaching && isOurs(attachment);
  });
  const volumes = attached.map(({ spec }) => lister(persistentvolumes).get(spec.source.persistentVolumeName ?? "")).filter((volume) => volume?.spec?.csi) as Frozen<PersistentVolume>[];
  const wanted: AttachedVolume[] = volumes.map((volume) => ({ name: uniqueName(volume), devicePath: "" })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const reported = node.status?.volumesAttached ?? [];
  if (reported.length === wanted.length && wanted.every(({ name }) => reported.some((each) => each.name === name))) return;
  await client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { status: { volumesAttached: wanted.length > 0 ? wanted : null } } }, { subresource: "status" }).catch(unlessGone);
  for (const volume of volumes) {
    if (reported.some(({ name }) => name === uniqueName(volume))) continue;
    for (const pod of podsOf(volume, lister).get(nodeName) ?? []) recorder.event(pod, "Normal", "SuccessfulAttachVolume", `AttachVolume.Attach succeeded for volume "${volume.metadata.name}" `);
  }
}

const unlessGone = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};
