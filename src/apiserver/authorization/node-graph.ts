import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod, Volume } from "../../apis/generated/core/v1.ts";
import type { Informer } from "../../client/informer.ts";

/** What the pods of each node refer to, so that a node may read just that. */
export interface NodeGraph {
  /** `reference` is `resource/namespace/name`, such as `secrets/default/db`. */
  refers(node: string, reference: string): boolean;
}

export function nodeGraph(pods: Informer<Pod>): NodeGraph {
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
    if (old && current && old.spec === current.spec) return;
    count(current, 1);
    count(old, -1);
  });
  return { refers: (node, reference) => counts.get(node)?.has(reference) ?? false };
}

/** Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/node AddPod and VisitPodSecretNames. */
export function referencesOf({ metadata: { namespace, name, annotations }, spec }: Frozen<Pod>): Set<string> {
  const found = new Set<string>([`pods/${namespace}/${name}`]);
  const add = (resource: string, target: string | undefined): void => {
    if (target) found.add(`${resource}/${namespace}/${target}`);
  };
  // Mirror pods show what a node runs by itself: they must not open anything to it.
  if (annotations?.["kubernetes.io/config.mirror"] !== undefined) return found;
  add("serviceaccounts", spec.serviceAccountName);
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
