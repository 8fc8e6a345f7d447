import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { PersistentVolume, Pod, Volume } from "../../apis/generated/core/v1.ts";
import type { ResourceSlice } from "../../apis/generated/resource/v1.ts";
import type { VolumeAttachment } from "../../apis/generated/storage/v1.ts";
import type { Informer } from "../../client/informer.ts";
import type { Listers } from "../../registry/listers.ts";

/** What the pods of each node refer to, so that a node may read just that. */
export interface NodeGraph {
  /** Whether an object, empty namespace for cluster-scoped kinds, is of use to a node. */
  refers(node: string, resource: string, namespace: string, name: string): boolean;
}

/** References of pods are kept up with each change; those through volumes and slices are followed when asked for, by `listers`. */
export function nodeGraph(pods: Informer<Pod>, listers?: Listers): NodeGraph {
  // How many of a node's pods hold each reference.
  const counts = new Map<string, Map<string, number>>();

  function count(pod: Frozen<Pod> | undefined, by: 1 | -1): void {
    const node = pod?.spec.nodeName;
    if (!node) return;
    let references = counts.get(node);
    if (!references) counts.set(node, references = new Map());
    for (const reference of referencesOf(pod)) {
      const left = (references.get(reference) ?? 0) + by;
      if (left > 0) references.set(reference, left);
      else references.delete(reference);
    }
    if (references.size === 0) counts.delete(node);
  }

  pods.onChange((old, current) => {
    if (old && current && old.spec === current.spec && old.status?.resourceClaimStatuses === current.status?.resourceClaimStatuses) return;
    count(current, 1);
    count(old, -1);
  });

  const holds = (node: string, resource: string, namespace: string, name: string): boolean => counts.get(node)?.has(`${resource}/${namespace}/${name}`) ?? false;
  const holdsClaimOf = (node: string, volume: Frozen<PersistentVolume> | undefined): boolean => {
    const claim = volume?.spec?.claimRef;
    return claim !== undefined && holds(node, "persistentvolumeclaims", claim.namespace ?? "", claim.name ?? "");
  };
  const read = <T extends KubeObject>(group: string, resource: string, name: string): Frozen<T> | undefined => listers?.<T>(group, resource).get(name);
  const secretOfVolume = (node: string, namespace: string, name: string): boolean =>
    listers?.<PersistentVolume>("", "persistentvolumes").list().some((volume) => secretsOf(volume).has(`${namespace}/${name}`) && holdsClaimOf(node, volume)) ?? false;

  return {
    refers(node, resource, namespace, name) {
      switch (resource) {
        case "persistentvolumes": return holdsClaimOf(node, read<PersistentVolume>("", resource, name));
        case "volumeattachments": return read<VolumeAttachment>("storage.k8s.io", resource, name)?.spec.nodeName === node;
        case "resourceslices": return read<ResourceSlice>("resource.k8s.io", resource, name)?.spec.nodeName === node;
        case "secrets": return holds(node, resource, namespace, name) || secretOfVolume(node, namespace, name);
        default: return holds(node, resource, namespace, name);
      }
    },
  };
}

/** `namespace/name` of what a volume's driver needs. */
function secretsOf({ spec = {} }: Frozen<PersistentVolume>): Set<string> {
  const { csi, azureFile, cephfs, flexVolume, iscsi, rbd, scaleIO, storageos, claimRef } = spec;
  const references = [
    csi?.controllerPublishSecretRef, csi?.nodePublishSecretRef, csi?.nodeStageSecretRef, csi?.nodeExpandSecretRef,
    cephfs?.secretRef, flexVolume?.secretRef, iscsi?.secretRef, rbd?.secretRef, scaleIO?.secretRef, storageos?.secretRef,
    ...(azureFile ? [{ name: azureFile.secretName, namespace: azureFile.secretNamespace }] : []),
  ];
  return new Set(references.flatMap((reference) => (reference?.name ? [`${reference.namespace || claimRef?.namespace || ""}/${reference.name}`] : [])));
}

/** Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/node AddPod and VisitPodSecretNames. */
export function referencesOf({ metadata: { namespace, name, annotations }, spec, status }: Frozen<Pod>): Set<string> {
  const found = new Set<string>([`pods/${namespace}/${name}`]);
  const add = (resource: string, target: string | undefined): void => {
    if (target) found.add(`${resource}/${namespace}/${target}`);
  };
  // Mirror pods show what a node runs by itself: they must not open anything to it.
  if (annotations?.["kubernetes.io/config.mirror"] !== undefined) return found;
  add("serviceaccounts", spec.serviceAccountName);
  for (const claim of spec.resourceClaims ?? []) add("resourceclaims", claim.resourceClaimName ?? status?.resourceClaimStatuses?.find((each) => each.name === claim.name)?.resourceClaimName);
  for (const { name: secret } of spec.imagePullSecrets ?? []) add("secrets", secret);
  for (const container of [...spec.containers, ...spec.initContainers ?? [], ...spec.ephemeralContainers ?? []]) {
    for (const { secretRef, configMapRef } of container.envFrom ?? []) {
      add("secrets", secretRef?.name);
      add("configmaps", configMapRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add("secrets", valueFrom?.secretKeyRef?.name);
      add("configmaps", valueFrom?.configMapKeyRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) addVolume(volume, add, name!);
  return found;
}

function addVolume(volume: Frozen<Volume>, add: (resource: string, target: string | undefined) => void, podName: string): void {
  add("secrets", volume.secret?.secretName);
  add("configmaps", volume.configMap?.name);
  add("persistentvolumeclaims", volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${podName}-${volume.name}` : undefined));
  for (const source of volume.projected?.sources ?? []) {
    add("secrets", source.secret?.name);
    add("configmaps", source.configMap?.name);
  }
  add("secrets", volume.azureFile?.secretName);
  add("secrets", volume.csi?.nodePublishSecretRef?.name);
  for (const source of [volume.cephfs, volume.flexVolume, volume.iscsi, volume.rbd, volume.scaleIO, volume.storageos]) add("secrets", source?.secretRef?.name);
}
