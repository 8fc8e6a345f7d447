import type { Frozen } from "../../apimachinery/meta.ts";
import { csinodes, persistentvolumeclaims, persistentvolumes, storageclasses, volumeattachments } from "../../apis/builtins.ts";
import { classOfClaim } from "../../apis/core/volume/binding.ts";
import { claimNameOf, claimNames, notMadeForPod } from "../../apis/core/volume/pod-claims.ts";
import type { PersistentVolumeClaim, Pod } from "../../apis/generated/core/v1.ts";
import type { CSINode, VolumeAttachment } from "../../apis/generated/storage/v1.ts";
import { definePlugin, unresolvable, unschedulable, type AnyPlugin, type Handle, type Status } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import { usesClaim } from "./volume-binding/events.ts";

/** Drivers of volumes, by `driver/handle`. */
type CsiVolumes = Map<string, string>;

const exceeded = unschedulable("node(s) exceed max volume count");

/** Keeps the number of a driver's volumes on a node within what the driver says the node can have. Source: kube-scheduler's NodeVolumeLimits. */
export function nodeVolumeLimits(_: unknown, { lister }: Handle): AnyPlugin {
  const claims = lister(persistentvolumeclaims), volumes = lister(persistentvolumes), classes = lister(storageclasses), nodes = lister(csinodes), attachments = lister(volumeattachments);

  function csiVolumeOf(claim: Frozen<PersistentVolumeClaim>): { driver: string; handle: string } | undefined {
    const volume = claim.spec?.volumeName ? volumes.get(claim.spec.volumeName) : undefined;
    if (volume) return volume.spec?.csi && { driver: volume.spec.csi.driver, handle: volume.spec.csi.volumeHandle };
    // Yet to be made, of its class's driver: one volume more.
    const driver = classes.get(classOfClaim(claim))?.provisioner;
    return driver ? { driver, handle: `unbound-${claim.metadata.namespace}/${claim.metadata.name}` } : undefined;
  }

  /** Adds the volumes of a pod. Claims that aren't there, or are another's, don't count. */
  function addVolumes(pod: Frozen<Pod>, into: CsiVolumes): void {
    for (const volume of pod.spec.volumes ?? []) {
      const name = claimNameOf(pod, volume);
      const claim = name === undefined ? undefined : claims.get(`${pod.metadata.namespace}/${name}`);
      if (!claim || (volume.ephemeral && notMadeForPod(pod, claim))) continue;
      const csi = csiVolumeOf(claim);
      if (csi) into.set(`${csi.driver}/${csi.handle}`, csi.driver);
    }
  }

  /** What is on the node or is to be. */
  function volumesOn(node: NodeInfo): CsiVolumes {
    const present: CsiVolumes = new Map();
    for (const { pod } of node.pods.values()) if (pod.spec.volumes?.length) addVolumes(pod, present);
    for (const { spec } of attachmentsOf(node.name)) {
      const csi = volumes.get(spec.source.persistentVolumeName ?? "")?.spec?.csi;
      if (spec.attacher && csi) present.set(`${spec.attacher}/${csi.volumeHandle}`, spec.attacher);
    }
    return present;
  }

  const attachmentsOf = (node: string): Frozen<VolumeAttachment>[] => attachments.list().filter(({ spec }) => spec.nodeName === node);

  function exceeds(wanted: CsiVolumes, node: NodeInfo, limits: ReadonlyMap<string, number>): boolean {
    const present = volumesOn(node);
    const fresh = [...wanted].filter(([id]) => !present.has(id));
    return fresh.some(([, driver]) => limits.has(driver) && countOf(driver, present.values()) + countOf(driver, fresh.map((each) => each[1])) > limits.get(driver)!);
  }

  return definePlugin<{ wanted: CsiVolumes; missing: Status | undefined }>({
    name: "NodeVolumeLimits",
    events: () => [
      { resource: "storage.k8s.io/CSINode", actions: ["Add"] },
      { resource: "storage.k8s.io/CSINode", actions: ["Update"], hint: (__, old, current) => (old && current && limitRaised(old, current) ? "Queue" : "Skip") },
      { resource: "Pod", actions: ["Delete"], hint: (__, deleted) => (deleted && gaveVolumesBack(deleted) ? "Queue" : "Skip") },
      { resource: "PersistentVolumeClaim", actions: ["Add"], hint: (pod, __, claim) => (usesClaim(pod, claim) ? "Queue" : "Skip") },
      { resource: "storage.k8s.io/VolumeAttachment", actions: ["Delete"], hint: (pod) => (pod.spec.volumes?.some(({ persistentVolumeClaim }) => persistentVolumeClaim) ? "Queue" : "Skip") },
    ],
    preFilter({ pod }: PodInfo) {
      if (!pod.spec.volumes?.length) return { skip: true };
      const { namespace } = pod.metadata, absent = claimNames(pod).find((name) => !claims.get(`${namespace}/${name}`));
      const missing = absent === undefined ? undefined : unresolvable(`looking up PVC ${namespace}/${absent}: persistentvolumeclaim "${absent}" not found`);
      const wanted: CsiVolumes = new Map();
      addVolumes(pod, wanted);
      return wanted.size === 0 && !missing ? { skip: true } : { state: { wanted, missing } };
    },
    filter(__, node, { wanted, missing }) {
      if (missing) return missing;
      const limits = limitsOf(nodes.get(node.name));
      return limits.size > 0 && exceeds(wanted, node, limits) ? exceeded : undefined;
    },
  });
}

const countOf = (driver: string, drivers: Iterable<string>): number => {
  let count = 0;
  for (const each of drivers) if (each === driver) count++;
  return count;
};

const noLimits: ReadonlyMap<string, number> = new Map();

/** By driver; drivers without a limit are left out. */
function limitsOf(node: Frozen<CSINode> | undefined): ReadonlyMap<string, number> {
  if (!node?.spec.drivers?.length) return noLimits;
  return new Map(node.spec.drivers.flatMap(({ name, allocatable }) => (allocatable?.count === undefined ? [] : [[name, allocatable.count] as const])));
}

function limitRaised(old: Frozen<CSINode>, current: Frozen<CSINode>): boolean {
  const before = limitsOf(old);
  return [...limitsOf(current)].some(([driver, limit]) => limit > (before.get(driver) ?? 0));
}

const gaveVolumesBack = ({ spec, status }: Frozen<Pod>): boolean =>
  Boolean(spec.nodeName || status?.nominatedNodeName) && (spec.volumes?.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim ?? ephemeral) ?? false);
