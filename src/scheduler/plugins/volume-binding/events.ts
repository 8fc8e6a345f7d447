import { semanticEqual } from "../../../apimachinery/equality.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { claimNames } from "../../../apis/core/volume/pod-claims.ts";
import type { PersistentVolumeClaim, Pod } from "../../../apis/generated/core/v1.ts";
import type { EventInterest } from "../../cluster-events.ts";
import { volumeLimit } from "./pod-volumes.ts";

/** Whether the claim is one of the pod's. */
export const usesClaim = (pod: Frozen<Pod>, claim: Frozen<PersistentVolumeClaim> | undefined): boolean =>
  claim !== undefined && claim.metadata.namespace === pod.metadata.namespace && claimNames(pod).includes(claim.metadata.name!);

const migrated = "storage.alpha.kubernetes.io/migrated-plugins";

/** Source: kube-scheduler's VolumeBinding (EventsToRegister). */
export const volumeBindingEvents = (): readonly EventInterest[] => [
  { resource: "storage.k8s.io/StorageClass", actions: ["Add", "Update"], hint: (_, old, current) => (!old || !semanticEqual(old.allowedTopologies, current?.allowedTopologies) ? "Queue" : "Skip") },
  { resource: "PersistentVolumeClaim", actions: ["Add", "Update"], hint: (pod, _, claim) => (usesClaim(pod, claim) ? "Queue" : "Skip") },
  { resource: "PersistentVolume", actions: ["Add", "Update"] },
  { resource: "Node", actions: ["Add", "UpdateNodeLabel"] },
  { resource: "storage.k8s.io/CSINode", actions: ["Add", "Update"], hint: (_, old, current) => (!old || old.metadata.annotations?.[migrated] !== current?.metadata.annotations?.[migrated] ? "Queue" : "Skip") },
  {
    resource: "storage.k8s.io/CSIDriver", actions: ["Update"],
    hint: (pod, old, current) => (old?.spec.storageCapacity && !current?.spec.storageCapacity && pod.spec.volumes?.some(({ csi }) => csi?.driver === current?.metadata.name) ? "Queue" : "Skip"),
  },
  {
    resource: "storage.k8s.io/CSIStorageCapacity", actions: ["Add", "Update"],
    hint: (_, old, current) => (!old || (current && (volumeLimit(current) ?? -1) > (volumeLimit(old) ?? -1)) ? "Queue" : "Skip"),
  },
];
