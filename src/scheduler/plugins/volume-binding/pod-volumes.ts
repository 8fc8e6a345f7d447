import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities, value } from "../../../apimachinery/quantity.ts";
import { fromLabelSelector, matchesLabels } from "../../../apimachinery/selectors/labels.ts";
import {
  bindingAnnotations, classOfClaim, classOfVolume, findMatchingVolume, isFullyBound, isVolumeBoundToClaim, noProvisioner, requestOf, waitsForConsumer,
} from "../../../apis/core/volume/binding.ts";
import { isReached, reachOf, type Reach } from "../../../apis/core/volume/node-affinity.ts";
import { claimNameOf, notMadeForPod } from "../../../apis/core/volume/pod-claims.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../../apis/generated/core/v1.ts";
import type { CSIDriver, CSIStorageCapacity, StorageClass } from "../../../apis/generated/storage/v1.ts";
import { unresolvable, type Status } from "../../framework.ts";
import type { NodeInfo } from "../../node-info.ts";

type Claim = Frozen<PersistentVolumeClaim>;
type Volume = Frozen<PersistentVolume>;

/** What decisions about volumes are made from; claims and volumes as others' decisions leave them. */
export interface VolumeWorld {
  claim(key: string): Claim | undefined;
  volume(name: string): Volume | undefined;
  volumes(): readonly Volume[];
  storageClass(name: string): Frozen<StorageClass> | undefined;
  csiDriver(name: string): Frozen<CSIDriver> | undefined;
  capacities(): readonly Frozen<CSIStorageCapacity>[];
}

/** What a pod's claims ask of its node, worked out once for all nodes. */
export interface PodVolumes {
  /** Of volumes that are bound; `gone` for one whose volume isn't there. */
  readonly bound: readonly (Reach | "gone")[];
  /** To be bound where the pod goes, smallest first. */
  readonly unbound: readonly UnboundClaim[];
  /** What is to be done for those wherever the pod goes, when it doesn't depend on the node: as where every node can have new volumes. */
  readonly anywhere: Placement | undefined;
}

export interface UnboundClaim {
  readonly claim: Claim;
  /** The node that was chosen before: nothing but provisioning there is left. */
  readonly selectedNode: string | undefined;
  /** Volumes of its class that are free, or set aside for it. */
  readonly candidates: readonly Volume[];
  readonly reaches: ReadonlyMap<string, Reach>;
  /** Undefined when nobody makes volumes of the class. */
  readonly provisioning: Provisioning | undefined;
}

interface Provisioning {
  /** Any one of the terms; undefined for any node. */
  readonly topologies: readonly Readonly<Record<string, ReadonlySet<string>>>[] | undefined;
  /** Selectors of the nodes that reach enough room; undefined when room isn't counted. */
  readonly roomy: readonly ReturnType<typeof fromLabelSelector>[] | undefined;
}

/** Undefined for pods without claims; a status when no node will do. Source: kube-scheduler's VolumeBinding (PreFilter). */
export function podVolumes(pod: Frozen<Pod>, world: VolumeWorld): PodVolumes | Status | undefined {
  const claims = claimsOf(pod, world);
  if (!Array.isArray(claims)) return claims as Status;
  if (claims.length === 0) return undefined;
  const unbound = claims.filter((claim) => !isFullyBound(claim));
  if (unbound.some((claim) => claim.spec?.volumeName || !waitsForConsumer(world.storageClass(classOfClaim(claim))))) return unresolvable("pod has unbound immediate PersistentVolumeClaims");
  const waiting = unbound.toSorted((a, b) => compareQuantities(requestOf(a), requestOf(b))).map((claim) => unboundClaim(claim, world));
  return {
    bound: claims.filter(isFullyBound).map((claim) => {
      const volume = world.volume(claim.spec!.volumeName!);
      return volume ? reachOf(volume) : "gone";
    }),
    unbound: waiting,
    anywhere: waiting.every(isProvisionedAnywhere) ? { bind: [], provision: waiting.map(({ claim }) => claim) } : undefined,
  };
}

const isProvisionedAnywhere = ({ selectedNode, candidates, provisioning }: UnboundClaim): boolean =>
  selectedNode === undefined && candidates.length === 0 && provisioning !== undefined && !provisioning.topologies && !provisioning.roomy;

export const isStatus = (result: PodVolumes | Status | undefined): result is Status => result !== undefined && "code" in result;

