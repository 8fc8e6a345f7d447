import type { Frozen } from "../../apimachinery/meta.ts";
import { persistentvolumeclaims } from "../../apis/builtins.ts";
import type { Pod, Volume } from "../../apis/generated/core/v1.ts";
import { definePlugin, unresolvable, unschedulable, type AnyPlugin, type Handle } from "../framework.ts";

/** What holds a pod back that names claims for one pod only. */
interface Restrictions {
  /** Keys of the pod's claims that one pod alone may use. */
  readonly exclusive: ReadonlySet<string>;
  /** How often pods on nodes use them. */
  users: number;
}

const noDisk = unschedulable("node(s) had no available disk");
const inUse = unschedulable("node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod");

/** Keeps pods apart whose volumes can't be shared. Source: kube-scheduler's VolumeRestrictions. */
export function volumeRestrictions(_: unknown, { lister }: Handle): AnyPlugin {
  const claims = lister(persistentvolumeclaims);
  return definePlugin<Restrictions>({
    name: "VolumeRestrictions",
    events: () => [
      { resource: "Pod", actions: ["Delete"], hint: (pod, deleted) => (deleted && mayMakeRoom(pod, deleted) ? "Queue" : "Skip") },
      { resource: "Node", actions: ["Add"] },
      { resource: "PersistentVolumeClaim", actions: ["Add"], hint: (pod, __, claim) => (claim?.metadata.namespace === pod.metadata.namespace && namedClaims(pod).includes(claim!.metadata.name!) ? "Queue" : "Skip") },
    ],
    preFilter(info, snapshot) {
      const { pod } = info;
      if (!pod.spec.volumes?.length) return { skip: true };
      const exclusive = new Set<string>();
      for (const key of info.claims) {
        const claim = claims.get(key);
        if (!claim) return { rejected: unresolvable(`persistentvolumeclaim "${key.slice(key.indexOf("/") + 1)}" not found`) };
        if (claim.spec?.accessModes?.includes("ReadWriteOncePod")) exclusive.add(key);
      }
      let users = 0;
      for (const key of exclusive) if (snapshot.usersOfClaim(key) > 0) users++;
      return users === 0 && !pod.spec.volumes.some(isDisk) ? { skip: true } : { state: { exclusive, users } };
    },
    preFilterExtensions: {
      clone: ({ exclusive, users }) => ({ exclusive, users }),
      addPod(__, { claims: used }, ___, state) {
        for (const key of used) if (state.exclusive.has(key)) state.users++;
      },
      removePod(__, { claims: used }, ___, state) {
        for (const key of used) if (state.exclusive.has(key)) state.users--;
      },
    },
    filter({ pod }, node, { users }) {
      for (const volume of pod.spec.volumes ?? []) {
        if (!isDisk(volume)) continue;
        for (const { pod: other } of node.pods.values()) if (conflicts(volume, other)) return noDisk;
      }
      return users > 0 ? inUse : undefined;
    },
  });
}

const namedClaims = ({ spec }: Frozen<Pod>): string[] => (spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => (persistentVolumeClaim ? [persistentVolumeClaim.claimName] : []));

function mayMakeRoom(pod: Frozen<Pod>, deleted: Frozen<Pod>): boolean {
  if (pod.metadata.namespace !== deleted.metadata.namespace) return false;
  if (pod.spec.volumes?.some((volume) => isDisk(volume) && conflicts(volume, deleted))) return true;
  const theirs = new Set(namedClaims(deleted));
  return namedClaims(pod).some((name) => theirs.has(name));
}

const isDisk = ({ gcePersistentDisk, awsElasticBlockStore, rbd, iscsi }: Frozen<Volume>): boolean => (gcePersistentDisk ?? awsElasticBlockStore ?? rbd ?? iscsi) !== undefined;

/** The same disk, not by all for reading only. */
const conflicts = (volume: Frozen<Volume>, { spec }: Frozen<Pod>): boolean => spec.volumes?.some((other) => isSameDisk(volume, other)) ?? false;

function isSameDisk({ gcePersistentDisk: gce, awsElasticBlockStore: aws, iscsi, rbd }: Frozen<Volume>, other: Frozen<Volume>): boolean {
  const { gcePersistentDisk: otherGce, awsElasticBlockStore: otherAws, iscsi: otherIscsi, rbd: otherRbd } = other;
  if (gce && otherGce && gce.pdName === otherGce.pdName && !(gce.readOnly && otherGce.readOnly)) return true;
  if (aws && otherAws && aws.volumeID === otherAws.volumeID) return true;
  if (iscsi && otherIscsi && iscsi.iqn === otherIscsi.iqn && !(iscsi.readOnly && otherIscsi.readOnly)) return true;
  if (!rbd || !otherRbd || (rbd.readOnly && otherRbd.readOnly)) return false;
  return rbd.pool === otherRbd.pool && rbd.image === otherRbd.image && rbd.monitors.some((monitor) => otherRbd.monitors.includes(monitor));
}
