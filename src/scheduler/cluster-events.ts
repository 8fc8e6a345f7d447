import { semanticEqual } from "../apimachinery/equality.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import { csidrivers, csinodes, csistoragecapacities, namespaces, persistentvolumeclaims, persistentvolumes, resourceclaims, storageclasses, volumeattachments } from "../apis/builtins.ts";
import type { Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod } from "../apis/generated/core/v1.ts";
import type { CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment } from "../apis/generated/storage/v1.ts";
import type { ResourceClaim } from "../apis/generated/resource/v1.ts";
import { podRequests } from "./resources.ts";

/** Kinds whose changes may let pods fit, with kube-scheduler's names (EventResource), which are seen in metrics. `Pod` stands for pods on nodes and for those without. */
export interface EventObjects {
  Pod: Pod;
  Node: Node;
  Namespace: Namespace;
  PersistentVolume: PersistentVolume;
  PersistentVolumeClaim: PersistentVolumeClaim;
  "storage.k8s.io/CSINode": CSINode;
  "storage.k8s.io/CSIDriver": CSIDriver;
  "storage.k8s.io/VolumeAttachment": VolumeAttachment;
  "storage.k8s.io/CSIStorageCapacity": CSIStorageCapacity;
  "storage.k8s.io/StorageClass": StorageClass;
  "resource.k8s.io/ResourceClaim": ResourceClaim;
}
export type EventResource = keyof EventObjects;

/** Cards of the kinds beyond pods and nodes, which are watched only when a plugin wants their events. */
export const eventCards: Readonly<Record<Exclude<EventResource, "Pod" | "Node">, ResourceCard<any>>> = {
  Namespace: namespaces,
  PersistentVolume: persistentvolumes,
  PersistentVolumeClaim: persistentvolumeclaims,
  "storage.k8s.io/CSINode": csinodes,
  "storage.k8s.io/CSIDriver": csidrivers,
  "storage.k8s.io/VolumeAttachment": volumeattachments,
  "storage.k8s.io/CSIStorageCapacity": csistoragecapacities,
  "storage.k8s.io/StorageClass": storageclasses,
  "resource.k8s.io/ResourceClaim": resourceclaims,
};

/** `Update` as an interest is any update; as an event, one that none of the closer names fits. */
export type EventAction =
  | "Add" | "Delete" | "Update"
  | "UpdateNodeAllocatable" | "UpdateNodeLabel" | "UpdateNodeTaint" | "UpdateNodeCondition" | "UpdateNodeAnnotation" | "UpdateNodeDeclaredFeature"
  | "UpdatePodLabel" | "UpdatePodScaleDown" | "UpdatePodToleration" | "UpdatePodSchedulingGatesEliminated" | "UpdatePodGeneratedResourceClaim";

export type Hint = "Queue" | "Skip";

/**
 * What a plugin waits for when it has rejected a pod. Without `hint` any such event lets the pod be tried again. `old` is undefined when the
 * object was added, `current` when it was deleted; both may be the pod itself. What a hint throws counts as Queue.
 */
export type EventInterest = {
  [R in EventResource]: {
    readonly resource: R;
    readonly actions: readonly EventAction[];
    hint?(pod: Frozen<Pod>, old: Frozen<EventObjects[R]> | undefined, current: Frozen<EventObjects[R]> | undefined): Hint;
  };
}[EventResource];

/** A change. */
export interface ClusterEvent {
  readonly resource: Exclude<EventResource, "Pod"> | "AssignedPod" | "UnschedulablePod" | "*";
  readonly action: EventAction | "All";
  readonly old?: Frozen<KubeObject>;
  readonly current?: Frozen<KubeObject>;
  /** In place of resource and action, in metrics. */
  readonly label?: string;
}

export const labelOf = ({ resource, action, label }: ClusterEvent): string => label ?? `${resource}${action}`;

/** Whether an interest covers an event. Source: kubernetes pkg/scheduler/framework (MatchClusterEvents). */
export function concerns({ resource, actions }: EventInterest, event: ClusterEvent): boolean {
  const same = resource === event.resource || (resource === "Pod" && (event.resource === "AssignedPod" || event.resource === "UnschedulablePod"));
  return same && actions.some((action) => action === event.action || (action === "Update" && event.action.startsWith("Update")));
}

