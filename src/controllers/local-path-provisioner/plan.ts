import type { Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities } from "../../apimachinery/quantity.ts";
import { bindingAnnotations, claimReference, classOfClaim, requestOf } from "../../apis/core/volume/binding.ts";
import { isMadeLocally, localPathProvisioner as provisioner, releaseAnnotation, volumeDirectory } from "../../apis/core/volume/local-path.ts";
import type { Node, PersistentVolume, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import type { StorageClass } from "../../apis/generated/storage/v1.ts";

type Claim = Frozen<PersistentVolumeClaim>;
type Volume = Frozen<PersistentVolume>;

const hostnameLabel = "kubernetes.io/hostname";
/** Holds a volume that is deleted until its directory is; external provisioners use the same. */
export const finalizer = "external-provisioner.volume.kubernetes.io/finalizer";

export type ProvisionPlan =
  /** Not for us, or done. */
  | { action: "none" }
  | { action: "create"; volume: PersistentVolume }
  /** The scheduler has to choose another node. */
  | { action: "reschedule"; reason: string }
  | { action: "fail"; reason: string };

export interface ProvisionWorld {
  storageClass(name: string): Frozen<StorageClass> | undefined;
  node(name: string): Frozen<Node> | undefined;
  /** Where a node keeps volumes, as the volume's object says. */
  storageDirectory: string;
}

/** The volume for a claim that asks us for one. Its directory is made by the node when a pod first mounts it. */
export function planProvision(claim: Claim, world: ProvisionWorld): ProvisionPlan {
  const { metadata: { annotations = {}, deletionTimestamp }, spec = {} } = claim;
  if (spec.volumeName || deletionTimestamp || annotations[bindingAnnotations.provisioner] !== provisioner) return { action: "none" };
  const storageClass = world.storageClass(classOfClaim(claim));
  if (storageClass?.provisioner !== provisioner) return { action: "none" };
  const unsupported = whyUnsupported(claim);
  if (unsupported) return { action: "fail", reason: unsupported };
  const nodeName = annotations[bindingAnnotations.selectedNode];
  if (!nodeName) return { action: "fail", reason: "no node was selected; the class must have volumeBindingMode WaitForFirstConsumer" };
  const hostname = world.node(nodeName)?.metadata.labels?.[hostnameLabel];
  if (!hostname) return { action: "reschedule", reason: world.node(nodeName) ? `node "${nodeName}" has no label ${hostnameLabel}` : `node "${nodeName}" not found` };
  return { action: "create", volume: volumeFor(claim, storageClass, hostname, world.storageDirectory) };
}

function whyUnsupported({ spec = {} }: Claim): string | undefined {
  if (spec.volumeMode === "Block") return `${provisioner} does not support block volume provisioning`;
  if (spec.selector) return "claim.Spec.Selector is not supported";
  if (spec.dataSource || spec.dataSourceRef) return "claims with a data source are not supported";
  const other = spec.accessModes?.find((mode) => mode !== "ReadWriteOnce" && mode !== "ReadWriteOncePod");
  return other && `access mode ${other} is not supported: a volume is a directory of one node (ReadWriteOnce, ReadWriteOncePod)`;
}

function volumeFor(claim: Claim, storageClass: Frozen<StorageClass>, hostname: string, storageDirectory: string): PersistentVolume {
  const name = `pvc-${claim.metadata.uid}`;
  const policy = storageClass.reclaimPolicy ?? "Delete";
  return {
    apiVersion: "v1", kind: "PersistentVolume",
    metadata: { name, annotations: { [bindingAnnotations.provisionedBy]: provisioner }, ...(policy === "Delete" ? { finalizers: [finalizer] } : {}) },
    spec: {
      accessModes: [...claim.spec?.accessModes ?? []], capacity: { storage: String(requestOf(claim)) }, volumeMode: "Filesystem",
      persistentVolumeReclaimPolicy: policy, storageClassName: storageClass.metadata.name!,
      ...(claim.spec?.volumeAttributesClassName ? { volumeAttributesClassName: claim.spec.volumeAttributesClassName } : {}),
      claimRef: claimReference(claim),
      local: { path: `${storageDirectory}/${volumeDirectory(name, claim.metadata.namespace!, claim.metadata.name!)}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: hostnameLabel, operator: "In", values: [hostname] }] }] } },
    },
  };
}

/** The size that a claim asks for and its volume of ours doesn't have yet: a directory has room for what its disk has. Admission has seen that the class lets it. */
export function growsTo(claim: Claim, volume: Volume | undefined): string | undefined {
  if (!volume || !isMadeLocally(volume) || volume.spec?.claimRef?.uid !== claim.metadata.uid || claim.status?.phase !== "Bound") return undefined;
  return compareQuantities(requestOf(claim), claim.status.capacity?.["storage"] ?? "0") > 0 ? String(claim.spec!.resources!.requests!["storage"]) : undefined;
}

export type ReleasePlan =
  | { action: "none" }
  /** The finalizer follows the reclaim policy, which users may change. */
  | { action: "finalizers"; finalizers: string[] }
  | { action: "delete" }
  /** Ask the node to delete the directory. */
  | { action: "ask"; node: string }
  /** The node has deleted it: let the volume go, then forget that we asked. */
  | { action: "finish"; node: string; finalizers: string[] };

/** `nodeOf` finds a node by its hostname label. Whatever a node doesn't do while it is away is done when it is back: the volume waits. */
export function planRelease(volume: Volume, nodeOf: (hostname: string) => Frozen<Node> | undefined): ReleasePlan {
  const { metadata: { name, deletionTimestamp, finalizers = [] }, spec, status } = volume;
  if (!isMadeLocally(volume)) return { action: "none" };
  const held = finalizers.includes(finalizer), without = finalizers.filter((one) => one !== finalizer);
  if (spec?.persistentVolumeReclaimPolicy !== "Delete") return held ? { action: "finalizers", finalizers: without } : { action: "none" };
  if (!deletionTimestamp) {
    if (!held) return { action: "finalizers", finalizers: [...finalizers, finalizer] };
    return status?.phase === "Released" ? { action: "delete" } : { action: "none" };
  }
  if (!held || status?.phase === "Bound") return { action: "none" };
  const node = nodeOf(hostnameOf(volume) ?? "");
  if (!node) return { action: "none" };
  const answer = node.metadata.annotations?.[releaseAnnotation(name!)];
  if (answer === "released") return { action: "finish", node: node.metadata.name!, finalizers: without };
  return answer === undefined ? { action: "ask", node: node.metadata.name! } : { action: "none" };
}

/** Of the node that has the volume. */
export const hostnameOf = ({ spec }: Volume): string | undefined =>
  spec?.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions?.find(({ key }) => key === hostnameLabel)?.values?.[0];

export const hostnameOfNode = ({ metadata }: Frozen<Node>): string | undefined => metadata.labels?.[hostnameLabel];
