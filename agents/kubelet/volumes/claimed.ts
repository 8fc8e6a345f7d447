import { existsSync, mkdirSync, realpathSync, statSync } from "node:fs";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { isFullyBound } from "../../../src/apis/core/volume/binding.ts";
import { isMadeLocally } from "../../../src/apis/core/volume/local-path.ts";
import { isReached, reachOf } from "../../../src/apis/core/volume/node-affinity.ts";
import { claimNameOf, notMadeForPod } from "../../../src/apis/core/volume/pod-claims.ts";
import type { PersistentVolume, PersistentVolumeClaim } from "../../../src/apis/generated/core/v1.ts";
import { csiVolumeOf } from "./csi.ts";
import { checkHostPath } from "./host-path.ts";
import { makeVolumeDirectory } from "./local-path.ts";
import { MountError, named } from "./mount-error.ts";
import { oncePerPod } from "./once-per-pod.ts";
import { applyFsGroup } from "./ownership.ts";
import type { MountedVolume, VolumeContext, VolumePlugin } from "./volume.ts";

/** Volumes behind claims: directories and devices of this node, and volumes of drivers. Source: k8s.io/kubernetes/pkg/kubelet/volumemanager, pkg/volume/local. */
export const claimedVolumes = (): VolumePlugin => oncePerPod({
  name: "kubernetes.io~local-volume",
  supports: (volume) => volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined,
  async open(context) {
    const { claim, source } = await volumeBehind(context);
    const { name } = source.metadata;
    if (!isReached(reachOf(source), context.nodeLabels())) throw new MountError(`MountVolume.NodeAffinity check failed for volume "${name}" : no matching NodeSelectorTerms`);
    try {
      return await open(context, claim, source);
    } catch (error) {
      throw named(name!, error);
    }
  },
});

async function open(context: VolumeContext, claim: Frozen<PersistentVolumeClaim>, source: Frozen<PersistentVolume>): Promise<MountedVolume> {
  const { pod, volume, csi } = context;
  const readOnly = volume.persistentVolumeClaim?.readOnly ?? false;
  if (source.spec?.csi) return csi.setUp(csiVolumeOf(pod, claim, source, readOnly));
  if (source.spec?.volumeMode === "Block") return { path: blockDevice(source), device: true, ...(readOnly ? { readOnly } : {}) };
  const path = place(source, context.storageDirectory);
  const gid = pod.spec.securityContext?.fsGroup;
  // The directory says that the pod has the volume already, from before the kubelet began: then it is its group's.
  if (gid !== undefined && source.spec?.local && !readOnly && !existsSync(context.directory)) await applyFsGroup(path, gid, pod.spec.securityContext?.fsGroupChangePolicy === "OnRootMismatch");
  mkdirSync(context.directory, { recursive: true });
  return { path, ...(readOnly ? { readOnly } : {}) };
}

async function volumeBehind({ pod, volume, claim: claimOf, persistentVolume }: VolumeContext): Promise<{ claim: Frozen<PersistentVolumeClaim>; source: Frozen<PersistentVolume> }> {
  const { namespace } = pod.metadata, name = claimNameOf(pod, volume)!;
  const fail = (reason: string): never => {
    throw new MountError(`Unable to attach or mount volumes: unmounted volumes=[${volume.name}], unattached volumes=[], failed to process volumes=[${volume.name}]: error processing PVC ${namespace}/${name}: ${reason}`);
  };
  const claim = (await claimOf(namespace!, name)) ?? fail(`failed to fetch PVC from API server: persistentvolumeclaims "${name}" not found`);
  const conflict = volume.ephemeral && notMadeForPod(pod, claim);
  if (conflict) fail(conflict);
  if (claim.metadata.deletionTimestamp) fail("PVC is being deleted");
  if (!isFullyBound(claim) || claim.status?.phase !== "Bound") fail("PVC is not bound");
  const source = await persistentVolume(claim.spec!.volumeName!);
  if (source?.spec?.claimRef?.uid !== claim.metadata.uid) fail(`failed to fetch PV ${claim.spec!.volumeName} from API server: it is not there, or not bound to this PVC`);
  return { claim, source: source! };
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
  if (!statSync(local.path, { throwIfNoEntry: false })?.isDirectory()) throw new MountError(`MountVolume.NewMounter initialization failed for volume "${volume.metadata.name}" : path "${local.path}" does not exist`);
  return local.path;
}