/** What a change of a node may mean to pods; empty for heartbeats. */
export function nodeActions(old: Frozen<Node>, current: Frozen<Node>): EventAction[] {
  const actions: EventAction[] = [];
  if (old.spec?.unschedulable && !current.spec?.unschedulable) actions.push("UpdateNodeTaint");
  if (!semanticEqual(old.status?.allocatable, current.status?.allocatable)) actions.push("UpdateNodeAllocatable");
  if (!semanticEqual(old.metadata.labels, current.metadata.labels)) actions.push("UpdateNodeLabel");
  if (!semanticEqual(old.spec?.taints, current.spec?.taints)) actions.push("UpdateNodeTaint");
  if (!semanticEqual(conditionsOf(old), conditionsOf(current))) actions.push("UpdateNodeCondition");
  if (!semanticEqual(old.metadata.annotations, current.metadata.annotations)) actions.push("UpdateNodeAnnotation");
  if (!semanticEqual(old.status?.declaredFeatures, current.status?.declaredFeatures)) actions.push("UpdateNodeDeclaredFeature");
  return actions;
}

const conditionsOf = ({ status }: Frozen<Node>): Record<string, string> => Object.fromEntries((status?.conditions ?? []).map((condition) => [condition.type, condition.status]));

/** What a change of a pod may mean to others, or to itself. */
export function podActions(old: Frozen<Pod>, current: Frozen<Pod>): EventAction[] {
  const actions: EventAction[] = [];
  if (!semanticEqual(old.metadata.labels, current.metadata.labels)) actions.push("UpdatePodLabel");
  if (!needsTheSame(old, current) && scaledDown(old, current)) actions.push("UpdatePodScaleDown");
  if (old.spec.schedulingGates?.length && !current.spec.schedulingGates?.length) actions.push("UpdatePodSchedulingGatesEliminated");
  if ((old.spec.tolerations?.length ?? 0) !== (current.spec.tolerations?.length ?? 0)) actions.push("UpdatePodToleration");
  if (!semanticEqual(old.status?.resourceClaimStatuses, current.status?.resourceClaimStatuses)) actions.push("UpdatePodGeneratedResourceClaim");
  return actions.length > 0 ? actions : ["Update"];
}

/** Whether it takes as much as before of its node, and others see it as before: true for most of what a kubelet writes. */
export const needsTheSame = (old: Frozen<Pod>, current: Frozen<Pod>): boolean =>
  old.metadata.generation !== undefined && old.metadata.generation === current.metadata.generation && old.metadata.deletionTimestamp === current.metadata.deletionTimestamp
  && semanticEqual(old.metadata.labels, current.metadata.labels) && semanticEqual(sizesOf(old), sizesOf(current));

/** What of its status says how much it takes, while it is being resized. */
const sizesOf = ({ status }: Frozen<Pod>): unknown => [
  status?.resources, status?.allocatedResources, status?.conditions?.filter(({ type }) => type.startsWith("PodResize")).map(({ type, reason }) => [type, reason]),
  [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map(({ name, resources, allocatedResources }) => [name, resources, allocatedResources]),
];

function scaledDown(old: Frozen<Pod>, current: Frozen<Pod>): boolean {
  const now = podRequests(current);
  for (const [name, amount] of podRequests(old)) if (amount > (now.get(name) ?? -1)) return true;
  return false;
}

const isTerminal = ({ status }: Frozen<Pod>): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

/** Takes up its node's room. */
export const isAssigned = (pod: Frozen<Pod> | undefined): pod is Frozen<Pod> => pod !== undefined && Boolean(pod.spec.nodeName) && !isTerminal(pod);

/** As it would be, had its binding been seen: hints look at where a pod was. */
export const assignedTo = (pod: Frozen<Pod>, nodeName: string): Frozen<Pod> => ({ ...pod, spec: { ...pod.spec, nodeName } });

/** Wants a node. */
export const isPending = (pod: Frozen<Pod> | undefined): pod is Frozen<Pod> => pod !== undefined && !pod.spec.nodeName && !isTerminal(pod);