function claimsOf(pod: Frozen<Pod>, world: VolumeWorld): Claim[] | Status {
  const claims: Claim[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    const name = claimNameOf(pod, volume);
    if (name === undefined) continue;
    const claim = world.claim(`${pod.metadata.namespace}/${name}`);
    if (!claim) return unresolvable(volume.ephemeral ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"` : `persistentvolumeclaim "${name}" not found`);
    if (claim.status?.phase === "Lost") return unresolvable(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName ?? ""}"`);
    if (claim.metadata.deletionTimestamp) return unresolvable(`persistentvolumeclaim "${name}" is being deleted`);
    const conflict = volume.ephemeral && notMadeForPod(pod, claim);
    if (conflict) return unresolvable(conflict);
    claims.push(claim);
  }
  return claims;
}

function unboundClaim(claim: Claim, world: VolumeWorld): UnboundClaim {
  const className = classOfClaim(claim);
  const candidates = world.volumes().filter((volume) => classOfVolume(volume) === className && (!volume.spec?.claimRef || isVolumeBoundToClaim(volume, claim)));
  return {
    claim, candidates, selectedNode: claim.metadata.annotations?.[bindingAnnotations.selectedNode],
    reaches: new Map(candidates.map((volume) => [volume.metadata.name!, reachOf(volume)])), provisioning: provisioningOf(claim, world.storageClass(className)!, world),
  };
}

function provisioningOf(claim: Claim, { provisioner, allowedTopologies, metadata }: Frozen<StorageClass>, world: VolumeWorld): Provisioning | undefined {
  if (!provisioner || provisioner === noProvisioner) return undefined;
  return {
    topologies: allowedTopologies?.length ? allowedTopologies.map(({ matchLabelExpressions = [] }) => Object.fromEntries(matchLabelExpressions.map(({ key, values = [] }) => [key, new Set(values)]))) : undefined,
    roomy: world.csiDriver(provisioner)?.spec.storageCapacity && claim.spec?.resources?.requests?.["storage"] !== undefined
      ? world.capacities().filter((capacity) => capacity.storageClassName === metadata.name && capacity.nodeTopology && (volumeLimit(capacity) ?? -1) >= value(requestOf(claim))).map(({ nodeTopology }) => fromLabelSelector(nodeTopology))
      : undefined,
  };
}

/** The largest volume that can be made there, in bytes. */
export function volumeLimit({ maximumVolumeSize, capacity }: Frozen<CSIStorageCapacity>): number | undefined {
  const limit = maximumVolumeSize ?? capacity;
  return limit === undefined ? undefined : value(limit);
}

/** What is to be done for the pod on one node. */
export interface Placement {
  readonly bind: readonly { claim: Claim; volume: Volume }[];
  readonly provision: readonly Claim[];
}

const reasons = [
  "node(s) didn't match PersistentVolume's node affinity", "node(s) didn't find available persistent volumes to bind",
  "node(s) did not have enough free storage", "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
] as const;
const [unreached, unmatched, full, gone] = [1, 2, 4, 8] as const;
/** By the sum of what is wrong. */
const statuses: readonly Status[] = Array.from({ length: 16 }, (_, wrong) => unresolvable(...reasons.filter((__, index) => wrong & (1 << index))));

/** Source: kube-scheduler's FindPodVolumes. */
export function placeVolumes(volumes: PodVolumes, node: NodeInfo): Placement | Status {
  const wrong = checkBound(volumes.bound, node);
  const placed = volumes.anywhere ?? placeUnbound(volumes.unbound, node);
  if (typeof placed === "number") return statuses[wrong | placed]!;
  return wrong ? statuses[wrong]! : placed;
}

function checkBound(bound: PodVolumes["bound"], node: NodeInfo): number {
  for (const reach of bound) {
    if (reach === "gone") return gone;
    if (!isReached(reach, node.labels)) return unreached;
  }
  return 0;
}

/** What is wrong, as a number, when they can't be placed. */
function placeUnbound(unbound: readonly UnboundClaim[], node: NodeInfo): Placement | number {
  const bind: { claim: Claim; volume: Volume }[] = [], provision: UnboundClaim[] = [];
  const taken = new Set<string>();
  for (const one of unbound) if (one.selectedNode !== undefined && one.selectedNode !== node.name) return unmatched;
  for (const one of unbound) {
    const volume = one.selectedNode === undefined && one.candidates.length > 0
      ? findMatchingVolume(one.claim, one.candidates, { taken, reachable: ({ metadata }) => isReached(one.reaches.get(metadata.name!), node.labels) })
      : undefined;
    if (!volume) {
      provision.push(one);
      continue;
    }
    taken.add(volume.metadata.name!);
    bind.push({ claim: one.claim, volume });
  }
  for (const { provisioning } of provision) {
    if (!provisioning || !isAllowed(provisioning.topologies, node)) return unmatched;
    if (provisioning.roomy && !provisioning.roomy.some((selector) => matchesLabels(selector, node.labels))) return full;
  }
  return { bind, provision: provision.map(({ claim }) => claim) };
}

const isAllowed = (topologies: Provisioning["topologies"], { labels }: NodeInfo): boolean =>
  !topologies || topologies.some((term) => Object.entries(term).every(([key, values]) => labels[key] !== undefined && values.has(labels[key])));
