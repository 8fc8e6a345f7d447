import { existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { isFullyBound } from "../../../src/apis/core/volume/binding.ts";
import { isMadeLocally } from "../../../src/apis/core/volume/local-path.ts";
import { isReached, reachOf } from "../../../src/apis/core/volume/node-affinity.ts";
import { claimNameOf, notMadeForPod } from "../../../src/apis/core/volume/pod-claims.ts";
import type { PersistentVolume } from "../../../src/apis/generated/core/v1.ts";
import { csiVolumeOf } from "./csi.ts";
import { checkHostPath } from "./host-path.ts";
import { makeVolumeDirectory } from "./local-path.ts";
import { applyFsGroup } from "./ownership.ts";
import type { MountedVolume, VolumeContext, VolumePlugin } from "./volume.ts";

/**
 * Volumes behind claims: directories of this node. What a bound claim stands for doesn't change, so that it is asked for once a pod, and a pod
 * that has its volumes can go on while the API is away. Source: k8s.io/kubernetes/pkg/kubelet/volumemanager, pkg/volume/local.
 */
export function claimedVolumes(): VolumePlugin {
  const known = new Map<string, Map<string, MountedVolume>>();
  return {
    name: "kubernetes.io~local-volume",
    supports: (volume) => volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined,
    refreshes: false,
    async setUp(context) {
      const { pod, volume } = context, uid = pod.metadata.uid!;
      const ofPod = known.get(uid) ?? new Map<string, MountedVolume>();
      known.set(uid, ofPod);
      const last = ofPod.get(volume.name);
      const mounted = last && (last.refreshAt === undefined || context.now() < last.refreshAt) ? last : await open(context);
      ofPod.set(volume.name, mounted);
      return mounted;
    },
    forget: (uid) => known.delete(uid),
  };
}

async function open(context: VolumeContext): Promise<MountedVolume> {
  const { pod, volume, csi } = context;
  const readOnly = volume.persistentVolumeClaim?.readOnly ?? false;
  const source = await volumeBehind(context);
  if (!isReached(reachOf(source), context.nodeLabels())) throw new Error(`volume "${source.metadata.name}" can't be used on this node: no matching NodeSelectorTerms`);
  if (source.spec?.csi) return csi.setUp(csiVolumeOf(pod, source, readOnly));
  if (source.spec?.volumeMode === "Block") return { path: blockDevice(source), device: true, ...(readOnly ? { readOnly } : {}) };
  const path = place(source, context.storageDirectory);
  const gid = pod.spec.securityContext?.fsGroup;
  // The directory says that the pod has the volume already, from before the kubelet began: then it is its group's.
  if (gid !== undefined && source.spec?.local && !readOnly && !existsSync(context.directory)) await applyFsGroup(path, gid, pod.spec.securityContext?.fsGroupChangePolicy === "OnRootMismatch");
  mkdirSync(context.directory, { recursive: true });
  return { path, ...(readOnly ? { readOnly } : {}) };
}

async function volumeBehind({ pod, volume, claim: claimOf, persistentVolume }: VolumeContext): Promise<Frozen<PersistentVolume>> {
  const { namespace } = pod.metadata, name = claimNameOf(pod, volume)!;
  const fail = (reason: string): never => {
    throw new Error(`error processing PVC ${namespace}/${name}: ${reason}`);
  };
  const claim = (await claimOf(namespace!, name)) ?? fail(`failed to fetch PVC from API server: persistentvolumeclaims "${name}" not found`);
  const conflict = volume.ephemeral && notMadeForPod(pod, claim);
  if (conflict) fail(conflict);
  if (claim.metadata.deletionTimestamp) fail("PVC is being deleted");
  if (!isFullyBound(claim) || claim.status?.phase !== "Bound") fail("PVC is not bound");
  const source = await persistentVolume(claim.spec!.volumeName!);
  if (source?.spec?.claimRef?.uid !== claim.metadata.uid) fail(`failed to fetch PV ${claim.spec!.volumeName} from API server: it is not there, or not bound to this PVC`);
  return source!;
}

/** A volume that is a device of this node's. */
function blockDevice({ metadata, spec }: Frozen<PersistentVolume>): string {
  const path = spec?.local?.path ?? spec?.hostPath?.path;
  if (path === undefined) throw new Error("this kind of volume is not supported on this node");
  const device = existsSync(path) ? realpathSync(path) : undefined;
  if (!device || !statSync(device).isBlockDevice()) throw new Error(`volume "${metadata.name}" is a block volume, but "${path}" is no block device`);
  return device;
}

/** Where the volume lies on this node. */
function place(volume: Frozen<PersistentVolume>, storageDirectory: string): string {
  const { hostPath, local } = volume.spec ?? {};
  if (isMadeLocally(volume)) return makeVolumeDirectory(storageDirectory, volume);
  if (hostPath) {
    checkHostPath(hostPath.path, hostPath.type ?? "");
    return hostPath.path;
  }
  if (!local) throw new Error("this kind of volume is not supported on this node");
  if (!statSync(local.path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`path "${local.path}" does not exist`);
  return local.path;
}
